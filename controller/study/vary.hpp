// What a sweep varies: one parameter of a fault, from mild to strong. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "firedrill/json.hpp"

namespace firedrill {

/// "SUBJECT.PARAMETER=FROM..TO": the subject is a fault ("netem") or the name of an action; FROM is
/// the mildest value and TO the strongest, so a ring may go from 1024 down to 16. Both ends have
/// the same kind of unit and are above zero: the steps between them are equal ratios.
struct Vary {
  enum class Unit : std::uint8_t { number, ratio, duration, bytes, rate };
  std::string subject, parameter;
  Unit unit = Unit::number;
  bool whole = false;       ///< both ends are whole numbers: so are the values between
  double from = 0, to = 0;  ///< in 1, shares, microseconds, bytes, bits per second
};

/// @errors invalid_input: the shape, a unit, two kinds of unit, an end at zero, equal ends
[[nodiscard]] Result<Vary> parse_vary(std::string_view text);

/// The value as the experiment file writes it: "0.5%", "20ms", 64.
[[nodiscard]] Json value_of(const Vary& vary, double value);
/// The same for people.
[[nodiscard]] std::string value_text(const Vary& vary, double value);
/// To three significant digits and to what the unit can express, within the two ends. This rounded
/// value is the one that is injected, told and drawn.
[[nodiscard]] double rounded(const Vary& vary, double value);
/// 0 at `from`, 1 at `to`, on the log scale between.
[[nodiscard]] double strength(const Vary& vary, double value);
/// `steps` values at equal ratios, both ends included; those that round to the same are one.
[[nodiscard]] std::vector<double> log_grid(const Vary& vary, std::size_t steps);

/// The experiment's JSON, as in its file, with the value in every action that the subject names.
/// @errors not_found: no action is meant; the text names what could be
[[nodiscard]] Result<Json> with_value(const Json& experiment, const Vary& vary, double value);

}  // namespace firedrill
