#include "agent/local_agent.hpp"

#include <system_error>

#include <sys/resource.h>
#include <sys/stat.h>

#include "agent/kernel/linux_host.hpp"
#include "agent/kernel/own_cgroup.hpp"
#include "firedrill/commander.hpp"

namespace firedrill::agent {
namespace {

Result<void> make_state_directory(const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return fail_errno(error.value(), "create '" + directory.string() + "'");
  // Undo records name what this host is made of; they are root's business.
  if (::chmod(directory.c_str(), 0700) != 0)
    return fail_errno(errno, "chmod '" + directory.string() + "'");
  return {};
}

/// On a starved host, too, a halt must be heard, and a killed agent must be dead before its
/// guardian may undo: every thread needs a processor for that. Later threads inherit this.
void go_first() {
  constexpr int kNice = -10;
  ::setpriority(PRIO_PROCESS, 0, kNice);  // may be refused (no root); serving is worth it without
}

kernel::OwnerProtected owner_protected(const Policy& policy) {
  const Protected& rules = policy.protects();
  kernel::OwnerProtected out;
  out.places = rules.devices;
  out.places.insert(out.places.end(), rules.paths.begin(), rules.paths.end());
  for (const std::string& unit : rules.units)
    out.units.push_back(unit.contains('.') ? unit : unit + ".service");
  out.processes = rules.processes;
  out.ports = rules.ports;
  return out;
}

Result<rpc::Sample> sample_once(std::string_view probe, const Json& params) {
  const auto session = open_probe(probe, params);
  if (!session) return std::unexpected(session.error());
  return (*session)->sample(Duration{});
}

}  // namespace

Result<std::unique_ptr<LocalAgent>> LocalAgent::start(const AgentConfig& config,
                                                      LocalAgentHooks hooks) {
  go_first();
  if (auto made = make_state_directory(config.state_directory); !made)
    return std::unexpected(made.error());
  std::unique_ptr<LocalAgent> agent(new LocalAgent);
  kernel::LinuxHostOptions host_options;
  host_options.protected_peers = std::move(hooks.protected_peers);
  host_options.own_paths = {std::filesystem::absolute(config.state_directory)};
  host_options.owner = owner_protected(config.policy);
  auto host = kernel::open_linux_host(std::move(host_options));
  if (!host) return std::unexpected(host.error());
  agent->host_ = std::move(*host);
  kernel::remove_sibling_cgroup(kGuardianCgroup);
  GuardianCommand command;
  command.state_directory = std::filesystem::absolute(config.state_directory);
  command.host_name = config.name;
  auto guardian = GuardianLink::create(std::move(command));
  if (!guardian) return std::unexpected(guardian.error());
  agent->guardian_ = std::move(*guardian);
  ExecutorHooks executor_hooks;
  executor_hooks.find_fault = &find_fault;
  executor_hooks.on_event = std::move(hooks.on_event);
  executor_hooks.sample = &sample_once;
  executor_hooks.ensure_guardian = [link = agent->guardian_.get()] { return link->ensure_alive(); };
  auto executor =
      Executor::start({config.state_directory, config.name, config.policy}, *agent->host_,
                      agent->guardian_->pulse(), std::move(executor_hooks));
  if (!executor) return std::unexpected(executor.error());
  agent->executor_ = std::move(*executor);
  agent->probes_ = std::make_unique<ProbeRunner>(std::move(hooks.on_sample));
  agent->calls_ = std::make_unique<AgentCalls>(*agent->executor_, *agent->probes_, config.policy);
  auto control = ControlServer::start(
      config.state_directory,
      [calls = agent->calls_.get()](const std::string& method, const Json& params,
                                    const LocalPeer& peer) {
        return calls->local_call(method, params, peer);
      });
  if (!control) return std::unexpected(control.error());
  agent->control_ = std::move(*control);
  GuardianHooks watching;
  watching.on_note = std::move(hooks.on_guardian);
  // Without one nothing may begin, and nothing goes on for long.
  watching.on_unguarded = [executor = agent->executor_.get()](const Error& error) {
    executor->abandon("guardian", error);
  };
  agent->guardian_->set_hooks(std::move(watching));
  return agent;
}

LocalAgent::~LocalAgent() { stop(); }

void LocalAgent::stop() {
  if (guardian_) guardian_->set_hooks({});  // they speak of an executor that is about to end
  // Undo first: probes may take their time to end.
  if (executor_) executor_->stop();
  if (probes_) probes_->stop_all();
  control_ = nullptr;
}

void clear_up_after_the_dead(const std::filesystem::path& state_directory) {
  std::error_code error;
  if (std::filesystem::is_empty(state_directory, error) || error) return;
  const auto lock = StateLock::acquire(state_directory);
  if (!lock) return;  // somebody lives
  remove_dead_socket(state_directory);
  remove_unfinished_journal(state_directory, *lock);
}

Result<JournalView> recover_host(const std::filesystem::path& state_directory,
                                 const std::string& host_name,
                                 std::function<void(GuardianNote, std::string)> on_note) {
  const auto boot_id = read_boot_id();
  if (!boot_id) return std::unexpected(boot_id.error());
  kernel::LinuxHostOptions host_options;
  host_options.own_paths = {std::filesystem::absolute(state_directory)};
  const auto host = kernel::open_linux_host(std::move(host_options));
  if (!host) return std::unexpected(host.error());
  const SystemClock clock;
  const RecoveryParts parts{.state_directory = state_directory,
                            .host_name = host_name,
                            .host = **host,
                            .find_fault = &find_fault,
                            .clock = clock,
                            .boot_id = *boot_id,
                            .on_note = std::move(on_note),
                            .by = local_commander()};
  auto left = recover_now(parts);
  kernel::remove_sibling_cgroup(kGuardianCgroup);
  clear_up_after_the_dead(state_directory);
  return left;
}

Result<std::vector<rpc::Capability>> describe_faults() {
  auto host = kernel::open_linux_host({});
  if (!host) return std::unexpected(host.error());
  std::vector<rpc::Capability> out;
  for (const auto& fault : fault_registry()) {
    const Support support = fault->probe_support(**host);
    rpc::Capability& capability = out.emplace_back();
    capability.name = fault->name();
    capability.summary = fault->summary();
    capability.schema = to_json_schema(fault->schema());
    capability.supported = support.supported;
    capability.reason = support.reason;
  }
  return out;
}

}  // namespace firedrill::agent
