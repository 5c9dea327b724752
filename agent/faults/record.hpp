// Reads members of an undo record, which may have been stored by an older agent or be damaged.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "agent/kernel/types.hpp"
#include "firedrill/json.hpp"

namespace firedrill::agent {

/// Sticky like ObjectReader: the first thing that is missing or of the wrong type is kept and given
/// by status(); reads after it give defaults.
class RecordReader {
 public:
  RecordReader(const Json& record, std::string_view fault) : record_(record), fault_(fault) {}

  [[nodiscard]] std::string text(std::string_view key);
  [[nodiscard]] std::uint64_t number(std::string_view key,
                                     std::uint64_t max = std::numeric_limits<std::int64_t>::max());
  [[nodiscard]] std::uint32_t number32(std::string_view key) {
    return static_cast<std::uint32_t>(number(key, std::numeric_limits<std::uint32_t>::max()));
  }
  [[nodiscard]] bool has(std::string_view key) const { return record_.contains(key); }
  [[nodiscard]] std::vector<std::string> texts(std::string_view key);
  /// Members "boot_id" and "namespace".
  [[nodiscard]] kernel::NamespaceId namespace_id();

  /// Every value that a ramp of `parameter` may have set, in canonical units, the last included.
  /// Empty when the record tells of no such ramp.
  [[nodiscard]] std::vector<double> ramp_values(std::string_view parameter);

  /// @errors corrupt
  [[nodiscard]] Result<void> status() const;

 private:
  void note(std::string_view key);

  const Json& record_;
  std::string fault_;
  std::string bad_key_;
};

/// Is the record about the host as it runs now? A reboot took everything along that a fault had
/// put into the kernel; another namespace is out of reach.
enum class RecordScope : std::uint8_t { here, before_reboot };
/// @errors unavailable  the record is about another namespace of this boot
[[nodiscard]] Result<RecordScope> scope_of(const kernel::NamespaceId& recorded,
                                           const kernel::NamespaceId& now);

}  // namespace firedrill::agent
