// Trials in text and as a page.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "controller/report/study_parts.hpp"
#include "controller/report/words.hpp"

namespace firedrill {
namespace {

using namespace reporting;

std::string progress_words(const TrialsSummary& summary) {
  const TrialsPlan plan = summary.session.trials.value_or(TrialsPlan{});
  std::string out = fmt::format("{} of {} trials done", summary.trials.size(), plan.count);
  if (summary.left_out > 0) out += fmt::format(", {} inconclusive and left out", summary.left_out);
  if (summary.unfinished > 0)
    out += fmt::format(", {} stopped or failed and not counted", summary.unfinished);
  return out + fmt::format("; order by seed {}", summary.session.seed);
}

std::string lead_of(const TrialsSummary& summary) {
  const std::string cries =
      summary.false_alarms.count == 0
          ? "No sham trial could be judged."
          : fmt::format("Of {} sham trials, {} raised a false alarm.", summary.false_alarms.count,
                        summary.false_alarms.events);
  if (summary.noticed.count == 0) return "No real trial could be judged. " + cries;
  return fmt::format("Monitoring noticed {} of {} real faults. {} {}.", summary.noticed.events,
                     summary.noticed.count, cries, progress_words(summary));
}

std::string curve_text(const Distribution& distribution) {
  std::string out = fmt::format("  {:>12} {:>8} {:>8} {:>9}  {}\n", "AFTER", "AT RISK", "NOTICED",
                                "BY THEN", "95 %");
  for (const stats::CurvePoint& point : distribution.curve.points)
    out += fmt::format("  {:>12} {:>8} {:>8} {:>7.0f} %  {:.0f} to {:.0f} %\n",
                       spoken_s(point.time), point.at_risk, point.events,
                       100 * (1 - point.survival), 100 * (1 - point.high), 100 * (1 - point.low));
  return out;
}

std::string trial_line(const Trial& trial) {
  return fmt::format("  {:>4}  {:<5} {:<14} {:<12} {}\n", trial.index + 1,
                     trial.sham ? "sham" : "real", to_string(trial.outcome),
                     trial.sham ? "" : timed_words(trial.from_injection), trial.run) +
         (trial.why.empty() ? "" : fmt::format("        {}\n", shorten(trial.why, 90)));
}

std::string_view strip_style(TrialOutcome outcome) {
  constexpr std::array<std::string_view, 6> kStyles{"hit", "late", "miss", "quiet", "cry", "out"};
  return kStyles.at(static_cast<std::size_t>(outcome));
}

std::string strip(const TrialsSummary& summary) {
  std::string out = "<div class=\"strip\">";
  for (const Trial& trial : summary.trials)
    out += fmt::format("<span class=\"{}\" title=\"{} {}: {}\">{}</span>",
                       strip_style(trial.outcome), trial.sham ? "sham" : "real", trial.index + 1,
                       to_string(trial.outcome), trial.sham ? "s" : "r");
  return out +
         "</div><p class=\"note\">In the order they were run; r real, s sham. Filled: noticed; "
         "ringed "
         "red: missed; amber: noticed late; green: quiet, as a sham run should be; ringed amber: "
         "false alarm; dashed: inconclusive.</p>";
}

std::string share_card(std::string_view name, const stats::Proportion& share) {
  const stats::Bounds bounds = stats::wilson(share);
  const auto value = share.value();
  std::string out = fmt::format(
      "<div class=\"card\"><div class=\"score-name\">{}</div>"
      "<div class=\"big\">{}{}</div>",
      name, value ? number(100 * *value) : "–", value ? " <small>%</small>" : "");
  out += fmt::format("<div class=\"ci\"><i style=\"left:{:.1f}%;width:{:.1f}%\"></i>",
                     100 * bounds.low, 100 * (bounds.high - bounds.low));
  if (value) out += fmt::format("<b style=\"left:calc({:.1f}% - 1px)\"></b>", 100 * *value);
  return out + fmt::format("</div><div class=\"none\">{}</div></div>\n",
                           value ? fmt::format("{} of {}; 95 %: {} to {} % (Wilson)", share.events,
                                               share.count, number(100 * bounds.low),
                                               number(100 * bounds.high))
                                 : "no trial to tell by");
}

std::string expectation_table(const TrialsSummary& summary) {
  if (summary.expectations.empty()) return {};
  std::string out =
      "<h2>Each expected detection</h2><div class=\"card scroll\"><table><thead><tr><th>detection"
      "</th><th>in time</th><th>fired at all</th></tr></thead><tbody>\n";
  for (const ExpectationShare& one : summary.expectations)
    out += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td></tr>\n", escape(one.name),
                       share_words(one.in_time), share_words(one.fired));
  return out + "</tbody></table></div>\n";
}

std::string trial_table(const TrialsSummary& summary) {
  std::string out =
      "<h2>Every trial</h2><div class=\"card scroll\"><table><thead><tr><th>#</th><th>kind</th>"
      "<th>outcome</th><th>after the injection</th><th>after users were hurt</th><th>run</th></tr>"
      "</thead><tbody>\n";
  for (const Trial& trial : summary.trials)
    out += fmt::format(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td "
        "class=\"s\">{}{}</td></tr>\n",
        trial.index + 1, trial.sham ? "sham" : "real", to_string(trial.outcome),
        timed_words(trial.from_injection), timed_words(trial.from_impact), escape(trial.run),
        trial.why.empty() ? "" : ": " + escape(shorten(trial.why, 160)));
  return out + "</tbody></table></div>\n";
}

}  // namespace

