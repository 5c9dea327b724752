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

/// Loads a library and fills a table of its functions.
/// @param fill  called with the table and `find(name, function)`, once for each function
/// @errors unsupported  it is not installed, or too old to have one of them
template <class Table, class Fill>
[[nodiscard]] Result<Table> load_table(const char* file, const char* package, Fill fill) {
  const auto library = DynamicLibrary::open(file, package);
  if (!library) return std::unexpected(library.error());
  Table table;
  Result<void> found;
  fill(table, [&](const char* name, auto& function) {
    if (found) found = library->find(name, function);
  });
  if (!found) return std::unexpected(found.error());
  return table;
}

}  // namespace firedrill::agent::kernel
