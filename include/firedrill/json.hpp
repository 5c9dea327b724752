// JSON reading helpers shared by everything that parses: strict objects, JSON pointers, nearest
// words.
#pragma once

#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "firedrill/result.hpp"

namespace firedrill {

using Json = nlohmann::json;

/// Parses text; a syntax error names line and column. `name` is the file or source, for the
/// message.
[[nodiscard]] Result<Json> parse_json(std::string_view text, std::string_view name);

/// One more step of a JSON pointer, with `~` and `/` escaped (RFC 6901).
[[nodiscard]] std::string pointer_join(std::string_view base, std::string_view key);
[[nodiscard]] std::string pointer_join(std::string_view base, std::size_t index);

/// The candidate nearest to `word` (Damerau-Levenshtein distance at most a third of its length,
/// at least 1 and at most 3), or empty.
[[nodiscard]] std::string nearest_word(std::string_view word,
                                       std::span<const std::string_view> candidates);

/// " Did you mean 'x'?" or, when nothing is near, " Known: a, b, c."
[[nodiscard]] std::string suggestion(std::string_view word,
                                     std::span<const std::string_view> candidates);

/// Reads one JSON object strictly: typed members, and every unknown key refused with its pointer.
/// Errors are sticky: the first is kept, later reads give defaults, and finish() returns it.
class ObjectReader {
 public:
  ObjectReader(const Json& object, std::string pointer);

  std::string required_text(std::string_view key);
  std::string optional_text(std::string_view key, std::string fallback = {});
  double optional_number(std::string_view key, double fallback);
  std::int64_t optional_integer(std::string_view key, std::int64_t fallback);
  bool optional_flag(std::string_view key, bool fallback);
  std::vector<std::string> optional_texts(std::string_view key);
  /// The member itself, any type, or nullptr when absent. Marks the key as known.
  const Json* member(std::string_view key);
  const Json* required_object(std::string_view key);
  const Json* optional_object(std::string_view key);
  const Json* optional_array(std::string_view key);

  [[nodiscard]] std::string at(std::string_view key) const { return pointer_join(pointer_, key); }
  [[nodiscard]] const std::string& pointer() const { return pointer_; }
  void note_error(Error error);
  [[nodiscard]] bool ok() const { return !error_; }

  /// Refuses keys nobody asked for. Call once, last.
  [[nodiscard]] Result<void> finish();

 private:
  const Json* typed(std::string_view key, bool (Json::*is)() const noexcept, std::string_view kind,
                    bool required);

  const Json& object_;
  std::string pointer_;
  std::vector<std::string> known_;
  std::optional<Error> error_;
};

}  // namespace firedrill
