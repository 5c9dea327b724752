// The after-action document: its sections, and that no text from outside becomes markup.
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "controller/report/review_report.hpp"
#include "tests/unit/measure/stories.hpp"

namespace firedrill {
namespace {

using testing::RunLog;
using testing::tell;

std::string document(const std::vector<Event>& events, const GapRates& rates = {}) {
  const Experiment experiment = experiment_of(events).value();
  const Measures measures = measure(events, experiment).value();
  const Scorecard card = score(measures);
  return review_markdown(review(measures, card, experiment, events, rates), measures, card,
                         experiment);
}

TEST(ReviewDocument, HasEverySectionAndBlanksForPeople) {
  const std::string text =
      document(tell({.whole = 61, .alert = {}, .ack = {}, .check = {}, .raise = {}, .end = 75}),
               {.faults_per_year = 6, .user_share = 0.3});
  for (const char* piece :
       {"# After-action review: Silent NIC drops", "## Objectives", "## What was true",
        "## What was believed", "Nobody left a note", "## Timeline", "## Detection",
        "| page | missed |", "## Runbook", "| skipped |", "## Customer impact", "## Error budget",
        "## Cost of the gap", "**at least ", "## Five whys", "5. And why was that so?",
        "## Actions", "| so that | because | action | owner | date |"})
    EXPECT_TRUE(text.contains(piece)) << piece << "\n" << text;
  if (const char* directory = std::getenv("FIREDRILL_PAGES"); directory != nullptr) {
    std::ofstream(std::filesystem::path(directory) / "review-undetected.md") << text;
    std::ofstream(std::filesystem::path(directory) / "review-good.md")
        << document(tell(), {.faults_per_year = 6, .user_share = 0.3});
  }
}

TEST(ReviewDocument, NamesNobody) {
  EXPECT_FALSE(document(tell()).contains("ada"));
  EXPECT_FALSE(document(tell({.whole = 22, .check = {}, .raise = {}, .halt = 20, .end = 40}))
                   .contains("ada"));
}

TEST(ReviewDocument, StaysTextWhateverTheLogHolds) {
  RunLog log;
  log.events = tell({.dirty = true});
  const std::string text = "x | y |\n\n## <img src=x onerror=alert(1)> [a](javascript:b)";
  Json& experiment = log.events.front().data["experiment"];
  experiment["title"] = text;
  experiment["runbook"]["steps"][0]["title"] = text;
  for (Event& event : log.events) {
    if (event.kind == "injection.dirty") event.data["differences"] = {text};
    if (event.kind == "step.done") event.data["note"] = text;
    if (event.kind == "note") event.data["text"] = text;
  }
  log.add("note", 22, {{"who", text}, {"text", std::string("\xff\x01\x1b[31m")}}, "person:" + text);
  const std::string page = document(log.events);
  EXPECT_FALSE(page.contains("<img"));
  EXPECT_FALSE(page.contains("\n## <") || page.contains("\n## &lt;"));
  EXPECT_FALSE(page.contains(" | y | "));
  EXPECT_FALSE(page.contains('\x1b') || page.contains('\x01'));
  for (std::size_t at = 0; (at = page.find("[a](", at)) != std::string::npos; ++at)
    EXPECT_EQ(page[at - 1], '\\');
}

TEST(ReviewDocument, TheSameLogGivesTheSameBytes) { EXPECT_EQ(document(tell()), document(tell())); }

}  // namespace
}  // namespace firedrill
