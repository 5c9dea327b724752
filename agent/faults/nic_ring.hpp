// The fault "nic-ring": a network card's receive or transmit ring made small, so that bursts are
// dropped in silence. The driver may take the link down for seconds on each change.
#pragma once

#include "agent/fault.hpp"

namespace firedrill::agent {

class NicRing final : public Fault {
 public:
  [[nodiscard]] std::string_view name() const override { return "nic-ring"; }
  [[nodiscard]] std::string_view summary() const override;
  [[nodiscard]] std::span<const ParamSpec> schema() const override;
  [[nodiscard]] Json example() const override;
  /// Supported when any interface has ring sizes; the reason lists those that do.
  [[nodiscard]] Support probe_support(Host& host) const override;
  [[nodiscard]] Result<void> check(const Params& params) const override;
  [[nodiscard]] std::vector<std::string> exclusive_resources(const Params& params) const override;
  [[nodiscard]] Result<Json> capture(Host& host, const Params& params) const override;
  [[nodiscard]] Result<Json> apply(Host& host, const Params& params,
                                   const Json& record) const override;
  [[nodiscard]] Result<Json> adjust(Host& host, const Params& params,
                                    const Json& record) const override;
  [[nodiscard]] Result<UndoOutcome> undo(Host& host, const Json& record) const override;
  [[nodiscard]] Result<Verification> verify(Host& host, const Json& record) const override;
};

/// Would a driver that was asked for `asked` slots keep `kept`? Drivers round up silently, to a
/// multiple or a power of two, and to a least size (e1000: 1 becomes 48, 50 becomes 56
/// [kernel-facts §3]); none is known to keep less.
[[nodiscard]] bool may_be_kept_for(std::uint32_t kept, std::uint32_t asked);

}  // namespace firedrill::agent
