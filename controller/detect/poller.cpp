#include "controller/detect/poller.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include <fmt/core.h>

#include "controller/detect/source.hpp"

namespace firedrill {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kFailuresToLose = 3;
constexpr int kStartQuestions = 3;

std::string_view to_string(DetectorKind kind) {
  return kind == DetectorKind::alertmanager ? "Alertmanager" : "Prometheus";
}

UtcTime now() { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }

/// 0 .. 1, evenly spread for every run of consecutive numbers (golden ratio sequence).
double spread(std::uint64_t number) {
  const double turns = static_cast<double>(number) * 0.618033988749895;
  return turns - std::floor(turns);
}

}  // namespace

struct Poller::State {
  void run();
  void poll_once();
  void succeeded(const AlertPoll& poll);
  [[nodiscard]] bool started_anew();
  void failed(UtcTime began, const Error& error);
  void tell_clock(UtcTime now);
  void report(Detection detection);

  PollerConfig config;
  OnDetection on_detection;
  std::unique_ptr<AlertSource> source;
  AlertTracker tracker;
  bool up = false, lost = false;
  int failures = 0;
  UtcTime first_failure{};
  UtcTime last_success{};
  std::optional<UtcTime> started;         ///< the server, on its own clock
  int start_questions = kStartQuestions;  ///< how often to ask for it before giving up
  std::optional<MonitorClock> told_clock;

  mutable std::mutex mutex;
  std::condition_variable wake;
  bool stopping = false;
  std::optional<MonitorClock> clock;
  std::thread thread;
};

void Poller::State::report(Detection detection) {
  detection.data["detector"] = config.name;
  on_detection(detection);
}

/// A server that is back within a second or two has lost what was pending, and shows it by nothing
/// but the time of its start.
bool Poller::State::started_anew() {
  if (start_questions == 0) return false;
  --start_questions;
  const auto start = source->started();
  if (!start) return false;
  start_questions = 0;
  const auto before = std::exchange(started, start);
  return before && *start > *before;
}

void Poller::State::succeeded(const AlertPoll& poll) {
  failures = 0;
  const bool anew = started_anew();
  if (!up) {
    up = true;
    lost = false;
    const std::string detail = fmt::format("{} at {} answers; alerts on: {}",
                                           to_string(config.kind), config.url, poll.alerts.size());
    report({.kind = std::string(event_kind::detector_up),
            .at = poll.answered,
            .data = {{"detail", detail}}});
  }
  std::vector<Detection> detections = tracker.observe(poll);
  const auto told = [](const Detection& one) { return one.kind == event_kind::detector_restarted; };
  if (anew && std::ranges::none_of(detections, told))
    detections.insert(detections.begin(), tell_restart(poll, last_success, Json::array()));
  last_success = poll.answered;
  for (Detection& detection : detections) report(std::move(detection));
  tell_clock(poll.answered);
  if (auto rules = source->changed_rules(poll.answered)) {
    report({.kind = std::string(event_kind::monitoring_rules),
            .at = now(),
            .data = std::move(*rules)});
  }
}

/// When it is known twice as well as was told, or is not what was told.
void Poller::State::tell_clock(UtcTime at) {
  const auto known = source->clock();
  if (!known) return;
  if (told_clock) {
    const bool moved =
        std::chrono::abs(known->offset - told_clock->offset) > known->error + told_clock->error;
    if (!moved && known->error * 2 > told_clock->error) return;
  }
  told_clock = known;
  report({.kind = std::string(event_kind::clock_estimate),
          .at = at,
          .data = {{"offset_us", known->offset.count()}, {"error_us", known->error.count()}}});
}

void Poller::State::failed(UtcTime began, const Error& error) {
  if (failures++ == 0) first_failure = began;
  start_questions = kStartQuestions;
  if (failures < kFailuresToLose || lost) return;
  up = false;
  lost = true;
  report({.kind = std::string(event_kind::detector_lost),
          .at = now(),
          .data = {{"reason", describe(error)},
                   {"failures", failures},
                   {"since_us", to_micros(first_failure)}}});
}

void Poller::State::poll_once() {
  const UtcTime began = now();
  const Result<AlertPoll> poll = source->look(tracker);
  {
    const std::lock_guard lock(mutex);
    if (stopping) return;
    clock = source->clock();
  }
  if (poll) succeeded(*poll);
  else failed(began, poll.error());
}

void Poller::State::run() {
  const Clock::time_point begin = Clock::now();
  for (std::uint64_t number = 0;;) {
    poll_once();
    // Polls that took too long are left out rather than run in a burst.
    const auto passed = static_cast<std::uint64_t>((Clock::now() - begin) / config.interval);
    number = std::max(number, passed) + 1;
    const auto extra =
        std::chrono::duration_cast<Duration>(config.interval * (spread(number) / 10));
    const auto next = begin + config.interval * static_cast<std::int64_t>(number) + extra;
    std::unique_lock lock(mutex);
    if (wake.wait_until(lock, next, [this] { return stopping; })) return;
  }
}

Poller::Poller(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<Poller>> Poller::start(PollerConfig config, OnDetection on_detection) {
  auto source = AlertSource::create(config);
  if (!source) return with_context(source.error(), fmt::format("detector '{}'", config.name));
  auto state = std::make_unique<State>();
  state->config = std::move(config);
  state->on_detection = std::move(on_detection);
  state->source = std::move(*source);
  state->thread = std::thread([raw = state.get()] { raw->run(); });
  return std::unique_ptr<Poller>(new Poller(std::move(state)));
}

Poller::~Poller() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
  }
  state_->source->cancel();
  state_->wake.notify_all();
  state_->thread.join();
}

std::optional<MonitorClock> Poller::clock() const {
  const std::lock_guard lock(state_->mutex);
  return state_->clock;
}

Result<DetectorCheck> probe_once(const PollerConfig& config) {
  auto source = AlertSource::create(config);
  if (!source) return with_context(source.error(), fmt::format("detector '{}'", config.name));
  const auto poll = (*source)->look(AlertTracker{});
  if (!poll) return with_context(poll.error(), fmt::format("detector '{}'", config.name));
  DetectorCheck check;
  for (const ActiveAlert& alert : poll->alerts) {
    const bool firing = alert.state == ActiveAlert::State::firing;
    check.alerts.push_back({.alertname = alert.alertname,
                            .state = firing ? "firing" : "pending",
                            .fingerprint = alert.fingerprint,
                            .labels = alert.labels});
  }
  std::set<std::string> names;
  if (poll->rules)
    for (const AlertRule& rule : *poll->rules) names.insert(rule.name);
  check.alert_names.assign(names.begin(), names.end());
  check.clock = poll->clock;
  return check;
}

}  // namespace firedrill
