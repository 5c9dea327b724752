// `firedrill-agent inject`: through the agent that runs here, or as an agent of its own.
#include <functional>
#include <memory>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/random.h>
#include <unistd.h>

#include "agent/cli.hpp"
#include "agent/local_agent.hpp"

namespace firedrill::agent::cli {
namespace {

struct Options {
  Common common;
  std::string fault, duration, id, pattern, ramp;
  std::vector<std::string> words, tags;
  bool detach = false;
  bool wait = false;
};

constexpr Duration kSoon = std::chrono::milliseconds{10};
constexpr Duration kLook = std::chrono::milliseconds{200};

/// Blocks the signals that end a command, for all threads to come, and waits for them instead.
class Interrupts {
 public:
  Interrupts() {
    ::sigemptyset(&signals_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&signals_, signal);
    ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }
  /// True when one came within `pause`.
  [[nodiscard]] bool wait(Duration pause) const {
    const timespec limit{.tv_sec = pause / std::chrono::seconds{1},
                         .tv_nsec = pause % std::chrono::seconds{1} / Duration{1} * 1000};
    return ::sigtimedwait(&signals_, nullptr, &limit) > 0;
  }

 private:
  sigset_t signals_{};
};

bool is_over(InjectionState state) {
  return state == InjectionState::undone || state == InjectionState::unknown;
}

Result<FaultRequest> request_of(const Options& options) {
  auto params = parse_params(options.words);
  if (!params) return std::unexpected(params.error());
  const auto duration = parse_duration(options.duration);
  if (!duration) return std::unexpected(duration.error());
  FaultRequest request;
  request.id = options.id;
  if (request.id.empty()) {
    std::uint32_t number = 0;
    if (::getrandom(&number, sizeof number, 0) != sizeof number)
      number = static_cast<std::uint32_t>(::getpid());
    request.id = fmt::format("local-{:08x}", number);
  }
  request.run = "local";
  request.fault = options.fault;
  if (!options.pattern.empty()) {
    const auto pattern = pattern_of(options.pattern);
    if (!pattern) return std::unexpected(pattern.error());
    request.pattern = *pattern;
  }
  if (!options.ramp.empty()) {
    auto ramp = ramp_of(options.ramp, *params);
    if (!ramp) return std::unexpected(ramp.error());
    request.ramp = std::move(*ramp);
  }
  request.params = *params;
  request.duration = *duration;
  request.tags = options.tags;
  return request;
}

Result<rpc::InjectionStatus> status_of(const LocalCall& call, const std::string& id) {
  const auto answer = call(std::string(rpc::method::list), Json::object());
  if (!answer) return std::unexpected(answer.error());
  const auto statuses = statuses_of(*answer);
  if (!statuses) return std::unexpected(statuses.error());
  for (const rpc::InjectionStatus& status : *statuses)
    if (status.id == id) return status;
  return fail(ErrorCode::not_found, fmt::format("the agent has no injection '{}'", id));
}

Result<Json> halt(const LocalCall& call, const std::string& id) {
  const Json params{{"injections", {id}}, {"cause", to_string(UndoCause::halted)}};
  return call(std::string(rpc::method::undo), params);
}

/// Prepares, commits for now, and waits until it is on or has failed.
Result<rpc::InjectionStatus> turn_on(const LocalCall& call, const FaultRequest& request,
                                     const Interrupts& interrupts) {
  const auto prepared = call(std::string(rpc::method::prepare), to_json(request));
  if (!prepared) return std::unexpected(prepared.error());
  const Json commit{{"injections", {request.id}}, {"at_us", to_micros(SystemClock{}.utc())}};
  if (auto done = call(std::string(rpc::method::commit), commit); !done)
    return std::unexpected(done.error());
  for (;;) {
    auto status = status_of(call, request.id);
    const bool waiting = status && (status->state == InjectionState::prepared ||
                                    status->state == InjectionState::applying);
    if (!waiting) return status;
    if (!interrupts.wait(kSoon)) continue;
    if (auto undone = halt(call, request.id); !undone) return std::unexpected(undone.error());
  }
}

Result<rpc::InjectionStatus> wait_for_end(const LocalCall& call, const std::string& id,
                                          const Interrupts& interrupts) {
  for (bool told = false;;) {
    auto status = status_of(call, id);
    if (!status || is_over(status->state)) return status;
    // A dirty one is retried for ever; whoever waits is told, and may stop waiting by Ctrl-C.
    if (status->state == InjectionState::dirty && !std::exchange(told, true))
      print({*status}, false);
    if (!interrupts.wait(kLook)) continue;
    if (status->state == InjectionState::dirty) return status;
    if (auto undone = halt(call, id); !undone) return std::unexpected(undone.error());
  }
}

int finish(const Result<rpc::InjectionStatus>& status, bool json) {
  if (!status) return report(status.error());
  print({*status}, json);
  const bool failed = status->detail.starts_with("failed");
  return status->state == InjectionState::undone && !failed ? kOk : kFailed;
}

/// Turns it on and, unless detached, stays until it is over.
int see_through(const LocalCall& call, const FaultRequest& request, const Options& options,
                const Interrupts& interrupts) {
  const auto on = turn_on(call, request, interrupts);
  if (!on || is_over(on->state)) return finish(on, options.common.json);
  print({*on}, options.common.json);
  if (options.detach) return kOk;
  std::fflush(stdout);
  return finish(wait_for_end(call, request.id, interrupts), options.common.json);
}

/// Others may have come through our socket meanwhile; ending would undo theirs.
void wait_for_others(LocalAgent& agent, const Interrupts& interrupts) {
  const auto open = [&] {
    return std::ranges::any_of(agent.executor().last_list(),
                               [](const auto& status) { return !is_over(status.state); });
  };
  while (open() && !interrupts.wait(kLook)) {
  }
}

/// No agent runs here, so this process is one until the injection is over.
/// @param on_active  called with the exit code once it is on or has failed; then, if it is on, we
///                   stay until it is over
int be_the_agent(const AgentConfig& config, const FaultRequest& request, const Options& options,
                 const std::function<void(int)>& on_active) {
  const Interrupts interrupts;
  LocalAgentHooks hooks;
  // The same words as a daemon's log has.
  hooks.on_event = [](const std::string& kind, const std::string& run, UtcTime, const Json& data) {
    tell_system_log(fmt::format("{} {} {}", kind, run,
                                data.dump(-1, ' ', false, Json::error_handler_t::replace)));
  };
  hooks.on_sample = [](const rpc::ProbeRequest&, const rpc::Sample&) {};
  auto agent = LocalAgent::start(config, std::move(hooks));
  if (!agent) {
    const int code = report(agent.error());
    on_active(code);
    return code;
  }
  const LocalCall call = [&](const std::string& method, const Json& params) {
    return (*agent)->calls().local_call(method, params, {::getpid(), ::getuid()});
  };
  int code = see_through(call, request, options, interrupts);
  on_active(code);
  if (options.detach && code == kOk) {
    const auto ended = wait_for_end(call, request.id, interrupts);
    code = ended && ended->state == InjectionState::undone ? kOk : kFailed;
  }
  wait_for_others(**agent, interrupts);
  return code;
}

/// Leaves a process of its own behind that does it; returns once the injection is on.
int detach(const AgentConfig& config, const FaultRequest& request, const Options& options) {
  int ready[2];
  if (::pipe2(ready, O_CLOEXEC) != 0) return report(fail_errno(errno, "pipe").error());
  std::fflush(nullptr);
  const pid_t child = ::fork();  // safe: this process has no threads yet
  if (child < 0) return report(fail_errno(errno, "fork").error());
  if (child > 0) {
    ::close(ready[1]);
    unsigned char code = kFailed;
    if (::read(ready[0], &code, 1) != 1) code = kFailed;
    return code;
  }
  ::setsid();
  const int code = be_the_agent(config, request, options, [&](int so_far) {
    std::fflush(nullptr);
    const auto byte = static_cast<unsigned char>(so_far);
    [[maybe_unused]] const ssize_t told = ::write(ready[1], &byte, 1);
    ::close(ready[1]);
    // Whoever reads our output is not kept waiting for the end of the injection.
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    for (const int fd : {0, 1, 2}) ::dup2(null, fd);
    ::close(null);
  });
  ::_exit(code);
}

int inject(const Options& options) {
  const auto config = load(options.common);
  if (!config) return report(config.error());
  const auto request = request_of(options);
  if (!request) return report(request.error());
  const auto running = control_call(config->state_directory, rpc::method::list, Json::object());
  if (!running && running.error().code == ErrorCode::unavailable) {
    if (options.detach) return detach(*config, *request, options);
    return be_the_agent(*config, *request, options, [](int) {});
  }
  const Interrupts interrupts;
  const LocalCall call = [&](const std::string& method, const Json& params) {
    return control_call(config->state_directory, method, params);
  };
  return see_through(call, *request, options, interrupts);
}

}  // namespace

void add_inject(CLI::App& app, int& exit_code) {
  auto options = std::make_shared<Options>();
  CLI::App* cmd =
      app.add_subcommand("inject", "Inject one fault on this host, without a controller");
  cmd->add_option("fault", options->fault, "its name; see `faults`")->required();
  cmd->add_option("params", options->words, "key=value; see `faults NAME`");
  cmd->add_option("--duration", options->duration, "undo after this long, e.g. 30s")->required();
  cmd->add_option("--pattern", options->pattern, "on and off by turns: on=10s,off=20s");
  cmd->add_option("--ramp", options->ramp,
                  "a parameter that moves: loss=0%..5%/60s, in 10 steps, or loss=0%..5%/60s/20");
  CLI::Option* wait = cmd->add_flag("--wait", options->wait, "stay until it is over (the default)");
  cmd->add_flag("--detach", options->detach, "return once it is on")->excludes(wait);
  cmd->add_option("--tag", options->tags, "a tag that this host's policy asks for");
  cmd->add_option("--id", options->id, "name it; a random one by default");
  add_common(*cmd, options->common);
  cmd->footer(
      "Examples: firedrill-agent inject netem device=eth0 delay=200ms --duration 30s\n"
      "          firedrill-agent inject netem device=eth0 --ramp loss=0%..5%/60s --duration 2m\n"
      "          firedrill-agent inject netem device=eth0 loss=100% --pattern on=10s,off=20s "
      "--duration 5m\n"
      "Ctrl-C undoes it at once.");
  cmd->callback([options, &exit_code] { exit_code = inject(*options); });
}

}  // namespace firedrill::agent::cli
