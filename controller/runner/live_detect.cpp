// What detectors say while a run goes on: pollers, webhooks, samples of agents, and people.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "controller/detect/notice.hpp"
#include "controller/detect/poller.hpp"
#include "controller/detect/sample_tracker.hpp"
#include "controller/runner/live_parts.hpp"
#include "controller/runner/live_run.hpp"

namespace firedrill {
namespace {

using namespace std::chrono_literals;

/// A log that keeps quiet for so long has said what it had to say.
constexpr Duration kLogHold = 10s;

/// Operations start evenly over the window: what begins after the last of them is not seen.
Duration unseen_part(const SampleSeen& sample) {
  const auto count = sample.data.value("count", std::int64_t{0});
  const auto values = sample.data.find("values");
  const bool operations = values != sample.data.end() && values->contains("error_ratio");
  return operations && count > 0 ? (sample.to - sample.from) / count : Duration{0};
}

std::optional<double> number_in(const Json& data, const char* key) {
  const auto values = data.find("values");
  if (values == data.end() || !values->is_object()) return std::nullopt;
  const auto value = values->find(key);
  if (value == values->end() || !value->is_number()) return std::nullopt;
  return value->get<double>();
}

/// None where an agent says what cannot be.
std::optional<Duration> micros_in(const Json& data, const char* key) {
  const auto number = number_in(data, key);
  if (!number || !(*number >= 0 && *number <= static_cast<double>(rpc::kLastMicros)))
    return std::nullopt;
  return Duration{static_cast<std::int64_t>(*number)};
}

}  // namespace

void LiveRun::start_detectors() {
  for (const Detector& detector : experiment_.detectors) {
    if (!is_polled(detector)) continue;
    auto poller =
        Poller::start(poller_config(detector, experiment_),
                      [this, post = poster(), name = detector.name](const Detection& seen) {
                        post([this, name, seen] { on_detection(name, seen); });
                      });
    if (poller) pollers_[detector.name] = std::move(*poller);
    else
      say(event_kind::detector_lost,
          {{"detector", detector.name}, {"reason", describe(poller.error())}});
  }
  start_detector_probes({});
}

/// On one host, or on all of them.
void LiveRun::start_detector_probes(const std::string& host) {
  for (const PlannedDetectorProbe& probe : plan_.detector_probes)
    if (host.empty() || host == probe.host)
      ask(probe.host, rpc::method::probe_start, to_json(detector_request(plan_.run, probe)),
          [this, probe](const Result<Json>& started) {
            if (started || started.error().code == ErrorCode::already_exists) return;
            say(event_kind::detector_lost,
                {{"detector", probe.detector},
                 {"reason", probe.host + ": " + describe(started.error())}});
          });
}

void LiveRun::on_detection(const std::string& detector, const Detection& detection) {
  say(Event{.seq = 0,
            .run = plan_.run,
            .at = detection.at,
            .uncertainty = detection.uncertainty,
            .source = "detector:" + detector,
            .kind = detection.kind,
            .data = detection.data});
  maybe_alert(detector, detection.kind, detection.data);
}

/// The clock that a notification's instants are on. Alertmanager passes on what Prometheus wrote;
/// any other sender's clock is known only by the word of the experiment.
std::optional<MonitorClock> LiveRun::clock_of(const Detector& detector) const {
  if (detector.clock_error) return MonitorClock{Duration{0}, *detector.clock_error};
  if (detector.kind != Detector::Kind::alertmanager) return std::nullopt;
  std::optional<MonitorClock> own;
  for (const Detector& other : experiment_.detectors) {
    const auto poller = pollers_.find(other.name);
    if (poller == pollers_.end()) continue;
    const auto clock = poller->second->clock();
    if (clock && other.kind == Detector::Kind::prometheus) return clock;
    if (other.name == detector.name) own = clock;
  }
  return own;
}

void LiveRun::on_webhook(const std::string& name, const AlertNotice& notice, UtcTime received) {
  const auto detector = std::ranges::find(experiment_.detectors, name, &Detector::name);
  std::optional<MonitorClock> clock;
  if (detector != experiment_.detectors.end()) clock = clock_of(*detector);
  on_detection(name, to_detection(notice, received, clock));
}

SampleTracker& LiveRun::sample_tracker(const Detector& detector, const std::string& host) {
  std::unique_ptr<SampleTracker>& tracker = trackers_[detector.name + "@" + host];
  if (tracker) return *tracker;
  SampleTrackerConfig config{.alert = detector.alert, .severity = detector.severity};
  config.events = detector.kind == Detector::Kind::log;
  if (config.events) config.hold = kLogHold;
  for (const ProbeSpec& probe : experiment_.probes)
    if (detector.kind == Detector::Kind::probe && probe.name == detector.probe)
      config.on_after = probe.breach_after;
  tracker = std::make_unique<SampleTracker>(std::move(config), host);
  return *tracker;
}

/// A sample of the agent's probe "log". Stamps of lines are on the agent's clock.
void LiveRun::on_detector_sample(const Json& data, Duration clock_error, Duration clock_offset) {
  const std::string name =
      data.value("probe", "")
          .substr(std::min(data.value("probe", "").size(), kDetectorProbePrefix.size()));
  const auto detector = std::ranges::find(experiment_.detectors, name, &Detector::name);
  if (detector == experiment_.detectors.end()) return;
  SampleLook look{.from = from_micros(data.value("from_us", std::int64_t{0})),
                  .to = from_micros(data.value("to_us", std::int64_t{0})),
                  .clock_error = clock_error,
                  .host = data.value("host", ""),
                  .error = data.value("error", "")};
  if (const auto matches = number_in(data, "matches")) look.on = *matches > 0;
  look.complete = number_in(data, "behind_bytes").value_or(0) == 0;
  if (const auto stamp = micros_in(data, "first_us")) {
    // A stamp is cut to its unit: the line was written within it.
    const Duration half = micros_in(data, "first_unit_us").value_or(Duration{1}) / 2;
    look.began = UtcTime{*stamp} - clock_offset + half;
    look.began_error = clock_error + half + Duration{1};
  }
  for (const Detection& seen : sample_tracker(*detector, look.host).observe(look)) {
    Detection told = seen;
    told.data["detector"] = name;
    on_detection(name, told);
  }
}

/// Detectors of type probe: they notice when one of the experiment's own probes is in breach.
void LiveRun::follow_probe_detectors(const SampleSeen& sample, Duration clock_error) {
  for (const Detector& detector : experiment_.detectors) {
    if (detector.kind != Detector::Kind::probe || detector.probe != sample.probe) continue;
    const auto within = watch_.within(sample);
    SampleLook look{.from = sample.from,
                    .to = sample.to,
                    .clock_error = clock_error,
                    .host = sample.host,
                    .error = sample.data.value("error", "")};
    if (within) look.on = !*within;
    look.unseen = unseen_part(sample);
    for (const Detection& seen : sample_tracker(detector, sample.host).observe(look)) {
      Detection told = seen;
      told.data["detector"] = detector.name;
      on_detection(detector.name, told);
    }
  }
}

void LiveRun::on_noticed(const std::string& who, Json data, const Moment& when) {
  const auto person =
      std::ranges::find(experiment_.detectors, Detector::Kind::person, &Detector::kind);
  const bool known = person != experiment_.detectors.end();
  std::string alert = data.value("alertname", "");
  if (alert.empty()) alert = known ? person->alert : "noticed";
  Json labels{{"alertname", alert}, {"who", who}};
  if (known && !person->severity.empty()) labels["severity"] = person->severity;
  data["who"] = who;
  data["alertname"] = alert;
  data["fingerprint"] = fmt::format("{}/{}", who, alert);
  data["labels"] = std::move(labels);
  data["fired_us"] = to_micros(when.at);
  on_detection(known ? person->name : "person", {.kind = std::string(event_kind::alert_firing),
                                                 .at = when.at,
                                                 .uncertainty = when.uncertainty,
                                                 .data = std::move(data)});
}

void LiveRun::maybe_alert(const std::string& detector, const std::string& kind, const Json& data) {
  const Json labels = data.value("labels", Json::object());
  const bool expected =
      std::ranges::any_of(experiment_.expected,
                          [&](const ExpectedDetection& one) { return one.match.matches(labels); });
  if (!expected) return;
  const std::string key = detector + "/" + data.value("fingerprint", labels.dump());
  if (kind == event_kind::alert_pending || kind == event_kind::alert_firing)
    expected_on_[key] = true;
  if (kind == event_kind::alert_resolved) expected_on_.erase(key);
  // People learn of an alert when they are notified; where nobody is, when it fires.
  const bool notifies = std::ranges::any_of(experiment_.detectors, &Detector::webhook);
  const bool person = data.contains("who");  // whoever noticed it needs no notification
  const bool told = notifies && !person ? kind == event_kind::alert_notified &&
                                              data.value("status", "firing") == "firing"
                                        : kind == event_kind::alert_firing;
  if (!told || alert_told_ || state_.t0 == UtcTime{} || clock_.now(read_clocks()) < state_.t0)
    return;
  alert_told_ = true;
  feed(machine::input::AlertFired{data});
}

}  // namespace firedrill
