// The report for a terminal: verdict first, short enough to read at night.
#include <algorithm>

#include <fmt/format.h>

#include "controller/report/report.hpp"
#include "controller/report/words.hpp"
#include "controller/score/floors.hpp"

namespace firedrill {
namespace {

using namespace reporting;

constexpr std::size_t kWidth = 100;
constexpr std::size_t kMostRows = 6;  ///< of one kind; the page holds them all

class Page {
 public:
  explicit Page(bool colour) : colour_(colour) {}

  void line(std::string_view text) {
    (out_ += text.substr(0, text.find_last_not_of(' ') + 1)) += '\n';
  }
  void heading(std::string_view text) { line(paint(text, "1")); }

  /// Text wrapped at blanks; later lines are indented alike.
  void wrapped(std::string_view indent, std::string_view first, std::string_view text) {
    std::string current = std::string(first);
    std::size_t words_on_line = 0;
    while (!text.empty()) {
      const std::string_view next = text.substr(0, text.find(' '));
      text.remove_prefix(std::min(text.size(), next.size() + 1));
      if (words_on_line > 0 && length(current) + 1 + length(next) > kWidth) {
        line(current);
        current = indent;
        words_on_line = 0;
      }
      if (words_on_line > 0) current += ' ';
      current += next;
      ++words_on_line;
    }
    line(current);
  }

  void more(std::size_t total) {
    if (total > kMostRows) line(fmt::format("  … and {} more", total - kMostRows));
  }

