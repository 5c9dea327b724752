// The file format as tables: one table checks a document and is its JSON Schema. Takes JSON and a
// Shape; gives the first thing that is wrong. Knows nothing of what the keys mean.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "firedrill/json.hpp"

namespace firedrill::format {

enum class Kind : std::uint8_t {
  text,       ///< not empty
  choice,     ///< one of `choices`
  duration,   ///< a string with its unit, within min..max microseconds
  seconds,    ///< Chaos Toolkit's bare seconds, or a duration
  number,     ///< within min..max
  integer,    ///< a whole number within min..max
  count,      ///< a number, or a string like "50" or "50%"
  flag,       ///< true or false
  texts,      ///< a list of strings
  words,      ///< a string or a list of strings
  labels,     ///< an object of strings
  open,       ///< an object with any keys
  any,        ///< anything; the reader looks closer
  tolerance,  ///< Chaos Toolkit's tolerance, without its "probe" form
  object,     ///< `shape`
  list,       ///< a list of `shape`, or of what `pick` chooses among `alternatives`
  map,        ///< an object whose every value is `shape`
  refused,    ///< known, and not supported: `help` says what to do instead
};

struct Shape;

struct Key {
  std::string_view name;
  Kind kind = Kind::text;
  bool required = false;
  std::string_view help = {};
  double min = 0;
  double max = 0;  ///< min == max: no bounds
  std::span<const std::string_view> choices = {};
  const Shape* shape = nullptr;
  std::span<const Shape* const> alternatives = {};
  const Shape& (*pick)(const Json& item) = nullptr;
};

struct Shape {
  std::string_view name;
  std::span<const Key> keys;
  bool open = false;  ///< other keys are allowed: another room knows them
};

/// The first thing wrong with `json`: with its pointer and, for a word, the nearest known one.
[[nodiscard]] Result<void> check(const Json& json, const Shape& shape, const std::string& pointer);

/// The shape as JSON Schema, draft 2020-12.
[[nodiscard]] Json to_schema(const Shape& shape);

/// The format of an experiment file.
[[nodiscard]] const Shape& experiment_shape();

}  // namespace firedrill::format
