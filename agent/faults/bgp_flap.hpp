// The fault "bgp-flap": a protocol of BIRD disabled and enabled on a period, so that neighbours
// lose its routes and learn them again. On is disabled. What marks the state as ours is the
// message that BIRD keeps with it: a token that the record holds.
#pragma once

#include "agent/fault.hpp"

namespace firedrill::agent {

class BgpFlap final : public Fault {
 public:
  [[nodiscard]] std::string_view name() const override { return "bgp-flap"; }
  [[nodiscard]] std::string_view summary() const override;
  [[nodiscard]] std::span<const ParamSpec> schema() const override;
  [[nodiscard]] Json example() const override;
  /// Supported when a BIRD answers on any control socket of this network namespace.
  [[nodiscard]] Support probe_support(Host& host) const override;
  [[nodiscard]] Result<void> check(const Params& params) const override;
  [[nodiscard]] std::vector<std::string> exclusive_resources(const Params& params) const override;
  /// @errors not_found    no BIRD on the socket, or no such protocol (with those there are)
  ///         conflict     the protocol is disabled already
  ///         refused      the connection to the controller goes by its routes
  ///         unsupported  a protocol of BIRD's that talks to no neighbour
  [[nodiscard]] Result<Json> capture(Host& host, const Params& params) const override;
  /// @errors conflict  someone else has disabled it meanwhile
  [[nodiscard]] Result<Json> apply(Host& host, const Params& params,
                                   const Json& record) const override;
  /// A BIRD that has stopped took the disabled state with it: it starts as its configuration says.
  [[nodiscard]] Result<UndoOutcome> undo(Host& host, const Json& record) const override;
  [[nodiscard]] Result<Verification> verify(Host& host, const Json& record) const override;
  [[nodiscard]] std::optional<Pattern> pattern(const Params& params) const override;
};

}  // namespace firedrill::agent