std::string trials_text(const TrialsSummary& summary) {
  std::string out = fmt::format("trials of {}\n{}\n\n", summary.title, progress_words(summary));
  out += fmt::format("  noticed               {}\n", share_words(summary.noticed));
  out += fmt::format("  noticed in time       {}\n", share_words(summary.in_time));
  out += fmt::format("  false alarms          {}\n", share_words(summary.false_alarms));
  out += fmt::format("  TTD from injection    {}\n", median_words(summary.from_injection));
  out += fmt::format("  TTD from users hurt   {}\n", median_words(summary.from_impact));
  for (const ExpectationShare& one : summary.expectations)
    out += fmt::format("  {:<21} in time {}\n", one.name, share_words(one.in_time));
  out +=
      "\n  Shares: Wilson. Times: Kaplan-Meier, undetected runs censored when watching ended;\n"
      "  median by Brookmeyer and Crowley, log(-log).\n";
  if (!summary.from_injection.curve.points.empty())
    out += "\n" + curve_text(summary.from_injection);
  out += fmt::format("\n  {:>4}  {:<5} {:<14} {:<12} {}\n", "#", "KIND", "OUTCOME", "AFTER", "RUN");
  for (const Trial& trial : summary.trials) out += trial_line(trial);
  return out;
}

std::string trials_html(const TrialsSummary& summary) {
  std::string body = "<div class=\"shares\">";
  body += share_card("Noticed", summary.noticed) + share_card("Noticed in time", summary.in_time) +
          share_card("False alarms, of the sham trials", summary.false_alarms);
  body += "</div>\n<h2>How soon</h2><div class=\"card\"><div class=\"scroll\">";
  body += draw_curve(summary.from_injection);
  body += fmt::format(
      "</div><p class=\"note\">From the injection: {}. From users being hurt: {}. Kaplan–Meier; "
      "undetected runs are censored when watching ended (ticks). Band: 95 %, Greenwood on the "
      "log(−log) scale. Median: Brookmeyer and Crowley.</p></div>\n",
      escape(median_words(summary.from_injection)), escape(median_words(summary.from_impact)));
  body += "<h2>In order</h2><div class=\"card\">" + strip(summary) + "</div>\n";
  body += expectation_table(summary) + trial_table(summary);
  return study_page("trials", summary.title, lead_of(summary), summary.session.id, body);
}

}  // namespace firedrill
