// JSON-RPC methods on one side, executor and probes on the other. Takes a method and its params,
// gives a result; the same for the controller's link and the local socket.
#pragma once

#include <functional>
#include <string>

#include "agent/control.hpp"
#include "agent/executor/executor.hpp"
#include "agent/probes/probe_runner.hpp"

namespace firedrill::agent {

/// Only on the local socket: drops a lost record after a person looked at the host.
inline constexpr std::string_view kForgetMethod = "forget";  // {"injection"} → {}

class AgentCalls {
 public:
  /// Both outlive it.
  AgentCalls(Executor& executor, ProbeRunner& probes, Policy policy)
      : executor_(executor), probes_(probes), policy_(std::move(policy)) {}

  /// @param controller  the name in the certificate of whoever calls, never empty. What the policy
  ///                    says of commanders holds for what injects, never for what stops
  /// @errors not_found  no such method;  invalid_input  wrong params;  refused  by the policy; else
  ///         as the work itself
  /// Blocks as long as the work does. Any thread.
  [[nodiscard]] Result<Json> call(const std::string& method, const Json& params,
                                  std::string_view controller);
  /// As call(), with what only a person on the host may ask. Journal and events tell who it was.
  [[nodiscard]] Result<Json> local_call(const std::string& method, const Json& params,
                                        const LocalPeer& peer);

 private:
  /// Who calls: for the policy, and (asked only when something is written) for the journal.
  struct Caller {
    std::string_view controller;
    std::function<Json()> tell;
  };
  [[nodiscard]] Result<Json> answer(const std::string& method, const Json& params,
                                    const Caller& caller);
  [[nodiscard]] Result<Json> commit(const Json& params);
  [[nodiscard]] Result<Json> undo(const Json& params, const Caller& caller);
  [[nodiscard]] Result<Json> stop_probe(const Json& params);

  Executor& executor_;
  ProbeRunner& probes_;
  Policy policy_;
};

}  // namespace firedrill::agent
