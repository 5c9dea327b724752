// Calls from outside: prepare, commit, undo, forget, renew, list. What follows by itself as time
// passes is in engine_acts.cpp.
#include "agent/executor/engine.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "firedrill/event.hpp"

namespace firedrill::agent {

Engine::Engine(EngineParts parts) : parts_(std::move(parts)) {}

Instants Engine::now() const { return {parts_.clock.utc(), parts_.clock.boottime()}; }

Engine::Injection* Engine::find(std::string_view id) {
  const auto found = std::ranges::find(
      open_, id, [](const Injection& injection) { return injection.entry.request.id; });
  return found == open_.end() ? nullptr : &*found;
}

void Engine::emit(std::string_view kind, const std::string& run, UtcTime at, Json data) const {
  parts_.on_event(std::string(kind), run, at, std::move(data));
}

Result<void> Engine::check_new(const FaultRequest& request) const {
  for (const Injection& injection : open_)
    if (injection.entry.request.id == request.id)
      return fail(ErrorCode::already_exists,
                  fmt::format("injection '{}' exists and is {}", request.id,
                              to_string(injection.entry.state)));
  return {};
}

Result<void> Engine::check_resources(const std::vector<std::string>& resources) const {
  for (const Injection& holder : open_)
    for (const std::string& resource : resources)
      if (std::ranges::find(holder.entry.resources, resource) != holder.entry.resources.end())
        return fail(ErrorCode::conflict,
                    fmt::format("'{}' is held by injection '{}' ({}, {})", resource,
                                holder.entry.request.id, holder.entry.request.fault,
                                to_string(holder.entry.state)));
  return {};
}

Result<void> Engine::check_cure(const FaultRequest& request) const {
  if (!request.cured_by) return {};
  const CureCondition& cure = *request.cured_by;
  // A misspelt probe or value would never cure; now is the time to hear of it.
  const auto sample = guarded("probe", [&] { return parts_.sample(cure.probe, cure.params); });
  if (!sample) return with_context(sample.error(), "cured-by");
  if (sample->values.contains(cure.value)) return {};
  std::vector<std::string_view> known;
  for (const auto& [name, value] : sample->values) known.emplace_back(name);
  return fail(ErrorCode::invalid_input,
              fmt::format("cured-by: probe '{}' gives no value '{}'.{}", cure.probe, cure.value,
                          suggestion(cure.value, known)));
}

Result<void> Engine::check_support(const Fault& fault) {
  if (supported_.contains(fault.name())) return {};  // asking may mean trying: once is enough
  const auto support =
      guarded("support", [&] { return Result<Support>(fault.probe_support(parts_.host)); });
  if (!support) return std::unexpected(support.error());
  if (!support->supported) return fail(ErrorCode::unsupported, support->reason);
  supported_.emplace(fault.name());
  return {};
}

Result<Engine::Injection> Engine::validate(const FaultRequest& request) const {
  const Fault* fault = parts_.find_fault(request.fault);
  if (fault == nullptr)
    return fail(ErrorCode::not_found, fmt::format("this agent has no fault '{}'", request.fault));
  const auto params = validate_params(fault->schema(), request.params, "/params");
  if (!params) return std::unexpected(params.error());
  if (auto checked = guarded("check", [&] { return fault->check(*params); }); !checked)
    return std::unexpected(checked.error());
  if (auto allowed = parts_.policy.check(request, *params, open_.size(), now().utc); !allowed)
    return std::unexpected(allowed.error());
  Injection out;
  out.fault = fault;
  out.params = *params;
  out.entry.request = request;
  const auto resources = guarded("resources", [&] {
    return Result<std::vector<std::string>>(fault->exclusive_resources(*params));
  });
  if (!resources) return std::unexpected(resources.error());
  out.entry.resources = *resources;
  if (auto free = check_resources(*resources); !free) return std::unexpected(free.error());
  if (auto planned = plan_course(out); !planned) return std::unexpected(planned.error());
  return out;
}

Result<Json> Engine::prepare(const FaultRequest& request, const Json& by) {
  if (auto fresh = check_new(request); !fresh) return std::unexpected(fresh.error());
  auto injection = validate(request);
  if (!injection) return std::unexpected(injection.error());
  if (auto able = check_support(*injection->fault); !able) return std::unexpected(able.error());
  if (auto curable = check_cure(request); !curable) return std::unexpected(curable.error());
  auto captured =
      guarded("capture", [&] { return injection->fault->capture(parts_.host, injection->params); });
  if (!captured) return std::unexpected(captured.error());
  if (auto alive = parts_.ensure_guardian(); !alive)
    return with_context(alive.error(), "no guardian, so nothing is injected");
  if (open_.empty()) {
    // Failing leaves the old file in use, and prepare() below says so when that is full.
    [[maybe_unused]] const Result<void> compacted = parts_.journal.compact_if_worthwhile();
  }
  JournalEntry& entry = injection->entry;
  if (request.ramp)
    (*captured)["ramp"] = ramp_member(*request.ramp, injection->ramp_start, injection->params);
  entry.record = std::move(*captured);
  entry.boot_id = parts_.boot_id;
  entry.at = now().utc;
  if (!by.is_null()) entry.data["by"] = by;
  injection->schedule.prepared = now().boot;
  if (auto written = parts_.journal.prepare(entry); !written)
    return with_context(written.error(), "the undo record was not stored, so nothing is injected");
  parts_.pulse.journal_version.fetch_add(1);
  open_.push_back(std::move(*injection));
  publish();
  Json data = event_data(request, parts_.host_name);
  data["record"] = open_.back().entry.record;
  if (!by.is_null()) data["by"] = by;
  emit(event_kind::injection_prepared, request.run, open_.back().entry.at, std::move(data));
  return open_.back().entry.record;
}

Result<void> Engine::commit(const std::vector<std::string>& ids, UtcTime at) {
  if (ids.empty()) return fail(ErrorCode::invalid_input, "a commit names at least one injection");
  std::vector<Injection*> chosen;
  for (const std::string& id : ids) {
    Injection* injection = find(id);
    if (injection == nullptr)
      return fail(ErrorCode::not_found,
                  fmt::format("injection '{}' is not prepared here (any more)", id));
    const bool same = injection->schedule.commit_at == at;
    if (same) continue;
    if (injection->entry.state != InjectionState::prepared)
      return fail(ErrorCode::conflict,
                  fmt::format("injection '{}' is {}", id, to_string(injection->entry.state)));
    if (injection->schedule.commit_at)
      return fail(ErrorCode::conflict,
                  fmt::format("injection '{}' is committed at another instant already", id));
    chosen.push_back(injection);
  }
  if (chosen.empty()) return {};
  const Instants asked = now();
  if (auto good = check_commit(at, asked); !good) return good;
  // Between being prepared and this instant a window of the policy may close.
  for (const Injection* injection : chosen)
    if (auto good = parts_.policy.check_hours(at, injection->entry.request.duration); !good)
      return good;
  for (Injection* injection : chosen) {
    injection->schedule.commit_at = at;
    // The sender knew this host's clock a moment ago; from here on it counts on none that can step.
    injection->schedule.commit_due = asked.boot + (at - asked.utc);
    if (const auto& lease = injection->entry.request.lease; lease)
      injection->schedule.lease_until = now().boot + *lease;
  }
  return {};
}

Result<std::vector<rpc::InjectionStatus>> Engine::undo(const std::vector<std::string>& ids,
                                                       UndoCause cause, const Json& by) {
  std::vector<Injection*> chosen;
  std::vector<rpc::InjectionStatus> out;
  std::vector<std::string> wanted = ids;
  if (ids.empty())
    for (const Injection& injection : open_) wanted.push_back(injection.entry.request.id);
  std::vector<std::string> absent;
  std::vector<std::string> lost;
  const JournalView view = parts_.journal.view();
  for (const std::string& id : wanted) {
    const auto last_end = std::find_if(ended_.rbegin(), ended_.rend(),
                                       [&](const auto& ended) { return ended.id == id; });
    if (Injection* injection = find(id)) chosen.push_back(injection);
    else if (std::ranges::find(view.lost, id, &LostRecord::id) != view.lost.end())
      lost.push_back(id);
    else if (last_end != ended_.rend()) out.push_back(*last_end);
    else absent.push_back(id);
  }
  for (Injection* injection : chosen) {
    const InjectionState state = injection->entry.state;
    if (injection->undone_by.is_null()) injection->undone_by = by;
    if (state != InjectionState::undoing && state != InjectionState::dirty)
      injection->cause = cause;
  }
  undo_in_order(chosen);
  for (const Injection* injection : chosen) out.push_back(status(*injection));
  remove_ended();
  if (!absent.empty())
    return fail(ErrorCode::not_found,
                fmt::format("no such injection on this host: {}", fmt::join(absent, ", ")));
  if (!lost.empty())
    return fail(ErrorCode::corrupt,
                fmt::format("what would undo {} is lost: compare this host by hand, then "
                            "`firedrill-agent undo --forget`",
                            fmt::join(lost, ", ")));
  return out;
}

Result<void> Engine::forget(std::string_view id, const Json& by) {
  const JournalView view = parts_.journal.view();
  const bool lost = std::ranges::find(view.lost, id, &LostRecord::id) != view.lost.end();
  const Injection* injection = find(id);
  if (!lost && injection == nullptr)
    return fail(ErrorCode::not_found, fmt::format("nothing is known by the name '{}'", id));
  if (injection != nullptr && injection->fault != nullptr &&
      injection->entry.state != InjectionState::dirty)
    return fail(ErrorCode::refused,
                fmt::format("'{}' is {}: it can be undone, so it is not forgotten", id,
                            to_string(injection->entry.state)));
  if (auto written = parts_.journal.forget(id, by, now().utc); !written) return written;
  parts_.pulse.journal_version.fetch_add(1);
  std::erase_if(open_, [&](const Injection& each) { return each.entry.request.id == id; });
  publish();
  return {};
}

void Engine::renew(const std::string& run, Duration heard) {
  for (Injection& injection : open_) {
    const auto& lease = injection.entry.request.lease;
    if (lease && injection.entry.request.run == run)
      injection.schedule.lease_until = heard + *lease;
  }
  publish();
}

void Engine::publish() {
  std::int64_t first = 0;
  for (const Injection& injection : open_) {
    const InjectionState state = injection.entry.state;
    const auto& lease = injection.schedule.lease_until;
    if (!lease || (state != InjectionState::active && state != InjectionState::applying)) continue;
    first = first == 0 ? lease->count() : std::min(first, lease->count());
  }
  parts_.pulse.lease_until_us.store(first);
  parts_.pulse.open.store(static_cast<std::uint32_t>(open_.size()));
}

rpc::InjectionStatus Engine::status(const Injection& injection) const {
  const JournalEntry& entry = injection.entry;
  rpc::InjectionStatus out;
  out.id = entry.request.id;
  out.run = entry.request.run;
  out.fault = entry.request.fault;
  out.state = entry.state;
  out.values = entry.data.value("values", Json::object());
  if (injection.fault == nullptr) {
    out.state = InjectionState::unknown;
    out.detail = fmt::format("this program has no fault '{}': undo with the one that applied it",
                             entry.request.fault);
  } else if (entry.data.contains("differences")) {
    out.detail = fmt::format(
        "{}", fmt::join(entry.data["differences"].get<std::vector<std::string>>(), "; "));
  }
  if (entry.state == InjectionState::undone)
    out.detail = injection.failure.empty() ? to_string(injection.cause) : injection.failure;
  if (entry.state == InjectionState::active && !injection.schedule.on)
    out.detail = "in an off period of its pattern";
  if (entry.state == InjectionState::prepared) out.remaining_us = entry.request.duration.count();
  if (entry.state == InjectionState::active)
    out.remaining_us = std::max(Duration{}, injection.schedule.deadline - now().boot).count();
  return out;
}

std::vector<rpc::InjectionStatus> Engine::list() const {
  std::vector<rpc::InjectionStatus> out;
  for (const Injection& injection : open_) out.push_back(status(injection));
  out.insert(out.end(), ended_.begin(), ended_.end());
  for (const LostRecord& lost : parts_.journal.view().lost) {
    rpc::InjectionStatus& unknown = out.emplace_back();
    unknown.id = lost.id;
    unknown.run = lost.run;
    unknown.fault = lost.fault;
    unknown.detail = lost.detail;
  }
  return out;
}

}  // namespace firedrill::agent
