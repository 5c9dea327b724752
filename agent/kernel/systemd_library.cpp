#include "agent/kernel/systemd_library.hpp"

#include "agent/kernel/dynamic_library.hpp"

namespace firedrill::agent::kernel {
namespace {

Result<SystemdLibrary> load() {
  const auto file = DynamicLibrary::open("libsystemd.so.0", "libsystemd0");
  if (!file) return std::unexpected(file.error());
  SystemdLibrary out;
  Result<void> found;
  const auto find = [&file, &found](const char* name, auto& function) {
    if (found) found = file->find(name, function);
  };
  find("sd_bus_open_system", out.open_system);
  find("sd_bus_flush_close_unref", out.flush_close_unref);
  find("sd_bus_message_new_method_call", out.message_new_method_call);
  find("sd_bus_message_append", out.message_append);
  find("sd_bus_message_open_container", out.message_open_container);
  find("sd_bus_message_close_container", out.message_close_container);
  find("sd_bus_message_enter_container", out.message_enter_container);
  find("sd_bus_message_read", out.message_read);
  find("sd_bus_message_unref", out.message_unref);
  find("sd_bus_call", out.call);
  find("sd_bus_get_property", out.get_property);
  find("sd_bus_get_property_string", out.get_property_string);
  find("sd_bus_error_free", out.error_free);
  if (!found) return std::unexpected(found.error());
  return out;
}

}  // namespace

const Result<SystemdLibrary>& systemd_library() {
  static const Result<SystemdLibrary> loaded = load();
  return loaded;
}

}  // namespace firedrill::agent::kernel
