// The fault "route-blackhole": a policy rule of our own, ahead of the host's, that refuses packets
// to a prefix. No route is touched. The record holds the rule, which is ours by its priority,
// protocol number and prefix together.
#pragma once

#include "agent/fault.hpp"

namespace firedrill::agent {

class RouteBlackhole final : public Fault {
 public:
  [[nodiscard]] std::string_view name() const override { return "route-blackhole"; }
  [[nodiscard]] std::string_view summary() const override;
  [[nodiscard]] std::span<const ParamSpec> schema() const override;
  [[nodiscard]] Json example() const override;
  [[nodiscard]] Support probe_support(Host& host) const override;
  [[nodiscard]] Result<void> check(const Params& params) const override;
  [[nodiscard]] std::vector<std::string> exclusive_resources(const Params& params) const override;
  /// @errors refused   the controller lies in the prefix
  ///         conflict  the host's own rules leave no priority ahead of them
  [[nodiscard]] Result<Json> capture(Host& host, const Params& params) const override;
  [[nodiscard]] Result<Json> apply(Host& host, const Params& params,
                                   const Json& record) const override;
  [[nodiscard]] Result<UndoOutcome> undo(Host& host, const Json& record) const override;
  [[nodiscard]] Result<Verification> verify(Host& host, const Json& record) const override;
};

}  // namespace firedrill::agent
