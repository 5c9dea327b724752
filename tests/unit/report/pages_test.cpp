// Whole reports of whole runs: what is in them, what must never be, and that they repeat.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/report/report.hpp"
#include "tests/unit/measure/stories.hpp"

namespace firedrill {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::Story;

struct Told {
  std::vector<Event> events;
  Experiment experiment;
  Measures measures;
  Scorecard card;

  explicit Told(std::vector<Event> log) : events(std::move(log)) {
    experiment = experiment_of(events).value();
    measures = measure(events, experiment).value();
    card = score(measures);
  }
  [[nodiscard]] std::string html() const { return html_report(measures, card, experiment, events); }
  [[nodiscard]] std::string text() const { return text_report(measures, card, experiment, false); }
};

std::vector<std::pair<std::string, std::vector<Event>>> stories() {
  return {
      {"good", testing::tell()},
      {"undetected",
       testing::tell({.whole = 61, .alert = {}, .ack = {}, .check = {}, .raise = {}, .end = 75})},
      {"slow", testing::tell({.whole = 61,
                              .alert = 28,
                              .ack = 50,
                              .check = {},
                              .raise = 57,
                              .forbidden = true,
                              .end = 90})},
      {"sham", testing::tell({.sham = true})},
      {"false-alarm", testing::tell({.sham = true, .false_alarm = true})},
      {"halted", testing::tell({.whole = 22, .check = {}, .raise = {}, .halt = 20, .end = 40})},
      {"dirty", testing::tell({.whole = {}, .raise = {}, .dirty = true, .end = 80})}};
}

/// With FIREDRILL_PAGES=DIRECTORY the pages are written there, for people and the e2e check.
TEST(Pages, EveryStoryMakesASmallPageOfItsOwn) {
  const char* directory = std::getenv("FIREDRILL_PAGES");
  for (const auto& [name, events] : stories()) {
    const Told told(events);
    const std::string page = told.html();
    EXPECT_LT(page.size(), 300'000U) << name;
    EXPECT_TRUE(page.contains("<svg id=\"timeline\"")) << name;
    for (const char* fetched : {"src=\"", "href=\"http", "url(http", "@import"})
      EXPECT_FALSE(page.contains(fetched)) << name << ": " << fetched;
    if (directory == nullptr) continue;
    const std::filesystem::path base = std::filesystem::path(directory) / name;
    std::ofstream(base.string() + ".html") << page;
    std::ofstream(base.string() + ".txt") << told.text();
    std::ofstream(base.string() + ".xml")
        << junit_report(told.measures, told.card, told.experiment);
    std::ofstream(base.string() + ".json")
        << json_report(told.measures, told.card, told.experiment).dump(1);
  }
}

}  // namespace
}  // namespace firedrill
