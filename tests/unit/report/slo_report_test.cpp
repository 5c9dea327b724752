// Error budgets and operating modes in every report.
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/report/report.hpp"
#include "controller/report/words.hpp"
#include "tests/unit/measure/stories.hpp"

namespace firedrill {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::us;

/// The good story, with a budget that burns and a target that flaps.
std::vector<Event> told(const std::string& slo_name = "writes") {
  std::vector<Event> events = testing::tell();
  for (Event& event : events) {
    if (event.kind != event_kind::run_created) continue;
    Json& experiment = event.data["experiment"];
    experiment["slos"][slo_name] = {
        {"objective", "99.9%"}, {"total", "w_total"}, {"bad", "w_total{code=\"500\"}"}};
    experiment["operating-modes"]["database"] = {{"url", "http://db/mode"}};
  }
  testing::RunLog log;
  log.events = std::move(events);
  const auto window = [](std::int64_t minutes, double bad, double total) {
    return Json{{"window_us", minutes * 60'000'000}, {"bad", bad}, {"total", total}};
  };
  log.add("slo.budget", -17,
          {{"slo", slo_name},
           {"window_us", 2'592'000'000'000},
           {"bad", 600},
           {"total", 1e6},
           {"covered_us", 2'592'000'000'000}});
  log.add("slo.sample", 20,
          {{"slo", slo_name},
           {"to_us", us(20)},
           {"windows", Json::array({window(60, 30, 1000), window(5, 40, 100)})},
           {"exercise", {{"from_us", us(1)}, {"bad", 5}, {"total", 400}}}});
  double at = 0;
  for (const char* mode : {"normal", "degraded", "normal", "floor"}) {
    log.add("operating-mode.changed", at,
            {{"name", "database"}, {"mode", mode}, {"value", mode}, {"first_seen_us", us(at)}});
    at += 10;
  }
  return log.events;
}

struct Reports {
  Experiment experiment;
  Measures measures;
  Scorecard card;
  std::string text, html;

  explicit Reports(const std::vector<Event>& events)
      : experiment(experiment_of(events).value()),
        measures(measure(events, experiment).value()),
        card(score(measures)),
        text(text_report(measures, card, experiment, false)),
        html(html_report(measures, card, experiment, events)) {}
};

TEST(SloReport, TextSaysWhatWasLeftSpentAndPaged) {
  const Reports reports(told());
  EXPECT_THAT(reports.text, HasSubstr("99.9 % over 30d"));
  EXPECT_THAT(reports.text, HasSubstr("left before 40 %"));
  EXPECT_THAT(reports.text, HasSubstr("spent 0.5 %, like 13.0 s of full"));
  EXPECT_THAT(reports.text, HasSubstr("14.4x over 1h and 5m"));
  EXPECT_THAT(reports.text, HasSubstr("at worst 30x and 400x"));
  EXPECT_THAT(reports.text, HasSubstr("would have paged, +20.0 s"));
  EXPECT_THAT(reports.text, HasSubstr("no events in its windows"));
}

TEST(SloReport, TextSaysWhichModesTheTargetWentThrough) {
  const Reports reports(told());
  EXPECT_THAT(reports.text,
              HasSubstr("normal 20.0 s, degraded 10.0 s, floor 42.0 s; 3 changes, 1"));
  EXPECT_THAT(reports.text, HasSubstr("flaps"));
  EXPECT_THAT(reports.text,
              HasSubstr("normal → degraded +10.0 s → normal +20.0 s → floor +30.0 s"));
}

TEST(SloReport, LinesFitATerminal) {
  std::istringstream lines(Reports(told("a-name-that-somebody-made-much-too-long")).text);
  for (std::string line; std::getline(lines, line);)
    EXPECT_LE(reporting::length(line), 100U) << line;
}

TEST(SloReport, PageHasBothTablesAndEscapesNames) {
  const Reports reports(told("<script>alert(1)</script>"));
  EXPECT_THAT(reports.html, HasSubstr("Error budgets"));
  EXPECT_THAT(reports.html, HasSubstr("What the target said of itself"));
  EXPECT_THAT(reports.html, HasSubstr("▲ burns"));
  EXPECT_THAT(reports.html, HasSubstr("✕ flaps"));
  EXPECT_THAT(reports.html, Not(HasSubstr("<script>alert(1)")));
}

TEST(SloReport, ProgramsGetTheSameNumbers) {
  const Reports reports(told());
  const Json json = json_report(reports.measures, reports.card, reports.experiment);
  const Json& slo = json["measures"]["slos"][0];
  EXPECT_DOUBLE_EQ(slo["budget_spent"].get<double>(), *reports.measures.slos[0].spent);
  EXPECT_TRUE(slo["burn_rates"][0]["fires"]);
  EXPECT_FALSE(slo["burn_rates"][2]["fires"]);
  EXPECT_EQ(json["measures"]["operating_modes"][0]["flaps"], 1);
  EXPECT_EQ(json["measures"]["operating_modes"][0]["times_us"]["degraded"], 10'000'000);
}

TEST(SloReport, WithoutSlosNothingIsSaidOfThem) {
  const std::vector<Event> events = testing::tell();
  const Reports reports(events);
  EXPECT_THAT(reports.text, Not(HasSubstr("error budgets")));
  EXPECT_THAT(reports.html, Not(HasSubstr("Error budgets")));
}

}  // namespace
}  // namespace firedrill
