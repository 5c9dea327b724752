#include "agent/kernel/dynamic_library.hpp"

#include <dlfcn.h>
#include <fmt/core.h>

namespace firedrill::agent::kernel {
namespace {

std::string last_error() {
  const char* text = ::dlerror();
  return text == nullptr ? "unknown error" : text;
}

}  // namespace

Result<DynamicLibrary> DynamicLibrary::open(const char* file, const char* package) {
  // RTLD_NOW: a call that cannot be resolved is refused here, not in the middle of a fault.
  void* handle = ::dlopen(file, RTLD_NOW | RTLD_LOCAL);
  if (handle != nullptr) return DynamicLibrary(handle, file);
  return fail(ErrorCode::unsupported,
              fmt::format("this needs {}, which does not load ({}); install "
                          "the package {}",
                          file, last_error(), package));
}

Result<void*> DynamicLibrary::find_address(const char* name) const {
  void* address = ::dlsym(handle_, name);
  if (address != nullptr) return address;
  return fail(ErrorCode::unsupported, fmt::format("{} has no {}: it is too old", file_, name));
}

}  // namespace firedrill::agent::kernel
