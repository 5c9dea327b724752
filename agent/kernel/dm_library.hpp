// libdevmapper's functions, loaded with the first disk fault; see dynamic_library.hpp.
#pragma once

#include <libdevmapper.h>

#include "firedrill/result.hpp"

namespace firedrill::agent::kernel {

/// Named as in libdevmapper, without "dm_".
struct DmLibrary {
  decltype(&::dm_task_create) task_create = nullptr;
  decltype(&::dm_task_destroy) task_destroy = nullptr;
  decltype(&::dm_task_run) task_run = nullptr;
  decltype(&::dm_task_get_errno) task_get_errno = nullptr;
  decltype(&::dm_task_get_info) task_get_info = nullptr;
  decltype(&::dm_task_get_name) task_get_name = nullptr;
  decltype(&::dm_task_get_uuid) task_get_uuid = nullptr;
  decltype(&::dm_task_set_name) task_set_name = nullptr;
  decltype(&::dm_task_set_major_minor) task_set_major_minor = nullptr;
  decltype(&::dm_task_set_add_node) task_set_add_node = nullptr;
  decltype(&::dm_task_set_read_ahead) task_set_read_ahead = nullptr;
  decltype(&::dm_task_skip_lockfs) task_skip_lockfs = nullptr;
  decltype(&::dm_task_query_inactive_table) task_query_inactive_table = nullptr;
  decltype(&::dm_task_add_target) task_add_target = nullptr;
  decltype(&::dm_get_next_target) get_next_target = nullptr;
  decltype(&::dm_log_with_errno_init) log_with_errno_init = nullptr;
  decltype(&::dm_udev_set_sync_support) udev_set_sync_support = nullptr;
};

/// Loads it at the first call, silent and without waiting for udevd; every later call gives the
/// same answer. Any thread.
/// @errors unsupported  it is not installed
[[nodiscard]] const Result<DmLibrary>& dm_library();

}  // namespace firedrill::agent::kernel
