// The fault "memory-leak": a process grows as if it leaked. One mapping for the whole of it is made
// inside the target by an instant's stop, and filled from outside at a rate, so that resident size,
// cgroup and OOM behaviour are the target's own; undo unmaps it. Or a helper grows in the target's
// cgroup and is killed.
#pragma once

#include "agent/fault.hpp"

namespace firedrill::agent {

class MemoryLeak final : public Fault {
 public:
  [[nodiscard]] std::string_view name() const override { return "memory-leak"; }
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

  [[nodiscard]] std::optional<Duration> pace(const Params& params) const override;
  /// Fills what rate × active makes due, at most 128 MiB a call: a late call catches up with the
  /// next ones. A target that is gone (killed, restarted, replaced by exec) is no error: the values
  /// say `alive` false.
  [[nodiscard]] Result<Json> advance(Host& host, const Params& params, const Json& record,
                                     Duration active) const override;
};

}  // namespace firedrill::agent
