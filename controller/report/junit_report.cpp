// JUnit XML: a testcase for each thing that could have gone wrong, so that CI can name it.
#include <algorithm>

#include <fmt/format.h>

#include "controller/report/report.hpp"
#include "controller/report/words.hpp"
#include "controller/score/lines.hpp"

namespace firedrill {
namespace {

using namespace reporting;

enum class Fate : std::uint8_t { passed, failed, skipped, broken };

class Suite {
 public:
  void add(std::string_view kind, std::string_view name, Fate fate, std::string_view why,
           std::optional<Duration> took = std::nullopt) {
    ++counts_[static_cast<std::size_t>(fate)];
    cases_ += fmt::format("    <testcase classname=\"{}\" name=\"{}\"", escape(kind), escape(name));
    if (took) cases_ += fmt::format(" time=\"{:.3f}\"", static_cast<double>(took->count()) / 1e6);
    constexpr std::string_view kTags[] = {"", "failure", "skipped", "error"};
    const std::string_view tag = kTags[static_cast<std::size_t>(fate)];
    if (tag.empty()) cases_ += "/>\n";
    else cases_ += fmt::format("><{} message=\"{}\"/></testcase>\n", tag, escape(why));
  }

  [[nodiscard]] std::string xml(const Measures& measures, std::string_view title,
                                std::string_view output) const {
    const std::string counts = fmt::format(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\"",
        counts_[0] + counts_[1] + counts_[2] + counts_[3], counts_[1], counts_[3], counts_[2]);
    return fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {0}>\n"
        "  <testsuite name=\"{1}\" id=\"{2}\" timestamp=\"{3}\" time=\"{4:.3f}\" {0}>\n{5}"
        "    <system-out>{6}</system-out>\n  </testsuite>\n</testsuites>\n",
        counts, escape(title), escape(measures.run), to_rfc3339(measures.started),
        static_cast<double>((measures.ended - measures.started).count()) / 1e6, cases_,
        escape(output));
  }

 private:
  std::string cases_;
  std::size_t counts_[4] = {};
};

void add_verdict(Suite& suite, const Scorecard& card) {
  const std::string why = fmt::format("{}", fmt::join(card.reasons, "; "));
  const Fate fate = card.verdict == Verdict::pass           ? Fate::passed
                    : card.verdict == Verdict::fail         ? Fate::failed
                    : card.verdict == Verdict::inconclusive ? Fate::skipped
                                                            : Fate::broken;
  suite.add("verdict", to_string(card.verdict), fate, why);
}

void add_probes(Suite& suite, const Measures& measures, const Experiment& experiment) {
  for (const ProbeSpec& probe : experiment.probes) {
    bool hurt = false, measured = false, whole = true;
    for (const SliSeries& series : measures.series) {
      if (series.probe != probe.name) continue;
      measured = measured || !series.points.empty();
      hurt = hurt || !series.breaches.empty();
      if (!series.points.empty()) whole = whole && series.points.back().within;
    }
    if (!measured) suite.add("probe", probe.name, Fate::skipped, "no sample");
    else if (hurt && !measures.points.recovered)
      suite.add("probe", probe.name, whole ? Fate::passed : Fate::failed, "did not recover");
    else suite.add("probe", probe.name, Fate::passed, "");
  }
}

void add_detections(Suite& suite, const Measures& measures) {
  for (const DetectionResult& result : measures.detections) {
    const bool told = result.outcome != DetectionOutcome::unknown &&
                      result.outcome != DetectionOutcome::already_firing;
    const Fate fate = !told                                         ? Fate::skipped
                      : result.outcome == DetectionOutcome::in_time ? Fate::passed
                                                                    : Fate::failed;
    suite.add("detection", result.name, fate,
              fmt::format("{}: {}", word(result.outcome), result.why), result.after_injection);
  }
  for (const AlertSpan& alert : measures.alerts)
    if (alert.forbidden && alert.fired && !alert.before_injection)
      suite.add("forbidden-alert", alert.alertname, Fate::failed, "fired");
}

void add_steps(Suite& suite, const Measures& measures) {
  const bool timed = measures.points.injected.has_value();
  for (const StepResult& step : measures.steps) {
    const Fate fate = !timed                                 ? Fate::skipped
                      : step.outcome == StepOutcome::on_time ? Fate::passed
                                                             : Fate::failed;
    suite.add("step", step.id, fate, fmt::format("{}: {}", word(step.outcome), step.detail));
  }
}

void add_objectives(Suite& suite, const Measures& measures) {
  for (const Interval& interval : measures.intervals) {
    if (!interval.objective) continue;
    const scoring::Objective outcome = scoring::judge(interval);
    const Fate fate = outcome == scoring::Objective::met      ? Fate::passed
                      : outcome == scoring::Objective::missed ? Fate::failed
                                                              : Fate::skipped;
    suite.add("objective", interval.name, fate, scoring::objective_words(interval), interval.value);
  }
}

void add_injections(Suite& suite, const Measures& measures) {
  for (const InjectionSpan& span : measures.injections) {
    const std::string name = fmt::format("{} on {} ({})", span.fault, span.host, span.injection);
    if (!span.active) {
      suite.add("injection", name, Fate::skipped, "not injected: " + span.failure);
      if (!span.dirty) continue;
    } else {
      suite.add("injection", name, Fate::passed, "");
    }
    if (span.dirty)
      suite.add("undo", name, Fate::failed,
                fmt::format("host left changed: {}", fmt::join(span.differences, "; ")));
    else if (!span.ended) suite.add("undo", name, Fate::failed, "never confirmed");
    else
      suite.add("undo", name, span.verified ? Fate::passed : Fate::skipped,
                "host was not read back");
  }
}

}  // namespace

std::string junit_report(const Measures& measures, const Scorecard& card,
                         const Experiment& experiment) {
  Suite suite;
  add_verdict(suite, card);
  add_probes(suite, measures, experiment);
  add_detections(suite, measures);
  add_steps(suite, measures);
  add_objectives(suite, measures);
  add_injections(suite, measures);
  return suite.xml(measures, experiment.title, what_happened(measures, experiment));
}

}  // namespace firedrill