  [[nodiscard]] std::string paint(std::string_view text, std::string_view code) const {
    return colour_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
  }
  [[nodiscard]] std::string mark(bool good, bool judged = true) const {
    if (!judged) return "?   ";
    return good ? paint("ok  ", "32") : paint("MISS", "31;1");
  }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  bool colour_;
  std::string out_;
};

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return out;
}

/// Log text must not move the cursor or change colours of the reader's terminal.
std::string plain(std::string_view text) {
  std::string out;
  for (const char c : text) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
  return out;
}

std::string_view verdict_colour(Verdict verdict) {
  if (verdict == Verdict::pass) return "30;42";
  return verdict == Verdict::inconclusive || verdict == Verdict::aborted ? "30;43" : "37;41;1";
}

void head(Page& page, const Measures& measures, const Scorecard& card,
          const Experiment& experiment) {
  page.line(fmt::format(
      "{}  {}  (run {})",
      page.paint(" " + upper(to_string(card.verdict)) + " ", verdict_colour(card.verdict)),
      plain(shorten(experiment.title, 50)), measures.run));
  page.wrapped("", "", plain(shorten(what_happened(measures, experiment), 300)));
  std::size_t shown = 0;
  for (const std::string& reason : card.reasons)
    if (shown++ < kMostRows) page.wrapped("    ", "  - ", plain(shorten(reason, 190)));
  page.more(card.reasons.size());
  std::string rung = fmt::format("rung reached: {}", card.rung);
  if (!card.next_rung.empty())
    rung += fmt::format("; the next, {}, takes {}", card.next_rung, rung_words(card.next_rung));
  page.wrapped("  ", "", rung);
}

std::string objective_of(const Page& page, const Interval& interval) {
  const std::string_view word = objective_word(interval);
  if (word.empty()) return {};
  return fmt::format("objective {}: {}", spoken(*interval.objective),
                     word == "missed" ? page.paint("MISSED", "31;1") : std::string(word));
}

void interval_rows(Page& page, const Measures& measures) {
  page.heading("intervals");
  if (!measures.points.injected) {
    page.line(fmt::format("  none: {}", measures.sham ? "nothing was injected, on purpose"
                                                      : "no injection was confirmed"));
    return;
  }
  for (const Interval& interval : measures.intervals) {
    const std::string ends =
        fmt::format("{} to {}", point_name(interval.from), point_name(interval.to));
    std::string row = fmt::format("  {:<5}{:<29}", interval.name.substr(0, 3), ends);
    if (!interval.value && !interval.censored_at)
      row += plain(shorten(interval.why_none, 64)) + "  ";
    else
      row += fmt::format("{:>11}  {:<22}", value_of(interval),
                         interval.value ? "(" + bounds_of(interval) + ")" : "(did not come)");
    if (interval.value || interval.censored_at) row += objective_of(page, interval);
    page.line(row);
  }
}

void detection_rows(Page& page, const Measures& measures) {
  if (measures.detections.empty()) return;
  page.heading("detections");
  std::size_t shown = 0;
  for (const DetectionResult& result : measures.detections)
    if (shown++ < kMostRows)
      page.line(fmt::format("  {} {:<18} {:<10} {}",
                            page.mark(result.outcome == DetectionOutcome::in_time,
                                      result.outcome != DetectionOutcome::unknown),
                            plain(shorten(result.name, 18)), word(result.outcome),
                            plain(shorten(result.why, 60))));
  page.more(measures.detections.size());
  for (const AlertSpan& alert : measures.alerts)
    if (alert.forbidden && alert.fired && !alert.before_injection)
      page.line(fmt::format("  {} {:<18} forbidden, fired {}", page.mark(false),
                            plain(shorten(alert.alertname, 18)),
                            since(alert.fired->at, origin_of(measures))));
}

/// Each part of the way on one line: predicted, and what it took.
void prediction_rows(Page& page, const Measures& measures) {
  std::size_t shown = 0;
  for (const Prediction& prediction : measures.predictions) {
    if (prediction.segments.empty() || shown++ >= kMostRows) continue;
    if (shown == 1) page.heading("predicted against measured (from the fault to the alert)");
    const std::string name = plain(shorten(prediction.detection, 18));
    page.wrapped("       ", fmt::format("  {:<18}", name),
                 plain(shorten(prediction_words(prediction), 160)));
    if (shown > 2) continue;  // the page holds the table of each
    for (const Segment& segment : prediction.segments)
      if (segment.predicted || segment.measured)
        page.line(fmt::format("    {:<11} predicted {:<20} took {:<20} {}", segment.name,
                              range_words(segment.predicted), range_words(segment.measured),
                              segment.excess() > Duration{0} ? page.paint("LONGER", "33") : ""));
    page.wrapped("       ", "    cause      ", plain(shorten(prediction.cause, 160)));
  }
  page.more(shown);
}

void clock_row(Page& page, const Measures& measures) {
  std::string words;
  std::size_t shown = 0;
  for (const ClockSpan& clock : measures.clocks)
    if (shown++ < kMostRows)
      words += fmt::format("{}{} {}", words.empty() ? "" : ", ", plain(shorten(clock.name, 24)),
                           clock_words(clock));
  if (!words.empty()) page.wrapped("        ", "clocks: ", words);
}

void step_rows(Page& page, const Measures& measures) {
  if (measures.steps.empty() || !measures.points.injected) return;
  page.heading("runbook");
  std::size_t shown = 0;
  for (const StepResult& step : measures.steps) {
    if (shown++ >= kMostRows) continue;
    const std::string when = step.done ? since(step.done->at, origin_of(measures)) : "";
    const std::string due = step.due ? "due " + since(*step.due, origin_of(measures)) : "";
    page.line(fmt::format("  {} {:<18} {:<13}{:<11}{:<17}{}",
                          page.mark(step.outcome == StepOutcome::on_time),
                          plain(shorten(step.id, 18)), word(step.outcome), when, due,
                          plain(shorten(step.detail, 33))));
  }
  page.more(measures.steps.size());
}

/// Medians hide what comes in two modes: users saw one or the other.
void mode_rows(Page& page, const Measures& measures) {
  std::size_t shown = 0;
  for (const SliSeries& series : measures.series) {
    std::string words = modes_words(series);
    const std::string periods = periods_words(series);
    if (!periods.empty()) words += (words.empty() ? "" : "; ") + periods;
    if (words.empty() || shown++ >= kMostRows) continue;
    if (shown == 1) page.heading("what users felt while the fault lasted");
    page.wrapped(std::string(32, ' '),
                 fmt::format("  {:<30}", plain(shorten(series.probe + " from " + series.host, 28))),
                 plain(shorten(words, 180)));
  }
  page.more(shown);
}

/// The greatest loss of a score, and how many more there are.
std::string raise_words(const Score& score) {
  const std::vector<ScoreLine> lost = lost_lines(score);
  if (lost.empty()) return "nothing was lost";
  const ScoreLine& worst = lost.front();
  return fmt::format("+{} by {} ({}){}", number(gain_of(score, worst)), worst.what, worst.why,
                     lost.size() > 1 ? fmt::format("; and {} more", lost.size() - 1) : "");
}

void slo_rows(Page& page, const Measures& measures) {
  if (measures.slos.empty()) return;
  page.heading("error budgets");
  std::size_t shown = 0;
  for (const SloResult& slo : measures.slos) {
    if (shown++ >= kMostRows) continue;
    page.wrapped(std::string(22, ' '), fmt::format("  {:<20}", plain(shorten(slo.name, 19))),
                 plain(fmt::format("{}; left before {}; spent {}", objective_words(slo),
                                   left_words(slo), shorten(spent_words(slo), 120))));
    for (const BurnResult& result : slo.rows)
      page.line(fmt::format("    {:<24} {:<32} {}", row_words(result.row), burn_words(result),
                            plain(shorten(firing_words(result, origin_of(measures)), 40))));
  }
  page.more(measures.slos.size());
}

/// What the target said of itself, beside what users felt.
void operating_mode_rows(Page& page, const Measures& measures) {
  if (measures.operating_modes.empty()) return;
  page.heading("what the target said of itself");
  std::size_t shown = 0;
  for (const ModeResult& mode : measures.operating_modes) {
    if (shown++ >= kMostRows) continue;
    page.wrapped(std::string(22, ' '), fmt::format("  {:<20}", plain(shorten(mode.name, 19))),
                 mode_times_words(mode));
    if (mode.visits.size() > 1)
      page.wrapped(std::string(22, ' '), std::string(22, ' '),
                   mode_path_words(mode, origin_of(measures)));
  }
  page.more(measures.operating_modes.size());
}

void score_rows(Page& page, const Scorecard& card) {
  page.heading("scores (100 x earned / possible; + what would have raised them)");
  for (const Score& score : card.scores) {
    if (!score.value) {
      page.line(fmt::format("  {:<10}   --   {}", score.name, score.why_none));
      continue;
    }
    page.wrapped(
        std::string(19, ' '), fmt::format("  {:<10} {:>5.1f} = ", score.name, *score.value),
        plain(fmt::format("{};  {}", points_words(score), shorten(raise_words(score), 130))));
  }
  for (const Score& score : card.scores)
    if (score.value)
      page.wrapped("      ", fmt::format("    {} points: ", score.name),
                   plain(score.formula.substr(score.formula.find(';') + 2)));
}

void host_rows(Page& page, const Measures& measures) {
  if (measures.injections.empty()) return;
  page.heading("hosts");
  std::size_t shown = 0;
  for (const InjectionSpan& span : measures.injections) {
    const bool clean = span.active && span.ended && span.verified && !span.dirty;
    if (shown++ >= kMostRows) continue;
    std::string state = !span.active ? "never on: " + span.failure : cause_words(span.cause);
    if (span.active && !span.ended) state = "not known to be off";
    if (span.dirty) state = "HOST LEFT CHANGED: a person must look";
    page.line(fmt::format("  {} {:<28} {}{}", page.mark(clean),
                          plain(shorten(span.fault + " on " + span.host, 28)),
                          plain(shorten(state, 50)), clean ? "; reads as before" : ""));
    if (const std::string course = course_words(span, measures.ended); !course.empty())
      page.wrapped("       ", "       ", plain(shorten(course, 180)));
  }
  page.more(measures.injections.size());
}

}  // namespace

std::string text_report(const Measures& measures, const Scorecard& card,
                        const Experiment& experiment, bool colour) {
  Page page(colour);
  head(page, measures, card, experiment);
  interval_rows(page, measures);
  mode_rows(page, measures);
  detection_rows(page, measures);
  prediction_rows(page, measures);
  slo_rows(page, measures);
  operating_mode_rows(page, measures);
  step_rows(page, measures);
  score_rows(page, card);
  host_rows(page, measures);
  clock_row(page, measures);
  return page.take();
}

}  // namespace firedrill
