// JSON-RPC methods on one side, executor and probes on the other. Takes a method and its params,
// gives a result; the same for the controller's link and the local socket.
#pragma once

#include <string>

#include "agent/executor/executor.hpp"
#include "agent/probes/probe_runner.hpp"

namespace firedrill::agent {

/// Only on the local socket: drops a lost record after a person looked at the host.
inline constexpr std::string_view kForgetMethod = "forget";  // {"injection"} → {}

class AgentCalls {
 public:
  /// Both outlive it.
  AgentCalls(Executor& executor, ProbeRunner& probes) : executor_(executor), probes_(probes) {}

  /// @errors not_found  no such method;  invalid_input  wrong params;  else as the work itself
  /// Blocks as long as the work does. Any thread.
  [[nodiscard]] Result<Json> call(const std::string& method, const Json& params);
  /// As call(), with what only a person on the host may ask.
  [[nodiscard]] Result<Json> local_call(const std::string& method, const Json& params);

 private:
  [[nodiscard]] Result<Json> commit(const Json& params);
  [[nodiscard]] Result<Json> undo(const Json& params);
  [[nodiscard]] Result<Json> stop_probe(const Json& params);

  Executor& executor_;
  ProbeRunner& probes_;
};

}  // namespace firedrill::agent
