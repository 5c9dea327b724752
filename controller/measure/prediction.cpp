// When alerts should have fired: each segment of the way by the rule, the scrape and the route as
// the log has them.
//
//   scrape      from the fault to the next scrape of its target: at most the scrape interval, and
//               exactly known when the log has an instant of an earlier one
//   evaluation  from there to the rule's next evaluation: at most its group's interval
//   condition   from there until the expression holds: at most the longest range it looks back over
//   for         Prometheus fires at the first evaluation at or after activeAt + for
//   grouping    Alertmanager's group_wait; for a group that was told of already, up to
//               group_interval
//   delivery    what the way from Prometheus to the receiver takes beyond grouping
//   person      from the notification to the acknowledgement
#include "controller/measure/prediction.hpp"

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "controller/measure/parts.hpp"
#include "controller/measure/route.hpp"

namespace firedrill {

Duration Segment::excess() const {
  if (!predicted || !measured) return Duration{0};
  if (measured->low > predicted->high) return measured->low - predicted->high;
  if (measured->high < predicted->low) return measured->high - predicted->low;
  return Duration{0};
}

namespace measuring {
namespace {

/// Scrapes and evaluations keep their rhythm to a few milliseconds; a loaded host is allowed more.
constexpr Duration kJitter{20'000};
/// Sending a notification on: connections on one network.
constexpr Duration kDelivery{1'000'000};

std::optional<Duration> duration_of(const Json& data, std::string_view key) {
  const auto parsed = parse_duration(text_of(data, key));
  if (!parsed) return std::nullopt;
  return *parsed;
}

Range plus(const Range& a, const Range& b) { return {a.low + b.low, a.high + b.high}; }

Range apart(const Instant& from, const Instant& to) {
  return {to.earliest() - from.latest(), to.latest() - from.earliest()};
}

Range at_least_zero(Range range) {
  return {std::max(range.low, Duration{0}), std::max(range.high, Duration{0})};
}

/// The rules that held when the fault began: the last told before it, or else the first.
const Event* rules_before(const Log& log, UtcTime at, std::string_view part) {
  const Event* found = nullptr;
  for (const Event* event : log)
    if (event->kind == event_kind::monitoring_rules && event->data.contains(part) &&
        (found == nullptr || event->at <= at))
      found = event;
  return found;
}

/// All that the segments of one alert are computed from.
struct Way {
  const Experiment& experiment;
  const Measures& measures;
  const ExpectedDetection& expected;
  const Log& log;
  Instant start;
  const AlertSpan* alert = nullptr;  ///< the one that came, or null
  const Event* rules = nullptr;
  Json rule;
};

std::optional<Json> find_rule(const Event& rules, const ExpectedDetection& expected,
                              const AlertSpan* alert) {
  const auto name = expected.match.labels.find("alertname");
  if (name == expected.match.labels.end() || !rules.data["rules"].is_array()) return std::nullopt;
  for (const Json& rule : rules.data["rules"]) {
    if (text_of(rule, "name") != name->second) continue;
    const Json* labels = object_of(rule, "labels");
    bool fits = true;
    if (labels != nullptr && alert != nullptr)
      for (const auto& [key, value] : labels->items())
        fits = fits && (!value.is_string() || value.get_ref<const std::string&>().contains("{{") ||
                        text_of(alert->labels, key) == text_of(*labels, key));
    if (fits) return rule;
  }
  return std::nullopt;
}

/// The first instant of the grid phase + n·interval at or after `from`, as a wait from there. Next
/// to an instant of the grid either it or the next may be meant.
Range next_on_grid(UtcTime phase, Duration interval, const Range& from, Duration error) {
  const auto wait = [&](Duration since_phase) {
    const Duration past = since_phase % interval;
    return past == Duration{0} ? Duration{0} : past < Duration{0} ? -past : interval - past;
  };
  const Duration low = Duration{from.low - phase.time_since_epoch()};
  const Duration high = Duration{from.high - phase.time_since_epoch()};
  const Duration slack = error + kJitter;
  if (high - low + 2 * slack >= interval) return {Duration{0}, interval};
  const Duration early = wait(low - slack), late = wait(high + slack);
  if (late > early) return {Duration{0}, interval};  // the grid has an instant in between
  return at_least_zero({late, early});
}

Segment scrape_segment(const Way& way) {
  Segment out{.name = "scrape"};
  Duration longest{0};
  std::optional<UtcTime> phase;
  int matching = 0;
  const Json labels = way.alert != nullptr ? way.alert->labels : Json(way.expected.match.labels);
  const auto same = [&](const Json& target, std::string_view key) {
    const std::string wanted = text_of(labels, key), has = text_of(target, key);
    return wanted.empty() || has.empty() || wanted == has;
  };
  if (way.rules->data.contains("targets") && way.rules->data["targets"].is_array())
    for (const Json& target : way.rules->data["targets"]) {
      const auto interval = duration_of(target, "interval");
      if (!interval || *interval <= Duration{0}) continue;
      if (!same(target, "job") || !same(target, "instance")) continue;
      ++matching;
      longest = std::max(longest, *interval);
      phase = time_of(target, "last_scrape_us");
    }
  if (matching == 0) {
    out.why = "no scrape interval is known for what it watches";
    return out;
  }
  out.predicted = Range{Duration{0}, longest};
  out.why = fmt::format("scraped every {}", in_words(longest));
  if (matching > 1) {
    out.why += fmt::format(" or less: {} targets fit", matching);
  } else if (phase) {
    const auto error = number_of(way.rules->data, "monitor_error_us").value_or(0);
    const Range from{way.start.earliest().time_since_epoch(),
                     way.start.latest().time_since_epoch()};
    out.predicted = next_on_grid(*phase, longest, from, Duration{static_cast<std::int64_t>(error)});
    out.why += ", in a rhythm that is known";
  }
  return out;
}

Segment evaluation_segment(Duration interval) {
  return {.name = "evaluation",
          .predicted = Range{Duration{0}, interval},
          .why = fmt::format("evaluated every {}", in_words(interval))};
}

Segment condition_segment(const Way& way, const std::vector<Segment>& before) {
  Segment out{.name = "condition"};
  const Duration range = duration_of(way.rule, "range").value_or(Duration{0});
  out.predicted = Range{Duration{0}, range};
  out.why = range > Duration{0}
                ? fmt::format("looks back over {}: it may take as long to cross its threshold",
                              in_words(range))
                : "looks at the newest value: it holds with the first bad one";
  if (way.alert == nullptr) return out;
  // Without a `for` it fires at the evaluation that finds it true.
  const bool at_once = duration_of(way.rule, "for").value_or(Duration{0}) == Duration{0};
  const auto& active = !way.alert->pending && at_once ? way.alert->fired : way.alert->pending;
  if (!active) return out;
  Range until = apart(way.start, *active);
  for (const Segment& segment : before)
    if (segment.predicted)
      until = {until.low - segment.predicted->high, until.high - segment.predicted->low};
  out.measured = at_least_zero(until);
  return out;
}

Segment for_segment(const Way& way, Duration interval) {
  Segment out{.name = "for"};
  const Duration hold = duration_of(way.rule, "for").value_or(Duration{0});
  Duration until = hold;
  if (interval > Duration{0}) until = (hold + interval - Duration{1}) / interval * interval;
  out.predicted = Range{until, until + kJitter};
  out.why = hold > Duration{0} ? fmt::format("for: {}, at whole evaluations", in_words(hold))
                               : "the rule has no for";
  if (way.alert == nullptr || !way.alert->fired) return out;
  if (way.alert->pending)
    out.measured = at_least_zero(apart(*way.alert->pending, *way.alert->fired));
  else if (hold == Duration{0}) out.measured = Range{};
  return out;
}

/// The notification that told people of this alert, whichever detector heard it.
const AlertSpan* told_of(const Way& way) {
  if (way.alert == nullptr || !way.alert->fired) return nullptr;
  const AlertSpan* first = nullptr;
  for (const AlertSpan& span : way.measures.alerts)
    if (span.notified && span.labels == way.alert->labels &&
        span.notified->latest() >= way.alert->fired->earliest() &&
        (first == nullptr || span.notified->at < first->notified->at))
      first = &span;
  return first;
}

bool group_was_told(const Way& way, const AlertSpan& told) {
  return std::ranges::any_of(way.measures.alerts, [&](const AlertSpan& span) {
    return &span != &told && !told.group_key.empty() && span.group_key == told.group_key &&
           span.notified && span.notified->at < told.notified->at &&
           (!span.resolved || span.resolved->at > way.alert->fired->at);
  });
}

void add_telling(const Way& way, std::vector<Segment>& out) {
  const AlertSpan* told = told_of(way);
  Segment grouping{.name = "grouping"};
  const Event* routes = rules_before(way.log, way.start.at, "route");
  if (routes == nullptr) {
    grouping.why = "no Alertmanager told its routes";
  } else {
    const Json labels = way.alert != nullptr ? way.alert->labels : Json(way.expected.match.labels);
    const RouteTimes times = route_times(routes->data["route"], labels);
    const bool later = told != nullptr && group_was_told(way, *told);
    grouping.predicted = later ? Range{Duration{0}, times.group_interval}
                               : Range{times.group_wait, times.group_wait + kJitter};
    grouping.why = later ? fmt::format("its group was told of already: group_interval {}",
                                       in_words(times.group_interval))
                         : fmt::format("group_wait {} of receiver '{}'", in_words(times.group_wait),
                                       times.receiver);
  }
  Segment delivery{.name = "delivery",
                   .predicted = Range{Duration{0}, kDelivery},
                   .why = "what the notification took beyond its grouping"};
  if (told != nullptr) {
    const Range all = at_least_zero(apart(*way.alert->fired, *told->notified));
    const Range group = grouping.predicted.value_or(Range{});
    // Both waits end with the one notification: grouping gets what it should take, no more than
    // there is, and delivery the rest.
    if (grouping.predicted)
      grouping.measured = Range{std::min(group.low, all.low), std::min(group.high, all.high)};
    delivery.measured = at_least_zero({all.low - group.high, all.high - group.low});
  }
  out.push_back(std::move(grouping));
  out.push_back(std::move(delivery));
  Segment person{.name = "person", .why = "no objective for it"};
  if (const auto goal = way.experiment.objectives.tta) {
    person.predicted = Range{Duration{0}, *goal};
    person.why = fmt::format("your objective for TTA: {}", in_words(*goal));
  }
  const auto& acknowledged = way.measures.points.acknowledged;
  if (told != nullptr && acknowledged && acknowledged->latest() >= told->notified->earliest())
    person.measured = at_least_zero(apart(*told->notified, *acknowledged));
  out.push_back(std::move(person));
}

void find_cause(const Way& way, Prediction& out) {
  if (out.fire && out.fire_measured) {
    const Segment whole{.name = {}, .predicted = out.fire, .measured = out.fire_measured};
    out.gap = whole.excess();
  }
  const Segment* worst = nullptr;
  for (const Segment& segment : out.segments) {
    const Duration excess = std::chrono::abs(segment.excess());
    if (excess > Duration{0} && (worst == nullptr || excess > std::chrono::abs(worst->excess())))
      worst = &segment;
  }
  if (way.alert == nullptr || !way.alert->fired) {
    out.cause = way.alert != nullptr && way.alert->pending
                    ? "for: it was pending, and did not stay so long enough"
                    : "condition: the expression never held";
    return;
  }
  if (worst == nullptr) {
    out.cause = "none: each part took as long as it should";
    return;
  }
  const Duration excess = worst->excess();
  out.cause =
      fmt::format("{}: {} {} than predicted ({})", worst->name, in_words(std::chrono::abs(excess)),
                  excess > Duration{0} ? "longer" : "shorter", worst->why);
}

const AlertSpan* span_of(const ExpectedDetection& expected, const DetectionResult& result,
                         const Measures& measures) {
  const AlertSpan* pending = nullptr;
  for (const AlertSpan& span : measures.alerts) {
    if (!answers(expected, span) || span.already) continue;
    if (result.fired && span.seq == result.seq) return &span;
    if (!result.fired && !span.fired && span.pending && !span.before_injection) pending = &span;
  }
  return pending;
}

Prediction predict(const ExpectedDetection& expected, const DetectionResult& result,
                   const Experiment& experiment, const Log& log, const Measures& measures) {
  Prediction out{.detection = expected.name};
  if (const auto name = expected.match.labels.find("alertname");
      name != expected.match.labels.end())
    out.alertname = name->second;
  const InjectionSpan* reference = reference_of(expected, measures);
  if (reference == nullptr) {
    out.why_none = measures.sham ? "sham run: nothing to detect" : "its fault was never confirmed";
    return out;
  }
  Way way{.experiment = experiment,
          .measures = measures,
          .expected = expected,
          .log = log,
          .start = *reference->active,
          .alert = span_of(expected, result, measures),
          .rules = rules_before(log, reference->active->at, "rules"),
          .rule = {}};
  const auto rule =
      way.rules == nullptr ? std::nullopt : find_rule(*way.rules, expected, way.alert);
  if (!rule) {
    out.why_none = out.alertname.empty()  ? "its match names no alertname, so no rule either"
                   : way.rules == nullptr ? "no Prometheus told its rules"
                                          : "Prometheus told no rule of that name";
    return out;
  }
  way.rule = *rule;
  const Duration interval = duration_of(way.rule, "interval").value_or(Duration{0});
  out.segments.push_back(scrape_segment(way));
  out.segments.push_back(evaluation_segment(interval));
  out.segments.push_back(condition_segment(way, out.segments));
  out.segments.push_back(for_segment(way, interval));
  if (out.segments.front().predicted) {
    out.fire = Range{};
    for (const Segment& segment : out.segments) out.fire = plus(*out.fire, *segment.predicted);
  }
  if (way.alert != nullptr && way.alert->fired)
    out.fire_measured = at_least_zero(apart(way.start, *way.alert->fired));
  add_telling(way, out.segments);
  find_cause(way, out);
  return out;
}

}  // namespace

void predictions(const Log& log, const Experiment& experiment, Measures& measures) {
  for (std::size_t i = 0; i < experiment.expected.size() && i < measures.detections.size(); ++i)
    measures.predictions.push_back(
        predict(experiment.expected[i], measures.detections[i], experiment, log, measures));
}

}  // namespace measuring
}  // namespace firedrill
