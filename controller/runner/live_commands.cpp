// The machine's commands, carried out.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "controller/detect/poller.hpp"
#include "controller/detect/sample_tracker.hpp"
#include "controller/runner/live_parts.hpp"
#include "controller/runner/live_run.hpp"

namespace firedrill {
namespace {

using namespace std::chrono_literals;

constexpr Duration kLongestDoubt = 5s;  // the machine wants its answer within ten

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};

std::map<std::string, std::vector<std::string>> by_host(const Plan& plan,
                                                        const std::vector<std::string>& ids) {
  std::map<std::string, std::vector<std::string>> hosts;
  for (const std::string& id : ids)
    if (const PlannedInjection* planned = plan.find(id)) hosts[planned->host].push_back(id);
  return hosts;
}

}  // namespace

void LiveRun::execute(const machine::Command& command) {
  namespace cmd = machine::command;
  std::visit(
      Overloaded{
          [&](const cmd::EnterPhase& enter) {
            if (enter.phase != machine::Phase::finished)  // Finish tells that, with the outcome
              say(event_kind::run_phase, {{"phase", machine::to_string(enter.phase)}});
          },
          [&](const cmd::RunPreflight&) { start_preflight(); },
          [&](const cmd::StartWatching&) { start_watching(); },
          [&](const cmd::CheckBaseline&) { check_baseline(); },
          [&](const cmd::Prepare& wanted) { prepare(wanted.injections); },
          [&](const cmd::Commit& wanted) { commit(wanted); },
          [&](const cmd::Undo& wanted) { undo(wanted); },
          [&](const cmd::StartResponder& wanted) { start_responder(wanted.alert); },
          [&](const cmd::StopResponder&) {
            if (responder_) responder_->stop();
          },
          [&](const cmd::StartProcess& wanted) { start_process(wanted); },
          [&](const cmd::StopProcesses&) {
            for (const auto& [name, process] : processes_) process->stop();
          },
          [&](const cmd::SendInject& wanted) {
            for (const Inject& inject : plan_.injects)
              if (inject.id == wanted.inject)
                say(event_kind::inject_sent,
                    {{"inject", inject.id}, {"to", inject.to}, {"content", inject.content}});
          },
          [&](const cmd::CheckSteadyAfter&) {
            awaiting_steady_ = true;
            undo_before_ = utc_now();
          },
          [&](const cmd::StopWatching&) { stop_watching(); },
          [&](const cmd::Finish& wanted) { finish(wanted); },
      },
      command);
}

void LiveRun::start_preflight() {
  preflight_ = std::jthread([this, post = poster()] {
    auto checks = run_preflight(experiment_, plan_, fleet_);
    post([this, checks = std::move(checks)] {
      machine::input::PreflightDone done{.ok = true, .reasons = {}};
      for (const Check& check : checks) {
        say(event_kind::preflight,
            {{"check", check.check}, {"ok", check.ok}, {"detail", check.detail}});
        if (!check.measured.is_null()) slos_.budget(check.measured);
        if (check.ok) continue;
        done.ok = false;
        done.reasons.push_back(fmt::format("{}: {}", check.check, check.detail));
      }
      feed(done);
    });
  });
}

void LiveRun::start_watching() {
  baseline_from_ = utc_now();
  const auto start = [this](const std::string& host, const rpc::ProbeRequest& request) {
    ask(host, rpc::method::probe_start, to_json(request), [this, host, request](Result<Json> ok) {
      if (ok) return;
      const std::int64_t now = to_micros(utc_now());
      say(event_kind::probe_sample, {{"probe", request.id},
                                     {"host", host},
                                     {"from_us", now},
                                     {"to_us", now},
                                     {"count", 0},
                                     {"errors", 0},
                                     {"values", Json::object()},
                                     {"error", describe(ok.error())}});
    });
  };
  for (const PlannedProbe& probe : plan_.probes) {
    if (probe.host.empty()) start_process_probe(probe);
    else start(probe.host, probe_request(plan_.run, probe.spec));
  }
  for (const PlannedStepProbe& step : plan_.step_probes)
    start(step.host, step_request(plan_.run, step));
  start_detectors();
  slos_.start();
}

