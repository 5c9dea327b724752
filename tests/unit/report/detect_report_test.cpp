// What the reports say of detection: predicted against measured, who would be woken, clocks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/report/report.hpp"
#include "controller/report/words.hpp"
#include "tests/unit/measure/stories.hpp"

namespace firedrill {
namespace {

using ::testing::HasSubstr;
using testing::RunLog;
using testing::secs;
using testing::tell;

struct Told {
  std::vector<Event> events;
  Experiment experiment;
  Measures measures;
  Scorecard card;
};

/// The example, with a rule whose `for` is shorter than what the alert took.
Told told(const std::string& severity = "page") {
  RunLog log;
  log.events = tell();
  for (Event& event : log.events)
    if (event.data.contains("labels")) event.data["labels"]["severity"] = severity;
  log.add(
      "monitoring.rules", -14,
      {{"detector", "prom"},
       {"rules",
        Json::array(
            {{{"name", "EtcdSlowWrites"}, {"for", "2s"}, {"interval", "1s"}, {"range", "10s"}}})},
       {"targets", Json::array({{{"job", "etcd"}, {"interval", "2s"}}})}},
      "detector:prom");
  log.add("clock.estimate", -13,
          {{"detector", "prom"}, {"offset_us", -5'000'400}, {"error_us", 2000}}, "detector:prom");
  Told out;
  out.events = log.events;
  out.experiment = experiment_of(out.events).value();
  out.measures = measure(out.events).value();
  out.card = score(out.measures);
  return out;
}

TEST(DetectionReport, EveryFormHoldsThePredictionBySegment) {
  const Told run = told();
  const std::string text = text_report(run.measures, run.card, run.experiment, false);
  EXPECT_THAT(text, HasSubstr("predicted against measured"));
  EXPECT_THAT(text, HasSubstr("scrape      predicted 0 s to 2.0 s"));
  EXPECT_THAT(text, HasSubstr("for: 2.9 s longer than predicted"));
  EXPECT_THAT(text, HasSubstr("prom -5.000 s ± 2 ms"));
  const std::string page = html_report(run.measures, run.card, run.experiment, run.events);
  EXPECT_THAT(page, HasSubstr("Predicted against measured"));
  EXPECT_THAT(page, HasSubstr("✕ longer"));
  const Json json = json_report(run.measures, run.card, run.experiment);
  const Json& prediction = json["measures"]["predictions"][0];
  EXPECT_EQ(prediction["segments"][3]["name"], "for");
  EXPECT_EQ(prediction["segments"][3]["predicted"]["low_us"], 2'000'000);
  EXPECT_EQ(json["measures"]["clocks"][1]["offset_us"], -5'000'400);
}

TEST(DetectionReport, AnAlertThatWakesNobodyFailsTheRun) {
  EXPECT_EQ(told().card.verdict, Verdict::pass);
  const Told ticket = told("ticket");
  EXPECT_EQ(ticket.card.verdict, Verdict::fail);
  EXPECT_THAT(ticket.card.reasons.at(0), HasSubstr("came as 'ticket', and 'page' was expected"));
  EXPECT_THAT(html_report(ticket.measures, ticket.card, ticket.experiment, ticket.events),
              HasSubstr("ticket: wakes nobody"));
}

TEST(DetectionReport, AnUnexpectedAlertIsOneLineHoweverOftenItCame) {
  Told run = told();
  for (const char* detector : {"prom", "am"})
    for (int episode = 0; episode < 3; ++episode) {
      AlertSpan alert;
      alert.alertname = "DiskSlow";
      alert.detector = detector;
      alert.fired = Instant{run.measures.points.injected->at + secs(10 + 20 * episode)};
      run.measures.alerts.push_back(alert);
    }
  const std::string page = html_report(run.measures, run.card, run.experiment, run.events);
  const std::size_t table = page.find("<h2>Detections");
  const std::string rows = page.substr(table, page.find("</table>", table) - table);
  const std::size_t first = rows.find("DiskSlow");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(rows.find("DiskSlow", first + 1), std::string::npos);
  EXPECT_THAT(rows, HasSubstr("am, prom"));
  EXPECT_THAT(rows, HasSubstr("+10.0 s"));
  EXPECT_THAT(rows, HasSubstr("3 times"));
}

TEST(DetectionWords, AreShortAndSayWhatCounts) {
  AlertSpan alert;
  EXPECT_EQ(reporting::waking_words(alert), "no severity: wakes nobody");
  alert.severity = "page";
  alert.wakes = true;
  EXPECT_EQ(reporting::waking_words(alert), "page: wakes somebody");
  alert.muted_by = {"s1"};
  EXPECT_EQ(reporting::waking_words(alert), "muted by s1");
  EXPECT_EQ(reporting::clock_words({"db-1", false, Duration{-1500}, Duration{300}}),
            "-1.5 ms ± 300 µs");
  EXPECT_EQ(reporting::range_words(Range{secs(1), secs(1)}), "1.0 s");
  EXPECT_EQ(reporting::range_words(std::nullopt), "?");
  Prediction prediction;
  prediction.fire = Range{secs(5), secs(8)};
  prediction.fire_measured = Range{secs(9), secs(9.1)};
  prediction.gap = secs(1);
  EXPECT_EQ(reporting::prediction_words(prediction),
            "predicted 5.0 s to 8.0 s, took 9.0 s to 9.1 s; 1.0 s later than predicted");
}

}  // namespace
}  // namespace firedrill
