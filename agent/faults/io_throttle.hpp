// The fault "io-throttle": a cgroup, the cgroup of a process, or a systemd unit limited in what it
// may read from and write to one disk per second.
#pragma once

#include "agent/fault.hpp"

namespace firedrill::agent {

/// The limit is set on the cgroup as it is: moving a process would leave its write-back behind.
/// Writers that never fsync may notice nothing, because their data waits in memory, and a journal's
/// own io is not charged to them [kernel-facts §5].
class IoThrottle final : public Fault {
 public:
  [[nodiscard]] std::string_view name() const override { return "io-throttle"; }
  [[nodiscard]] std::string_view summary() const override;
  [[nodiscard]] std::span<const ParamSpec> schema() const override;
  [[nodiscard]] Json example() const override;
  [[nodiscard]] Support probe_support(Host& host) const override;
  [[nodiscard]] Result<void> check(const Params& params) const override;
  [[nodiscard]] std::vector<std::string> exclusive_resources(const Params& params) const override;
  [[nodiscard]] Result<Json> capture(Host& host, const Params& params) const override;
  [[nodiscard]] Result<Json> apply(Host& host, const Params& params,
                                   const Json& record) const override;
  [[nodiscard]] Result<UndoOutcome> undo(Host& host, const Json& record) const override;
  [[nodiscard]] Result<Verification> verify(Host& host, const Json& record) const override;
  [[nodiscard]] Result<Json> adjust(Host& host, const Params& params,
                                    const Json& record) const override;
};

}  // namespace firedrill::agent