void LiveRun::start_process_probe(const PlannedProbe& probe) {
  process_probes_.emplace_back([this, post = poster(), spec = probe.spec,
                                directory =
                                    experiment_.directory.string()](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      const auto started = std::chrono::steady_clock::now();
      Json data = process_sample(spec, directory);
      post([this, data = std::move(data)] {
        on_sample(data, Duration{0});
        say(event_kind::probe_sample, data);
      });
      while (!stop.stop_requested() && std::chrono::steady_clock::now() - started < spec.interval)
        std::this_thread::sleep_for(50ms);
    }
  });
}

void LiveRun::stop_watching() {
  for (const std::string& host : plan_.hosts())
    fleet_.call(host, rpc::method::probe_stop, {{"run", plan_.run}}, 5s,
                [](const Result<Json>&) {});
  pollers_.clear();
  slos_.stop();
  for (std::jthread& thread : process_probes_) thread.request_stop();
}

void LiveRun::check_baseline() {
  baseline_asked_ = clock_.now(read_clocks());
  judge_baseline();
}

/// Waits as long as the experiment allows, and for the next sample where the newest is bad: one is
/// no breach, but were it the first of one, users were hurt before the fault.
void LiveRun::judge_baseline() {
  if (!baseline_asked_ || state_.phase != machine::Phase::baseline) return;
  const UtcTime now = clock_.now(read_clocks());
  const UtcTime since =
      std::max(baseline_from_, watch_.since_for(plan_.phases.baseline, utc_now()));
  machine::input::BaselineDone done;
  done.steady = watch_.steady_since(since, done.reasons);
  done.quiet = expected_on_.empty();
  for (const auto& [alert, on] : expected_on_)
    done.reasons.push_back(fmt::format("the expected alert {} was on before the injection", alert));
  const Duration wait = plan_.phases.baseline_within - plan_.phases.baseline;
  const UtcTime last = *baseline_asked_ + std::max(wait, Duration{});
  if (now < last && !(done.steady && done.quiet)) {
    if (!std::exchange(baseline_waits_, true)) tell_baseline(false, last - now);
    return;
  }
  if (now < last + kLongestDoubt && watch_.in_doubt_since(since)) return;
  baseline_asked_.reset();
  tell_baseline(done.steady, {});
  feed(done);
}

void LiveRun::tell_baseline(bool met, std::optional<Duration> wait) {
  Json data{{"when", "before"}, {"met", met}, {"probes", watch_.summary()}};
  if (wait) data["wait_us"] = wait->count();
  say(event_kind::steady_state, std::move(data));
}

void LiveRun::prepare(const std::vector<std::string>& injections) {
  for (const std::string& id : injections) {
    const PlannedInjection* planned = plan_.find(id);
    if (planned == nullptr) continue;
    ask(planned->host, rpc::method::prepare, to_json(planned->request),
        [this, id, host = planned->host](const Result<Json>& answer) {
          if (answer) return feed(machine::input::Prepared{id});
          Error error = answer.error();
          error.what = host + ": " + error.what;
          feed(machine::input::PrepareFailed{id, std::move(error)});
        });
  }
}

void LiveRun::commit(const machine::command::Commit& command) {
  std::map<std::pair<std::string, UtcTime>, std::vector<std::string>> batches;
  const ClockReading reading = read_clocks();
  for (const machine::command::CommitAt& one : command.injections)
    batches[{one.host, clock_.on_machine(one.at, reading)}].push_back(one.injection);
  for (const auto& [key, ids] : batches) {
    const auto& [host, at] = key;
    const auto clock = fleet_.clock(host);
    if (!clock) {
      for (const std::string& id : ids)
        feed(machine::input::ApplyFailed{
            id, {ErrorCode::unavailable, 0, host + ": not connected at the commit", {}}});
      continue;
    }
    say(event_kind::clock_estimate,
        {{"host", host}, {"offset_us", clock->offset.count()}, {"error_us", clock->error.count()}});
    ask(host, rpc::method::commit, {{"injections", ids}, {"at_us", to_micros(at + clock->offset)}},
        [this, ids, host](const Result<Json>& answer) {
          if (answer) return;
          for (const std::string& id : ids) {
            Error error = answer.error();
            error.what = host + ": commit: " + error.what;
            feed(machine::input::ApplyFailed{id, std::move(error)});
          }
        });
  }
}

