// What an active injection does by itself: off and on periods, the steps of a ramp, and faults that
// go on acting. Its journal record stays `active` throughout, and undoes it from each of these
// states.
#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "agent/executor/engine.hpp"
#include "agent/executor/operation_mark.hpp"
#include "firedrill/event.hpp"

namespace firedrill::agent {
namespace {

constexpr Duration kTellEvery = std::chrono::seconds{1};

}  // namespace

Result<void> Engine::plan_course(Injection& injection) const {
  const FaultRequest& request = injection.entry.request;
  Course& course = injection.schedule.course;
  const auto own = guarded("pattern", [&] {
    return Result<std::optional<Pattern>>(injection.fault->pattern(injection.params));
  });
  if (!own) return std::unexpected(own.error());
  if (*own && request.pattern)
    return fail_at("/pattern",
                   fmt::format("'{}' has on and off periods of its own: leave 'pattern' "
                               "out, or set its own arguments",
                               request.fault));
  course.pattern = *own ? *own : request.pattern;
  if (course.pattern && request.cured_by)
    if (auto fits = check_cure_pace(*request.cured_by, *course.pattern, "/cured-by"); !fits)
      return fits;
  if (!request.ramp) return {};
  const auto start =
      validate_ramp(injection.fault->schema(), request.params, *request.ramp, "/ramp");
  if (!start) return std::unexpected(start.error());
  if (auto checked = guarded("check", [&] { return injection.fault->check_step(*start); });
      !checked)
    return with_context(checked.error(), "where the ramp starts");
  if (auto allowed = parts_.policy.check(request, *start, open_.size(), now().utc); !allowed)
    return with_context(allowed.error(), "where the ramp starts");
  injection.ramp_start = *start;
  course.ramp_over = request.ramp->over;
  course.ramp_steps = request.ramp->steps;
  return {};
}

Params Engine::params_now(const Injection& injection) const {
  const auto& ramp = injection.entry.request.ramp;
  if (!ramp) return injection.params;
  return ramped(injection.ramp_start, injection.params, ramp->parameter, injection.schedule.step,
                ramp->steps);
}

void Engine::begin_on_period(Injection& injection, const Instants& applied, const Json& values) {
  injection.schedule.on = true;
  injection.applied = applied.boot;
  injection.on_since_us = to_micros(applied.utc);
  injection.first_inside.reset();
  injection.inside_samples = 0;
  injection.told = applied.boot;
  injection.told_values = values;
  injection.schedule.next_advance.reset();
  const auto pace = guarded("pace", [&] {
    return Result<std::optional<Duration>>(injection.fault->pace(params_now(injection)));
  });
  if (pace && *pace) injection.schedule.next_advance = applied.boot + **pace;
}

Json Engine::course_data(const Injection& injection, UtcTime started, UtcTime done) const {
  Json data = event_data(injection.entry.request, parts_.host_name);
  data["started_us"] = to_micros(started);
  data["done_us"] = to_micros(done);
  return data;
}

void Engine::pause(Injection& injection) {
  if (cured_all_period(injection))
    return declare_cured(injection, rpc::Sample(*injection.first_inside));
  const OperationMark mark(parts_.pulse, parts_.clock);
  const UndoAttempt attempt =
      attempt_undo(*injection.fault, parts_.host, injection.entry, parts_.boot_id, parts_.clock);
  note_own_undo(injection, attempt.done);
  if (!attempt.clean)
    return fail_injection(
        injection, "pause",
        {ErrorCode::io_failed, 0, fmt::format("{}", fmt::join(attempt.differences, "; ")), {}});
  // Applying it again would fight the responders who changed it.
  if (attempt.outcome == kSuperseded) return begin_undo(injection, UndoCause::superseded);
  injection.schedule.on = false;
  Json data = course_data(injection, attempt.started, attempt.done);
  data["outcome"] = attempt.outcome;
  emit(event_kind::injection_paused, injection.entry.request.run, attempt.done, std::move(data));
}

void Engine::resume(Injection& injection) {
  const OperationMark mark(parts_.pulse, parts_.clock);
  const Instants started = now();
  const JournalEntry& entry = injection.entry;
  const auto verified =
      guarded("verify", [&] { return injection.fault->verify(parts_.host, entry.record); });
  if (!verified) return fail_injection(injection, "resume", verified.error());
  // Somebody changed it while it was off. Applying would overwrite what is theirs, and the record
  // would put back what was there before.
  if (!verified->clean()) return begin_undo(injection, UndoCause::superseded);
  Schedule& schedule = injection.schedule;
  schedule.step = moment_of(schedule.course, started.boot - schedule.active_since).step;
  auto values = guarded("apply", [&] {
    return injection.fault->apply(parts_.host, params_now(injection), entry.record);
  });
  if (!values) return fail_injection(injection, "resume", values.error());
  const Instants done = now();
  begin_on_period(injection, done, *values);
  injection.entry.data["values"] = *values;
  Json data = course_data(injection, started.utc, done.utc);
  data["values"] = std::move(*values);
  emit(event_kind::injection_resumed, entry.request.run, done.utc, std::move(data));
}

void Engine::cannot_go_on(Injection& injection, std::string_view stage, const Error& error) {
  if (error.code == ErrorCode::conflict) return begin_undo(injection, UndoCause::superseded);
  fail_injection(injection, stage, error);
}

void Engine::adjust(Injection& injection) {
  Schedule& schedule = injection.schedule;
  const Instants started = now();
  schedule.step = moment_of(schedule.course, started.boot - schedule.active_since).step;
  if (!schedule.on) return;  // it will be applied with it
  const OperationMark mark(parts_.pulse, parts_.clock);
  const FaultRequest& request = injection.entry.request;
  const Params params = params_now(injection);
  auto values = guarded("adjust", [&] {
    return injection.fault->adjust(parts_.host, params, injection.entry.record);
  });
  if (!values) return cannot_go_on(injection, "adjust", values.error());
  const UtcTime done = now().utc;
  injection.entry.data["values"] = injection.told_values = *values;
  Json data = course_data(injection, started.utc, done);
  data["parameter"] = request.ramp->parameter;
  data["value"] = param_text(injection.fault->schema(), params, request.ramp->parameter);
  data["step"] = schedule.step;
  data["steps"] = request.ramp->steps;
  data["values"] = std::move(*values);
  emit(event_kind::injection_adjusted, request.run, done, std::move(data));
}

void Engine::advance(Injection& injection) {
  const OperationMark mark(parts_.pulse, parts_.clock);
  const Params params = params_now(injection);
  const Instants started = now();
  auto values = guarded("advance", [&] {
    return injection.fault->advance(parts_.host, params, injection.entry.record,
                                    started.boot - injection.applied);
  });
  if (!values) return cannot_go_on(injection, "advance", values.error());
  const auto pace = guarded(
      "pace", [&] { return Result<std::optional<Duration>>(injection.fault->pace(params)); });
  injection.schedule.next_advance.reset();
  const Instants done = now();
  // What was missed is not made up for: advance() goes by the time, not by the number of calls.
  if (pace && *pace) injection.schedule.next_advance = std::max(started.boot + **pace, done.boot);
  injection.entry.data["values"] = *values;
  if (*values == injection.told_values || done.boot - injection.told < kTellEvery) return;
  injection.told = done.boot;
  injection.told_values = *values;
  Json data = event_data(injection.entry.request, parts_.host_name);
  data["values"] = std::move(*values);
  emit(event_kind::injection_progress, injection.entry.request.run, done.utc, std::move(data));
}

}  // namespace firedrill::agent
