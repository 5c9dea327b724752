// Error budgets and operating modes: the published numbers, and what a log says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/measure/measures.hpp"
#include "tests/unit/measure/stories.hpp"

namespace firedrill {
namespace {

using namespace std::chrono_literals;
using testing::at_s;
using testing::RunLog;
using testing::us;

// Beyer et al., "The Site Reliability Workbook" (2018), chapter 5: table 5-4 (how long until the
// budget of 30 days is spent), the text on "2% budget consumption in 1 hour", and table 5-8.
TEST(Budget, RatesSpendWhatTheWorkbookSays) {
  EXPECT_DOUBLE_EQ(budget_share(14.4, 1h, 30 * 24h), 0.02);
  EXPECT_DOUBLE_EQ(budget_share(6, 6h, 30 * 24h), 0.05);
  EXPECT_DOUBLE_EQ(budget_share(1, 72h, 30 * 24h), 0.10);
  EXPECT_DOUBLE_EQ(budget_share(3, 24h, 30 * 24h), 0.10);
  EXPECT_DOUBLE_EQ(budget_share(1, 30 * 24h, 30 * 24h), 1) << "table 5-4: rate 1, 30 days";
  EXPECT_DOUBLE_EQ(budget_share(10, 3 * 24h, 30 * 24h), 1) << "table 5-4: rate 10, 3 days";
  EXPECT_NEAR(budget_share(1000, 43min, 30 * 24h), 1, 0.005) << "table 5-4: rate 1,000, 43 minutes";
}

TEST(Budget, RowsOfTheWorkbookAreTheDefault) {
  const std::vector<double> shares{0.02, 0.05, 0.10, 0.10};
  const auto rows = default_burn_rows();
  ASSERT_EQ(rows.size(), shares.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_DOUBLE_EQ(budget_share(rows[i].factor, rows[i].longer, 30 * 24h), shares[i]);
    EXPECT_EQ(rows[i].longer / rows[i].shorter, 12) << "the short window is a twelfth of the long";
  }
}

TEST(Budget, BurnRateIsErrorRatioOverWhatIsAllowed) {
  // The workbook's own example: 99.9 % and an error ratio of 0.1 % burn at 1; all bad, at 1,000.
  EXPECT_NEAR(*burn_rate({1, 1000}, 0.999), 1, 1e-9);
  EXPECT_NEAR(*burn_rate({36, 1000}, 0.999), 36, 1e-9);
  EXPECT_NEAR(*burn_rate({5, 5}, 0.999), 1000, 1e-6);
  EXPECT_FALSE(burn_rate({0, 0}, 0.999)) << "without events nothing burns";
}

TEST(Budget, OutageIsWhatTablesOfNinesSay) {
  // 99.9 % of 30 days allow 43.2 minutes; 99.99 %, 4.32 minutes (SRE book, appendix A).
  EXPECT_NEAR(static_cast<double>(outage_equivalent(1, 30 * 24h, 0.999).count()), 43.2 * 60e6, 1);
  EXPECT_NEAR(static_cast<double>(outage_equivalent(1, 30 * 24h, 0.9999).count()), 4.32 * 60e6, 1);
  EXPECT_NEAR(static_cast<double>(outage_equivalent(0.5, 30 * 24h, 0.999).count()), 21.6 * 60e6, 1);
}

TEST(Budget, ExpectedEventsCountTheUnseenPartOfTheWindow) {
  EXPECT_DOUBLE_EQ(*expected_total(100, 24h, 30 * 24h), 3000);
  EXPECT_DOUBLE_EQ(*expected_total(100, 60 * 24h, 30 * 24h), 100) << "no more than the window";
  EXPECT_FALSE(expected_total(100, 0s, 30 * 24h));
  EXPECT_NEAR(*budget_spent(3, 3000, 0.999), 1, 1e-9);
}

TEST(Budget, RowNeedsBothWindows) {
  const BurnRow row{14.4, 1h, 5min, "page"};
  EXPECT_TRUE(row_fires(row, 15, 20));
  EXPECT_FALSE(row_fires(row, 15, 14.4)) << "above, not at";
  EXPECT_FALSE(row_fires(row, 1, 500));
  EXPECT_FALSE(row_fires(row, 15, std::nullopt));
}

TEST(TimeSli, CountsBadTimeInsideTheWindowOnly) {
  TimeSli sli;
  sli.add("a", at_s(0), at_s(10), true);
  sli.add("a", at_s(10), at_s(20), false);
  sli.add("a", at_s(20), at_s(30), true);
  sli.add("a", at_s(30), at_s(35), false);
  EXPECT_DOUBLE_EQ(sli.count(at_s(35), 35s).bad, 15);
  EXPECT_DOUBLE_EQ(sli.count(at_s(35), 20s).bad, 10);
  EXPECT_DOUBLE_EQ(sli.count(at_s(15), 10s).bad, 5);
  EXPECT_DOUBLE_EQ(sli.count(at_s(35), 1h).total, 3600) << "time that nobody saw counts as good";
}

TEST(TimeSli, HostsHaveAnEqualSayAndTimeCountsOnce) {
  TimeSli sli;
  sli.add("a", at_s(0), at_s(10), false);
  sli.add("a", at_s(5), at_s(10), false);
  sli.add("b", at_s(0), at_s(10), true);
  EXPECT_DOUBLE_EQ(sli.count(at_s(10), 10s).bad, 5);
}

Json slo_experiment() {
  Json out = testing::example_experiment();
  out["objectives"].erase("slo");
  out["slos"] = {
      {"writes", {{"objective", "99.9%"}, {"total", "w_total"}, {"bad", "w_total{code=\"500\"}"}}}};
  return out;
}

Json counted(Duration window, double bad, double total) {
  return {{"window_us", window.count()}, {"bad", bad}, {"total", total}};
}

void budget(RunLog& log, double bad, double total, Duration covered) {
  log.add("slo.budget", -17,
          {{"slo", "writes"},
           {"window_us", Duration{30 * 24h}.count()},
           {"bad", bad},
           {"total", total},
           {"covered_us", covered.count()}});
}

void look(RunLog& log, double at, double hour_bad, double five_bad, double bad, double total,
          double from = 1) {
  log.add("slo.sample", at,
          {{"slo", "writes"},
           {"to_us", us(at)},
           {"windows", Json::array({counted(1h, hour_bad, 1000), counted(5min, five_bad, 100)})},
           {"exercise", {{"from_us", us(from)}, {"bad", bad}, {"total", total}}}});
}

RunLog burning() {
  RunLog log;
  log.created(slo_experiment());
  budget(log, 250, 1e6, 30 * 24h);
  look(log, -5, 1, 0, 3, 10, -15);
  log.active("ring.1", "netem", 0, 0.1);
  look(log, 5, 10, 20, 20, 100);
  look(log, 10, 20, 30, 50, 200);
  look(log, 15, 12, 1, 50, 300);
  log.undone("ring.1", "netem", 20, 20.1, "time-up");
  log.phase("finished", 30);
  return log;
}

TEST(Slos, TableOfWhatTheExerciseDid) {
  const auto measures = measure(burning().events).value();
  ASSERT_EQ(measures.slos.size(), 1U);
  const SloResult& slo = measures.slos[0];
  EXPECT_NEAR(*slo.left_before, 0.75, 1e-9) << "250 of the 1,000 bad events allowed";
  EXPECT_DOUBLE_EQ(*slo.bad, 50) << "of the last count that began after the injection";
  EXPECT_NEAR(*slo.spent, 0.05, 1e-9);
  EXPECT_NEAR(static_cast<double>(slo.outage->count()), 0.05 * 43.2 * 60e6, 1);
  const BurnResult& row = slo.rows[0];
  EXPECT_NEAR(*row.longer, 20, 1e-6);
  EXPECT_NEAR(*row.shorter, 300, 1e-6);
  EXPECT_NEAR(*row.both, 20, 1e-6);
  EXPECT_EQ(row.fired, at_s(10)) << "at 5 s the hour burned at 10 only";
  EXPECT_TRUE(row.wakes);
  EXPECT_FALSE(row.before);
  EXPECT_FALSE(slo.rows[1].longer) << "nobody counted six hours";
  EXPECT_NEAR(*measures.budget_spent, 0.05, 1e-9);
}

TEST(Slos, WhatBurnedBeforeIsNotTheFaultsDoing) {
  RunLog log = burning();
  look(log, -2, 20, 20, 3, 10, -15);
  EXPECT_TRUE(measure(log.events).value().slos[0].rows[0].before);
}

TEST(Slos, YoungDataAreStretchedOverTheWindow) {
  RunLog log = burning();
  log.events.erase(log.events.begin() + 1);
  budget(log, 0, 1000, 24h);
  const SloResult slo = measure(log.events).value().slos[0];
  EXPECT_DOUBLE_EQ(*slo.left_before, 1);
  EXPECT_NEAR(*slo.spent, 50 / 30.0, 1e-9) << "30,000 events come in 30 days, 30 may be bad";
}

TEST(Slos, WithoutBudgetTheExercisesOwnTrafficTells) {
  RunLog log = burning();
  log.events.erase(log.events.begin() + 1);
  const SloResult slo = measure(log.events).value().slos[0];
  EXPECT_FALSE(slo.left_before);
  const double expected = 300.0 / 14 * 30 * 86'400;
  EXPECT_NEAR(*slo.spent, 50 / (expected * 0.001), 1e-9);
}

TEST(Slos, NeverCountedSaysSo) {
  RunLog log;
  log.created(slo_experiment());
  log.active("ring.1", "netem", 0, 0.1);
  log.add("slo.lost", 12, {{"slo", "writes"}, {"reason", "refused"}, {"since_us", us(3)}});
  log.phase("finished", 30);
  const SloResult slo = measure(log.events).value().slos[0];
  EXPECT_FALSE(slo.spent);
  EXPECT_THAT(slo.why_none, ::testing::HasSubstr("never"));
  ASSERT_EQ(slo.blind.size(), 1U);
  EXPECT_EQ(slo.blind[0], Window(at_s(3), at_s(30)));
}

TEST(Slos, ProbeMakesBadTime) {
  Json experiment = slo_experiment();
  experiment["slos"] = {
      {"speed",
       {{"objective", 0.99},
        {"window", "1h"},
        {"probe", "write-p99"},
        {"burn-rates", Json::array({{{"factor", 5}, {"long", "1m"}, {"short", "10s"}}})}}}};
  RunLog log;
  log.created(experiment);
  for (int i = -10; i <= 0; ++i) log.sample("write-p99", i, 60);
  log.active("ring.1", "netem", 0, 0.01);
  for (int i = 1; i <= 18; ++i) log.sample("write-p99", i, 500);
  for (int i = 19; i <= 40; ++i) log.sample("write-p99", i, 60);
  log.phase("finished", 40);
  const SloResult slo = measure(log.events).value().slos[0];
  EXPECT_TRUE(slo.of_time);
  EXPECT_NEAR(*slo.bad, 18, 0.1);
  EXPECT_NEAR(*slo.spent, 0.5, 0.01) << "36 s may be bad in an hour";
  EXPECT_NEAR(*slo.rows[0].longer, 30, 0.1) << "18 of 60 s";
  EXPECT_EQ(slo.rows[0].fired, at_s(4)) << "the first second with more than 3 of 60 s bad";
}

TEST(Slos, OddEventsHideNothing) {
  RunLog log = burning();
  log.add("slo.sample", 11, {{"slo", "writes"}, {"windows", "none"}, {"exercise", 5}});
  log.add("slo.sample", 12,
          {{"slo", "writes"}, {"windows", Json::array({1, {{"window_us", "x"}}})}});
  log.add("slo.budget", -16, {{"slo", "writes"}, {"total", "many"}});
  log.add("slo.sample", 13, {{"slo", "other"}});
  EXPECT_NEAR(*measure(log.events).value().slos[0].spent, 0.05, 0.01);
  EXPECT_TRUE(to_json(measure(log.events).value())["slos"][0]["burn_rates"][0]["fires"]);
}

Json mode(const std::string& word, double seen, std::optional<double> other) {
  Json out = {{"name", "db"}, {"mode", word}, {"value", word}, {"first_seen_us", us(seen)}};
  if (other) out["last_other_us"] = us(*other);
  return out;
}

RunLog moody(const std::vector<std::pair<double, std::string>>& changes) {
  Json experiment = testing::example_experiment();
  experiment["operating-modes"] = {{"db", {{"url", "http://db/mode"}, {"flapping-within", "10s"}}}};
  RunLog log;
  log.created(experiment);
  for (const auto& [at, word] : changes)
    log.add("operating-mode.changed", at, mode(word, at + 0.5, at - 0.5));
  log.phase("finished", 100);
  return log;
}

ModeResult result_of(const RunLog& log) { return measure(log.events).value().operating_modes[0]; }

TEST(OperatingModes, TimesAndChangesInOrder) {
  const ModeResult got = result_of(
      moody({{0, "normal"}, {20, "degraded"}, {50, "floor"}, {60, "recovery"}, {70, "normal"}}));
  ASSERT_EQ(got.visits.size(), 5U);
  EXPECT_EQ(got.visits[1].began.at, at_s(20));
  EXPECT_EQ(got.visits[1].began.early, 500ms);
  EXPECT_EQ(got.changes, 4U);
  EXPECT_EQ(got.flaps, 0U);
  const std::vector<std::pair<Mode, Duration>> times{
      {Mode::normal, 50s}, {Mode::degraded, 30s}, {Mode::floor, 10s}, {Mode::recovery, 10s}};
  EXPECT_EQ(got.times, times);
}

TEST(OperatingModes, FlappingIsAWayBackWithinTheBound) {
  EXPECT_EQ(result_of(moody({{0, "normal"}, {20, "degraded"}, {29, "normal"}})).flaps, 1U);
  EXPECT_EQ(result_of(moody({{0, "normal"}, {20, "degraded"}, {31, "normal"}})).flaps, 0U);
  EXPECT_EQ(result_of(moody({{0, "normal"}, {20, "degraded"}, {25, "floor"}})).flaps, 0U);
  EXPECT_EQ(
      result_of(
          moody({{0, "normal"}, {20, "floor"}, {22, "normal"}, {24, "floor"}, {26, "normal"}}))
          .flaps,
      3U);
}

TEST(OperatingModes, LosingSightIsNoChangeOfMode) {
  const ModeResult got =
      result_of(moody({{0, "normal"}, {20, "unknown"}, {25, "normal"}, {40, "degraded"}}));
  EXPECT_EQ(got.changes, 1U);
  EXPECT_EQ(got.flaps, 0U);
  EXPECT_EQ(got.times.back(), (std::pair<Mode, Duration>{Mode::unknown, 5s}));
}

}  // namespace
}  // namespace firedrill
