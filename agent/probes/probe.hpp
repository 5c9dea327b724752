// Probes: repeated measurements of a target from this host. A probe measures and judges nothing.
// Takes validated parameters; gives rpc::Sample with times on this host's CLOCK_REALTIME.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "agent/fault.hpp"
#include "firedrill/rpc.hpp"
#include "firedrill/schema.hpp"

namespace firedrill::agent {

/// One opened probe. sample() is called by one thread at a time; cancel() from any thread.
class ProbeSession {
 public:
  virtual ~ProbeSession() = default;

  /// Measures over about `window` and blocks meanwhile. `window` 0: one measurement, at once.
  ///
  /// Probes that perform operations start them at evenly spaced instants, whatever the earlier
  /// ones do, and the sample holds those *started* in its window: it may come later than the
  /// window's end by up to the operation's time-out, and consecutive windows still join without
  /// a gap. An operation that fails is counted in `errors` with its reason in `error`.
  ///
  /// @errors when nothing could be measured at all, e.g. the device is gone. The session stays
  ///         usable: the next call tries again.
  [[nodiscard]] virtual Result<rpc::Sample> sample(Duration window) = 0;

  /// Makes a running sample() return soon with what it has, and every later one at once.
  virtual void cancel() noexcept = 0;
};

class Probe {
 public:
  virtual ~Probe() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;
  [[nodiscard]] virtual std::string_view summary() const = 0;
  [[nodiscard]] virtual std::span<const ParamSpec> schema() const = 0;
  /// The names a sample's `values` can hold. Drivers add their own counters to nic-counters.
  [[nodiscard]] virtual std::vector<std::string_view> values() const = 0;
  /// A complete, valid set of parameters.
  [[nodiscard]] virtual Json example() const = 0;

  /// Can this host run it at all? Changes nothing.
  [[nodiscard]] virtual Support probe_support() const = 0;
  /// Checks rules a table cannot say and prepares a session. Contacts nobody.
  /// @errors invalid_input a rule between parameters is broken
  ///         not_found     the device does not exist
  [[nodiscard]] virtual Result<std::unique_ptr<ProbeSession>> open(const Params& params) const = 0;
};

/// Every probe this agent knows, in catalogue order.
/// Every probe this agent knows, in catalogue order: http, tcp, etcd, nic-ring, nic-counters,
/// tcp-stats, route, bird.
[[nodiscard]] const std::vector<std::unique_ptr<Probe>>& probe_registry();
/// Null when there is none of that name.
[[nodiscard]] const Probe* find_probe(std::string_view name);
/// The registry as the agent describes it to the controller.
[[nodiscard]] std::vector<rpc::Capability> describe_probes();

/// Validates `params` against the probe's table and opens it.
/// @errors not_found no such probe (with the nearest name); else as validate_params and open
[[nodiscard]] Result<std::unique_ptr<ProbeSession>> open_probe(std::string_view probe,
                                                               const Json& params);

}  // namespace firedrill::agent
