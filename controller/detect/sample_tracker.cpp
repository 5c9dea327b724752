#include "controller/detect/sample_tracker.hpp"

#include <algorithm>
#include <utility>

#include <fmt/core.h>

namespace firedrill {
namespace {

constexpr int kFailuresToLose = 3;

void place(Detection& detection, UtcTime low, UtcTime high) {
  detection.at = low + (high - low) / 2;
  detection.uncertainty = (high - low + Duration{1}) / 2;
}

}  // namespace

SampleTracker::SampleTracker(SampleTrackerConfig config, std::string host)
    : config_(std::move(config)), host_(std::move(host)) {
  labels_["alertname"] = config_.alert;
  if (!host_.empty()) labels_["instance"] = host_;
  if (!config_.severity.empty()) labels_["severity"] = config_.severity;
}

Detection SampleTracker::firing(const SampleLook& look) const {
  Detection out{.kind = std::string(event_kind::alert_firing)};
  const UtcTime seen = look.to + look.clock_error;
  out.data = {{"alertname", config_.alert},
              {"labels", labels_},
              {"fingerprint", label_fingerprint(labels_)},
              {"first_seen_us", to_micros(seen)}};
  if (!look.detail.empty()) out.data["value"] = look.detail;
  UtcTime low = seen;
  std::optional<UtcTime> quiet = last_quiet_;
  if (!quiet && config_.events) quiet = look.from - look.clock_error;
  if (quiet) {
    low = std::min(*quiet, seen);
    out.data["last_quiet_us"] = to_micros(low);
  } else {
    out.data["already"] = true;
  }
  UtcTime high = seen;
  if (look.began) {
    const UtcTime from = std::max(low, *look.began - look.began_error);
    const UtcTime to = std::min(high, *look.began + look.began_error);
    // They disagree when a line was written late or carries another clock: then looks count.
    if (from <= to) {
      low = from;
      high = to;
      out.data["fired_us"] = to_micros(*look.began);
      out.data["monitor_error_us"] = look.began_error.count();
    }
  }
  place(out, low, high);
  return out;
}

Detection SampleTracker::resolved(const SampleLook& look) const {
  Detection out{.kind = std::string(event_kind::alert_resolved)};
  const UtcTime low = last_on_.value_or(look.from);
  out.data = {{"alertname", config_.alert},
              {"labels", labels_},
              {"fingerprint", label_fingerprint(labels_)},
              {"last_seen_us", to_micros(low)},
              {"first_gone_us", to_micros(look.to)}};
  place(out, std::min(low, look.to) - look.clock_error, look.to + look.clock_error);
  return out;
}

void SampleTracker::could_not_tell(const SampleLook& look, std::vector<Detection>& out) {
  if (++failures_ < kFailuresToLose || lost_) return;
  lost_ = true;
  up_ = false;
  out.push_back({.kind = std::string(event_kind::detector_lost),
                 .at = look.to,
                 .uncertainty = look.clock_error,
                 .data = {{"reason", look.error.empty() ? "its samples say nothing" : look.error},
                          {"failures", failures_}}});
}

std::vector<Detection> SampleTracker::observe(const SampleLook& look) {
  std::vector<Detection> out;
  if (!look.on) {
    could_not_tell(look, out);
    return out;
  }
  failures_ = 0;
  if (!std::exchange(up_, true)) {
    lost_ = false;
    out.push_back({.kind = std::string(event_kind::detector_up),
                   .at = look.to,
                   .uncertainty = look.clock_error,
                   .data = {{"detail", fmt::format("samples of {} arrive", host_)}}});
  }
  if (*look.on) {
    last_on_ = look.to;
    if (on_++ == 0) first_on_ = look;
    if (on_ >= config_.on_after && !std::exchange(firing_, true)) out.push_back(firing(*first_on_));
    return out;
  }
  on_ = 0;
  if (firing_ && last_on_ && look.to - *last_on_ >= config_.hold) {
    out.push_back(resolved(look));
    firing_ = false;
  }
  if (!firing_ && look.complete) last_quiet_ = look.to - look.unseen - look.clock_error;
  return out;
}

}  // namespace firedrill
