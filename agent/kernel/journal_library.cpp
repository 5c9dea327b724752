#include "agent/kernel/journal_library.hpp"

#include "agent/kernel/dynamic_library.hpp"

namespace firedrill::agent::kernel {
namespace {

Result<JournalLibrary> load() {
  return load_table<JournalLibrary>(
      "libsystemd.so.0", "libsystemd0", [](auto& table, const auto& find) {
        find("sd_journal_open", table.open);
        find("sd_journal_close", table.close);
        find("sd_journal_get_fd", table.get_fd);
        find("sd_journal_process", table.process);
        find("sd_journal_set_data_threshold", table.set_data_threshold);
        find("sd_journal_add_match", table.add_match);
        find("sd_journal_seek_tail", table.seek_tail);
        find("sd_journal_previous", table.previous);
        find("sd_journal_next", table.next);
        find("sd_journal_get_data", table.get_data);
        find("sd_journal_get_realtime_usec", table.get_realtime_usec);
      });
}

}  // namespace

const Result<JournalLibrary>& journal_library() {
  static const Result<JournalLibrary> loaded = load();
  return loaded;
}

}  // namespace firedrill::agent::kernel
