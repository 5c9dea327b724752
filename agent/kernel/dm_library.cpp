#include "agent/kernel/dm_library.hpp"

#include "agent/kernel/dynamic_library.hpp"

namespace firedrill::agent::kernel {
namespace {

void print_nothing(int, const char*, int, int, const char*, ...) {}

Result<DmLibrary> load() {
  auto library = load_table<DmLibrary>(
      "libdevmapper.so.1.02.1", "libdevmapper1.02.1", [](auto& table, const auto& find) {
        find("dm_task_create", table.task_create);
        find("dm_task_destroy", table.task_destroy);
        find("dm_task_run", table.task_run);
        find("dm_task_get_errno", table.task_get_errno);
        find("dm_task_get_info", table.task_get_info);
        find("dm_task_get_name", table.task_get_name);
        find("dm_task_get_uuid", table.task_get_uuid);
        find("dm_task_set_name", table.task_set_name);
        find("dm_task_set_major_minor", table.task_set_major_minor);
        find("dm_task_set_add_node", table.task_set_add_node);
        find("dm_task_set_read_ahead", table.task_set_read_ahead);
        find("dm_task_skip_lockfs", table.task_skip_lockfs);
        find("dm_task_query_inactive_table", table.task_query_inactive_table);
        find("dm_task_add_target", table.task_add_target);
        find("dm_get_next_target", table.get_next_target);
        find("dm_log_with_errno_init", table.log_with_errno_init);
        find("dm_udev_set_sync_support", table.udev_set_sync_support);
      });
  if (!library) return library;
  library->log_with_errno_init(&print_nothing);
  library->udev_set_sync_support(0);
  return library;
}

}  // namespace

const Result<DmLibrary>& dm_library() {
  static const Result<DmLibrary> loaded = load();
  return loaded;
}

}  // namespace firedrill::agent::kernel
