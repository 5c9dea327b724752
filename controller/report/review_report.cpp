#include "controller/report/review_report.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "controller/report/markdown.hpp"
#include "controller/report/report.hpp"
#include "controller/report/words.hpp"

namespace firedrill {
namespace {

using namespace reporting;

constexpr std::size_t kMostRows = 300;
constexpr std::size_t kMostText = 400;
constexpr std::size_t kMostWhys = 7;  ///< more would not be talked through

/// A table of at most kMostRows, or what to say instead of an empty one.
class Table {
 public:
  Table(std::initializer_list<std::string_view> columns, std::string_view empty) : empty_(empty) {
    out_ = "\n" + markdown_row(columns) + "|";
    for (std::size_t i = 0; i < columns.size(); ++i) out_ += "---|";
    out_ += "\n";
  }
  void row(std::initializer_list<std::string_view> cells) {
    if (++rows_ <= kMostRows) out_ += markdown_row(cells);
  }
  [[nodiscard]] std::string take() {
    if (rows_ == 0) return fmt::format("\n{}\n", empty_);
    if (rows_ > kMostRows) out_ += fmt::format("\n… and {} more\n", rows_ - kMostRows);
    return std::move(out_);
  }

 private:
  std::string out_;
  std::string_view empty_;
  std::size_t rows_ = 0;
};

std::string event_words(std::int64_t seq) { return seq > 0 ? fmt::format("event {}", seq) : ""; }

std::string when(const std::optional<UtcTime>& at, UtcTime origin) {
  return at ? since(*at, origin) : "";
}

std::string head(const Review& review, const Measures& measures, const Scorecard& card,
                 const Experiment& experiment) {
  std::string sentence = what_happened(measures, experiment);
  if (const std::size_t at = sentence.find(measures.halted_by);
      !measures.halted_by.empty() && at != std::string::npos)
    sentence.replace(at, measures.halted_by.size(), review.stopped_by);
  return fmt::format(
      "# After-action review: {}\n\n"
      "Run {}, {}, verdict {}. A draft from the run's log, to be finished together. It is "
      "blame-free: people appear as roles or numbers, with what they did and said; what a reader "
      "finds odd made sense to somebody at the time, and how it did is what the review is after. "
      "Times count from the injection.\n\n{}\n",
      markdown(experiment.title, 160), markdown(measures.run),
      to_rfc3339(measures.started).substr(0, 19) + "Z", to_string(card.verdict),
      markdown(sentence, 700));
}

std::string goals_section(const Review& review) {
  Table table({"objective", "what came of it", ""}, "The experiment states none.");
  for (const GoalRow& row : review.goals)
    table.row({shorten(row.what, 160), shorten(row.measured, 200), to_string(row.outcome)});
  return "\n## Objectives\n" + table.take();
}

std::string truth_section(const Review& review, UtcTime origin) {
  Table table({"fault", "host", "on", "off", "its end", "as the kernel read back"},
              "Nothing was injected.");
  for (const TruthRow& row : review.truth)
    table.row({row.action.empty() ? row.fault : fmt::format("{} ({})", row.fault, row.action),
               row.host, row.from ? when(row.from, origin) : "never",
               row.to     ? when(row.to, origin)
               : row.from ? "not known to be off"
                          : "",
               shorten(cause_words(row.cause), 120), shorten(row.values, 160)});
  Table beliefs({"at", "who", "said or did", "what was true then", ""},
                "Nobody left a note. What was believed when? `firedrill note` keeps it next time.");
  for (const BeliefRow& row : review.beliefs)
    beliefs.row({since(row.at, origin), row.who, shorten(row.said, kMostText),
                 shorten(row.truth, kMostText), event_words(row.seq)});
  return "\n## What was true\n" + table.take() + "\n## What was believed\n" + beliefs.take();
}

std::string timeline_section(const Review& review, UtcTime origin) {
  Table table({"at", "what", "source", ""}, "The log is empty.");
  for (const TimelineRow& row : review.timeline)
    table.row({since(row.at, origin), shorten(row.what, kMostText), shorten(row.source, 80),
               event_words(row.seq)});
  return "\n## Timeline\n" + table.take();
}

std::string heard_section(const Review& review, UtcTime origin) {
  Table table({"alert", "outcome", "fired", "wakes somebody", "why", ""},
              "No detection was expected, and no other alert fired.");
  for (const HeardRow& row : review.heard)
    table.row({shorten(row.name, 100), to_string(row.outcome), when(row.at, origin),
               !row.at     ? ""
               : row.wakes ? "yes"
                           : "no",
               shorten(row.why, 240), event_words(row.seq)});
  return "\n## Detection\n" + table.take();
}

std::string taken_section(const Review& review, UtcTime origin) {
  Table table({"step", "role", "outcome", "at", "due", "evidence", "detail", ""},
              "There was no runbook to follow.");
  for (const TakenRow& row : review.taken)
    table.row({shorten(row.title, 120), shorten(row.role, 60), to_string(row.outcome),
               when(row.at, origin), when(row.due, origin), word(row.evidence),
               shorten(row.detail, 200), event_words(row.seq)});
  return "\n## Runbook\n" + table.take();
}

std::string impact_section(const Review& review, const Measures& measures) {
  Table table(
      {"probe", "from", "usual", "while the fault lasted", "99th percentile", "out of tolerance"},
      "No probe measured what users felt.");
  for (const ImpactRow& row : review.impact) {
    const auto value = [&row](const std::optional<double>& one) {
      return one ? quantity(*one, row.unit) : "–";
    };
    table.row({shorten(row.probe, 80), shorten(row.host, 60), value(row.usual), value(row.during),
               value(row.worst),
               row.breaches == 0 ? "never"
                                 : fmt::format("{}, {} time{}", spoken(row.breached), row.breaches,
                                               row.breaches == 1 ? "" : "s")});
  }
  std::string out = "\n## Customer impact\n";
  if (measures.points.impacted)
    out += fmt::format("\nUsers were hurt for {} in all.\n", spoken(review.breached));
  out += table.take();
  if (review.budget_spent)
    out += fmt::format("\n## Error budget\n\n{} % of the window's budget was spent.\n",
                       number(100 * *review.budget_spent));
  return out;
}

std::string minutes(Duration duration) {
  return number(static_cast<double>(duration.count()) / 60e6);
}

std::string minutes(const Range& range) {
  const std::string low = minutes(range.low), high = minutes(range.high);
  return low == high ? low : fmt::format("{} to {}", low, high);
}

std::string cost_section(const Review& review) {
  std::string out = "\n## Cost of the gap\n\n";
  if (!review.cost) return out + markdown(review.why_no_cost) + "\n";
  const GapCost& cost = *review.cost;
  const std::string_view least = cost.at_least ? "at least " : "";
  out += fmt::format(
      "Of one such fault, users feel {}{} min: {} min until an alert, {} min from it until they "
      "are whole again.{}\n\n",
      least, minutes(cost.whole), minutes(cost.detect), minutes(cost.repair),
      cost.at_least ? fmt::format(" (At least: {}.)", cost.why_at_least) : "");
  const GapRates& rates = review.rates;
  if (!cost.minutes_a_year)
    return out +
           "Bad minutes a year = faults a year × share of users × (time to detect + time from "
           "alert "
           "to recovery). State the first two with `--faults-per-year` and `--user-share`.\n";
  out += fmt::format(
      "Bad minutes a year = {} faults × {} % of users × ({} + {}) min = **{}{}**, of which {} pass "
      "before anybody is told. Faults and share are stated, not measured.\n",
      number(*rates.faults_per_year), number(100 * *rates.user_share), minutes(cost.detect),
      minutes(cost.repair), least, minutes(*cost.minutes_a_year), minutes(*cost.owed_to_detection));
  return out;
}

std::string questions_section(const Review& review) {
  std::string out = "\n## What held\n\n";
  for (std::size_t i = 0; i < std::min(review.held.size(), kMostRows); ++i)
    out += fmt::format("- {}\n", markdown(review.held[i], 200));
  if (review.held.empty()) out += "Nothing was asked and kept, or the run could not be judged.\n";
  out += "\n## Five whys\n\n";
  if (review.findings.empty())
    return out +
           "Nothing came other than expected. What was luck, and what would it have taken to "
           "be surprised?\n";
  out += "One chain for each; the last why is a property of the system that can be changed.\n";
  for (std::size_t i = 0; i < review.findings.size() && i < kMostWhys; ++i) {
    const Finding& finding = review.findings[i];
    out += fmt::format("\n### {}. {}\n\n1. Why? {}\n   …\n", i + 1, markdown(finding.fact, 240),
                       markdown(finding.question));
    for (int why = 2; why <= 5; ++why) out += fmt::format("{}. And why was that so?\n   …\n", why);
  }
  if (review.findings.size() > kMostWhys)
    out += fmt::format("\n… and {} more, in the table below\n", review.findings.size() - kMostWhys);
  return out;
}

std::string actions_section(const Review& review) {
  Table table({"so that", "because", "action", "owner", "date"}, "None is suggested by the log.");
  for (const Finding& finding : review.findings)
    table.row({shorten(finding.aim, 160), shorten(finding.fact, 160), "", "", ""});
  table.row({"", "", "", "", ""});
  return "\n## Actions\n" + table.take();
}

}  // namespace

std::string review_markdown(const Review& review, const Measures& measures, const Scorecard& card,
                            const Experiment& experiment) {
  const UtcTime origin = origin_of(measures);
  return head(review, measures, card, experiment) + goals_section(review) +
         truth_section(review, origin) + timeline_section(review, origin) +
         heard_section(review, origin) + taken_section(review, origin) +
         impact_section(review, measures) + cost_section(review) + questions_section(review) +
         actions_section(review);
}

}  // namespace firedrill
