// libsystemd's functions that read its journal, loaded when a log is first asked for; see
// dynamic_library.hpp. There is no socket to read a journal from: journald's own only take lines.
#pragma once

#include <systemd/sd-journal.h>

#include "firedrill/result.hpp"

namespace firedrill::agent::kernel {

/// Named as in libsystemd, without "sd_journal_".
struct JournalLibrary {
  decltype(&::sd_journal_open) open = nullptr;
  decltype(&::sd_journal_close) close = nullptr;
  decltype(&::sd_journal_get_fd) get_fd = nullptr;
  decltype(&::sd_journal_process) process = nullptr;
  decltype(&::sd_journal_set_data_threshold) set_data_threshold = nullptr;
  decltype(&::sd_journal_add_match) add_match = nullptr;
  decltype(&::sd_journal_seek_tail) seek_tail = nullptr;
  decltype(&::sd_journal_previous) previous = nullptr;
  decltype(&::sd_journal_next) next = nullptr;
  decltype(&::sd_journal_get_data) get_data = nullptr;
  decltype(&::sd_journal_get_realtime_usec) get_realtime_usec = nullptr;
};

/// Loads it at the first call; every later call gives the same answer. Any thread.
/// @errors unsupported  it is not installed
[[nodiscard]] const Result<JournalLibrary>& journal_library();

}  // namespace firedrill::agent::kernel
