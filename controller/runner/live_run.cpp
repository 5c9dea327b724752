#include "controller/runner/live_run.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "controller/detect/poller.hpp"
#include "controller/detect/sample_tracker.hpp"
#include "controller/runner/live_parts.hpp"

namespace firedrill {

using namespace std::chrono_literals;

LiveRun::LiveRun(const Experiment& experiment, Plan plan, Fleet& fleet, Loop& loop, EventLog& log,
                 Environment environment)
    : experiment_(experiment),
      plan_(std::move(plan)),
      fleet_(fleet),
      loop_(loop),
      log_(log),
      environment_(std::move(environment)),
      clock_(read_clocks()),
      state_(machine::initial_state(plan_)),
      watch_(experiment, plan_),
      slos_(experiment, slo_sinks()) {
  environment_["FIREDRILL_RUN"] = plan_.run;
}

LiveRun::~LiveRun() {
  *alive_ = false;
  pollers_.clear();
  slos_.stop();
  for (std::jthread& thread : process_probes_) thread.request_stop();
}

SloSinks LiveRun::slo_sinks() {
  return {.say =
              [this](Event event) {
                event.run = plan_.run;
                event.source = "controller";
                if (event.at == UtcTime{}) event.at = utc_now();
                say(std::move(event));
              },
          .stop =
              [this](const StopSeen& stop) {
                feed(machine::input::StopConditionMet{stop.name, stop.detail});
              },
          .post = poster()};
}

std::function<void(std::function<void()>)> LiveRun::poster() {
  return [&loop = loop_, alive = alive_](std::function<void()> work) {
    loop.post([alive, work = std::move(work)] {
      if (*alive) work();
    });
  };
}

void LiveRun::feed(const machine::Input& input) {
  inputs_.push_back(input);
  if (feeding_) return;
  feeding_ = true;
  while (!inputs_.empty()) {
    const machine::Input next = std::move(inputs_.front());
    inputs_.erase(inputs_.begin());
    auto [state, commands] = machine::step(std::move(state_), next, clock_.now(read_clocks()));
    state_ = std::move(state);
    for (const machine::Command& command : commands) execute(command);
  }
  feeding_ = false;
}

Duration LiveRun::tick() {
  const UtcTime now = clock_.now(read_clocks());
  renew_leases(now);
  judge_baseline();
  const auto due = machine::next_deadline(state_);
  if (due && *due <= now) feed(machine::input::Tick{});
  const auto next = machine::next_deadline(state_);
  if (!next) return 100ms;
  return std::clamp<Duration>(*next - clock_.now(read_clocks()), Duration{0}, Duration{100ms});
}

void LiveRun::note(const Result<void>& stored) {
  if (stored || store_failed_) return;
  store_failed_ = true;
  feed(machine::input::StoreFailed{stored.error()});
}

void LiveRun::say(std::string_view kind, Json data) { note(log_.say(kind, std::move(data))); }
void LiveRun::say(Event event) { note(log_.say(std::move(event))); }

void LiveRun::ask(const std::string& host, std::string_view method, Json params,
                  std::function<void(Result<Json>)> then) {
  auto post = poster();
  auto done = [post = std::move(post), then = std::move(then)](Result<Json> answer) {
    post([then, answer = std::move(answer)] { then(answer); });
  };
  fleet_.call(host, method, std::move(params), 15s, std::move(done));
}

void LiveRun::renew_leases(UtcTime now) {
  if (now < next_renewal_) return;
  std::map<std::string, Duration> hosts;
  for (const machine::Tracked& one : state_.injections) {
    const bool on = one.stage == machine::Stage::preparing ||
                    one.stage == machine::Stage::prepared ||
                    one.stage == machine::Stage::committed || one.stage == machine::Stage::active;
    if (!on || state_.lost.contains(one.host)) continue;
    const auto [it, added] = hosts.try_emplace(one.host, one.lease);
    if (!added) it->second = std::min(it->second, one.lease);
  }
  if (hosts.empty()) return;
  Duration shortest = 10s;
  for (const auto& [host, lease] : hosts) {
    if (lease > Duration{}) shortest = std::min(shortest, lease);
    fleet_.call(host, rpc::method::renew, {{"run", plan_.run}}, 5s, [](const Result<Json>&) {});
  }
  next_renewal_ = now + shortest / 4;  // three renewals may be lost before the lease is
}

void LiveRun::on_agent_event(Event event, const ClockEstimate& clock) {
  if (event.kind != event_kind::probe_sample) return log_agent_event(std::move(event));
  const std::string probe = event.data.value("probe", "");
  if (probe.starts_with(kDetectorProbePrefix))
    return on_detector_sample(event.data, clock.error, clock.offset);
  on_sample(event.data, clock.error);
  if (probe.starts_with(kStepProbePrefix)) return;
  say(std::move(event));
}

void LiveRun::log_agent_event(Event event) {
  const std::string kind = event.kind;
  if (const auto* planned = plan_.find(event.data.value("injection", ""))) {
    event.data["action"] = planned->action;
    event.data["fault"] = planned->request.fault;
  }
  const Json data = event.data;
  say(std::move(event));
  follow_injection(kind, data);
}

void LiveRun::follow_injection(const std::string& kind, const Json& data) {
  const std::string injection = data.value("injection", "");
  if (kind == event_kind::injection_active) {
    watch_.injected();
    slos_.injected();
    feed(machine::input::Applied{injection});
  } else if (kind == event_kind::injection_failed) {
    const std::string words = data.value("error", "the agent gave no reason");
    if (data.value("stage", "") != "prepare")  // a failed prepare is answered to the request itself
      feed(machine::input::ApplyFailed{injection, {ErrorCode::io_failed, 0, words, {}}});
  } else if (kind == event_kind::injection_undone) {
    const auto cause = parse_undo_cause(data.value("cause", ""));
    feed(machine::input::Undone{injection, cause.value_or(UndoCause::requested),
                                data.value("verified", false)});
  } else if (kind == event_kind::injection_dirty) {
    const Json differences = data.value("differences", Json::array());
    feed(machine::input::Dirty{
        injection, differences.empty() ? "undo could not be completed" : differences.dump()});
  }
}

void LiveRun::on_sample(const Json& data, Duration clock_error) {
  const SampleSeen sample{.probe = data.value("probe", ""),
                          .host = data.value("host", ""),
                          .from = from_micros(data.value("from_us", std::int64_t{0})),
                          .to = from_micros(data.value("to_us", std::int64_t{0})),
                          .data = data};
  if (sample.probe.starts_with(kStepProbePrefix)) {
    const auto step = watch_.observe_step(sample);
    if (!step || state_.phase == machine::Phase::healing) return;
    say(event_kind::step_verified, {{"step", step->step},
                                    {"host", step->host},
                                    {"evidence", step->evidence},
                                    {"value", step->value},
                                    {"seen_us", to_micros(step->seen)},
                                    {"last_not_us", to_micros(step->last_not)}});
    return;
  }
  watch_.observe(sample);
  follow_probe_detectors(sample, clock_error);
  slos_.sample(sample, watch_.within(sample), clock_error);
  for (const StopSeen& stop : watch_.observe_stop(sample))
    feed(machine::input::StopConditionMet{stop.name, stop.detail});
  if (awaiting_steady_) check_steady_after();
}

void LiveRun::check_steady_after() {
  if (steady_told_) return;
  const UtcTime now = utc_now();
  if (now - undo_before_ < plan_.phases.steady_for) return;
  std::vector<std::string> reasons;
  const UtcTime since = std::max(undo_before_, watch_.since_for(plan_.phases.steady_for, now));
  if (!watch_.steady_since(since, reasons)) return;
  // A blip breaks no steady state, but users are not whole before their measure says so.
  if (!watch_.whole_for(plan_.phases.steady_for)) return;
  steady_told_ = true;
  say(event_kind::steady_state, {{"when", "after"}, {"met", true}, {"probes", watch_.summary()}});
  feed(machine::input::SteadyAgain{});
}

void LiveRun::on_agent_connected(const AgentInfo& agent) {
  const auto hosts = plan_.hosts();
  if (std::ranges::find(hosts, agent.hello.host) == hosts.end()) return;
  say(event_kind::agent_connected,
      {{"host", agent.hello.host}, {"remote_address", agent.remote_address}});
  std::vector<rpc::InjectionStatus> ours;
  for (const rpc::InjectionStatus& one : agent.hello.injections)
    if (one.run == plan_.run) ours.push_back(one);
  feed(machine::input::AgentBack{agent.hello.host, std::move(ours)});
  // A restarted agent has forgotten its probes; starting one that runs already only replaces it.
  if (pollers_.empty() && process_probes_.empty() && baseline_from_ == UtcTime{}) return;
  for (const PlannedProbe& probe : plan_.probes)
    if (probe.host == agent.hello.host)
      fleet_.call(probe.host, rpc::method::probe_start,
                  to_json(probe_request(plan_.run, probe.spec)), 5s, [](const Result<Json>&) {});
  start_detector_probes(agent.hello.host);
}

void LiveRun::on_agent_lost(const std::string& host, const std::string& reason) {
  const auto hosts = plan_.hosts();
  if (std::ranges::find(hosts, host) == hosts.end()) return;
  say(event_kind::agent_lost, {{"host", host}, {"reason", reason}});
  feed(machine::input::AgentLost{host, reason});
}

void LiveRun::on_word(std::string_view kind, const std::string& who, Json data,
                      const Moment& when) {
  data["who"] = who;
  say(Event{.seq = 0,
            .run = plan_.run,
            .at = when.at,
            .uncertainty = when.uncertainty,
            .source = "person:" + who,
            .kind = std::string(kind),
            .data = std::move(data)});
}

}  // namespace firedrill
