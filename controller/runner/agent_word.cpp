#include "controller/runner/agent_word.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "controller/runner/sample_watch.hpp"

namespace firedrill {
namespace {

std::string text_in(const Json& json, std::string_view key) {
  if (!json.is_object()) return {};
  const auto it = json.find(key);
  return it != json.end() && it->is_string() ? it->get<std::string>() : std::string{};
}

/// By a plan as run.created keeps it; empty: the plan has no such injection.
std::string host_of(const Json& plan, const std::string& injection) {
  if (!plan.is_object() || !plan.contains("injections")) return {};
  for (const Json& one : plan["injections"])
    if (text_in(one, "id") == injection) return text_in(one, "host");
  return {};
}

}  // namespace

bool is_asked(const Plan& plan, std::string_view probe, std::string_view host) {
  const auto is = [&](std::string_view prefix, const std::string& name, const std::string& from) {
    return from == host && probe == std::string(prefix) + name;
  };
  return std::ranges::any_of(
             plan.probes,
             [&](const PlannedProbe& one) { return is("", one.spec.name, one.host); }) ||
         std::ranges::any_of(plan.step_probes,
                             [&](const PlannedStepProbe& one) {
                               return is(kStepProbePrefix, one.step, one.host);
                             }) ||
         std::ranges::any_of(plan.detector_probes, [&](const PlannedDetectorProbe& one) {
           return is(kDetectorProbePrefix, one.detector, one.host);
         });
}

bool is_own(const Plan& plan, const Event& event) {
  const std::string host = event.data.value("host", "");
  if (event.kind == event_kind::probe_sample)
    return is_asked(plan, event.data.value("probe", ""), host);
  const PlannedInjection* planned = plan.find(event.data.value("injection", ""));
  return planned != nullptr && planned->host == host;
}

std::string why_left_out(const rpc::AgentEvent& event) {
  return fmt::format("the plan of run '{}' does not give it what its {} tells of", event.run,
                     event.kind);
}

Result<Kept> keep_for_ended_run(Store& store, Event event) {
  const auto first = store.events(event.run, 0, 1);
  if (!first && first.error().code != ErrorCode::not_found) return std::unexpected(first.error());
  if (!first || first->empty()) return Kept::unknown_run;
  const std::string host =
      host_of(first->front().data.value("plan", Json::object()), event.data.value("injection", ""));
  if (host.empty() || host != event.data.value("host", "")) return Kept::not_its_own;
  if (auto kept = store.append(std::move(event)); !kept) return std::unexpected(kept.error());
  return Kept::yes;
}

}  // namespace firedrill
