// The step summary: what a hosted CI shows of a run, short enough to be read beside the build.
#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "controller/report/markdown.hpp"
#include "controller/report/report.hpp"
#include "controller/report/words.hpp"
#include "controller/score/floors.hpp"

namespace firedrill {
namespace {

using namespace reporting;

constexpr std::size_t kMostRows = 12;  ///< of one kind; the page holds them all

std::string more(std::size_t total) {
  return total > kMostRows ? fmt::format("\n… and {} more\n", total - kMostRows) : "";
}

std::string head(const Measures& measures, const Scorecard& card, const Experiment& experiment,
                 std::span<const std::string> below) {
  std::string verdict(to_string(card.verdict));
  for (char& c : verdict) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  std::string out =
      fmt::format("## Firedrill: {} · {}\n\n{}\n", verdict, markdown(experiment.title, 120),
                  markdown(what_happened(measures, experiment), 500));
  if (!card.reasons.empty() || !below.empty()) out += "\n";
  for (const std::string& line : below) out += fmt::format("- **{}**\n", markdown(line, 200));
  for (std::size_t i = 0; i < std::min(card.reasons.size(), kMostRows); ++i)
    out += fmt::format("- {}\n", markdown(card.reasons[i], 260));
  return out + more(card.reasons.size());
}

std::string interval_table(const Measures& measures) {
  if (!measures.points.injected) return {};
  std::string out =
      "\n| interval | | value | the truth is within | objective |\n|---|---|---:|---|---|\n";
  for (const Interval& interval : measures.intervals) {
    const bool known = interval.value || interval.censored_at;
    const std::string_view word = known ? objective_word(interval) : "";
    out += markdown_row(
        {interval.name, fmt::format("{} → {}", point_name(interval.from), point_name(interval.to)),
         known ? value_of(interval) : "–",
         interval.value ? bounds_of(interval)
         : known        ? "did not come"
                        : interval.why_none,
         word.empty() ? "" : fmt::format("{}: {}", spoken(*interval.objective), word)});
  }
  return out;
}

std::string score_table(const Scorecard& card) {
  std::string out = "\n| score | of 100 | what would have raised it |\n|---|---:|---|\n";
  for (const Score& score : card.scores) {
    if (!score.value) {
      out += markdown_row({score.name, "–", shorten(score.why_none, 120)});
      continue;
    }
    const std::vector<ScoreLine> lost = lost_lines(score);
    std::string raise = lost.empty() ? "nothing was lost" : "";
    for (std::size_t i = 0; i < std::min<std::size_t>(lost.size(), 2); ++i)
      raise += fmt::format("{}+{}: {} ({})", i > 0 ? "; " : "", number(gain_of(score, lost[i])),
                           lost[i].what, lost[i].why);
    if (lost.size() > 2) raise += fmt::format("; and {} more", lost.size() - 2);
    out += markdown_row({score.name, fmt::format("{:.1f}", *score.value), shorten(raise, 240)});
  }
  out += fmt::format("\nRung reached: {}", markdown(card.rung));
  if (!card.next_rung.empty())
    out += fmt::format("; the next, {}, takes {}", markdown(card.next_rung),
                       rung_words(card.next_rung));
  return out + "\n";
}

std::string detection_table(const Measures& measures) {
  std::string rows;
  std::size_t total = 0;
  const auto add = [&](std::string_view name, std::string_view outcome, const std::string& why) {
    if (++total <= kMostRows) rows += markdown_row({shorten(name, 80), outcome, shorten(why, 200)});
  };
  for (const DetectionResult& result : measures.detections)
    add(result.name, word(result.outcome),
        result.unheard.empty() ? result.why : result.why + "; " + result.unheard);
  for (const AlertSpan& alert : measures.alerts) {
    if (!alert.fired || alert.before_injection) continue;
    const std::string at = since(alert.fired->at, origin_of(measures));
    if (alert.forbidden) add(alert.alertname, "false alert", "forbidden, and fired " + at);
    else if (measures.sham && alert.expected)
      add(alert.alertname, "false alert", fmt::format("nothing was injected, and it fired {}", at));
  }
  if (total == 0) return {};
  return "\n| detection | | |\n|---|---|---|\n" + rows + more(total);
}

/// Only what did not go as written: the rest is in the scores.
std::string step_table(const Measures& measures) {
  if (!measures.points.injected) return {};
  std::string rows;
  std::size_t total = 0;
  for (const StepResult& step : measures.steps) {
    if (step.outcome == StepOutcome::on_time || ++total > kMostRows) continue;
    rows += markdown_row({shorten(step.title.empty() ? step.id : step.title, 100),
                          word(step.outcome), shorten(step.detail, 160)});
  }
  if (total == 0)
    return measures.steps.empty() ? ""
                                  : fmt::format("\nRunbook: {} of {} steps on time\n",
                                                measures.steps.size(), measures.steps.size());
  return "\n| step not on time | | |\n|---|---|---|\n" + rows + more(total);
}

std::string host_lines(const Measures& measures) {
  std::string out;
  std::size_t clean = 0, total = 0, told = 0;
  for (const InjectionSpan& span : measures.injections) {
    if (!span.active && !span.dirty) continue;
    ++total;
    const std::string what = markdown(fmt::format("{} on {}", span.fault, span.host), 80);
    if (span.dirty) {
      if (++told <= kMostRows)
        out += fmt::format("- **{}: host left changed, a person must look:** {}\n", what,
                           markdown(fmt::format("{}", fmt::join(span.differences, "; ")), 300));
    } else if (!span.ended) {
      if (++told <= kMostRows) out += fmt::format("- **{}: not known to be off**\n", what);
    } else {
      ++clean;
    }
  }
  if (total == 0) return {};
  return fmt::format("\n{} of {} injections undone\n{}{}", clean, total,
                     out.empty() ? "" : "\n" + out, more(told));
}

}  // namespace

std::string markdown_report(const Measures& measures, const Scorecard& card,
                            const Experiment& experiment, std::span<const std::string> below) {
  return head(measures, card, experiment, below) + score_table(card) + interval_table(measures) +
         detection_table(measures) + step_table(measures) + host_lines(measures) +
         fmt::format("\nRun {}, {}\n\n", markdown(measures.run),
                     to_rfc3339(measures.started).substr(0, 19) + "Z");
}

}  // namespace firedrill
