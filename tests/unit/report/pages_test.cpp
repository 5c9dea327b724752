// Whole reports of whole runs: what is in them, what must never be, and that they repeat.
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "controller/report/report.hpp"
#include "controller/report/words.hpp"
#include "tests/unit/measure/flap.hpp"
#include "tests/unit/measure/stories.hpp"

namespace firedrill {
namespace {

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
      {"dirty", testing::tell({.whole = {}, .raise = {}, .dirty = true, .end = 80})},
      {"flap", testing::tell_flap({.remedy = 35})}};
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
    std::ofstream(base.string() + ".md")
        << markdown_report(told.measures, told.card, told.experiment);
    std::ofstream(base.string() + ".json")
        << json_report(told.measures, told.card, told.experiment).dump(1);
  }
}

std::size_t lines_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

TEST(Pages, TheSameLogGivesTheSameBytes) {
  for (const auto& [name, events] : stories()) {
    const Told once(events), again(events);
    EXPECT_TRUE(once.html() == again.html()) << name;
    EXPECT_EQ(once.text(), again.text());
    EXPECT_TRUE(json_report(once.measures, once.card, once.experiment) ==
                json_report(again.measures, again.card, again.experiment))
        << name;
  }
}

TEST(Text, TheVerdictComesFirstAndThePageFitsAScreen) {
  for (const auto& [name, events] : stories()) {
    const Told told(events);
    const std::string text = told.text();
    std::string first = text.substr(0, text.find('\n'));
    std::ranges::transform(first, first.begin(), [](unsigned char c) { return std::tolower(c); });
    EXPECT_TRUE(first.contains(to_string(told.card.verdict))) << first;
    EXPECT_LE(lines_of(text), 55U) << name;
    for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
      const std::string_view line = std::string_view(text).substr(at, text.find('\n', at) - at);
      EXPECT_LE(reporting::length(line), 104U) << line;
    }
  }
}

TEST(Text, ColourAddsNothingButColour) {
  const Told told(testing::tell({.alert = {}, .ack = {}}));
  std::string coloured = text_report(told.measures, told.card, told.experiment, true);
  EXPECT_NE(coloured, told.text());
  for (std::size_t at = coloured.find('\x1b'); at != std::string::npos; at = coloured.find('\x1b'))
    coloured.erase(at, coloured.find('m', at) - at + 1);
  EXPECT_EQ(coloured, told.text());
}

TEST(Junit, NamesEachThingThatCouldGoWrong) {
  const Told told(
      testing::tell({.whole = 61, .alert = {}, .ack = {}, .check = {}, .raise = {}, .end = 75}));
  const std::string xml = junit_report(told.measures, told.card, told.experiment);
  for (const char* piece :
       {"classname=\"verdict\" name=\"fail\"", "classname=\"probe\" name=\"write-p99\"",
        "classname=\"detection\" name=\"page\"", "classname=\"step\" name=\"raise-ring\"",
        "classname=\"objective\" name=\"TTD\"", "name=\"netem on db-2 (ring.1)\"",
        "missed: did not fire"})
    EXPECT_TRUE(xml.contains(piece)) << piece << "\n" << xml;
}

TEST(Junit, WhatCouldNotBeJudgedIsSkippedNeverPassed) {
  const Told told(testing::tell({.sham = true}));
  const std::string xml = junit_report(told.measures, told.card, told.experiment);
  EXPECT_TRUE(xml.contains("classname=\"verdict\" name=\"inconclusive\"><skipped")) << xml;
  EXPECT_TRUE(xml.contains("classname=\"detection\" name=\"page\"><skipped")) << xml;
  EXPECT_TRUE(xml.contains("failures=\"0\"")) << xml;
}

TEST(Sentence, SaysWhoMendedIt) {
  const auto sentence = [](const testing::Story& story) {
    const Told told(testing::tell(story));
    return what_happened(told.measures, told.experiment);
  };
  EXPECT_TRUE(sentence({}).contains("responders had users whole again 30.0 s after the impact"));
  EXPECT_TRUE(sentence({.whole = 61, .raise = {}, .end = 75})
                  .contains("only because the fault was taken off"));
  EXPECT_TRUE(sentence({.alert = {}, .ack = {}}).contains("none of the expected alerts fired"));
}

