#include "agent/kernel/device_mapper.hpp"

#include <cerrno>
#include <memory>

#include <fmt/format.h>

#include "agent/kernel/dm_library.hpp"

namespace firedrill::agent::kernel {
namespace {

/// Of a task that exists, because new_task() has asked for it.
const DmLibrary& dm() { return *dm_library(); }

struct TaskDeleter {
  void operator()(dm_task* task) const { dm().task_destroy(task); }
};
using Task = std::unique_ptr<dm_task, TaskDeleter>;

Result<Task> new_task(int type) {
  if (const auto& loaded = dm_library(); !loaded) return std::unexpected(loaded.error());
  Task task(dm().task_create(type));
  if (!task) return fail(ErrorCode::unsupported, "the kernel has no device-mapper (module dm_mod)");
  return task;
}

Result<Task> task_on(int type, DeviceNumber device) {
  auto task = new_task(type);
  if (!task) return std::unexpected(task.error());
  if (dm().task_set_major_minor(task->get(), static_cast<int>(device.major),
                                static_cast<int>(device.minor), 0) == 0 ||
      dm().task_set_add_node(task->get(), DM_ADD_NODE_ON_CREATE) == 0)
    return fail(ErrorCode::internal, "libdevmapper refuses device " + to_string(device));
  return task;
}

Result<void> run(const Task& task, std::string_view what, DeviceNumber device) {
  if (dm().task_run(task.get()) != 0) return {};
  const int error = dm().task_get_errno(task.get());
  return fail_errno(error == 0 ? EIO : error,
                    fmt::format("device-mapper: {} {}", what, to_string(device)));
}

}  // namespace

Result<bool> dm_has_target(const std::string& type) {
  const auto task = new_task(DM_DEVICE_GET_TARGET_VERSION);
  if (!task) return std::unexpected(task.error());
  if (dm().task_set_name(task->get(), type.c_str()) == 0)
    return fail(ErrorCode::internal, "libdevmapper refuses target '" + type + "'");
  if (dm().task_run(task->get()) != 0) return true;
  const int error = dm().task_get_errno(task->get());
  if (error == EINVAL) return false;  // no such target, and no module that has it
  return fail_errno(error == 0 ? EIO : error, "device-mapper: version of target '" + type + "'");
}

Result<std::optional<DmInfo>> dm_info(DeviceNumber device) {
  const auto task = task_on(DM_DEVICE_INFO, device);
  if (!task) return std::unexpected(task.error());
  if (auto done = run(*task, "info of", device); !done) {
    if (done.error().sys_errno == ENXIO) return std::nullopt;
    return std::unexpected(done.error());
  }
  struct dm_info info{};
  if (dm().task_get_info(task->get(), &info) == 0) return fail(ErrorCode::internal, "no dm_info");
  if (info.exists == 0) return std::nullopt;
  DmInfo out;
  const char* name = dm().task_get_name(task->get());
  const char* uuid = dm().task_get_uuid(task->get());
  out.name = name == nullptr ? "" : name;
  out.uuid = uuid == nullptr ? "" : uuid;
  out.suspended = info.suspended != 0;
  out.read_only = info.read_only != 0;
  out.has_inactive = info.inactive_table != 0;
  return out;
}

Result<DmTable> dm_table(DeviceNumber device, bool inactive) {
  const auto task = task_on(DM_DEVICE_TABLE, device);
  if (!task) return std::unexpected(task.error());
  if (inactive && dm().task_query_inactive_table(task->get()) == 0)
    return fail(ErrorCode::internal, "libdevmapper cannot ask for the loaded table");
  if (auto done = run(*task, "table of", device); !done) return std::unexpected(done.error());
  DmTable table;
  void* next = nullptr;
  do {
    DmTarget target;
    char* type = nullptr;
    char* params = nullptr;
    next = dm().get_next_target(task->get(), next, &target.start, &target.length, &type, &params);
    if (type == nullptr) break;
    target.type = type;
    target.params = params == nullptr ? "" : params;
    table.push_back(std::move(target));
  } while (next != nullptr);
  return table;
}

Result<void> dm_load(DeviceNumber device, const DmTable& table) {
  const auto task = task_on(DM_DEVICE_RELOAD, device);
  if (!task) return std::unexpected(task.error());
  for (const DmTarget& target : table)
    if (dm().task_add_target(task->get(), target.start, target.length, target.type.c_str(),
                             target.params.c_str()) == 0)
      return fail(ErrorCode::internal, "libdevmapper refuses '" + to_string(target) + "'");
  return run(*task, "load a table for", device);
}

Result<void> dm_resume(DeviceNumber device) {
  const auto task = task_on(DM_DEVICE_RESUME, device);
  if (!task) return std::unexpected(task.error());
  if (dm().task_skip_lockfs(task->get()) == 0 ||
      dm().task_set_read_ahead(task->get(), DM_READ_AHEAD_AUTO, 0) == 0)
    return fail(ErrorCode::internal, "libdevmapper refuses to resume");
  return run(*task, "resume", device);
}

Result<void> dm_clear(DeviceNumber device) {
  const auto task = task_on(DM_DEVICE_CLEAR, device);
  if (!task) return std::unexpected(task.error());
  return run(*task, "clear the loaded table of", device);
}

}  // namespace firedrill::agent::kernel
