// The fault "route-flap": every route to a prefix withdrawn from the kernel and put back, byte for
// byte, on a period. The record holds the routes as netlink messages. On is withdrawn; the period
// is the executor's business, by pattern().
#pragma once

#include "agent/fault.hpp"

namespace firedrill::agent {

class RouteFlap final : public Fault {
 public:
  [[nodiscard]] std::string_view name() const override { return "route-flap"; }
  [[nodiscard]] std::string_view summary() const override;
  [[nodiscard]] std::span<const ParamSpec> schema() const override;
  [[nodiscard]] Json example() const override;
  [[nodiscard]] Support probe_support(Host& host) const override;
  [[nodiscard]] Result<void> check(const Params& params) const override;
  [[nodiscard]] std::vector<std::string> exclusive_resources(const Params& params) const override;
  /// All routes to the prefix are withdrawn together, whatever their metric, so that the prefix is
  /// gone; `device` and `via` pick among them.
  /// @errors not_found    no such route
  ///         refused      it carries the connection to the controller
  ///         unsupported  it has a lifetime, or is one of the host's own addresses
  [[nodiscard]] Result<Json> capture(Host& host, const Params& params) const override;
  /// @errors conflict  one that was captured has gone, or another has taken its place
  [[nodiscard]] Result<Json> apply(Host& host, const Params& params,
                                   const Json& record) const override;
  /// A route whose interface has gone, or is down, went with it and is not put back.
  [[nodiscard]] Result<UndoOutcome> undo(Host& host, const Json& record) const override;
  [[nodiscard]] Result<Verification> verify(Host& host, const Json& record) const override;
  [[nodiscard]] std::optional<Pattern> pattern(const Params& params) const override;
};

}  // namespace firedrill::agent
