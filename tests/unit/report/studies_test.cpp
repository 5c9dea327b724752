// Reports of sessions: what is in them, what must never be, and that they repeat.
#include "tests/unit/report/studies.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "controller/report/study.hpp"
#include "controller/report/words.hpp"

namespace firedrill {
namespace {

std::vector<Sweep> several() {
  std::vector<Sweep> out{testing::told_sweep("netem.loss=0.1%..30%", 0.35, 0.7),
                         testing::told_sweep("netem.delay=1ms..2s", 0.5, 0.45),
                         testing::told_sweep("nic-ring.rx=4096..16", 0.62, 2),
                         testing::told_sweep("dm-delay.write=1ms..1s", 2, 2)};
  out[0].title = "Silent NIC drops on one database host";
  out[1].title = "A slow link between two sites";
  out[2].title = "A shrunken receive ring";
  out[3].title = "A slow disk";
  return out;
}

/// With FIREDRILL_PAGES=DIRECTORY the pages are written there, for people.
void keep(const std::string& name, const std::string& text) {
  if (const char* directory = std::getenv("FIREDRILL_PAGES"))
    std::ofstream(std::filesystem::path(directory) / name) << text;
}

std::size_t widest_line(const std::string& text) {
  std::size_t widest = 0;
  for (std::size_t from = 0; from < text.size();) {
    const std::size_t end = std::min(text.find('\n', from), text.size());
    widest = std::max(widest, reporting::length(std::string_view(text).substr(from, end - from)));
    from = end + 1;
  }
  return widest;
}

void expect_page_of_its_own(const std::string& page) {
  EXPECT_LT(page.size(), 300'000U);
  for (const char* fetched : {"src=\"", "href=\"http", "url(http", "@import", "<script"})
    EXPECT_FALSE(page.contains(fetched)) << fetched;
}

TEST(StudyPages, AreSmallAndNeedNothingElse) {
  const std::vector<Sweep> sweeps = several();
  const std::string trials = trials_html(testing::told_trials());
  const std::string sweep = sweep_html(std::span(sweeps).first(1)), map = sweep_html(sweeps);
  expect_page_of_its_own(trials);
  expect_page_of_its_own(sweep);
  expect_page_of_its_own(map);
  keep("trials.html", trials);
  keep("sweep.html", sweep);
  keep("map.html", map);
  keep("trials.txt", trials_text(testing::told_trials()));
  keep("sweep.txt", sweep_text(sweeps));
  keep("compare.txt", comparison_text(testing::told_comparison()));
  keep("compare.md", comparison_markdown(testing::told_comparison()));
}

TEST(StudyPages, RepeatByteForByte) {
  const std::vector<Sweep> sweeps = several();
  EXPECT_EQ(sweep_html(sweeps), sweep_html(sweeps));
  EXPECT_EQ(trials_html(testing::told_trials()), trials_html(testing::told_trials()));
}

TEST(StudyPages, EscapeWhatComesFromOutside) {
  Sweep sweep = testing::told_sweep("netem.loss=0.1%..30%", 0.35, 0.7);
  sweep.title = "<img src=x onerror=alert(1)>";
  sweep.points.front().why = "</td><script>";
  sweep.vary.subject = "a\"><b>";
  const std::string page = sweep_html({&sweep, 1});
  EXPECT_FALSE(page.contains("<img"));
  EXPECT_FALSE(page.contains("<script"));
  EXPECT_FALSE(page.contains("<b>\""));
  TrialsSummary trials = testing::told_trials();
  trials.title = "<img src=x>";
  trials.expectations.front().name = "<b>page</b>";
  EXPECT_FALSE(trials_html(trials).contains("<img"));
  EXPECT_FALSE(trials_html(trials).contains("<b>page"));
}

TEST(StudyPages, DrawNothingOfNothing) {
  Sweep none;
  none.vary = parse_vary("netem.loss=0.1%..30%").value();
  EXPECT_TRUE(sweep_html({&none, 1}).contains("nothing can be said"));
  EXPECT_TRUE(trials_html(summarize_trials({})).contains("No real trial could be judged"));
  EXPECT_TRUE(sweep_text({&none, 1}).contains("nothing can be said"));
}

TEST(StudyText, FitsATerminalAndSaysHowItWasCounted) {
  const std::string text = trials_text(testing::told_trials());
  EXPECT_LE(widest_line(text), 100U);
  EXPECT_TRUE(text.contains("12 of 14"));
  EXPECT_TRUE(text.contains("1 of 6"));
  EXPECT_TRUE(text.contains("Kaplan-Meier"));
  EXPECT_LE(widest_line(comparison_text(testing::told_comparison())), 130U);
}

TEST(StudyText, NamesTheRegressionItsCauseAndItsChance) {
  const std::string text = comparison_text(testing::told_comparison());
  EXPECT_TRUE(text.starts_with("REGRESSION: for-60s (3 runs) against baseline for-10s (3 runs)"));
  EXPECT_TRUE(text.contains("cause: pending → firing +50.0 s")) << text;
  const std::string markdown = comparison_markdown(testing::told_comparison());
  EXPECT_TRUE(markdown.contains("**Cause:** pending → firing"));
  EXPECT_TRUE(markdown.contains("| TTD |"));
}

TEST(StudyText, KeepsTablesWholeWhateverNamesSay) {
  Comparison comparison = testing::told_comparison();
  comparison.steps.push_back({.id = "a|b\nc<d", .title = ""});
  const std::string markdown = comparison_markdown(comparison);
  EXPECT_TRUE(markdown.contains("| a\\|b c&lt;d |"));
}

}  // namespace
}  // namespace firedrill
