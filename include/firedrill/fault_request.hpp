// What the controller asks of an agent, and what an injection's life looks like.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firedrill/json.hpp"
#include "firedrill/units.hpp"

namespace firedrill {

/// The life of one injection (design words). `cured` and `superseded` are kinds of undone. In the
/// off periods of a pattern it stays `active`.
enum class InjectionState : std::uint8_t {
  prepared,
  applying,
  active,
  undoing,
  undone,
  dirty,    ///< undo ran but the host differs from its snapshot; a person must look; retryable
  unknown,  ///< the record is lost or torn; never reported as healed
};
[[nodiscard]] std::string_view to_string(InjectionState state);
[[nodiscard]] Result<InjectionState> parse_injection_state(std::string_view text);

/// Why an injection ended.
enum class UndoCause : std::uint8_t {
  time_up,        ///< its own duration passed
  requested,      ///< the controller or a local person asked
  halted,         ///< firedrill halt, Ctrl-C or a stop condition
  lease_lost,     ///< the controller was not heard from
  cured,          ///< responders brought the cure about while it was on
  agent_stopped,  ///< the agent was told to stop
  agent_died,     ///< the guardian or the next agent found it
  apply_failed,   ///< it could not be applied, or not go on; what had landed was taken back
  superseded,     ///< responders changed what it had set or would set again; left to them
};
[[nodiscard]] std::string_view to_string(UndoCause cause);
[[nodiscard]] Result<UndoCause> parse_undo_cause(std::string_view text);

/// A host probe whose value, once within [min, max], ends the injection as `cured`.
struct CureCondition {
  std::string probe;  ///< probe kind, e.g. "nic-ring"
  Json params = Json::object();
  std::string value;  ///< which value of the sample, e.g. "rx_slots"
  std::optional<double> min;
  std::optional<double> max;
  Duration interval{200'000};  ///< 100ms .. 60s
};

/// On for `on`, off for `off`, on again …, from the instant of applying to the end. 100ms .. 24h.
struct Pattern {
  Duration on{};
  Duration off{};
  bool operator==(const Pattern&) const = default;
};

/// A numeric parameter that moves in equal steps from `from` to the value in the parameters, which
/// it reaches after `over` and keeps.
struct Ramp {
  std::string parameter;
  std::string from;  ///< as a person writes it, with its unit
  Duration over{};   ///< 100ms .. 24h, and at least 100ms for each step
  int steps = 10;    ///< 1 .. 1000
  bool operator==(const Ramp&) const = default;
};

/// One fault on one host.
struct FaultRequest {
  std::string id;                 ///< unique on the host, [A-Za-z0-9._-]{1,64}
  std::string run;                ///< the run it belongs to, or "local"
  std::string fault;              ///< catalogue name, e.g. "netem"
  Json params = Json::object();   ///< as in the experiment: units in strings
  Duration duration{};            ///< from apply to undo, by the agent's monotonic clock
  std::optional<Duration> lease;  ///< undo when the controller is silent this long; none locally
  std::optional<CureCondition> cured_by;
  std::optional<Pattern> pattern{};
  std::optional<Ramp> ramp{};
  std::vector<std::string> tags{};  ///< of the experiment; a host's policy may ask for some
};

[[nodiscard]] Json to_json(const CureCondition& cure);
[[nodiscard]] Json to_json(const Pattern& pattern);
[[nodiscard]] Json to_json(const Ramp& ramp);
[[nodiscard]] Json to_json(const FaultRequest& request);
[[nodiscard]] Result<CureCondition> parse_cure_condition(const Json& json,
                                                         std::string_view pointer);
/// A cure must be seen within one on period, so several of its samples must fall into each.
/// @param pointer  of the cure
[[nodiscard]] Result<void> check_cure_pace(const CureCondition& cure, const Pattern& pattern,
                                           std::string_view pointer);
/// {"on": "10s", "off": "20s"}
[[nodiscard]] Result<Pattern> parse_pattern(const Json& json, std::string_view pointer);
/// {"parameter": "loss", "from": "0%", "over": "60s", "steps": 10}; steps may be left out.
[[nodiscard]] Result<Ramp> parse_ramp(const Json& json, std::string_view pointer);
[[nodiscard]] Result<FaultRequest> parse_fault_request(const Json& json, std::string_view pointer);

}  // namespace firedrill
