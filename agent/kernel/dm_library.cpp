#include "agent/kernel/dm_library.hpp"

#include "agent/kernel/dynamic_library.hpp"

namespace firedrill::agent::kernel {
namespace {

void print_nothing(int, const char*, int, int, const char*, ...) {}

Result<DmLibrary> load() {
  const auto file = DynamicLibrary::open("libdevmapper.so.1.02.1", "libdevmapper1.02.1");
  if (!file) return std::unexpected(file.error());
  DmLibrary out;
  Result<void> found;
  const auto find = [&file, &found](const char* name, auto& function) {
    if (found) found = file->find(name, function);
  };
  find("dm_task_create", out.task_create);
  find("dm_task_destroy", out.task_destroy);
  find("dm_task_run", out.task_run);
  find("dm_task_get_errno", out.task_get_errno);
  find("dm_task_get_info", out.task_get_info);
  find("dm_task_get_name", out.task_get_name);
  find("dm_task_get_uuid", out.task_get_uuid);
  find("dm_task_set_name", out.task_set_name);
  find("dm_task_set_major_minor", out.task_set_major_minor);
  find("dm_task_set_add_node", out.task_set_add_node);
  find("dm_task_set_read_ahead", out.task_set_read_ahead);
  find("dm_task_skip_lockfs", out.task_skip_lockfs);
  find("dm_task_query_inactive_table", out.task_query_inactive_table);
  find("dm_task_add_target", out.task_add_target);
  find("dm_get_next_target", out.get_next_target);
  find("dm_log_with_errno_init", out.log_with_errno_init);
  find("dm_udev_set_sync_support", out.udev_set_sync_support);
  if (!found) return std::unexpected(found.error());
  out.log_with_errno_init(&print_nothing);
  out.udev_set_sync_support(0);
  return out;
}

}  // namespace

const Result<DmLibrary>& dm_library() {
  static const Result<DmLibrary> loaded = load();
  return loaded;
}

}  // namespace firedrill::agent::kernel
