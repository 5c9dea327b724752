// A parameter table: validation, help text, JSON Schema and the agent's self-description at once.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "firedrill/fault_request.hpp"
#include "firedrill/json.hpp"
#include "firedrill/units.hpp"

namespace firedrill {

enum class ParamType : std::uint8_t { text, integer, duration, bytes, rate, ratio, flag, choice };

/// One parameter. Bounds are in the type's canonical unit: microseconds, bytes, bits per second,
/// a share 0..1, or the integer itself. Both bounds are inclusive.
struct ParamSpec {
  std::string_view name;
  ParamType type = ParamType::text;
  bool required = false;
  double min = 0;
  double max = 0;                             ///< max < min means: no bounds
  std::span<const std::string_view> choices;  ///< for ParamType::choice
  std::string_view default_text;              ///< as a person would write it, or empty
  std::string_view help;
  bool list = false;   ///< an array of this type; a single value is accepted too
  bool ramps = false;  ///< a `ramp` may move it while the fault is on
};

/// ParamSpec that owns its text: what a controller rebuilds from an agent's description.
struct OwnedParamSpec {
  std::string name;
  ParamType type = ParamType::text;
  bool required = false;
  double min = 0;
  double max = -1;
  std::vector<std::string> choices;
  std::string default_text;
  std::string help;
  bool list = false;
  bool ramps = false;
};

/// Validated parameters, defaults filled in, held in canonical units.
class Params {
 public:
  Params() : values_(Json::object()) {}
  [[nodiscard]] bool has(std::string_view name) const { return values_.contains(name); }
  // The typed getters abort when the parameter is absent: ask has() or give a default in the table.
  [[nodiscard]] std::string text(std::string_view name) const;
  [[nodiscard]] std::int64_t integer(std::string_view name) const;
  [[nodiscard]] Duration duration(std::string_view name) const;
  [[nodiscard]] ByteCount bytes(std::string_view name) const;
  [[nodiscard]] BitRate rate(std::string_view name) const;
  [[nodiscard]] Ratio ratio(std::string_view name) const;
  [[nodiscard]] bool flag(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> texts(std::string_view name) const;
  [[nodiscard]] std::vector<std::int64_t> integers(std::string_view name) const;
  /// Canonical values: durations in microseconds, sizes in bytes, rates in bit/s, ratios 0..1.
  [[nodiscard]] const Json& canonical() const { return values_; }

 private:
  friend Result<Params> validate_params(std::span<const OwnedParamSpec>, const Json&,
                                        std::string_view);
  friend Params ramped(const Params&, const Params&, std::string_view, int, int);
  Json values_;
};

/// Checks `given` (units as strings) against the table. Unknown names, wrong units and values out
/// of range are refused with `pointer` extended to the place; nothing is clamped.
[[nodiscard]] Result<Params> validate_params(std::span<const OwnedParamSpec> specs,
                                             const Json& given, std::string_view pointer);
[[nodiscard]] Result<Params> validate_params(std::span<const ParamSpec> specs, const Json& given,
                                             std::string_view pointer);

/// Where `ramp` starts: `given`, with its parameter at `from` in place of its own value, which is
/// where the ramp ends. The parameter must be in `given` and marked `ramps`.
/// @param pointer  of the ramp, e.g. "/ramp"
[[nodiscard]] Result<Params> validate_ramp(std::span<const OwnedParamSpec> specs, const Json& given,
                                           const Ramp& ramp, std::string_view pointer);
[[nodiscard]] Result<Params> validate_ramp(std::span<const ParamSpec> specs, const Json& given,
                                           const Ramp& ramp, std::string_view pointer);
/// `peak` with the number `name` moved `step` of `steps` equal steps of the way that leads from its
/// value in `start`; whole numbers are rounded. The last step is exactly `peak`.
[[nodiscard]] Params ramped(const Params& start, const Params& peak, std::string_view name,
                            int step, int steps);
/// The number `name` of `params`, as a person writes it: "2.5%", "150ms".
[[nodiscard]] std::string param_text(std::span<const ParamSpec> specs, const Params& params,
                                     std::string_view name);

/// The table as JSON Schema (draft 2020-12), with "x-firedrill-type", bounds and help inside.
[[nodiscard]] Json to_json_schema(std::span<const OwnedParamSpec> specs);
[[nodiscard]] Json to_json_schema(std::span<const ParamSpec> specs);
/// The inverse, so that a controller validates with what an agent described.
[[nodiscard]] Result<std::vector<OwnedParamSpec>> from_json_schema(const Json& schema);
/// Lines for --help: "  loss  ratio 0%..100%  share of packets dropped".
[[nodiscard]] std::string to_help_text(std::span<const ParamSpec> specs);

}  // namespace firedrill
