#include "firedrill/files.hpp"

#include <cerrno>
#include <cstdio>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace firedrill {
namespace {

constexpr std::size_t kMaxBytes = 1 << 20;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

std::string named(std::string_view verb, const std::filesystem::path& path) {
  return std::string{verb} + " '" + path.string() + "'";
}

Result<void> write_all(int fd, std::string_view text, const std::filesystem::path& path) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno(errno, named("writing", path));
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

std::filesystem::path next_of(const std::filesystem::path& key) { return key.string() + ".next"; }

Result<void> rename_within(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (std::rename(from.c_str(), to.c_str()) < 0) return fail_errno(errno, named("writing", to));
  return sync_directory(to.has_parent_path() ? to.parent_path() : ".");
}

}  // namespace

Result<void> sync_directory(const std::filesystem::path& dir) {
  const Descriptor fd{::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (fd.get() < 0 || ::fsync(fd.get()) < 0) return fail_errno(errno, named("syncing", dir));
  return {};
}

Result<void> make_directory(const std::filesystem::path& dir) {
  std::error_code error;
  if (std::filesystem::is_directory(dir, error)) return {};
  if (dir.has_parent_path() && dir.parent_path() != dir) {
    if (auto made = make_directory(dir.parent_path()); !made) return made;
  }
  if (::mkdir(dir.c_str(), 0700) < 0 && errno != EEXIST)
    return fail_errno(errno, named("making the directory", dir));
  // EEXIST may also be a file, and another process may have been quicker.
  if (!std::filesystem::is_directory(dir, error))
    return fail(ErrorCode::invalid_input, "'" + dir.string() + "' is not a directory");
  return {};
}

Result<void> write_file(const std::filesystem::path& path, std::string_view text, mode_t mode) {
  std::filesystem::path beside = path;
  beside += ".new";
  ::unlink(beside.c_str());  // left by a crash, or not there at all
  {
    const Descriptor fd{
        ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)};
    if (fd.get() < 0) return fail_errno(errno, named("creating", beside));
    if (auto written = write_all(fd.get(), text, beside); !written) return written;
    // The umask took bits away, and a certificate shall be readable as `mode` says.
    if (::fchmod(fd.get(), mode) < 0 || ::fsync(fd.get()) < 0)
      return fail_errno(errno, named("writing", beside));
  }
  return rename_within(beside, path);
}

Result<std::string> read_file(const std::filesystem::path& path) {
  const Descriptor fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (fd.get() < 0) return fail_errno(errno, named("reading", path));
  std::string text(kMaxBytes + 1, '\0');
  std::size_t filled = 0;
  while (filled < text.size()) {
    const ssize_t got = ::read(fd.get(), text.data() + filled, text.size() - filled);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, named("reading", path));
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  if (filled > kMaxBytes)
    return fail(ErrorCode::corrupt, "'" + path.string() + "' is larger than 1 MiB");
  text.resize(filled);
  return text;
}

bool is_there(const std::filesystem::path& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0;
}

Result<void> replace_pair(const std::filesystem::path& certificate,
                          std::string_view certificate_text, const std::filesystem::path& key,
                          std::string_view key_text) {
  constexpr mode_t kPrivate = 0600;
  constexpr mode_t kPublic = 0644;
  if (auto written = write_file(next_of(key), key_text, kPrivate); !written) return written;
  if (auto written = write_file(certificate, certificate_text, kPublic); !written) return written;
  return rename_within(next_of(key), key);
}

Result<void> settle_pair(const std::filesystem::path& certificate, const std::filesystem::path& key,
                         const BelongTogether& belong_together) {
  if (!is_there(next_of(key))) return {};
  const auto forget = [&]() -> Result<void> {
    if (::unlink(next_of(key).c_str()) < 0)
      return fail_errno(errno, named("deleting", next_of(key)));
    return {};
  };
  // One that belongs to no certificate was cut short before it counted.
  if (!is_there(certificate)) return forget();
  const auto text = read_file(certificate);
  if (!text) return std::unexpected(text.error());
  const auto next = read_file(next_of(key));
  if (!next) return std::unexpected(next.error());
  return belong_together(*text, *next) ? rename_within(next_of(key), key) : forget();
}

}  // namespace firedrill
