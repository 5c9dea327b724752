// Netlink attributes as bytes: a writer and a checked reader. Pure; knows no message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "firedrill/result.hpp"

namespace firedrill::agent::kernel {

using Bytes = std::vector<std::byte>;

/// Appends a fixed-size kernel structure as it lies in memory.
template <class Plain>
void append_plain(Bytes& out, const Plain& value) {
  static_assert(std::is_trivially_copyable_v<Plain>);
  const auto* first = reinterpret_cast<const std::byte*>(&value);
  out.insert(out.end(), first, first + sizeof(Plain));
}

/// Builds a message: fixed headers first, then attributes, padded as the kernel wants them.
class AttributeWriter {
 public:
  AttributeWriter() = default;
  template <class Plain>
  explicit AttributeWriter(const Plain& header) {
    append_plain(bytes_, header);
  }

  void put_bytes(std::uint16_t type, std::span<const std::byte> payload);
  /// With the terminating zero.
  void put_text(std::uint16_t type, std::string_view text);
  template <class Plain>
  void put(std::uint16_t type, const Plain& value) {
    static_assert(std::is_trivially_copyable_v<Plain>);
    put_bytes(type, std::as_bytes(std::span(&value, 1)));
  }
  /// An attribute that holds other attributes.
  void put_nest(std::uint16_t type, const AttributeWriter& inner);

  [[nodiscard]] const Bytes& bytes() const { return bytes_; }

 private:
  Bytes bytes_;
};

/// The attributes found in a range, by number; of a repeated number the last counts, as in the
/// kernel. Points into the bytes it was made from.
class AttributeTable {
 public:
  struct Entry {
    std::uint16_t type = 0;
    std::span<const std::byte> payload;
  };

  /// @errors corrupt  a length that does not fit
  [[nodiscard]] static Result<AttributeTable> parse(std::span<const std::byte> bytes);

  [[nodiscard]] std::optional<std::span<const std::byte>> find(std::uint16_t type) const;
  /// A fixed-size value; none when absent or shorter than it should be.
  template <class Plain>
  [[nodiscard]] std::optional<Plain> get(std::uint16_t type) const {
    static_assert(std::is_trivially_copyable_v<Plain>);
    const auto payload = find(type);
    if (!payload || payload->size() < sizeof(Plain)) return std::nullopt;
    Plain value;
    std::memcpy(&value, payload->data(), sizeof value);
    return value;
  }
  /// Text up to its first zero; empty when absent.
  [[nodiscard]] std::string_view text(std::uint16_t type) const;
  /// The attributes inside one; an empty table when absent.
  [[nodiscard]] Result<AttributeTable> nest(std::uint16_t type) const;
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

 private:
  std::vector<Entry> entries_;
};

}  // namespace firedrill::agent::kernel