TEST(Sentence, AShamRunWasQuietOnlyIfItWasWatched) {
  std::vector<Event> events = testing::tell({.sham = true});
  const Told quiet(events);
  EXPECT_TRUE(what_happened(quiet.measures, quiet.experiment).contains("monitoring stayed quiet"));
  events.back().data["outcome"] = "not-started";
  events.back().data["reasons"] = {"HostTcpRetransmits is firing already"};
  const Told refused(events);
  EXPECT_EQ(what_happened(refused.measures, refused.experiment),
            "A sham run that cannot say whether monitoring stays quiet: HostTcpRetransmits is "
            "firing already.");
}

TEST(Numbers, KeepThreeDigitsAndNoExponent) {
  EXPECT_EQ(reporting::number(258.34), "258");
  EXPECT_EQ(reporting::number(62.14), "62.1");
  EXPECT_EQ(reporting::number(0.012345), "0.0123");
  EXPECT_EQ(reporting::number(-4), "−4");
  EXPECT_EQ(reporting::number(1e7), "10000000");
  EXPECT_EQ(reporting::spoken(Duration{999'960}), "1.0 s");
  EXPECT_EQ(reporting::spoken(Duration{125'000'000}), "2 min 5 s");
}

std::size_t count_of(std::string_view page, std::string_view what) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = page.find(what, at)) != std::string_view::npos; at += what.size())
    ++count;
  return count;
}

TEST(Flap, ThePictureShadesOnlyTheOnPeriods) {
  const Told flap(testing::tell_flap());
  const std::string page = flap.html();
  EXPECT_EQ(count_of(page, "<rect class=\"window\""), 3U);
  EXPECT_EQ(count_of(Told(testing::tell()).html(), "<rect class=\"window\""), 1U);
  EXPECT_TRUE(page.contains("on for 10.0 s, off for 10.0 s: 3 periods, on 50% of the time"));
  EXPECT_TRUE(page.contains("loss from 0% in 4 steps over 40.0 s, came to 5%"));
}

TEST(Flap, ThousandsOfPeriodsMakeNoLargerPage) {
  testing::RunLog log;
  log.created();
  log.active("ring.1", "netem", 0, 0);
  for (int i = 0; i < 5000; ++i) {
    log.add("injection.paused", i * 0.2 + 0.1,
            testing::period("ring.1", i * 0.2 + 0.1, i * 0.2 + 0.1));
    log.add("injection.resumed", i * 0.2 + 0.2,
            testing::period("ring.1", i * 0.2 + 0.2, i * 0.2 + 0.2));
  }
  log.undone("ring.1", "netem", 1001, 1001, "time-up");
  log.phase("finished", 1001);
  const Told told(log.events);
  EXPECT_LT(told.html().size(), 320'000U);
  EXPECT_TRUE(told.text().contains("5001 periods"));
}

TEST(Flap, BothModesAreToldInTextAndDrawn) {
  const Told flap(testing::tell_flap());
  const std::string text = flap.text();
  EXPECT_TRUE(text.contains("two modes: 5")) << text;
  EXPECT_TRUE(text.contains("while on, ")) << text;
  EXPECT_TRUE(text.contains("3 periods, on 50% of the time")) << text;
  for (std::size_t at = 0, end; at < text.size(); at = end + 1) {
    end = std::min(text.find('\n', at), text.size());
    EXPECT_LE(reporting::length(text.substr(at, end - at)), 100U) << text.substr(at, end - at);
  }
  const std::string page = flap.html();
  EXPECT_EQ(count_of(page, "<svg class=\"spread\""), 1U) << "of the latency, not of the errors";
  EXPECT_EQ(count_of(page, "<path class=\"mode\""), 2U) << "and both its modes";
  EXPECT_FALSE(page.contains("nan") || page.contains("-inf"));
}

TEST(Flap, ASteadyFaultTellsOfNoModes) {
  const std::string text = Told(testing::tell({.whole = 61, .raise = {}, .end = 75})).text();
  EXPECT_FALSE(text.contains("two modes")) << text;
  EXPECT_FALSE(text.contains("while off")) << text;
}

}  // namespace
}  // namespace firedrill
