// An agent without its link: host, guardian, executor, probes and local socket, put together in
// the order that safety asks for. `run` adds the link; `inject` without a daemon is just this.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "agent/calls.hpp"
#include "agent/config.hpp"
#include "agent/control.hpp"
#include "agent/guardian/guardian_link.hpp"
#include "agent/guardian/recovery.hpp"
#include "agent/host.hpp"

namespace firedrill::agent {

struct LocalAgentHooks {
  OnEvent on_event;  ///< on the executor's thread; recovery's events come before start() returns
  ProbeRunner::OnSample on_sample;
  std::function<std::vector<kernel::Endpoint>()> protected_peers;  ///< may be null
  std::function<void(std::string)>
      on_guardian;  ///< what befell the guardian, in words; may be null
};

class LocalAgent {
 public:
  /// Takes the state directory (created if need be), undoes what is open in it, then serves.
  /// @errors conflict  another agent runs on it; else as opening host, journal and socket
  [[nodiscard]] static Result<std::unique_ptr<LocalAgent>> start(const AgentConfig& config,
                                                                 LocalAgentHooks hooks);
  ~LocalAgent();  ///< as stop()
  LocalAgent(const LocalAgent&) = delete;
  LocalAgent& operator=(const LocalAgent&) = delete;

  [[nodiscard]] AgentCalls& calls() { return *calls_; }
  [[nodiscard]] Executor& executor() { return *executor_; }
  /// Stops probes, undoes everything. Idempotent.
  void stop();

 private:
  LocalAgent() = default;

  // In the order of making; taken down in reverse.
  std::unique_ptr<Host> host_;
  std::unique_ptr<GuardianLink> guardian_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<ProbeRunner> probes_;
  std::unique_ptr<AgentCalls> calls_;
  std::unique_ptr<ControlServer> control_;
};

/// The faults as this host can or cannot do them, asked through a host of its own.
[[nodiscard]] Result<std::vector<rpc::Capability>> describe_faults();

/// Removes the files that only an agent in its life has, where none lives.
void clear_up_after_the_dead(const std::filesystem::path& state_directory);

/// Undoes what is open on this host without an agent: recover_now() with the host as it is, in the
/// name of whoever runs this program; then clears up after the dead. For a configuration that no
/// agent could start with.
[[nodiscard]] Result<JournalView> recover_host(
    const std::filesystem::path& state_directory, const std::string& host_name,
    std::function<void(GuardianNote, std::string)> on_note);

}  // namespace firedrill::agent
