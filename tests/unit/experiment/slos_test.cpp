// Service level objectives, operating modes and the stop conditions that name them.
#include <gmock/gmock.h>

#include "tests/unit/experiment/documents.hpp"

namespace firedrill {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

Json slo_document() {
  Json document = whole_document();
  document["slos"] = {{"writes",
                       {{"objective", "99.9%"},
                        {"total", "http_requests_total{job=\"shop\"}"},
                        {"bad", "http_requests_total{job=\"shop\",code=~\"5..\"}"}}},
                      {"speed", {{"objective", 0.99}, {"window", "7d"}, {"probe", "write-p99"}}}};
  document["operating-modes"] = {
      {"shop", {{"url", "http://shop/status"}, {"field", "/state"}}},
      {"db", {{"query", "count(up == 1)"}, {"modes", {{"normal", 3}, {"floor", {0, 1}}}}}}};
  document["stop-conditions"].push_back(
      {{"name", "burning"}, {"slo", "writes"}, {"burns-above", 14.4}, {"for", "10s"}});
  document["stop-conditions"].push_back(
      {{"name", "spent"}, {"slo", "speed"}, {"spends-above", "2%"}});
  return document;
}

Result<Experiment> parse(const Json& document) { return parse_experiment(document, "slo", "."); }

const Slo& slo(const Experiment& experiment, std::string_view name) {
  return *std::ranges::find(experiment.slos, name, &Slo::name);
}

TEST(Slos, HaveTheDefaultsThatAnSreExpects) {
  const auto got = parse(slo_document());
  ASSERT_TRUE(got) << describe(got.error());
  const Slo& writes = slo(*got, "writes");
  EXPECT_DOUBLE_EQ(writes.objective, 0.999);
  EXPECT_EQ(writes.window, 30 * 24h);
  EXPECT_EQ(writes.url, "http://127.0.0.1:9090") << "of the only detector that is a Prometheus";
  EXPECT_DOUBLE_EQ(writes.minimum_budget, 0.1);
  ASSERT_EQ(writes.rows.size(), 4U);
  EXPECT_DOUBLE_EQ(writes.rows[0].factor, 14.4);
  EXPECT_EQ(writes.rows[0].severity, "page");
  EXPECT_EQ(writes.rows[3].severity, "ticket");
  EXPECT_THAT(writes.windows(), ElementsAre(5min, 30min, 1h, 2h, 6h, 24h, 72h));
  EXPECT_EQ(slo(*got, "speed").probe, "write-p99");
}

TEST(Slos, OwnBurnRatesReplaceTheFour) {
  Json document = slo_document();
  document["slos"]["writes"]["burn-rates"] =
      Json::array({{{"factor", 10}, {"long", "1m"}, {"short", "10s"}}});
  const auto got = parse(document);
  ASSERT_TRUE(got) << describe(got.error());
  ASSERT_EQ(slo(*got, "writes").rows.size(), 1U);
  EXPECT_EQ(slo(*got, "writes").rows[0].shorter, 10s);
  EXPECT_EQ(got->stop_conditions[1].over, 10s) << "the shortest window";
}

TEST(Slos, StopConditionsNameThem) {
  const auto got = parse(slo_document());
  ASSERT_TRUE(got) << describe(got.error());
  ASSERT_EQ(got->stop_conditions.size(), 3U);
  EXPECT_EQ(got->stop_conditions[1].slo, "writes");
  EXPECT_DOUBLE_EQ(*got->stop_conditions[1].burns_above, 14.4);
  EXPECT_EQ(got->stop_conditions[1].over, 5min);
  EXPECT_DOUBLE_EQ(*got->stop_conditions[2].spends_above, 0.02);
}

TEST(Slos, CounterBecomesAnIncreaseOfTheWindow) {
  EXPECT_EQ(count_expression("x_total", 5min), "sum(increase(x_total[300s]))");
  EXPECT_EQ(count_expression(" x_total{a=\"}\"} ", 1500ms),
            "sum(increase(x_total{a=\"}\"}[1500ms]))");
}

TEST(Slos, OwnExpressionGetsTheWindowWhereItAsks) {
  EXPECT_EQ(count_expression("sum(increase(a[$window])) + sum(increase(b[$window]))", 1h),
            "sum(sum(increase(a[3600s])) + sum(increase(b[3600s])))");
}

TEST(Slos, ExpressionsThatCountNothingAreRefused) {
  EXPECT_TRUE(check_count_expression("{__name__=~'a|b',x=\"]\"}"));
  EXPECT_TRUE(check_count_expression("sum(count_over_time(rate_limited[$window]))"));
  for (const char* text : {"sum(x_total)", "x_total[5m]", "a + b", "", "5", "x{", "x{a=\"}\"",
                           "x{a=\"b\"} or y{a=\"b\"}"})
    EXPECT_THAT(check_count_expression(text).error().what, HasSubstr("[$window]")) << text;
  EXPECT_THAT(check_count_expression("sum(rate (x[$window]))").error().what, HasSubstr("increase"));
  EXPECT_THAT(check_count_expression("x offset $window").error().what, HasSubstr("brackets"));
}

TEST(OperatingModes, AnswersMeanModes) {
  const auto got = parse(slo_document());
  ASSERT_TRUE(got) << describe(got.error());
  const OperatingMode& db = got->operating_modes[0];
  EXPECT_EQ(db.url, "http://127.0.0.1:9090");
  EXPECT_EQ(mode_of(db, 3.0), Mode::normal);
  EXPECT_EQ(mode_of(db, 0), Mode::floor);
  EXPECT_EQ(mode_of(db, 2), Mode::unknown) << "nobody said what that means";
  const OperatingMode& shop = got->operating_modes[1];
  EXPECT_EQ(mode_of(shop, "recovery"), Mode::recovery) << "the four words speak for themselves";
  EXPECT_EQ(mode_of(shop, "fine"), Mode::unknown);
}

TEST(OperatingModes, TheFirstThatFitsCounts) {
  Json document = slo_document();
  document["operating-modes"]["shop"]["modes"] = {
      {"normal", {"OK", "GREEN"}}, {"degraded", {{"type", "regex"}, {"pattern", "^[A-Z]+$"}}}};
  const auto got = parse(document);
  ASSERT_TRUE(got) << describe(got.error());
  EXPECT_EQ(mode_of(got->operating_modes[1], "GREEN"), Mode::normal);
  EXPECT_EQ(mode_of(got->operating_modes[1], "RED"), Mode::degraded);
}

struct Refusal {
  const char* pointer;
  Json value;  ///< null removes it
  const char* at;
  const char* says;
};

class SlosRefused : public testing::TestWithParam<Refusal> {};

TEST_P(SlosRefused, WithPointerAndWords) {
  Json document = slo_document();
  const Json::json_pointer where(GetParam().pointer);
  if (GetParam().value.is_null()) document[where.parent_pointer()].erase(where.back());
  else document[where] = GetParam().value;
  const auto got = parse(document);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().pointer, GetParam().at) << got.error().what;
  EXPECT_THAT(got.error().what, HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Slos, SlosRefused,
    testing::Values(
        Refusal{"/slos/writes/objectiv", 1, "/slos/writes/objectiv", "Did you mean 'objective'?"},
        Refusal{"/slos/writes/objective", nullptr, "/slos/writes", "'objective' is missing"},
        Refusal{"/slos/writes/objective", "100%", "/slos/writes/objective", "no budget"},
        Refusal{"/slos/writes/objective", 99.9, "/slos/writes/objective", "99.9%"},
        Refusal{"/slos/writes/total", nullptr, "/slos/writes", "needs 'total'"},
        Refusal{"/slos/writes/good", "x", "/slos/writes", "either 'bad' or 'good'"},
        Refusal{"/slos/writes/bad", "sum(x)", "/slos/writes/bad", "[$window]"},
        Refusal{"/slos/writes/source", "pron", "/slos/writes/source", "Did you mean 'prom'?"},
        Refusal{"/slos/writes/minimum-budget", "a lot", "/slos/writes/minimum-budget", "a lot"},
        Refusal{"/slos/writes/window", "1d", "/slos/writes", "burn-rates"},
        Refusal{"/slos/writes/burn-rates", Json::array(), "/slos/writes/burn-rates", "leave"},
        Refusal{"/slos/writes/burn-rates",
                Json::array({{{"factor", 1000}, {"long", "1h"}, {"short", "1m"}}}),
                "/slos/writes/burn-rates/0/factor", "never fire"},
        Refusal{"/slos/writes/burn-rates",
                Json::array({{{"factor", 2}, {"long", "1m"}, {"short", "1h"}}}),
                "/slos/writes/burn-rates/0/short", "shorter"},
        Refusal{"/slos/speed/probe", "write-p9", "/slos/speed/probe", "Did you mean 'write-p99'?"},
        Refusal{"/slos/speed/minimum-budget", "5%", "/slos/speed/minimum-budget", "beside 'probe'"},
        Refusal{"/detectors",
                {{"am", {{"type", "alertmanager"}, {"webhook", true}}}},
                "/slos/writes",
                "no detector of type prometheus"},
        Refusal{"/detectors/two",
                {{"type", "prometheus"}, {"url", "http://b:9090"}},
                "/slos/writes",
                "which Prometheus"}));

INSTANTIATE_TEST_SUITE_P(
    Modes, SlosRefused,
    testing::Values(
        Refusal{"/operating-modes/db/url", "http://x", "/operating-modes/db", "one of"},
        Refusal{"/operating-modes/db/modes", nullptr, "/operating-modes/db", "number"},
        Refusal{"/operating-modes/db/modes/florr", 1, "/operating-modes/db/modes/florr", "'floor'"},
        Refusal{"/operating-modes/shop/url", "shop", "/operating-modes/shop/url", "http://"},
        Refusal{"/operating-modes/shop/field", "state", "/operating-modes/shop/field", "'/state'"},
        Refusal{"/operating-modes/shop/modes", Json::object(), "/operating-modes/shop/modes",
                "normal"},
        Refusal{"/operating-modes/shop",
                {{"probe", "write-p"}},
                "/operating-modes/shop/probe",
                "Did you mean"}));

INSTANTIATE_TEST_SUITE_P(
    Stops, SlosRefused,
    testing::Values(
        Refusal{"/stop-conditions/1/slo", "writs", "/stop-conditions/1/slo", "'writes'"},
        Refusal{"/stop-conditions/1/probe", "write-p99", "/stop-conditions/1", "not both"},
        Refusal{"/stop-conditions/1/burns-above", nullptr, "/stop-conditions/1", "either"},
        Refusal{"/stop-conditions/1/burns-above", 1001, "/stop-conditions/1/burns-above", "never"},
        Refusal{"/stop-conditions/2/over", "5m", "/stop-conditions/2/over", "beside"},
        Refusal{"/stop-conditions/0/over", "5m", "/stop-conditions/0/over", "of an 'slo'"},
        Refusal{"/stop-conditions/0/tolerance", nullptr, "/stop-conditions/0", "'tolerance'"}));

}  // namespace
}  // namespace firedrill
