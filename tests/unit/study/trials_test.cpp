// Trials: their order, what each says, and what all of them say.
#include "controller/study/trials.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/unit/study/studied.hpp"

namespace firedrill {
namespace {

using testing::studied;
using testing::unattended;

StudiedRun trial(std::size_t index, const testing::Story& story, std::size_t count = 10) {
  return studied("run-" + std::to_string(index), story,
                 SessionTag{.session = testing::trials_session(count), .index = index, .value = 0});
}

TEST(ShamOrder, HasTheSharesAskedForWhateverTheSeed) {
  for (const std::uint64_t seed : {0U, 1U, 7U, 12345U}) {
    EXPECT_EQ(std::ranges::count(sham_order({20, 0.3}, seed), true), 6) << seed;
    EXPECT_EQ(std::ranges::count(sham_order({5, 0.5}, seed), true), 3) << seed;
  }
  EXPECT_EQ(std::ranges::count(sham_order({9, 0}, 1), true), 0);
  EXPECT_EQ(std::ranges::count(sham_order({9, 1}, 1), true), 9);
}

/// Fixed here, so that a session begun by one version is continued in the same order by the next.
TEST(ShamOrder, OfSeedSevenIsTheSameForEver) {
  const std::vector<bool> order = sham_order({20, 0.3}, 7);
  std::string shape;
  for (const bool sham : order) shape += sham ? 's' : 'r';
  EXPECT_EQ(shape, "sssrrrrrrsrsrrrrrsrr");
  EXPECT_NE(order, sham_order({20, 0.3}, 8));
}

TEST(NextTrial, DoesAgainWhatWasStoppedAndNothingElse) {
  std::vector<StudiedRun> runs{trial(0, unattended(12)), trial(1, {.halt = 10}),
                               trial(2, {.sham = true})};
  EXPECT_EQ(next_trial({4, 0.3}, runs), 1U);
  runs.push_back(trial(1, unattended(14)));
  EXPECT_EQ(next_trial({4, 0.3}, runs), 3U);
  runs.push_back(trial(3, unattended({})));
  EXPECT_FALSE(next_trial({4, 0.3}, runs));
}

TEST(Trial, TellsEachOutcome) {
  const auto outcome = [](const testing::Story& story) { return judge_trial(trial(0, story)); };
  EXPECT_EQ(outcome(unattended(12)).outcome, TrialOutcome::in_time);
  EXPECT_EQ(outcome(unattended(45, 80)).outcome, TrialOutcome::late);
  EXPECT_EQ(outcome(unattended({})).outcome, TrialOutcome::missed);
  EXPECT_EQ(outcome({.sham = true}).outcome, TrialOutcome::quiet);
  EXPECT_EQ(outcome({.sham = true, .false_alarm = true}).outcome, TrialOutcome::false_alarm);
  EXPECT_EQ(outcome({.halt = 10}).outcome, TrialOutcome::left_out);
  EXPECT_NE(outcome({.halt = 10}).why, "");
}

TEST(Trial, WithoutDetectionIsCensoredWhenWatchingEnded) {
  const Trial missed = judge_trial(trial(0, unattended({}, 75)));
  ASSERT_TRUE(missed.from_injection);
  EXPECT_FALSE(missed.from_injection->observed);
  EXPECT_NEAR(missed.from_injection->time, 75, 0.1);
}

TEST(Summary, CountsRealAndShamApartAndLeavesTheInconclusiveOut) {
  std::vector<StudiedRun> runs{
      trial(0, unattended(10)), trial(1, {.sham = true}),
      trial(2, unattended(20)), trial(3, {.sham = true, .false_alarm = true}),
      trial(4, unattended({})), trial(5, unattended(14)),
      trial(6, {.halt = 10})};
  auto noisy =
      testing::tell_as("run-7", unattended(9),
                       SessionTag{.session = testing::trials_session(10), .index = 7, .value = 0});
  for (Event& event : noisy)
    if (event.kind == event_kind::steady_state && event.data["when"] == "before")
      event.data["met"] = false;
  runs.push_back(study(noisy).value());
  const TrialsSummary summary = summarize_trials(runs);
  EXPECT_EQ(summary.noticed.events, 3U);
  EXPECT_EQ(summary.noticed.count, 4U);
  EXPECT_EQ(summary.in_time.events, 3U);
  EXPECT_EQ(summary.false_alarms.events, 1U);
  EXPECT_EQ(summary.false_alarms.count, 2U);
  EXPECT_EQ(summary.left_out, 1U);
  EXPECT_EQ(summary.unfinished, 1U);
  EXPECT_EQ(summary.trials.size(), 7U);
  ASSERT_EQ(summary.expectations.size(), 1U);
  EXPECT_EQ(summary.expectations.front().in_time.count, 4U);
  EXPECT_EQ(summary.from_injection.count, 4U);
  EXPECT_EQ(summary.from_injection.censored, 1U);
  ASSERT_TRUE(summary.from_injection.median.value);
  EXPECT_NEAR(*summary.from_injection.median.value, 14, 0.1);
}

TEST(Summary, PrintsTheUncertaintyOfTheMedianByItsMeasurement) {
  const std::vector<StudiedRun> runs{trial(0, unattended(12))};
  const Distribution found = summarize_trials(runs).from_injection;
  ASSERT_TRUE(found.least && found.most);
  EXPECT_LT(*found.least, *found.median.value);
  EXPECT_GT(*found.most, *found.median.value);
  EXPECT_LT(*found.most - *found.least, 0.5);
}

TEST(Summary, OfNothingSaysNothing) {
  const Json json = to_json(summarize_trials({}));
  EXPECT_EQ(json["noticed"]["count"], 0);
  EXPECT_TRUE(json["noticed"]["value"].is_null());
  EXPECT_TRUE(json["ttd"]["median_s"].is_null());
}

}  // namespace
}  // namespace firedrill
