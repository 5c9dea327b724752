#include "agent/kernel/journal_library.hpp"

#include "agent/kernel/dynamic_library.hpp"

namespace firedrill::agent::kernel {
namespace {

Result<JournalLibrary> load() {
  const auto file = DynamicLibrary::open("libsystemd.so.0", "libsystemd0");
  if (!file) return std::unexpected(file.error());
  JournalLibrary out;
  Result<void> found;
  const auto find = [&file, &found](const char* name, auto& function) {
    if (found) found = file->find(name, function);
  };
  find("sd_journal_open", out.open);
  find("sd_journal_close", out.close);
  find("sd_journal_get_fd", out.get_fd);
  find("sd_journal_process", out.process);
  find("sd_journal_set_data_threshold", out.set_data_threshold);
  find("sd_journal_add_match", out.add_match);
  find("sd_journal_seek_tail", out.seek_tail);
  find("sd_journal_previous", out.previous);
  find("sd_journal_next", out.next);
  find("sd_journal_get_data", out.get_data);
  find("sd_journal_get_realtime_usec", out.get_realtime_usec);
  if (!found) return std::unexpected(found.error());
  return out;
}

}  // namespace

const Result<JournalLibrary>& journal_library() {
  static const Result<JournalLibrary> loaded = load();
  return loaded;
}

}  // namespace firedrill::agent::kernel
