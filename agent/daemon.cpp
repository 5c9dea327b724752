#include "agent/daemon.hpp"

#include <array>
#include <cerrno>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include <fmt/format.h>
#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/random.h>
#include <unistd.h>

#include "agent/kernel/facts.hpp"
#include "agent/local_agent.hpp"
#include "agent/resident.hpp"
#include "agent/uplink/uplink.hpp"
#include "firedrill/event.hpp"

namespace firedrill::agent {
namespace {

constexpr Duration kDrain = std::chrono::seconds{2};

std::string fresh_instance() {
  std::array<unsigned char, 8> bytes{};
  // A short answer leaves zeros, and the instance then differs only by its time.
  [[maybe_unused]] const ssize_t got = ::getrandom(bytes.data(), bytes.size(), 0);
  std::string out = fmt::format("{:x}-", to_micros(SystemClock{}.utc()));
  for (const unsigned char byte : bytes) out += fmt::format("{:02x}", byte);
  return out;
}

/// Events on their way to the link. Recovery speaks before there is a link, so they can wait here.
class Relay {
 public:
  void send(rpc::AgentEvent event) {
    const std::scoped_lock lock(mutex_);
    if (uplink_ == nullptr) return waiting_.push_back(std::move(event));
    deliver(std::move(event));
  }
  void attach(Uplink& uplink) {
    const std::scoped_lock lock(mutex_);
    uplink_ = &uplink;
    for (rpc::AgentEvent& event : waiting_) deliver(std::move(event));
    waiting_.clear();
  }
  void detach() {
    const std::scoped_lock lock(mutex_);
    uplink_ = nullptr;
  }

  /// The controller's end is kept over a lost connection: it is where the next one will go.
  void set_peer(const LinkEnds& ends) {
    const auto address = kernel::parse_ip_address(ends.peer.address);
    const std::scoped_lock lock(mutex_);
    if (address) peer_ = kernel::Endpoint{*address, ends.peer.port};
    // Never empty: that would mean root on this host.
    controller_ = ends.controller.empty() ? "(no name)" : ends.controller;
  }
  std::vector<kernel::Endpoint> peers() {
    const std::scoped_lock lock(mutex_);
    if (!peer_) return {};
    return {*peer_};
  }
  /// Whose calls come in; the last one's, when the connection has just gone.
  std::string controller() {
    const std::scoped_lock lock(mutex_);
    return controller_;
  }

 private:
  void deliver(rpc::AgentEvent event) {
    const std::string kind = event.kind;
    if (auto sent = uplink_->send_event(std::move(event)); !sent)
      spdlog::error("event {} not sent: {}", kind, describe(sent.error()));
  }

