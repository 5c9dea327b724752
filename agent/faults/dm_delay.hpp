// The fault "dm-delay": a disk made slow by putting dm-delay into the live table of a mounted
// device-mapper device, for the whole device or for the sectors of chosen files. Reads, writes and
// flushes apart. What is under way when the table changes completes; nothing fails.
#pragma once

#include "agent/fault.hpp"

namespace firedrill::agent {

/// The kernel delays by its own clock tick: 10 ms become 12 to 16 ms at HZ=250 [kernel-facts §4].
/// `files` are the sectors that the files had at capture; what they grow by later is not slow.
class DmDelay final : public Fault {
 public:
  [[nodiscard]] std::string_view name() const override { return "dm-delay"; }
  [[nodiscard]] std::string_view summary() const override;
  [[nodiscard]] std::span<const ParamSpec> schema() const override;
  [[nodiscard]] Json example() const override;
  /// Asks for the target, which may load its module.
  [[nodiscard]] Support probe_support(Host& host) const override;
  [[nodiscard]] Result<void> check(const Params& params) const override;
  [[nodiscard]] std::vector<std::string> exclusive_resources(const Params& params) const override;
  [[nodiscard]] Result<Json> capture(Host& host, const Params& params) const override;
  [[nodiscard]] Result<Json> apply(Host& host, const Params& params,
                                   const Json& record) const override;
  /// A device that a crash left suspended runs again afterwards, with its old table.
  [[nodiscard]] Result<UndoOutcome> undo(Host& host, const Json& record) const override;
  [[nodiscard]] Result<Verification> verify(Host& host, const Json& record) const override;
  /// One more swap; never longer than the delay itself.
  [[nodiscard]] Result<Json> adjust(Host& host, const Params& params,
                                    const Json& record) const override;
};

}  // namespace firedrill::agent
