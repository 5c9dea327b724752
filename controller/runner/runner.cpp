#include "controller/runner/runner.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "controller/pki/pki.hpp"
#include "controller/pki/revocation.hpp"
#include "controller/runner/admission.hpp"
#include "controller/runner/agent_word.hpp"
#include "controller/runner/api.hpp"
#include "controller/runner/created.hpp"
#include "controller/runner/limits.hpp"
#include "controller/runner/live_parts.hpp"
#include "controller/runner/live_run.hpp"
#include "controller/runner/quiet.hpp"
#include "controller/runner/run_lock.hpp"

namespace firedrill {

using namespace std::chrono_literals;

struct Runner::State {
  RunnerConfig config;
  Observers observers;
  std::unique_ptr<Store> store;
  Loop loop;
  SharedBoard board;
  LiveRun* live = nullptr;  ///< the runner's thread only
  std::optional<std::pair<std::string, std::string>> early_halt;
  Json by = Json::object();  ///< who started what goes on, and so who stops it at this terminal
  Refusals refusals{observers.notice};
  std::unique_ptr<Fleet> fleet;     ///< its thread must end before what its handlers use
  std::unique_ptr<PkiWatch> watch;  ///< last: it uses the fleet

  State(RunnerConfig config_in, Observers observers_in)
      : config(std::move(config_in)), observers(std::move(observers_in)) {}
  [[nodiscard]] ApiActions actions();
  [[nodiscard]] FleetHandlers handlers();
  [[nodiscard]] Result<void> start_fleet();
  [[nodiscard]] std::filesystem::path store_folder() const {
    return config.store.empty() ? config.home : config.store;
  }
  void wait_for(Duration span) { loop.wait(std::max(span, Duration{1'000})); }
  void on_event(const std::string& host, const rpc::AgentEvent& event, const ClockEstimate& clock);
  /// On the runner's thread. Between runs it stops the next one from beginning.
  void halt(const std::string& who, const std::string& reason, const Json& whom);
  void close_left_over_runs();
  void publish(const LiveRun& run, const std::string& title, bool blind);
  [[nodiscard]] Result<Plan> wait_for_plan(const Experiment& experiment, const PlanOptions& options,
                                           const std::set<std::string>& expected);
};

namespace {

std::string_view stage_name(machine::Stage stage) {
  switch (stage) {
    case machine::Stage::planned:
      return "planned";
    case machine::Stage::preparing:
      return "preparing";
    case machine::Stage::prepared:
      return "prepared";
    case machine::Stage::committed:
      return "committed";
    case machine::Stage::active:
      return "active";
    case machine::Stage::ended:
      return "undone";
    case machine::Stage::dirty:
      return "dirty";
    case machine::Stage::unknown:
      break;
  }
  return "unknown";
}

}  // namespace

void Runner::State::on_event(const std::string& host, const rpc::AgentEvent& event,
                             const ClockEstimate& clock) {
  const bool goes_on = live != nullptr && event.run == live->plan().run;
  if (!goes_on && (event.run == "local" || event.kind == event_kind::probe_sample)) return;
  Event ours = on_our_clock(host, event, clock);
  const bool own =
      goes_on ? is_own(live->plan(), ours) : keep_for_ended_run(*store, ours) != Kept::not_its_own;
  if (!own) return refusals.note(host, why_left_out(event), std::chrono::steady_clock::now());
  if (goes_on) live->on_agent_event(std::move(ours), clock);
}

void Runner::State::halt(const std::string& who, const std::string& reason, const Json& whom) {
  if (live == nullptr) {
    early_halt = {who, reason};
    return;
  }
  live->on_word(event_kind::halt_requested, who, {{"reason", reason}, {"by", whom}},
                {utc_now(), {}});
  live->feed(machine::input::Halt{who, reason});
}

void Runner::State::close_left_over_runs() {
  // No run goes on, here or at another port, so a run still open has lost its controller.
  RunLock lock;
  if (!lock.nobody(store_folder())) return;
  const auto runs = store->runs(1000);
  if (!runs) return;
  for (const RunRow& row : *runs) {
    if (row.state != "running") continue;
    const std::string reason = "its controller ended before it did; agents undid it by lease";
    [[maybe_unused]] const auto told = store->append(Event{
        .seq = 0,
        .run = row.id,
        .at = utc_now(),
        .uncertainty = {},
        .source = "controller",
        .kind = std::string(event_kind::run_phase),
        .data = {{"phase", "finished"}, {"outcome", "error"}, {"reasons", Json::array({reason})}}});
    [[maybe_unused]] const auto closed = store->finish_run(row.id, utc_now(), "error", {});
  }
}

void Runner::State::publish(const LiveRun& run, const std::string& title, bool blind) {
  RunBoard next{.run = run.plan().run,
                .title = title,
                .phase = blind ? "blind" : std::string(machine::to_string(run.state().phase)),
                .injections = Json::array(),
                .steps = board.get().steps,
                .webhooks = board.get().webhooks,
                .finished = run.finished()};
  if (blind) return board.set(std::move(next));
  for (const machine::Tracked& one : run.state().injections) {
    const PlannedInjection* planned = run.plan().find(one.id);
    next.injections.push_back({{"id", one.id},
                               {"host", one.host},
                               {"fault", planned ? planned->request.fault : ""},
                               {"action", planned ? planned->action : ""},
                               {"stage", stage_name(one.stage)}});
  }
  board.set(std::move(next));
}

Runner::Runner(std::unique_ptr<State> state) : state_(std::move(state)) {}

Runner::~Runner() {
  state_->loop.close();
  state_->watch.reset();
  if (state_->fleet) state_->fleet->stop();
}

ApiActions Runner::State::actions() {
  ApiActions out;
  out.halt = [this](std::string who, std::string reason, Json whom) {
    loop.post([this, who = std::move(who), reason = std::move(reason), whom = std::move(whom)] {
      halt(who, reason, whom);
    });
  };
  out.word = [this](std::string_view kind, std::string who, Json data, Moment when) {
    loop.post([this, kind, who = std::move(who), data = std::move(data), when] {
      if (live != nullptr) live->on_word(kind, who, data, when);
    });
  };
  out.noticed = [this](std::string who, Json data, Moment when) {
    loop.post([this, who = std::move(who), data = std::move(data), when] {
      if (live != nullptr) live->on_noticed(who, data, when);
    });
  };
  out.notified = [this](std::string detector, std::vector<AlertNotice> notices, UtcTime received) {
    loop.post([this, detector = std::move(detector), notices = std::move(notices), received] {
      if (live == nullptr) return;
      for (const AlertNotice& notice : notices) live->on_webhook(detector, notice, received);
    });
  };
  out.agents = [this] { return fleet ? fleet->agents() : std::vector<AgentInfo>{}; };
  out.yield = observers.yield;
  return out;
}

FleetHandlers Runner::State::handlers() {
  FleetHandlers out;
  out.connected = [this](const AgentInfo& agent) {
    loop.post([this, agent] {
      if (live != nullptr) live->on_agent_connected(agent);
    });
  };
  out.lost = [this](const std::string& host, const std::string& reason) {
    loop.post([this, host, reason] {
      if (live != nullptr) live->on_agent_lost(host, reason);
    });
  };
  out.event = [this](const std::string& host, const rpc::AgentEvent& event,
                     const ClockEstimate& clock) {
    loop.post([this, host, event, clock] { on_event(host, event, clock); });
  };
  out.http = [this, actions = actions()](const HttpRequest& request) {
    return handle_api(request, board, actions);
  };
  out.refused = [this](const std::string& remote, const std::string& reason) {
    refusals.note(remote, reason, std::chrono::steady_clock::now());
  };
  out.join = [this, pki = config.home / "pki"](const HttpRequest& request) {
    return answer_join(request, pki, refusals);
  };
  out.renew = [this, pki = config.home / "pki"](const RenewalRequest& request) {
    return answer_renewal(request, pki, refusals);
  };
  return out;
}

Result<void> Runner::State::start_fleet() {
  const auto dir = config.home / "pki";
  auto token = pki::webhook_token(dir);
  if (!token) return with_context(token.error(), "no PKI yet: run 'firedrill pki init' once");
  const auto identity = pki::ready_files(dir, pki::kRoleController);
  if (!identity) return std::unexpected(identity.error());
  auto revoked = pki::revoked_serials(dir);
  if (!revoked) return std::unexpected(revoked.error());
  FleetConfig wanted;
  wanted.address = config.address;
  wanted.port = config.port;
  wanted.certificate = identity->certificate;
  wanted.key = identity->key;
  wanted.ca = identity->ca;
  wanted.webhook_token = std::move(*token);
  wanted.revoked = *revoked;
  auto started = Fleet::start(std::move(wanted), handlers());
  if (!started) return std::unexpected(started.error());
  fleet = std::move(*started);
  watch = std::make_unique<PkiWatch>(dir, std::move(*revoked), *fleet, refusals);
  return {};
}

Result<std::unique_ptr<Runner>> Runner::open(RunnerConfig config, Observers observers) {
  auto state = std::make_unique<State>(std::move(config), std::move(observers));
  // Before the store: without certificates there is no home yet to keep one in.
  if (auto there = pki::webhook_token(state->config.home / "pki"); !there)
    return with_context(there.error(), "no PKI yet: run 'firedrill pki init' once");
  auto store = Store::open(state->store_folder() / "runs.db");
  if (!store) return std::unexpected(store.error());
  state->store = std::move(*store);
  if (auto started = state->start_fleet(); !started) return std::unexpected(started.error());
  state->close_left_over_runs();
  return std::unique_ptr<Runner>(new Runner(std::move(state)));
}

Result<Plan> Runner::plan(const Experiment& experiment, const PlanOptions& options) {
  State& s = *state_;
  const std::set<std::string> expected = pki::agent_names(s.config.home / "pki");
  auto plan = s.wait_for_plan(experiment, options, expected);
  if (!plan) return plan;
  if (auto held = hold_plan_to_limits(*plan, experiment, *s.fleet, s.config.home, expected); !held)
    return std::unexpected(held.error());
  return plan;
}

Result<Plan> Runner::State::wait_for_plan(const Experiment& experiment, const PlanOptions& options,
                                          const std::set<std::string>& expected) {
  State& s = *this;
  const UtcTime begin = utc_now();
  UtcTime planned_since{};
  UtcTime told{};
  while (true) {
    const auto views = agent_views(s.fleet->agents());
    auto plan = make_plan(experiment, views, options);
    const UtcTime now = utc_now();
    if (s.early_halt) return fail(ErrorCode::unavailable, "halted before the run began");
    const bool all = !expected.empty() && std::ranges::all_of(expected, [&](const auto& name) {
      return std::ranges::find(views, name, &AgentView::host) != views.end();
    });
    if (plan && all) return plan;
    if (all && !plan && plan.error().code != ErrorCode::not_found) return plan;
    if (plan && planned_since == UtcTime{}) planned_since = now;
    if (plan && now - planned_since > 5s) return plan;  // somebody issued is away; go without
    if (now - begin > s.config.agent_wait) return plan;
    if (now - told > 2s && s.observers.progress) {
      told = now;
      s.observers.progress(fmt::format("waiting for agents: {} connected", views.size()));
    }
    s.wait_for(50ms);
  }
}

Result<FinishedRun> Runner::run(const RunRequest& request) {
  State& s = *state_;
  Experiment experiment = *request.experiment;
  if (!request.responder) experiment.responder.reset();
  const UtcTime now = utc_now();
  const std::string id = new_run_id(experiment.id, now);
  RunLock lock;
  lock.hold(s.store_folder());
  s.by = request.by;
  auto plan = this->plan(experiment, {.run = id, .seed = request.seed, .sham = request.sham});
  if (!plan) return std::unexpected(plan.error());
  if (auto created = s.store->create_run({.id = id,
                                          .title = experiment.title,
                                          .experiment = experiment.id,
                                          .started = now,
                                          .state = "running",
                                          .finished = {},
                                          .verdict = {},
                                          .scores = Json::object()});
      !created)
    return std::unexpected(created.error());
  EventLog log(*s.store, id, s.observers.event);
  if (auto said = log.say(event_kind::run_created, created_data(experiment, *plan, request)); !said)
    return std::unexpected(said.error());
  RunBoard board{.run = id, .title = experiment.title, .phase = "idle"};
  for (const RunbookStep& step : experiment.steps) board.steps.insert(step.id);
  for (const Detector& detector : experiment.detectors)
    if (detector.webhook) board.webhooks.push_back(detector);
  s.board.set(std::move(board));
  {
    LiveRun live(experiment, std::move(*plan), *s.fleet, s.loop, log,
                 {{"FIREDRILL_BIN", s.config.program.string()},
                  {"FIREDRILL_HOME", s.config.home.string()},
                  {"FIREDRILL_PORT", std::to_string(s.fleet->port())}});
    s.live = &live;
    const Rollback forget([&s]() noexcept { s.live = nullptr; });
    live.feed(machine::input::Start{});
    while (!live.finished()) {
      s.wait_for(live.tick());
      s.publish(live, experiment.title, request.blind);
    }
  }
  auto measures = measure(log.events());
  if (!measures) return std::unexpected(measures.error());
  Scorecard card = score(*measures);
  // Told last: it repeats what the log shows, so that measuring the log again gives the same.
  [[maybe_unused]] const auto told = log.say(
      event_kind::run_verdict, {{"verdict", to_string(card.verdict)}, {"reasons", card.reasons}});
  if (auto closed = s.store->finish_run(id, utc_now(), to_string(card.verdict), to_json(card));
      !closed)
    return std::unexpected(closed.error());
  return FinishedRun{id, log.events(), std::move(*measures), std::move(card)};
}

Result<void> Runner::wait_until_quiet(const Experiment& experiment, std::uint64_t seed,
                                      Duration limit) {
  State& s = *state_;
  const UtcTime begin = utc_now();
  const Duration hold = quiet_time(experiment);
  std::optional<UtcTime> quiet_since;
  UtcTime told{};
  const auto plan = this->plan(experiment, {.run = "quiet", .seed = seed, .sham = true});
  if (!plan) return std::unexpected(plan.error());
  while (true) {
    const std::vector<Check> noise = what_is_not_quiet(experiment, *plan, *s.fleet);
    const UtcTime now = utc_now();
    if (!noise.empty()) quiet_since.reset();
    else if (!quiet_since) quiet_since = now;
    if (quiet_since && now - *quiet_since >= hold) return {};
    const std::string why = noise.empty() ? "" : noise.front().check + ": " + noise.front().detail;
    if (now - begin > limit)
      return fail(ErrorCode::timed_out,
                  fmt::format("not quiet after {} of waiting: {}", to_string(limit), why));
    if (!why.empty() && now - told > 10s && s.observers.progress) {
      told = now;
      s.observers.progress("waiting for quiet: " + why);
    }
    if (pause(1s)) return fail(ErrorCode::unavailable, "halted while waiting for quiet");
  }
}

bool Runner::pause(Duration span) {
  const UtcTime end = utc_now() + span;
  for (UtcTime now = utc_now(); now < end && !halted(); now = utc_now())
    state_->wait_for(std::min<Duration>(end - now, 100ms));
  return halted();
}

bool Runner::halted() const { return state_->early_halt.has_value(); }
Store& Runner::store() { return *state_->store; }

std::vector<AgentInfo> Runner::agents(Duration wait) {
  State& s = *state_;
  const std::size_t expected = pki::agent_names(s.config.home / "pki").size();
  const UtcTime begin = utc_now();
  while (utc_now() - begin < wait) {
    const auto agents = s.fleet->agents();
    if (expected != 0 && agents.size() >= expected) break;
    s.wait_for(50ms);
  }
  return s.fleet->agents();
}

std::uint16_t Runner::port() const { return state_->fleet->port(); }

void Runner::idle(Duration span) { state_->wait_for(span); }

void Runner::halt(std::string who, std::string reason) {
  State& s = *state_;
  s.loop.post(
      [&s, who = std::move(who), reason = std::move(reason)] { s.halt(who, reason, s.by); });
}

}  // namespace firedrill
