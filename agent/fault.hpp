// The fault contract (design.md §5). A fault is stateless; the executor journals, times and
// retries.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "firedrill/fault_request.hpp"
#include "firedrill/json.hpp"
#include "firedrill/schema.hpp"

namespace firedrill::agent {

class Host;  // agent/host.hpp: the kernel as faults see it; tests give a fake one

struct Support {
  bool supported = false;
  std::string reason;  ///< when not supported: what is missing and how to get it
};

/// What undo found.
enum class UndoOutcome : std::uint8_t {
  restored,      ///< something of ours was there and is gone, or was put back
  already_gone,  ///< nothing of ours was left
  superseded,    ///< responders changed it meanwhile; their value was left alone
};

/// Host compared with the snapshot. `differences` is empty when they are equal.
struct Verification {
  std::vector<std::string> differences;
  [[nodiscard]] bool clean() const { return differences.empty(); }
};

class Fault {
 public:
  virtual ~Fault() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;
  [[nodiscard]] virtual std::string_view summary() const = 0;
  [[nodiscard]] virtual std::span<const ParamSpec> schema() const = 0;
  /// A complete, valid set of parameters: documentation, and input of the contract tests.
  [[nodiscard]] virtual Json example() const = 0;

  /// Can this kernel, driver and privilege do it? Asked before planning. Changes nothing lasting.
  [[nodiscard]] virtual Support probe_support(Host& host) const = 0;
  /// Rules between parameters that a table cannot say. Touches nothing.
  [[nodiscard]] virtual Result<void> check(const Params& params) const = 0;
  /// The part of check() that must hold at every step of a ramp: one may start from nothing, which
  /// check() refuses.
  [[nodiscard]] virtual Result<void> check_step(const Params& params) const {
    return check(params);
  }
  /// What the injection will hold, e.g. "nic-ring:data0". Two holders of one key: the second is
  /// refused. An empty list composes with everything.
  [[nodiscard]] virtual std::vector<std::string> exclusive_resources(
      const Params& params) const = 0;
  /// Everything undo will need. Reads only. Identity as the kernel knows it (ifindex, not name
  /// alone). With a ramp, `params` are those it ends at, and the record is given a member "ramp"
  /// from which RecordReader::ramp_values() tells undo what else may be ours.
  [[nodiscard]] virtual Result<Json> capture(Host& host, const Params& params) const = 0;
  /// Returns the values read back from the kernel. May stop half way: undo copes.
  [[nodiscard]] virtual Result<Json> apply(Host& host, const Params& params,
                                           const Json& record) const = 0;
  /// Idempotent, from any half-done state, in a fresh process, from the record alone.
  [[nodiscard]] virtual Result<UndoOutcome> undo(Host& host, const Json& record) const = 0;
  /// Is the host equal to the snapshot, as far as this fault is concerned?
  [[nodiscard]] virtual Result<Verification> verify(Host& host, const Json& record) const = 0;

  // What an injection does while it is active; most faults do nothing more.

  /// Moves an active injection to other parameters, in place, for a `ramp`. Only parameters that
  /// the table marks as `ramps` differ from those applied. Returns the values read back.
  /// @errors conflict  what it would change is not as we left it: responders have been there. Ends
  ///                   the injection as superseded; the same goes for advance()
  [[nodiscard]] virtual Result<Json> adjust(Host&, const Params&, const Json& /*record*/) const {
    return fail(ErrorCode::unsupported,
                "'" + std::string(name()) + "' cannot change while it is on");
  }
  /// How often advance() wants to be called while active; none: never.
  [[nodiscard]] virtual std::optional<Duration> pace(const Params&) const { return std::nullopt; }
  /// The part of the fault that is due by now: a leak's growth. A function of the host, the record
  /// and `active`, the time since apply; so a call may be late or missing. Returns values read
  /// back.
  [[nodiscard]] virtual Result<Json> advance(Host&, const Params&, const Json& /*record*/,
                                             Duration /*active*/) const {
    return fail(ErrorCode::internal, "'" + std::string(name()) + "' does not go on by itself");
  }
  /// Periods of on and off that the fault has by its nature (a flap); none: on until the end. Off
  /// is undo(), on again is apply() with the same record, verified both times.
  [[nodiscard]] virtual std::optional<Pattern> pattern(const Params&) const { return std::nullopt; }
};

/// The member "ramp" that a record is given when its injection has one.
[[nodiscard]] inline Json ramp_member(const Ramp& ramp, const Params& start, const Params& peak) {
  return {{"parameter", ramp.parameter},
          {"from", start.canonical().at(ramp.parameter)},
          {"to", peak.canonical().at(ramp.parameter)},
          {"steps", ramp.steps}};
}

/// Every fault this agent knows, in catalogue order.
[[nodiscard]] const std::vector<std::unique_ptr<Fault>>& fault_registry();
/// Null when there is none of that name.
[[nodiscard]] const Fault* find_fault(std::string_view name);

}  // namespace firedrill::agent
