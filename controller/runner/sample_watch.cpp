#include "controller/runner/sample_watch.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace firedrill {
namespace {

const Json* value_of(const Json& data, const std::string& measure) {
  const auto values = data.find("values");
  if (values == data.end() || !values->is_object()) return nullptr;
  const auto it = values->find(measure);
  return it == values->end() ? nullptr : &*it;
}

}  // namespace

SampleWatch::SampleWatch(const Experiment& experiment, const Plan& plan)
    : steps_(plan.step_probes), stops_(experiment.stop_conditions) {
  for (const PlannedProbe& probe : plan.probes)
    probes_[key_of(probe.spec.name, probe.host)] = {probe.spec, probe.host, {}};
}

std::string SampleWatch::key_of(std::string_view probe, std::string_view host) {
  return fmt::format("{}@{}", probe, host);
}

void SampleWatch::observe(const SampleSeen& sample) {
  const auto it = probes_.find(key_of(sample.probe, sample.host));
  if (it == probes_.end()) return;
  Seen seen{.from = sample.from, .to = sample.to, .good = false, .value = {}, .error = {}};
  if (const Json* value = value_of(sample.data, it->second.spec.measure)) {
    seen.good = tolerates(it->second.spec.tolerance, *value);
    if (value->is_number()) seen.value = value->get<double>();
  }
  seen.error = sample.data.value("error", "");
  it->second.samples.push_back(std::move(seen));
}

std::optional<bool> SampleWatch::within(const SampleSeen& sample) const {
  const auto it = probes_.find(key_of(sample.probe, sample.host));
  if (it == probes_.end()) return std::nullopt;
  if (const Json* value = value_of(sample.data, it->second.spec.measure))
    return tolerates(it->second.spec.tolerance, *value);
  const auto count = sample.data.value("count", std::int64_t{0});
  if (count > 0 && sample.data.value("errors", std::int64_t{0}) >= count) return false;
  return std::nullopt;
}

std::optional<StepSeen> SampleWatch::observe_step(const SampleSeen& sample) {
  for (const PlannedStepProbe& step : steps_) {
    if (std::string(kStepProbePrefix) + step.step != sample.probe || step.host != sample.host)
      continue;
    const std::string key = key_of(step.step, step.host);
    const Json* value = value_of(sample.data, step.verify.measure);
    const bool taken = value != nullptr && tolerates(step.verify.tolerance, *value);
    if (!taken) {
      if (injected_ && value != nullptr) step_false_[key] = sample.to;
      return std::nullopt;
    }
    const auto was_false = step_false_.find(key);
    if (was_false == step_false_.end() || step_done_[key]) return std::nullopt;
    step_done_[key] = true;
    return StepSeen{
        .step = step.step,
        .host = step.host,
        .seen = sample.to,
        .last_not = was_false->second,
        .evidence = fmt::format(
            "{} = {} on {}", step.verify.measure,
            value->is_number() ? fmt::format("{:g}", value->get<double>()) : value->dump(),
            step.host),
        .value = *value};
  }
  return std::nullopt;
}

std::vector<StopSeen> SampleWatch::observe_stop(const SampleSeen& sample) {
  std::vector<StopSeen> met;
  const auto probe = probes_.find(key_of(sample.probe, sample.host));
  if (probe == probes_.end()) return met;
  for (const StopCondition& stop : stops_) {
    if (stop.probe != sample.probe || stop_met_[stop.name]) continue;
    const Json* value = value_of(sample.data, probe->second.spec.measure);
    if (value != nullptr && tolerates(stop.tolerance, *value)) {
      stop_since_.erase(stop.name);
      continue;
    }
    const UtcTime since = stop_since_.try_emplace(stop.name, sample.from).first->second;
    if (sample.to - since < stop.for_time) continue;
    stop_met_[stop.name] = true;
    met.push_back({stop.name, fmt::format("probe '{}' was {} for {}", stop.probe,
                                          value == nullptr ? "without a value" : value->dump(),
                                          to_string(Duration{sample.to - since}))});
  }
  return met;
}

SampleWatch::Found SampleWatch::find_since(const Watched& probe, UtcTime since) {
  Found found;
  int bad_run = 0;
  for (const Seen& sample : probe.samples) {
    if (sample.from < since) continue;
    found.last = &sample;
    bad_run = sample.good ? 0 : bad_run + 1;
    if (bad_run >= probe.spec.breach_after) found.breach = &sample;
  }
  return found;
}

bool SampleWatch::steady_since(UtcTime since, std::vector<std::string>& reasons) const {
  const std::size_t before = reasons.size();
  for (const auto& [key, probe] : probes_) {
    const auto [breach, last] = find_since(probe, since);
    if (last == nullptr) {
      reasons.push_back(fmt::format("probe '{}' gave no sample", key));
    } else if (breach != nullptr || !last->good) {
      const Seen& bad = breach != nullptr ? *breach : *last;
      reasons.push_back(fmt::format(
          "probe '{}' was out of tolerance: {} {}{}", key, probe.spec.measure,
          bad.value ? fmt::format("{:.1f} {}", *bad.value, probe.spec.unit) : "without a value",
          bad.error.empty() ? "" : " (" + bad.error + ")"));
    }
  }
  return reasons.size() == before;
}

UtcTime SampleWatch::since_for(Duration hold, UtcTime now) const {
  Duration longest{};
  for (const auto& [key, probe] : probes_) longest = std::max(longest, probe.spec.interval);
  return now - hold - longest;
}

bool SampleWatch::in_doubt_since(UtcTime since) const {
  bool doubt = false;
  for (const auto& [key, probe] : probes_) {
    const auto [breach, last] = find_since(probe, since);
    if (last == nullptr || breach != nullptr) return false;
    doubt = doubt || !last->good;
  }
  return doubt;
}

bool SampleWatch::whole_for(Duration hold) const {
  if (probes_.empty()) return true;
  UtcTime since{};
  UtcTime newest{};
  for (const auto& [key, probe] : probes_) {
    const auto& samples = probe.samples;
    const auto bad = std::ranges::find(samples.rbegin(), samples.rend(), false, &Seen::good);
    if (bad == samples.rbegin()) return false;
    since = std::max(since, std::prev(bad)->to);
    newest = std::max(newest, samples.back().to);
  }
  return newest - since >= hold;
}

Json SampleWatch::summary() const {
  Json out = Json::array();
  for (const auto& [key, probe] : probes_) {
    const Seen* last = probe.samples.empty() ? nullptr : &probe.samples.back();
    Json one = {{"name", probe.spec.name}, {"host", probe.host}, {"met", last && last->good}};
    one["value"] = last && last->value ? Json(*last->value) : Json();
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace firedrill
