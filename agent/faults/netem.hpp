// The fault "netem": packets lost, delayed, doubled, damaged, reordered or slowed down.
#pragma once

#include "agent/fault.hpp"

namespace firedrill::agent {

class Netem final : public Fault {
 public:
  [[nodiscard]] std::string_view name() const override { return "netem"; }
  [[nodiscard]] std::string_view summary() const override;
  [[nodiscard]] std::span<const ParamSpec> schema() const override;
  [[nodiscard]] Json example() const override;
  [[nodiscard]] Support probe_support(Host& host) const override;
  [[nodiscard]] Result<void> check(const Params& params) const override;
  [[nodiscard]] Result<void> check_step(const Params& params) const override;
  /// Empty: lanes compose. Two that would take the same packets are refused at capture, and again
  /// at apply, because both may have been captured before either was there.
  [[nodiscard]] std::vector<std::string> exclusive_resources(const Params& params) const override;
  [[nodiscard]] Result<Json> capture(Host& host, const Params& params) const override;
  [[nodiscard]] Result<Json> apply(Host& host, const Params& params,
                                   const Json& record) const override;
  [[nodiscard]] Result<Json> adjust(Host& host, const Params& params,
                                    const Json& record) const override;
  [[nodiscard]] Result<UndoOutcome> undo(Host& host, const Json& record) const override;
  [[nodiscard]] Result<Verification> verify(Host& host, const Json& record) const override;
};

}  // namespace firedrill::agent
