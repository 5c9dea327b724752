#include "controller/runner/slo_run.hpp"

#include <algorithm>
#include <atomic>
#include <utility>

#include <fmt/format.h>

#include "controller/runner/loop.hpp"

namespace firedrill {
namespace {

using namespace std::chrono_literals;

constexpr Duration kTimeout = 10s;
constexpr int kFailuresToLose = 3;

Json counts_json(const BadOfTotal& counted) {
  return {{"bad", counted.bad}, {"total", counted.total}};
}

Event event(std::string_view kind, Json data, UtcTime at = {}) {
  Event out;
  out.at = at;
  out.kind = kind;
  out.data = std::move(data);
  return out;
}

}  // namespace

/// What a looker's thread works with.
struct SloRun::Counting {
  std::unique_ptr<PrometheusClient> client;
  std::vector<Duration> windows;
  std::atomic<std::int64_t> exercise_from_us{0};
};

CountQuery count_query(const Slo& slo, Duration window) {
  CountQuery out{.total = count_expression(slo.total, window), .bad = {}, .good = {}};
  if (!slo.bad.empty()) out.bad = count_expression(slo.bad, window);
  if (!slo.good.empty()) out.good = count_expression(slo.good, window);
  return out;
}

Result<std::optional<BadOfTotal>> bad_of(const Slo& slo, const EventCount& count) {
  if (!count.total) return std::nullopt;
  if (!slo.bad.empty()) return BadOfTotal{count.bad.value_or(0), *count.total};
  if (!count.good && *count.total > 0)
    return fail(ErrorCode::not_found,
                fmt::format("there are events, but no series of good ones: check {}", slo.good));
  // What Prometheus adds up is rounded, so that all good may be a little more than all.
  return BadOfTotal{std::max(0.0, *count.total - count.good.value_or(0)), *count.total};
}

ModeLook look_at_mode(const OperatingMode& mode, PrometheusClient& client) {
  ModeLook look;
  look.from = utc_now();
  if (!mode.query.empty()) {
    const auto answer = client.query(mode.query);
    look.to = utc_now();
    if (!answer) look.error = describe(answer.error());
    else if (answer->series.size() > 1)
      look.error = fmt::format("{} series: one value must answer", answer->series.size());
    else if (!answer->first) look.error = "the query gives no series";
    else look.answer = *answer->first;
    return look;
  }
  const auto page = client.page(mode.url);
  look.to = utc_now();
  if (!page) {
    look.error = describe(page.error());
    return look;
  }
  std::string_view text = page->body;
  while (text.ends_with('\n') || text.ends_with('\r') || text.ends_with(' ')) text.remove_suffix(1);
  if (mode.field.empty()) {
    look.answer = text;
    return look;
  }
  const Json json = Json::parse(text, nullptr, false);
  const Json::json_pointer pointer(mode.field);
  if (json.is_discarded()) look.error = fmt::format("{} does not answer with JSON", mode.url);
  else if (!json.contains(pointer))
    look.error = fmt::format("the answer of {} holds no {}", mode.url, mode.field);
  else look.answer = json.at(pointer);
  return look;
}

SloRun::SloRun(const Experiment& experiment, SloSinks sinks)
    : experiment_(experiment), sinks_(std::move(sinks)), stops_(experiment) {
  for (const OperatingMode& mode : experiment.operating_modes)
    trackers_.try_emplace(mode.name, mode);
}

SloRun::~SloRun() { stop(); }

void SloRun::start() {
  exercise_from_ = utc_now();
  for (const Slo& slo : experiment_.slos)
    if (slo.probe.empty()) start_counting(slo);
  for (const OperatingMode& mode : experiment_.operating_modes)
    if (mode.probe.empty()) start_asking(mode);
}

void SloRun::injected() {
  if (std::exchange(injected_, true)) return;
  exercise_from_ = utc_now();
  for (const auto& [name, counting] : counting_)
    counting->exercise_from_us = to_micros(exercise_from_);
}

void SloRun::budget(const Json& data) {
  const std::string name = data.value("slo", "");
  const auto slo = std::ranges::find(experiment_.slos, name, &Slo::name);
  if (slo == experiment_.slos.end()) return;
  const Duration covered{data.value("covered_us", std::int64_t{0})};
  if (const auto all = expected_total(data.value("total", 0.0), covered, slo->window))
    stops_.expect(name, *all);
  sinks_.say(event(event_kind::slo_budget, data));
}

void SloRun::stop() { lookers_.clear(); }

void SloRun::stop_if(const std::vector<StopSeen>& met) {
  for (const StopSeen& one : met) sinks_.stop(one);
}

void SloRun::start_counting(const Slo& slo) {
  auto client = PrometheusClient::create(slo.url, kTimeout);
  if (!client) return uncounted(slo, describe(client.error()), utc_now(), utc_now());
  auto counting = std::make_shared<Counting>();
  counting->client = std::move(*client);
  counting->windows = stops_.windows(slo.name);
  counting->exercise_from_us = to_micros(exercise_from_);
  counting_[slo.name] = counting;
  const auto look = [this, &slo, counting, post = sinks_.post] {
    const UtcTime began = utc_now();
    const std::int64_t from_us = counting->exercise_from_us;
    SloCounts counts;
    Json data = {{"slo", slo.name}, {"windows", Json::array()}};
    std::optional<Error> error;
    const auto count = [&](Duration window) -> std::optional<BadOfTotal> {
      const auto answer = counting->client->count(count_query(slo, window));
      auto bad = answer ? bad_of(slo, *answer)
                        : Result<std::optional<BadOfTotal>>(std::unexpected(answer.error()));
      if (bad) return *bad;
      error = bad.error();
      return std::nullopt;
    };
    for (const Duration window : counting->windows) {
      const auto counted = error ? std::nullopt : count(window);
      if (!counted) continue;
      counts.windows[window] = *counted;
      data["windows"].push_back(counts_json(*counted));
      data["windows"].back()["window_us"] = window.count();
    }
    const Duration lasts = utc_now() - from_micros(from_us);
    if (!error && lasts >= 1s) counts.exercise = count(lasts);
    counts.exercise_for = lasts;
    const UtcTime at = utc_now();
    if (counts.exercise) data["exercise"] = counts_json(*counts.exercise);
    if (counts.exercise) data["exercise"]["from_us"] = from_us;
    data["to_us"] = to_micros(at);
    post([this, &slo, error, began, at, data = std::move(data), counts = std::move(counts)] {
      if (error) uncounted(slo, describe(*error), began, at);
      else counted(slo, data, counts, at);
    });
  };
  lookers_.push_back(
      std::make_unique<Looker>(slo.poll, look, [counting] { counting->client->cancel(); }));
}

void SloRun::counted(const Slo& slo, const Json& data, const SloCounts& counts, UtcTime at) {
  failing_.erase(slo.name);
  failures_[slo.name] = 0;
  sinks_.say(event(event_kind::slo_sample, data, at));
  stop_if(stops_.observe(slo.name, at, counts));
}

void SloRun::uncounted(const Slo& slo, const std::string& reason, UtcTime began, UtcTime at) {
  const UtcTime since = failing_.try_emplace(slo.name, began).first->second;
  if (++failures_[slo.name] == kFailuresToLose)
    sinks_.say(event(event_kind::slo_lost,
                     {{"slo", slo.name}, {"reason", reason}, {"since_us", to_micros(since)}}, at));
  stop_if(stops_.blind(slo.name, since, at));
}

void SloRun::start_asking(const OperatingMode& mode) {
  auto client = PrometheusClient::create(mode.url, kTimeout);
  if (!client) return;
  const std::shared_ptr<PrometheusClient> shared = std::move(*client);
  const auto look = [this, &mode, shared, post = sinks_.post] {
    ModeLook seen = look_at_mode(mode, *shared);
    post([this, &mode, seen = std::move(seen)] { answered(mode, seen); });
  };
  lookers_.push_back(std::make_unique<Looker>(mode.poll, look, [shared] { shared->cancel(); }));
}

void SloRun::answered(const OperatingMode& mode, const ModeLook& look) {
  const auto tracker = trackers_.find(mode.name);
  if (tracker == trackers_.end()) return;
  if (auto change = tracker->second.observe(look)) sinks_.say(std::move(*change));
}

void SloRun::sample(const SampleSeen& seen, std::optional<bool> within, Duration clock_error) {
  for (const OperatingMode& mode : experiment_.operating_modes) {
    if (mode.probe != seen.probe || mode.probe.empty()) continue;
    const auto spec = std::ranges::find(experiment_.probes, mode.probe, &ProbeSpec::name);
    if (spec == experiment_.probes.end()) continue;
    ModeLook look{.from = seen.from, .to = seen.to, .clock_error = clock_error};
    const auto values = seen.data.find("values");
    if (values != seen.data.end() && values->is_object() && values->contains(spec->measure))
      look.answer = values->at(spec->measure);
    else look.error = seen.data.value("error", "the probe gave no value");
    answered(mode, look);
  }
  for (const Slo& slo : experiment_.slos) {
    if (slo.probe != seen.probe || slo.probe.empty() || !within) continue;
    TimeSli& sli = probes_[slo.name];
    sli.add(seen.host, seen.from, seen.to, *within);
    SloCounts counts;
    for (const Duration window : stops_.windows(slo.name))
      counts.windows[window] = sli.count(seen.to, window);
    counts.exercise_for = std::max(Duration{0}, Duration{seen.to - exercise_from_});
    counts.exercise = sli.count(seen.to, counts.exercise_for);
    stops_.expect(slo.name, static_cast<double>(slo.window.count()) / 1e6);
    stop_if(stops_.observe(slo.name, seen.to, counts));
  }
}

}  // namespace firedrill
