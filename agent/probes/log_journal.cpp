// A unit's lines in systemd's journal, read from its files by libsystemd.
#include <cerrno>
#include <filesystem>
#include <utility>

#include <fmt/core.h>

#include "agent/kernel/journal_library.hpp"
#include "agent/probes/log_lines.hpp"

namespace firedrill::agent {
namespace {

using kernel::JournalLibrary;

constexpr std::size_t kLongestField = 4096;
constexpr int kMostEntries = 10'000;  ///< of one read()
constexpr std::string_view kMessage = "MESSAGE=";

class Journal final : public LogSource {
 public:
  Journal(const JournalLibrary& library, sd_journal* journal)
      : library_(library), journal_(journal) {}
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  ~Journal() override { library_.close(journal_); }

  /// Behind the last entry that is there now.
  Result<void> begin(const std::string& unit) {
    library_.set_data_threshold(journal_, kLongestField);
    const std::string match = "_SYSTEMD_UNIT=" + unit;
    int code = library_.add_match(journal_, match.data(), match.size());
    // Its first call starts watching the folder: files that appear later are then seen.
    if (code >= 0) code = library_.get_fd(journal_);
    if (code >= 0) code = library_.seek_tail(journal_);
    if (code >= 0) code = library_.previous(journal_);
    if (code < 0) return fail_errno(-code, "journal of " + unit);
    return {};
  }

  Result<std::uint64_t> read(const OnLine& on_line) override {
    // Takes in what the folder's watch has seen: new files, rotated ones.
    if (const int code = library_.process(journal_); code < 0)
      return fail_errno(-code, "sd_journal_process");
    for (int entries = 0; entries < kMostEntries; ++entries) {
      const int code = library_.next(journal_);
      if (code < 0) return fail_errno(-code, "sd_journal_next");
      if (code == 0) return 0;
      give(on_line);
    }
    return 1;  // at least: how much is left nobody says
  }

 private:
  void give(const OnLine& on_line) {
    const void* data = nullptr;
    std::size_t size = 0;
    std::uint64_t at = 0;
    // An entry that vanished meanwhile, or has no text, is passed over.
    if (library_.get_data(journal_, "MESSAGE", &data, &size) < 0 || size < kMessage.size()) return;
    std::optional<LogStamp> stamp;
    if (library_.get_realtime_usec(journal_, &at) >= 0)
      stamp = LogStamp{from_micros(static_cast<std::int64_t>(at)), Duration{1}};
    on_line(
        {std::string_view(static_cast<const char*>(data), size).substr(kMessage.size()), stamp});
  }

  const JournalLibrary& library_;
  sd_journal* journal_;
};

}  // namespace

std::string journal_trouble() {
  const auto& library = kernel::journal_library();
  if (!library) return library.error().what;
  std::error_code ignored;
  for (const char* folder : {"/var/log/journal", "/run/log/journal"})
    if (std::filesystem::is_directory(folder, ignored)) return {};
  return "no journal is kept here: neither /var/log/journal nor /run/log/journal is there";
}

Result<std::unique_ptr<LogSource>> open_journal(const std::string& unit) {
  if (std::string trouble = journal_trouble(); !trouble.empty())
    return fail(ErrorCode::unsupported, std::move(trouble));
  const JournalLibrary& library = *kernel::journal_library();
  sd_journal* handle = nullptr;
  if (const int code = library.open(&handle, SD_JOURNAL_LOCAL_ONLY | SD_JOURNAL_SYSTEM); code < 0)
    return fail_errno(-code, "sd_journal_open");
  auto journal = std::make_unique<Journal>(library, handle);
  if (auto begun = journal->begin(unit); !begun) return std::unexpected(begun.error());
  return journal;
}

}  // namespace firedrill::agent
