// Shared libraries that are loaded when they are first needed: an idle agent stays small, and a
// host that lacks one can still do everything else. Never unloaded again.
#pragma once

#include <string>

#include "firedrill/result.hpp"

namespace firedrill::agent::kernel {

class DynamicLibrary {
 public:
  /// @param file     as the loader knows it: "libcurl.so.4"
  /// @param package  Debian's name of the package that holds it, for the remedy
  /// @errors unsupported  it is not installed, or does not load
  [[nodiscard]] static Result<DynamicLibrary> open(const char* file, const char* package);

  /// Sets `function` to the one of that name.
  /// @errors unsupported  the library is too old to have it
  template <class Function>
  [[nodiscard]] Result<void> find(const char* name, Function*& function) const {
    const auto address = find_address(name);
    if (!address) return std::unexpected(address.error());
    function = reinterpret_cast<Function*>(*address);
    return {};
  }

 private:
  DynamicLibrary(void* handle, std::string file) : handle_(handle), file_(std::move(file)) {}
  [[nodiscard]] Result<void*> find_address(const char* name) const;

  void* handle_;
  std::string file_;
};

}  // namespace firedrill::agent::kernel
