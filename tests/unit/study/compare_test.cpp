// Comparisons: what is a regression, what may be chance, and which link caused it.
#include "controller/study/compare.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/unit/study/studied.hpp"

namespace firedrill {
namespace {

using testing::studied;
using testing::unattended;

std::vector<Gate> gates(std::initializer_list<std::string_view> texts) {
  std::vector<Gate> out;
  for (const std::string_view text : texts) out.push_back(parse_gate(text).value());
  return out;
}

RunGroup group(const std::string& name, std::vector<std::optional<double>> alerts) {
  RunGroup out{.name = name, .runs = {}};
  for (const auto& alert : alerts)
    out.runs.push_back(studied(name + std::to_string(out.runs.size()), unattended(alert, 130)));
  return out;
}

/// One run in which the rule was pending from second 8 on, and fired `hold` seconds later.
RunGroup held_for(const std::string& name, double hold) {
  auto events = testing::tell_as(name, unattended(8 + hold, 130));
  testing::set_pending(events, 8);
  return {.name = name, .runs = {study(events).value()}};
}

TEST(Compare, NamesTheRulesForAsTheCauseWhenItWasRaised) {
  const Comparison found = compare(held_for("for-10s", 10), held_for("for-60s", 60), {}, {});
  EXPECT_EQ(found.verdict, Verdict::fail);
  EXPECT_EQ(found.cause, "pending → firing +50.0 s (10.0 s to 60.0 s): the rule's `for`");
  const auto link = std::ranges::find(found.segments, "firing", &SegmentChange::to);
  ASSERT_NE(link, found.segments.end());
  EXPECT_NEAR(*link->change, 50, 1e-6);
  const auto before = std::ranges::find(found.segments, "pending", &SegmentChange::to);
  EXPECT_NEAR(*before->change, 0, 1e-6);
  EXPECT_EQ(exit_code(found.verdict), 1);
}

TEST(Compare, OfARunWithItselfFindsNothing) {
  const Comparison found = compare(held_for("a", 10), held_for("b", 10), {}, {});
  EXPECT_EQ(found.verdict, Verdict::pass);
  EXPECT_EQ(found.cause, "");
}

TEST(Compare, DoesNotFailOnWhatLiesWithinTheMeasurement) {
  const auto ttd = gates({"ttd-from-injection:+10ms"});
  const Comparison found = compare(held_for("a", 10), held_for("b", 10.03), ttd, {});
  ASSERT_EQ(found.gates.size(), 1U);
  EXPECT_EQ(found.gates.front().verdict, GateVerdict::unclear) << found.gates.front().words;
  EXPECT_EQ(found.verdict, Verdict::inconclusive);
}

TEST(Compare, TellsAFasterDetectionFromARegression) {
  EXPECT_EQ(compare(held_for("a", 60), held_for("b", 10), {}, {}).verdict, Verdict::pass);
}

TEST(Compare, AsksChanceOnlyWhenToldTo) {
  const RunGroup before = group("before", {10, 14}), after = group("after", {13, 20});
  const auto gate = gates({"ttd-from-injection:+20%"});
  EXPECT_EQ(compare(before, after, gate, {}).verdict, Verdict::fail);
  EXPECT_EQ(compare(before, after, gate, 0.05).verdict, Verdict::inconclusive);
  const RunGroup many = group("many", {10, 11, 12, 13, 14, 10.5, 11.5});
  const RunGroup slow = group("slow", {30, 31, 32, 33, 34, 30.5, 31.5});
  const Comparison sure = compare(many, slow, gate, 0.05);
  EXPECT_EQ(sure.verdict, Verdict::fail);
  const auto time = std::ranges::find(sure.times, "ttd-from-injection", &TimeChange::key);
  ASSERT_TRUE(time->test);
  EXPECT_LT(time->test->p, 0.001);
}

TEST(Compare, FailsWhenTheAlertNoLongerComes) {
  const RunGroup before = group("before", {10, 12, 14});
  const RunGroup after = group("after", {12, std::nullopt, std::nullopt});
  const Comparison found = compare(before, after, gates({"ttd-from-injection:+20%"}), {});
  EXPECT_EQ(found.gates.front().verdict, GateVerdict::regression) << found.gates.front().words;
  const Comparison share = compare(before, after, gates({"detection:-10%"}), {});
  EXPECT_EQ(share.verdict, Verdict::fail);
  EXPECT_TRUE(share.gates.front().words.contains("3 of 3 to 1 of 3"));
}

TEST(Compare, SaysThatWatchingWasTooShort) {
  const RunGroup before = group("before", {100});
  RunGroup after{.name = "after", .runs = {studied("short", unattended({}, 75))}};
  const Comparison found = compare(before, after, gates({"ttd-from-injection:+20%"}), {});
  EXPECT_EQ(found.gates.front().verdict, GateVerdict::unclear);
  EXPECT_TRUE(found.gates.front().words.contains("watched too short"));
}

TEST(Compare, LeavesOutWhatIsInconclusiveAndSaysSo) {
  RunGroup after = group("after", {12});
  after.runs.push_back(studied("stopped", {.halt = 10}));
  const Comparison found = compare(group("before", {12}), after, {}, {});
  EXPECT_EQ(found.after_count, 1U);
  ASSERT_EQ(found.left_out.size(), 1U);
  EXPECT_TRUE(found.left_out.front().starts_with("stopped: "));
}

TEST(Compare, OfNothingIsInconclusive) {
  const Comparison found = compare({.name = "a", .runs = {}}, {.name = "b", .runs = {}}, {}, {});
  EXPECT_EQ(found.verdict, Verdict::inconclusive);
  const Comparison asked =
      compare({.name = "a", .runs = {}}, {.name = "b", .runs = {}}, gates({"tta:+10s"}), {});
  EXPECT_EQ(asked.gates.front().verdict, GateVerdict::unclear);
}

TEST(Compare, ComparesStepsFromTheAlertOn) {
  RunGroup before{.name = "before", .runs = {studied("a", {})}};
  RunGroup after{.name = "after", .runs = {studied("b", {.check = 27})}};
  const Comparison found = compare(before, after, {}, {});
  const auto step = std::ranges::find(found.steps, "check-drops", &StepChange::id);
  ASSERT_NE(step, found.steps.end());
  EXPECT_NEAR(*step->change, 5, 1e-6);
  EXPECT_EQ(step->on_time_before.events, 1U);
}

TEST(Gate, ReadsSharesAndDurations) {
  EXPECT_EQ(parse_gate("ttd:+20%")->limit, 0.2);
  EXPECT_TRUE(parse_gate("ttd:+250%")->relative);
  EXPECT_EQ(parse_gate("tta:+1m30s")->limit, 90);
  EXPECT_FALSE(parse_gate("tta:+10s")->relative);
  EXPECT_EQ(parse_gate("detection:-10%")->limit, 0.1);
}

TEST(Gate, RefusesTheWrongDirectionAndUnknownMeasures) {
  for (const char* wrong :
       {"", "ttd", "ttd:", "ttd:20%", "ttd:-20%", "ttd:+", "ttd:+x", "ttd:+-5%", "ttd:+nan%",
        "detection:+10%", "detection:-10s", "detection:-110%", "false-alarms:-5%", ":+5%"})
    EXPECT_FALSE(parse_gate(wrong)) << wrong;
  EXPECT_TRUE(parse_gate("tdd:+20%").error().what.contains("Did you mean 'ttd'"));
}

}  // namespace
}  // namespace firedrill
