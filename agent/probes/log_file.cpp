// A log file, followed by its name.
#include <array>
#include <cerrno>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/probes/log_lines.hpp"

namespace firedrill::agent {
namespace {

constexpr std::size_t kMostBytes = 1 << 20;  ///< of one read()
constexpr std::size_t kLongestLine = 4096;

/// A controller may count the lines of logs, not look for words in any file of the host.
bool is_log(const std::filesystem::path& path) {
  const std::string text = path.lexically_normal();
  return path.is_absolute() && text == path.string() &&
         (text.starts_with("/var/log/") || path.filename().string().contains(".log"));
}

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

Result<Descriptor> open_regular(const std::string& path) {
  // Without O_NONBLOCK a pipe of that name would keep us waiting for its writer.
  Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  if (file.get() < 0) return fail_errno(errno, path);
  struct stat about{};
  if (::fstat(file.get(), &about) != 0) return fail_errno(errno, path);
  if (!S_ISREG(about.st_mode)) return fail(ErrorCode::refused, path + ": not a regular file");
  return file;
}

UtcTime now() { return std::chrono::floor<Duration>(std::chrono::system_clock::now()); }

class LogFile final : public LogSource {
 public:
  LogFile(std::string path, Descriptor file) : path_(std::move(path)), file_(std::move(file)) {}

  Result<std::uint64_t> read(const OnLine& on_line) override {
    std::size_t taken = 0;
    while (taken < kMostBytes) {
      std::array<char, 16'384> chunk;
      const ssize_t got = ::read(file_.get(), chunk.data(), chunk.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return fail_errno(errno, path_);
      if (got == 0) {
        if (!reopen()) return 0;
        continue;
      }
      taken += static_cast<std::size_t>(got);
      split({chunk.data(), static_cast<std::size_t>(got)}, on_line);
    }
    return left();
  }

 private:
  void split(std::string_view text, const OnLine& on_line) {
    while (!text.empty()) {
      const std::size_t end = text.find('\n');
      const std::string_view part = text.substr(0, end);
      line_.append(part.substr(0, kLongestLine - std::min(kLongestLine, line_.size())));
      if (end == std::string_view::npos) return;
      on_line({line_, stamp_of(line_, now())});
      line_.clear();
      text.remove_prefix(end + 1);
    }
  }

  [[nodiscard]] std::uint64_t left() const {
    struct stat about{};
    const off_t at = ::lseek(file_.get(), 0, SEEK_CUR);
    if (::fstat(file_.get(), &about) != 0 || at < 0 || about.st_size <= at) return 0;
    return static_cast<std::uint64_t>(about.st_size - at);
  }

  /// At the end: was it cut off, or has another file taken its name? False when there is no more.
  bool reopen() {
    struct stat mine{}, named{};
    const off_t at = ::lseek(file_.get(), 0, SEEK_CUR);
    if (::fstat(file_.get(), &mine) != 0) return false;
    if (mine.st_size < at) {
      line_.clear();
      return ::lseek(file_.get(), 0, SEEK_SET) == 0;
    }
    if (::stat(path_.c_str(), &named) != 0) return false;  // rotated, the next one comes later
    if (named.st_ino == mine.st_ino && named.st_dev == mine.st_dev) return false;
    auto next = open_regular(path_);
    if (!next) return false;
    file_ = std::move(*next);
    line_.clear();
    return true;
  }

  std::string path_;
  Descriptor file_;
  std::string line_;  ///< the beginning of a line whose end is not written yet
};

}  // namespace

Result<std::unique_ptr<LogSource>> open_log_file(const std::string& path) {
  if (!is_log(path))
    return std::unexpected(Error{ErrorCode::refused, 0,
                                 fmt::format("'{}' is no log: the agent reads files below "
                                             "/var/log, and others with .log in their name",
                                             path),
                                 "/file"});
  auto file = open_regular(path);
  if (!file) return std::unexpected(file.error());
  if (::lseek(file->get(), 0, SEEK_END) < 0) return fail_errno(errno, path);
  return std::make_unique<LogFile>(path, std::move(*file));
}

}  // namespace firedrill::agent