void LiveRun::undo(const machine::command::Undo& command) {
  for (const auto& [host, ids] : by_host(plan_, command.injections)) {
    ask(host, rpc::method::undo, {{"injections", ids}, {"cause", to_string(command.cause)}},
        [this, ids, cause = command.cause](const Result<Json>& answer) {
          if (!answer) return;  // a lost agent is told of by the fleet; silence by the machine
          for (const rpc::InjectionStatus& status : statuses_of(*answer)) {
            if (std::ranges::find(ids, status.id) == ids.end()) continue;  // another host's
            if (status.state == InjectionState::undone)
              feed(machine::input::Undone{status.id, cause, true});
            else if (status.state == InjectionState::dirty)
              feed(machine::input::Dirty{status.id, status.detail});
          }
        });
  }
}

void LiveRun::start_responder(const Json& alert) {
  const Responder& responder = *experiment_.responder;
  const auto post = poster();
  const auto line = [this, post](std::string_view text) {
    post([this, text = std::string(text)] { say(event_kind::responder_output, {{"line", text}}); });
  };
  auto process = Process::start(
      {.path = responder.path,
       .arguments = responder.arguments,
       .environment = environment_,
       .working_directory = responder.directory.string(),
       .stdin_text = alert.dump() + "\n",
       .timeout = {}},
      {.on_stdout = line, .on_stderr = line, .on_exit = [this, post](const ProcessExit& exit) {
         post([this, code = exit.code] {
           say(event_kind::responder_exited, {{"code", code}});
           feed(machine::input::ResponderExited{});
         });
       }});
  if (!process) {
    say(event_kind::responder_exited, {{"code", 127}, {"error", describe(process.error())}});
    return feed(machine::input::ResponderExited{});
  }
  responder_ = std::move(*process);
  say(event_kind::responder_started,
      {{"path", responder.path}, {"pid", responder_->pid()}, {"alert", alert}});
}

void LiveRun::start_process(const machine::command::StartProcess& command) {
  const auto& known = command.rollback ? experiment_.rollbacks : experiment_.processes;
  const auto action = std::ranges::find(known, command.name, &ProcessAction::name);
  if (action == known.end()) return;
  const auto post = poster();
  auto output = std::make_shared<std::string>();
  const auto line = [output](std::string_view text) {
    if (output->size() < 16'384) output->append(text).append("\n");
  };
  auto process = Process::start(
      {.path = action->path,
       .arguments = action->arguments,
       .environment = environment_,
       .working_directory = experiment_.directory.string(),
       .stdin_text = {},
       .timeout = action->timeout},
      {.on_stdout = line,
       .on_stderr = line,
       .on_exit = [this, post, output, name = command.name](const ProcessExit& exit) {
         post([this, output, name, exit] {
           say(event_kind::process_finished,
               {{"name", name}, {"code", exit.code}, {"output", *output}});
           feed(machine::input::ProcessExited{
               name, exit.code == 0,
               exit.timed_out ? "timed out" : fmt::format("exit code {}", exit.code)});
         });
       }});
  if (!process)
    return feed(machine::input::ProcessExited{command.name, false, describe(process.error())});
  processes_[command.name] = std::move(*process);
}

void LiveRun::finish(const machine::command::Finish& command) {
  if (awaiting_steady_ && !steady_told_)
    say(event_kind::steady_state,
        {{"when", "after"}, {"met", false}, {"probes", watch_.summary()}});
  say(event_kind::run_phase, {{"phase", machine::to_string(machine::Phase::finished)},
                              {"outcome", machine::to_string(command.outcome)},
                              {"reasons", command.reasons}});
}

}  // namespace firedrill