  std::mutex mutex_;
  Uplink* uplink_ = nullptr;
  std::deque<rpc::AgentEvent> waiting_;
  std::optional<kernel::Endpoint> peer_;
  std::string controller_ = "(no name)";
};

rpc::AgentEvent to_event(std::string kind, std::string run, UtcTime at, Json data) {
  rpc::AgentEvent event;
  event.kind = std::move(kind);
  event.run = std::move(run);
  event.at_us = to_micros(at);
  event.data = std::move(data);
  return event;
}

rpc::AgentEvent to_event(const rpc::ProbeRequest& request, const rpc::Sample& sample,
                         const std::string& host) {
  Json data = rpc::to_json(sample);
  data["probe"] = request.id;
  data["host"] = host;
  return to_event(std::string(event_kind::probe_sample), request.run, from_micros(sample.to_us),
                  std::move(data));
}

Json facts_json(const kernel::HostFacts& facts) {
  Json interfaces = Json::array();
  for (const kernel::InterfaceFacts& each : facts.interfaces)
    interfaces.push_back({{"name", each.name},
                          {"driver", each.driver},
                          {"up", each.up},
                          {"carrier", each.carrier},
                          {"mtu", each.mtu},
                          {"addresses", each.addresses}});
  return Json{{"host_name", facts.host_name}, {"kernel", facts.kernel_release},
              {"os", facts.distribution},     {"cpus", facts.cpus},
              {"memory", facts.memory_bytes}, {"interfaces", std::move(interfaces)}};
}

/// What hello says that does not change while the agent runs.
Result<rpc::Hello> make_hello(const AgentConfig& config, const std::string& instance) {
  const auto facts = kernel::read_host_facts();
  if (!facts) return std::unexpected(facts.error());
  auto faults = describe_faults();
  if (!faults) return std::unexpected(faults.error());
  rpc::Hello hello;
  hello.host = config.name;
  hello.version = FIREDRILL_VERSION;
  hello.boot_id = facts->boot_id;
  hello.instance = instance;
  hello.tags = config.tags;
  hello.facts = facts_json(*facts);
  hello.faults = std::move(*faults);
  hello.probes = describe_probes();
  return hello;
}

Result<std::unique_ptr<Uplink>> dial(const AgentConfig& config, LocalAgent& agent, Relay& relay,
                                     const std::string& instance) {
  auto hello = make_hello(config, instance);
  if (!hello) return std::unexpected(hello.error());
  UplinkConfig link;
  link.controller = config.controller_host;
  link.port = config.controller_port;
  link.ca = config.ca;
  link.certificate = config.certificate;
  link.key = config.key;
  link.instance = instance;
  UplinkHandlers handlers;
  handlers.hello = [hello = std::move(*hello), &agent] {
    rpc::Hello now = hello;
    now.injections = agent.executor().last_list();
    return now;
  };
  // A controller that root started here for one run commands as root does, by the host's policy.
  const bool local = !config.local_folder.empty();
  handlers.on_call = [&agent, &relay, local](const std::string& method, const Json& params) {
    return agent.calls().call(method, params, local ? std::string() : relay.controller());
  };
  handlers.on_connected = [&relay](const LinkEnds& ends) {
    relay.set_peer(ends);
    spdlog::info("connected to {} port {}", ends.peer.address, ends.peer.port);
    release_idle_pages();
  };
  handlers.on_disconnected = [](const std::string& reason) {
    spdlog::warn("connection lost: {}", reason);
    release_idle_pages();
  };
  handlers.on_attempt_failed = [told = std::string()](const std::string& reason) mutable {
    if (std::exchange(told, reason) != reason) spdlog::warn("cannot connect: {}", reason);
  };
  handlers.on_event_refused = [told = std::string()](const Error& error) mutable {
    const std::string reason = describe(error);
    if (std::exchange(told, reason) != reason)
      spdlog::error("the controller refused an event, which its log now lacks: {}", reason);
  };
  handlers.on_renewed = [](const Result<UtcTime>& until) {
    if (until) spdlog::info("certificate renewed, valid until {}", to_rfc3339(*until));
    else spdlog::warn("certificate not renewed: {}", describe(until.error()));
  };
  return Uplink::start(std::move(link), std::move(handlers));
}

/// Ends this agent as SIGTERM does when standard input ends: whoever started it is gone then, even
/// if it was killed. The thread lasts as long as the process.
void end_with_input() {
  std::thread([] {
    char byte = 0;
    while (true) {
      const ssize_t got = ::read(STDIN_FILENO, &byte, 1);
      if (got == 0 || (got < 0 && errno != EINTR)) break;
    }
    ::kill(::getpid(), SIGTERM);
  }).detach();
}

sigset_t block_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return signals;
}

}  // namespace

Result<int> run_daemon(const AgentConfig& config) {
  if (config.controller_host.empty())
    return fail(
        ErrorCode::invalid_input,
        "the configuration names no 'controller'; without one use `firedrill-agent inject`");
  const sigset_t signals = block_signals();
  auto log =
      std::make_shared<spdlog::logger>("agent", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  log->set_pattern("firedrill-agent %l: %v");
  spdlog::set_default_logger(log);
  Relay relay;
  LocalAgentHooks hooks;
  hooks.on_event = [&relay](std::string kind, std::string run, UtcTime at, Json data) {
    const bool bad = kind == event_kind::injection_dirty || kind == event_kind::injection_failed;
    spdlog::log(bad ? spdlog::level::err : spdlog::level::info, "{} {} {}", kind, run,
                data.dump(-1, ' ', false, Json::error_handler_t::replace));
    relay.send(to_event(std::move(kind), std::move(run), at, std::move(data)));
  };
  hooks.on_sample = [&relay, &config](const rpc::ProbeRequest& request, const rpc::Sample& sample) {
    relay.send(to_event(request, sample, config.name));
  };
  hooks.on_guardian = [](const std::string& note) { spdlog::warn("{}", note); };
  hooks.protected_peers = [&relay] { return relay.peers(); };
  auto agent = LocalAgent::start(config, std::move(hooks));
  if (!agent) return std::unexpected(agent.error());
  const std::string instance = fresh_instance();
  auto uplink = dial(config, **agent, relay, instance);
  if (!uplink) return std::unexpected(uplink.error());
  relay.attach(**uplink);
  spdlog::info("'{}' started, controller {} port {}", config.name, config.controller_host,
               config.controller_port);
  release_idle_pages();
  if (!config.local_folder.empty()) end_with_input();

  for (int received = 0; received != SIGTERM && received != SIGINT;)
    if (::sigwait(&signals, &received) != 0) break;
  spdlog::info("stopping: undoing everything");
  (*agent)->stop();
  if (!(*uplink)->drain(kDrain)) spdlog::warn("the controller did not take the last events");
  relay.detach();
  (*uplink)->stop();
  const auto left = (*agent)->executor().last_list();
  const bool clean = std::ranges::all_of(left, [](const rpc::InjectionStatus& status) {
    return status.state == InjectionState::undone;
  });
  return clean ? 0 : 1;
}

}  // namespace firedrill::agent
