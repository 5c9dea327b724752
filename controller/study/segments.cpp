// The chain from fault to recovery, link by link, in two sets of runs.
#include <algorithm>
#include <array>

#include "controller/study/compare.hpp"

namespace firedrill {
namespace {

enum Link : std::uint8_t {
  kInjected,
  kHurt,
  kPending,
  kFiring,
  kNotified,
  kAcknowledged,
  kMitigated,
  kRecovered,
  kLinks,
};

using Chain = std::array<std::optional<UtcTime>, kLinks>;

struct Part {
  Link from, to;
  std::string_view from_name, to_name, cause;
};

/// Parts that share an end are exclusive where a middle link may be missing: firing straight after
/// the injection counts only when the rule was never seen pending.
constexpr std::array<Part, 8> kParts{
    {{kInjected, kHurt, "injected", "hurt", "how the fault reaches users"},
     {kInjected, kPending, "injected", "pending", "scrape, evaluation and the rule's own window"},
     {kPending, kFiring, "pending", "firing", "the rule's `for`"},
     {kInjected, kFiring, "injected", "firing", "the rule, from scrape to `for`"},
     {kFiring, kNotified, "firing", "notified", "grouping and delivery"},
     {kNotified, kAcknowledged, "notified", "acknowledged", "a person's reaction"},
     {kAcknowledged, kMitigated, "acknowledged", "mitigated", "diagnosis and repair"},
     {kMitigated, kRecovered, "mitigated", "recovered", "how the system comes back"}}};

std::optional<UtcTime> at(const std::optional<Instant>& instant) {
  return instant ? std::optional(instant->at) : std::nullopt;
}

/// The alert that gave t_fire, and since when that rule was pending. Another detector that saw the
/// same alert earlier as pending counts too: Alertmanager knows no pending.
std::optional<UtcTime> pending_of(const Measures& measures) {
  if (!measures.points.fired) return std::nullopt;
  const UtcTime fired = measures.points.fired->at;
  std::string name;
  for (const AlertSpan& span : measures.alerts)
    if (span.expected && span.fired && span.fired->at == fired) name = span.alertname;
  std::optional<UtcTime> out;
  for (const AlertSpan& span : measures.alerts) {
    if (!span.expected || span.before_injection || span.already || !span.pending) continue;
    if (span.alertname != name || span.pending->at > fired) continue;
    if (!out || span.pending->at < *out) out = span.pending->at;
  }
  return out;
}

Chain chain_of(const Measures& measures) {
  const ClockPoints& points = measures.points;
  Chain chain;
  chain[kInjected] = at(points.injected);
  chain[kHurt] = at(points.impacted);
  chain[kPending] = pending_of(measures);
  chain[kFiring] = at(points.fired);
  chain[kNotified] = at(points.notified);
  chain[kAcknowledged] = at(points.acknowledged);
  chain[kMitigated] = at(points.mitigated);
  chain[kRecovered] = at(points.recovered);
  return chain;
}

std::optional<double> median(std::vector<double> values) {
  if (values.empty()) return std::nullopt;
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::vector<double> lengths(std::span<const StudiedRun> runs, const Part& part) {
  std::vector<double> out;
  for (const StudiedRun& run : runs) {
    const Chain chain = chain_of(run.measures);
    const bool whole = part.from == kInjected && part.to == kFiring && chain[kPending].has_value();
    if (whole || !chain[part.from] || !chain[part.to]) continue;
    out.push_back(static_cast<double>((*chain[part.to] - *chain[part.from]).count()) / 1e6);
  }
  return out;
}

}  // namespace

std::vector<SegmentChange> compare_segments(std::span<const StudiedRun> before,
                                            std::span<const StudiedRun> after) {
  std::vector<SegmentChange> out;
  for (const Part& part : kParts) {
    const std::vector<double> was = lengths(before, part), is = lengths(after, part);
    if (was.empty() && is.empty()) continue;
    SegmentChange segment{.from = std::string(part.from_name),
                          .to = std::string(part.to_name),
                          .cause = std::string(part.cause),
                          .count_before = was.size(),
                          .count_after = is.size(),
                          .before = median(was),
                          .after = median(is),
                          .change = {}};
    if (segment.before && segment.after) segment.change = *segment.after - *segment.before;
    out.push_back(std::move(segment));
  }
  return out;
}

}  // namespace firedrill
