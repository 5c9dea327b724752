#include "agent/kernel/systemd_library.hpp"

#include "agent/kernel/dynamic_library.hpp"

namespace firedrill::agent::kernel {
namespace {

Result<SystemdLibrary> load() {
  return load_table<SystemdLibrary>(
      "libsystemd.so.0", "libsystemd0", [](auto& table, const auto& find) {
        find("sd_bus_open_system", table.open_system);
        find("sd_bus_flush_close_unref", table.flush_close_unref);
        find("sd_bus_message_new_method_call", table.message_new_method_call);
        find("sd_bus_message_append", table.message_append);
        find("sd_bus_message_open_container", table.message_open_container);
        find("sd_bus_message_close_container", table.message_close_container);
        find("sd_bus_message_enter_container", table.message_enter_container);
        find("sd_bus_message_read", table.message_read);
        find("sd_bus_message_unref", table.message_unref);
        find("sd_bus_call", table.call);
        find("sd_bus_get_property", table.get_property);
        find("sd_bus_get_property_string", table.get_property_string);
        find("sd_bus_error_free", table.error_free);
      });
}

}  // namespace

const Result<SystemdLibrary>& systemd_library() {
  static const Result<SystemdLibrary> loaded = load();
  return loaded;
}

}  // namespace firedrill::agent::kernel
