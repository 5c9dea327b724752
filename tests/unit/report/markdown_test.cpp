// Markdown: hostile text stays one line of text, and the step summary says what a stage needs.
#include "controller/report/markdown.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "controller/report/report.hpp"
#include "tests/unit/measure/stories.hpp"

namespace firedrill {
namespace {

using reporting::markdown;
using testing::Story;
using testing::tell;

std::string summary(const std::vector<Event>& events, std::span<const std::string> below = {}) {
  const Experiment experiment = experiment_of(events).value();
  const Measures measures = measure(events, experiment).value();
  return markdown_report(measures, score(measures), experiment, below);
}

TEST(Markdown, MarksAreTextAndOrdinaryTextStaysReadable) {
  EXPECT_EQ(markdown("a|b"), "a\\|b");
  EXPECT_EQ(markdown("**x** `y` [z](u)"), "\\*\\*x\\*\\* \\`y\\` \\[z](u)");
  EXPECT_EQ(markdown("rx_missed's \"12.0 s\""), "rx_missed's \"12.0 s\"");
  EXPECT_EQ(markdown("_x_"), "\\_x\\_");
  EXPECT_EQ(markdown("see #12, C# is not"), "see \\#12, C# is not");
}

TEST(Markdown, NothingBecomesHtmlALinkACallOrAList) {
  EXPECT_EQ(markdown("<img src=x>&amp;"), "&lt;img src=x&gt;&amp;amp;");
  EXPECT_EQ(markdown("https://evil.example"), "https\\://evil.example");
  EXPECT_EQ(markdown("www.evil.example"), "www\\.evil.example");
  EXPECT_EQ(markdown("@team"), "@\u200Bteam");
  EXPECT_EQ(markdown("1. first"), "1\\. first");
  EXPECT_EQ(markdown("- x"), "\\- x");
  EXPECT_EQ(markdown("  # head"), "\\# head");
}

TEST(Markdown, IsOneLineOfSoundText) {
  EXPECT_EQ(markdown("a\nb\r\nc"), "a b  c");
  EXPECT_EQ(markdown("\x1b[31m\xff"), "\uFFFD\\[31m\uFFFD");
  EXPECT_EQ(markdown(""), "");
}

TEST(Summary, SaysVerdictScoresIntervalsAndWhatWasMissed) {
  const std::string page =
      summary(tell({.whole = 61, .alert = {}, .ack = {}, .check = {}, .raise = {}, .end = 75}));
  for (const char* piece : {"## Firedrill: FAIL", "| detection | ",
                            "| TTD | users hurt → alert fires | &gt; ", "| page | missed |",
                            "| skipped |", "injections undone", "Rung reached: impacted; the next"})
    EXPECT_TRUE(page.contains(piece)) << piece << "\n" << page;
  EXPECT_LT(std::ranges::count(page, '\n'), 60);
}

TEST(Summary, AFalseAlertIsNamed) {
  EXPECT_TRUE(summary(tell({.forbidden = true})).contains("| EtcdMemberDown | false alert |"));
  EXPECT_TRUE(summary(tell({.sham = true, .false_alarm = true})).contains("| false alert |"));
}

TEST(Summary, TheFloorsComeFirst) {
  const std::vector<std::string> below{"detection is 50.0, below 80 by 30.0"};
  const std::string page = summary(tell(), below);
  EXPECT_TRUE(page.contains("- **detection is 50.0, below 80 by 30.0**")) << page;
}

TEST(Summary, HostileTextStaysInItsCell) {
  testing::RunLog log;
  log.events = tell({.dirty = true});
  const std::string text = "x | y |\n\n# <img src=x onerror=alert(1)> [a](javascript:b)";
  Json& experiment = log.events.front().data["experiment"];
  experiment["title"] = text;
  experiment["runbook"]["steps"][0]["title"] = text;
  for (Event& event : log.events) {
    if (event.kind == "injection.dirty") event.data["differences"] = {text};
    if (event.kind == "step.done") event.data["note"] = text;
  }
  const std::string page = summary(log.events);
  EXPECT_FALSE(page.contains("<img"));
  EXPECT_FALSE(page.contains("\n# "));
  EXPECT_FALSE(page.contains("| y |")) << page;
  EXPECT_FALSE(page.contains("[a](") && !page.contains("\\[a]("));
}

}  // namespace
}  // namespace firedrill
