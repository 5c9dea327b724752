// Whether responders have brought the cure about. What our own hand did is nobody's cure: neither
// the end of another injection nor an off period of this one.
#include <fmt/format.h>

#include "agent/executor/engine.hpp"
#include "firedrill/event.hpp"

namespace firedrill::agent {
namespace {

/// So many samples on end make a whole on period without the fault's effect.
constexpr int kWholePeriod = 2;

bool within(const CureCondition& cure, double value) {
  return (!cure.min || value >= *cure.min) && (!cure.max || value <= *cure.max);
}

std::string bounds_text(const CureCondition& cure) {
  return fmt::format("{} to {}", cure.min ? fmt::format("{}", *cure.min) : "-inf",
                     cure.max ? fmt::format("{}", *cure.max) : "inf");
}

}  // namespace

/// A fault that grows, or has not reached the end of its ramp, need not show an effect yet.
bool Engine::may_still_worsen(const Injection& injection) const {
  const Schedule& schedule = injection.schedule;
  return schedule.step < schedule.course.ramp_steps || schedule.next_advance.has_value();
}

void Engine::note_own_undo(const Injection& undone, UtcTime at) {
  for (Injection& other : open_)
    if (&other != &undone) other.others_undo_us = to_micros(at);
}

void Engine::cure_sampled(const std::string& id, const Result<rpc::Sample>& sample) {
  Injection* injection = find(id);
  if (injection == nullptr || injection->entry.state != InjectionState::active) return;
  const CureCondition& cure = *injection->entry.request.cured_by;
  injection->schedule.next_poll = now().boot + cure.interval;
  if (!injection->schedule.on || !sample || sample->from_us < injection->on_since_us) return;
  const auto found = sample->values.find(cure.value);
  if (found == sample->values.end()) return;  // not measured: neither in nor out
  if (!within(cure, found->second)) {
    injection->seen_outside = true;
    injection->last_not_us = sample->from_us;
    injection->first_inside.reset();
    return;
  }
  if (!injection->seen_outside) {
    if (may_still_worsen(*injection)) return;
    return fail_injection(
        *injection, "cure",
        {ErrorCode::invalid_input, 0,
         fmt::format("the cure holds while the fault is on: '{}' is {}, within {}; either the "
                     "fault has no effect or the bounds are wrong",
                     cure.value, found->second, bounds_text(cure)),
         "/cured-by"});
  }
  if (injection->last_not_us <= injection->others_undo_us) return;
  if (injection->last_not_us >= injection->on_since_us) return declare_cured(*injection, *sample);
  // Within bounds since this on period began: a cure if it stays so until its end.
  if (!injection->first_inside) injection->first_inside = *sample;
  ++injection->inside_samples;
}

bool Engine::cured_all_period(const Injection& injection) const {
  return injection.first_inside && injection.inside_samples >= kWholePeriod &&
         injection.last_not_us > injection.others_undo_us;
}

void Engine::declare_cured(Injection& injection, const rpc::Sample& sample) {
  const FaultRequest& request = injection.entry.request;
  const CureCondition& cure = *request.cured_by;
  Json data = event_data(request, parts_.host_name);
  data["probe"] = cure.probe;
  data["name"] = cure.value;
  data["value"] = sample.values.at(cure.value);
  data["seen_us"] = sample.to_us;
  data["last_not_us"] = injection.last_not_us;
  emit(event_kind::injection_cured, request.run, from_micros(sample.to_us), std::move(data));
  begin_undo(injection, UndoCause::cured);
}

}  // namespace firedrill::agent
