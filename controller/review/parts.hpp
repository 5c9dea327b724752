// Inside of review: one function per part. Others include review.hpp only.
#pragma once

#include <map>

#include "controller/review/review.hpp"

namespace firedrill::reviewing {

/// Who is who, without names: roles of the runbook stay, persons become "responder 1" by the order
/// in which the log first shows them.
class Cast {
 public:
  Cast(const Experiment& experiment, std::span<const Event> events);
  /// The role or number of the event's source: "responder 2", "agent:db-2", "on-call".
  [[nodiscard]] std::string source_of(std::int64_t seq) const;
  [[nodiscard]] const Event* event(std::int64_t seq) const;
  /// In our own words about people, their names replaced. Quotes are not passed through here.
  [[nodiscard]] std::string nameless(std::string text) const;

 private:
  std::map<std::int64_t, const Event*> events_;
  std::map<std::string, std::string> names_;
};

/// What the review's parts are made from.
struct Given {
  const Measures& measures;
  const Scorecard& card;
  const Experiment& experiment;
  std::span<const Event> events;
  const Cast& cast;
};

[[nodiscard]] std::string seconds(Duration duration);
/// Was it on at that instant, by what the kernel confirmed?
[[nodiscard]] bool on_at(const InjectionSpan& span, UtcTime at);

[[nodiscard]] std::vector<GoalRow> goals(const Given& given);
[[nodiscard]] std::vector<BeliefRow> beliefs(const Given& given);
[[nodiscard]] std::vector<TimelineRow> timeline(const Given& given);
[[nodiscard]] std::vector<HeardRow> heard(const Given& given);
[[nodiscard]] std::vector<TakenRow> taken(const Given& given);
/// Fills cost, or why there is none.
void cost(const Given& given, Review& review);
/// From the rows that are filled already.
void findings(const Given& given, Review& review);

}  // namespace firedrill::reviewing
