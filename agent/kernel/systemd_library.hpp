// libsystemd's bus functions, loaded when a unit is first asked for; see dynamic_library.hpp.
#pragma once

#include <systemd/sd-bus.h>

#include "firedrill/result.hpp"

namespace firedrill::agent::kernel {

/// Named as in libsystemd, without "sd_bus_".
struct SystemdLibrary {
  decltype(&::sd_bus_open_system) open_system = nullptr;
  decltype(&::sd_bus_flush_close_unref) flush_close_unref = nullptr;
  decltype(&::sd_bus_message_new_method_call) message_new_method_call = nullptr;
  decltype(&::sd_bus_message_append) message_append = nullptr;
  decltype(&::sd_bus_message_open_container) message_open_container = nullptr;
  decltype(&::sd_bus_message_close_container) message_close_container = nullptr;
  decltype(&::sd_bus_message_enter_container) message_enter_container = nullptr;
  decltype(&::sd_bus_message_read) message_read = nullptr;
  decltype(&::sd_bus_message_unref) message_unref = nullptr;
  decltype(&::sd_bus_call) call = nullptr;
  decltype(&::sd_bus_get_property) get_property = nullptr;
  decltype(&::sd_bus_get_property_string) get_property_string = nullptr;
  decltype(&::sd_bus_error_free) error_free = nullptr;
};

/// Loads it at the first call; every later call gives the same answer. Any thread.
/// @errors unsupported  it is not installed
[[nodiscard]] const Result<SystemdLibrary>& systemd_library();

}  // namespace firedrill::agent::kernel
