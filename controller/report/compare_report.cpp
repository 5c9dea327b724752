// A comparison in text and in Markdown.
#include <algorithm>

#include <fmt/format.h>

#include "controller/report/markdown.hpp"
#include "controller/report/study_parts.hpp"
#include "controller/report/words.hpp"

namespace firedrill {
namespace {

using namespace reporting;

std::string signed_s(const std::optional<double>& seconds) {
  if (!seconds) return "–";
  return (*seconds > 0 ? "+" : "") + spoken_s(*seconds);
}

std::string median_of(const Distribution& distribution) {
  if (distribution.count == 0) return "–";
  if (!distribution.median.value) return "> " + spoken_s(distribution.curve.last);
  return spoken_s(*distribution.median.value);
}

std::string seen_of(const Distribution& distribution) {
  return fmt::format("{}/{}", distribution.count - distribution.censored, distribution.count);
}

std::string p_of(const TimeChange& change) {
  if (!change.test || change.before.count + change.after.count < 4) return "–";
  return change.test->p < 0.001 ? "< 0.001" : fmt::format("{:.3f}", change.test->p);
}

std::string share_of(const stats::Proportion& share) {
  return share.count == 0 ? "–" : fmt::format("{}/{}", share.events, share.count);
}

std::string points_of(const ShareChange& share) {
  if (!share.change) return "–";
  return fmt::format("{:+.0f} points (95 %: {:+.0f} to {:+.0f})", 100 * *share.change,
                     100 * share.bounds.low, 100 * share.bounds.high);
}

std::string_view verdict_words(const Comparison& comparison) {
  if (comparison.verdict == Verdict::fail) return "REGRESSION";
  return comparison.verdict == Verdict::pass ? "no regression" : "inconclusive";
}

std::string head_of(const Comparison& comparison) {
  return fmt::format("{} ({} run{}) against baseline {} ({} run{})", comparison.after_name,
                     comparison.after_count, comparison.after_count == 1 ? "" : "s",
                     comparison.before_name, comparison.before_count,
                     comparison.before_count == 1 ? "" : "s");
}

std::string times_text(const Comparison& comparison) {
  std::string out = fmt::format("\n  {:<20} {:>11} {:>11} {:>11}  {:>9} {:>9}  {}\n", "MEDIAN",
                                "BASELINE", "NOW", "CHANGE", "SEEN", "", "LOG-RANK P");
  for (const TimeChange& change : comparison.times)
    out += fmt::format("  {:<20} {:>11} {:>11} {:>11}  {:>9} {:>9}  {}\n", change.name,
                       median_of(change.before), median_of(change.after), signed_s(change.change),
                       seen_of(change.before), seen_of(change.after), p_of(change));
  for (const ShareChange& share : comparison.shares)
    out += fmt::format("  {:<20} {:>11} {:>11}  {}\n", share.name, share_of(share.before),
                       share_of(share.after), points_of(share));
  return out;
}

std::string links_text(const Comparison& comparison) {
  if (comparison.segments.empty()) return {};
  std::string out = fmt::format("\n  {:<27} {:>11} {:>11} {:>11}  {}\n", "LINK", "BASELINE", "NOW",
                                "CHANGE", "MADE OF");
  for (const SegmentChange& segment : comparison.segments)
    out += fmt::format("  {:<27} {:>11} {:>11} {:>11}  {}\n", segment.name(),
                       segment.before ? spoken_s(*segment.before) : "–",
                       segment.after ? spoken_s(*segment.after) : "–", signed_s(segment.change),
                       segment.cause);
  return out;
}

std::string steps_text(const Comparison& comparison) {
  if (comparison.steps.empty()) return {};
  std::string out = fmt::format("\n  {:<27} {:>11} {:>11} {:>11}  {}\n", "STEP, AFTER THE ALERT",
                                "BASELINE", "NOW", "CHANGE", "ON TIME");
  for (const StepChange& step : comparison.steps)
    out += fmt::format("  {:<27} {:>11} {:>11} {:>11}  {} then, {} now\n", shorten(step.id, 27),
                       median_of(step.before), median_of(step.after), signed_s(step.change),
                       share_of(step.on_time_before), share_of(step.on_time_after));
  return out;
}

}  // namespace

std::string comparison_text(const Comparison& comparison) {
  std::string out = fmt::format("{}: {}\n", verdict_words(comparison), head_of(comparison));
  if (!comparison.cause.empty()) out += fmt::format("cause: {}\n", comparison.cause);
  out += "\n";
  for (const GateResult& gate : comparison.gates)
    out += fmt::format("  {:<10} {}: {}\n", to_string(gate.verdict), gate.gate.text, gate.words);
  out += times_text(comparison) + links_text(comparison) + steps_text(comparison);
  for (const std::string& note : comparison.notes) out += fmt::format("\n  note: {}", note);
  for (const std::string& run : comparison.left_out) out += fmt::format("\n  left out: {}", run);
  if (!comparison.notes.empty() || !comparison.left_out.empty()) out += "\n";
  return out;
}

std::string comparison_markdown(const Comparison& comparison) {
  std::string out = fmt::format("## Firedrill: {}\n\n{}\n", verdict_words(comparison),
                                markdown(head_of(comparison)));
  if (!comparison.cause.empty())
    out += fmt::format("\n**Cause:** {}\n", markdown(comparison.cause));
  if (!comparison.gates.empty()) {
    out += "\n| gate | | |\n|---|---|---|\n";
    for (const GateResult& gate : comparison.gates)
      out += markdown_row({gate.gate.text, to_string(gate.verdict), gate.words});
  }
  out += "\n| median | baseline | now | change | log-rank p |\n|---|---:|---:|---:|---:|\n";
  for (const TimeChange& change : comparison.times)
    out += markdown_row({change.name, median_of(change.before), median_of(change.after),
                         signed_s(change.change), p_of(change)});
  for (const ShareChange& share : comparison.shares)
    out += markdown_row(
        {share.name, share_of(share.before), share_of(share.after), points_of(share), ""});
  if (!comparison.segments.empty()) {
    out += "\n| link | baseline | now | change | made of |\n|---|---:|---:|---:|---|\n";
    for (const SegmentChange& segment : comparison.segments)
      out += markdown_row({segment.name(), segment.before ? spoken_s(*segment.before) : "–",
                           segment.after ? spoken_s(*segment.after) : "–", signed_s(segment.change),
                           segment.cause});
  }
  if (!comparison.steps.empty()) {
    out +=
        "\n| step | baseline | now | change | on time then | now |\n|---|---:|---:|---:|---|---|\n";
    for (const StepChange& step : comparison.steps)
      out += markdown_row({step.id, median_of(step.before), median_of(step.after),
                           signed_s(step.change), share_of(step.on_time_before),
                           share_of(step.on_time_after)});
  }
  for (const std::string& note : comparison.notes)
    out += fmt::format("\nNote: {}\n", markdown(note));
  for (const std::string& run : comparison.left_out)
    out += fmt::format("\nLeft out: {}\n", markdown(run));
  return out;
}

}  // namespace firedrill
