#include "controller/runner/runner.hpp"

#include <algorithm>
#include <optional>
#include <random>
#include <set>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "controller/pki/pki.hpp"
#include "controller/runner/api.hpp"
#include "controller/runner/live_parts.hpp"
#include "controller/runner/live_run.hpp"
#include "controller/runner/quiet.hpp"

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
  std::unique_ptr<Fleet> fleet;  ///< last: its thread must end before what its handlers use

  void wait_for(Duration span) { loop.wait(std::max(span, Duration{1'000})); }
  void on_event(const std::string& host, const rpc::AgentEvent& event, const ClockEstimate& clock);
  /// On the runner's thread. Between runs it stops the next one from beginning.
  void halt(const std::string& who, const std::string& reason);
  void close_left_over_runs();
  void publish(const LiveRun& run, const std::string& title, bool blind);
};

namespace {

/// Sortable by time, readable, and unlikely to repeat: "20260301-120000-silent-nic-drops-7f3a".
std::string new_run_id(const std::string& experiment, UtcTime now) {
  std::string stamp = to_rfc3339(now).substr(0, 19);
  std::erase_if(stamp, [](char c) { return c == '-' || c == ':'; });
  std::replace(stamp.begin(), stamp.end(), 'T', '-');
  std::random_device random;
  return fmt::format("{}-{}-{:04x}", stamp, experiment.substr(0, 40), random() & 0xffffU);
}

Json created_data(const Experiment& experiment, const Plan& plan, const RunRequest& request) {
  Json data = {{"experiment", experiment.source},
               {"experiment_id", experiment.id},
               {"plan", to_json(plan)},
               {"sham", request.sham},
               {"responder", experiment.responder.has_value()},
               {"started_by", request.started_by},
               {"version", FIREDRILL_VERSION}};
  if (!request.tag.empty()) data["tag"] = request.tag;
  if (!request.session.is_null()) data["session"] = request.session;
  return data;
}

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
  if (live != nullptr && event.run == live->plan().run) {
    live->on_agent_event(host, event, clock);
    return;
  }
  // The end of an injection whose controller died belongs into the log of its own run.
  if (event.run.empty() || event.run == "local" || event.kind == event_kind::probe_sample) return;
  [[maybe_unused]] const auto stored = store->append(on_our_clock(host, event, clock));
}

void Runner::State::halt(const std::string& who, const std::string& reason) {
  if (live == nullptr) {
    early_halt = {who, reason};
    return;
  }
  live->on_word(event_kind::halt_requested, who, {{"reason", reason}});
  live->feed(machine::input::Halt{who, reason});
}

void Runner::State::close_left_over_runs() {
  // We hold the port, so no other controller lives: a run still open has lost its own.
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
  if (state_->fleet) state_->fleet->stop();
}

Result<std::unique_ptr<Runner>> Runner::open(RunnerConfig config, Observers observers) {
  auto state = std::make_unique<State>();
  State& s = *state;
  s.config = std::move(config);
  s.observers = std::move(observers);
  const auto pki_dir = s.config.home / "pki";
  auto token = pki::webhook_token(pki_dir);
  if (!token) return with_context(token.error(), "no PKI yet: run 'firedrill pki init' once");
  auto store = Store::open(s.config.home / "runs.db");
  if (!store) return std::unexpected(store.error());
  s.store = std::move(*store);
  const auto identity = pki::files_of(pki_dir, pki::kRoleController);
  const ApiActions actions{
      .halt =
          [&s](std::string who, std::string reason) {
            s.loop.post(
                [&s, who = std::move(who), reason = std::move(reason)] { s.halt(who, reason); });
          },
      .word =
          [&s](std::string_view kind, std::string who, Json data) {
            s.loop.post([&s, kind, who = std::move(who), data = std::move(data)] {
              if (s.live != nullptr) s.live->on_word(kind, who, data);
            });
          },
      .notified =
          [&s](std::vector<AlertNotice> notices, UtcTime received) {
            s.loop.post([&s, notices = std::move(notices), received] {
              if (s.live == nullptr) return;
              for (const AlertNotice& notice : notices) s.live->on_webhook(notice, received);
            });
          },
      .agents = [&s] { return s.fleet ? s.fleet->agents() : std::vector<AgentInfo>{}; }};
  FleetHandlers handlers{
      .connected =
          [&s](const AgentInfo& agent) {
            s.loop.post([&s, agent] {
              if (s.live != nullptr) s.live->on_agent_connected(agent);
            });
          },
      .lost =
          [&s](const std::string& host, const std::string& reason) {
            s.loop.post([&s, host, reason] {
              if (s.live != nullptr) s.live->on_agent_lost(host, reason);
            });
          },
      .event =
          [&s](const std::string& host, const rpc::AgentEvent& event, const ClockEstimate& clock) {
            s.loop.post([&s, host, event, clock] { s.on_event(host, event, clock); });
          },
      .http = [&s, actions](
                  const HttpRequest& request) { return handle_api(request, s.board, actions); },
      .refused = {}};
  FleetConfig fleet_config{.address = s.config.address,
                           .port = s.config.port,
                           .certificate = identity.certificate,
                           .key = identity.key,
                           .ca = identity.ca,
                           .webhook_token = *token};
  auto fleet = Fleet::start(std::move(fleet_config), std::move(handlers));
  if (!fleet) return std::unexpected(fleet.error());
  s.fleet = std::move(*fleet);
  s.close_left_over_runs();
  return std::unique_ptr<Runner>(new Runner(std::move(state)));
}

Result<Plan> Runner::plan(const Experiment& experiment, const PlanOptions& options) {
  State& s = *state_;
  std::set<std::string> expected;
  if (const auto known = pki::describe(s.config.home / "pki"))
    for (const pki::Certificate& one : *known)
      if (one.role == pki::kRoleAgent) expected.insert(one.name);
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
  std::size_t expected = 0;
  if (const auto known = pki::describe(s.config.home / "pki"))
    expected = static_cast<std::size_t>(
        std::ranges::count(*known, pki::kRoleAgent, &pki::Certificate::role));
  const UtcTime begin = utc_now();
  while (utc_now() - begin < wait) {
    const auto agents = s.fleet->agents();
    if (expected != 0 && agents.size() >= expected) break;
    s.wait_for(50ms);
  }
  return s.fleet->agents();
}

void Runner::halt(std::string who, std::string reason) {
  State& s = *state_;
  s.loop.post([&s, who = std::move(who), reason = std::move(reason)] { s.halt(who, reason); });
}

Result<FinishedRun> recompute(Store& store, const std::string& run) {
  auto events = store.events(run);
  if (!events) return std::unexpected(events.error());
  auto measures = measure(*events);
  if (!measures) return std::unexpected(measures.error());
  Scorecard card = score(*measures);
  return FinishedRun{run, std::move(*events), std::move(*measures), std::move(card)};
}

}  // namespace firedrill
