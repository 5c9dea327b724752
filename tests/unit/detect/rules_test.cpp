// What is read of rules, targets, queries and routes, so that a prediction can be made of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/detect/alertmanager_route.hpp"
#include "controller/detect/prometheus_alerts.hpp"
#include "controller/detect/promql.hpp"
#include "controller/detect/rules_event.hpp"
#include "controller/detect/yaml.hpp"

namespace firedrill {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::chrono_literals;

TEST(Promql, FindsTheSeriesThatARuleReadsAndHowFarBack) {
  const PromqlParts parts = promql_parts(
      "sum by (job) (rate(http_errors_total{code=~\"5..\",path=\"/a[b]{c}\"}[5m])) / "
      "ignoring(code) sum without (pod) (rate(http_requests_total[1m30s])) > bool 0.01 "
      "and on (job) up == 1 # a comment about down[9h]\n unless job:slo:ratio offset 1h");
  EXPECT_THAT(parts.selectors, ElementsAre("http_errors_total{code=~\"5..\",path=\"/a[b]{c}\"}",
                                           "http_requests_total", "up", "job:slo:ratio"));
  EXPECT_EQ(parts.longest_range, 5min);
  EXPECT_FALSE(parts.asks_absence);
}

TEST(Promql, OddFormsAreReadForWhatTheyAre) {
  EXPECT_THAT(promql_parts("{__name__=\"x\"}").selectors, ElementsAre("{__name__=\"x\"}"));
  EXPECT_THAT(promql_parts("sum(x) by (y)").selectors, ElementsAre("x"));
  EXPECT_THAT(promql_parts("sum by(y)(x)").selectors, ElementsAre("x"));
  EXPECT_THAT(promql_parts("time() - 5e3 > Inf").selectors, IsEmpty());
  EXPECT_TRUE(promql_parts("absent(up{job=\"a\"})").asks_absence);
  EXPECT_EQ(promql_parts("max_over_time(rate(x[5m])[1h:1m])").longest_range, 1h);
  for (const char* broken : {"x{", "x[", "\"", "x{a=\"", "((((", "by (", "'\\"})
    (void)promql_parts(broken);
}

TEST(PrometheusDuration, IsReadInItsOwnForm) {
  EXPECT_EQ(parse_prometheus_duration("1h30m").value(), 90min);
  EXPECT_EQ(parse_prometheus_duration("1w").value(), 168h);
  EXPECT_EQ(parse_prometheus_duration("250ms").value(), 250ms);
  EXPECT_EQ(parse_prometheus_duration("0").value(), 0ms);
  for (const char* bad : {"", "5", "s", "5 s", "-5s", "9999999999y", "1.5h"})
    EXPECT_FALSE(parse_prometheus_duration(bad)) << bad;
}

TEST(PrometheusQuery, VectorsAndScalarsAreOnOrOff) {
  const auto read = [](std::string_view data) {
    return parse_prometheus_query(std::string(R"({"status": "success", "data": )") +
                                  std::string(data) + "}");
  };
  const auto vector = read(R"({"resultType": "vector", "result": [
      {"metric": {"__name__": "x", "job": "a"}, "value": [1772366400.123, "NaN"]}]})");
  ASSERT_TRUE(vector) << describe(vector.error());
  EXPECT_EQ(vector->series, (std::vector<Labels>{{{"job", "a"}}}));
  EXPECT_EQ(to_micros(vector->asked_at.value()), 1'772'366'400'123'000);
  EXPECT_THAT(read(R"({"resultType": "vector", "result": []})")->series, IsEmpty());
  EXPECT_THAT(read(R"({"resultType": "scalar", "result": [1772366400, "0"]})")->series, IsEmpty());
  EXPECT_EQ(read(R"({"resultType": "scalar", "result": [1, "+Inf"]})")->series.size(), 1U);
  for (const char* bad :
       {R"({"resultType": "matrix", "result": []})", R"({"resultType": "scalar", "result": [1]})",
        R"({"resultType": "scalar", "result": ["1", "1"]})",
        R"({"resultType": "scalar", "result": [-1, "1"]})",
        R"({"resultType": "vector", "result": [{"metric": {}, "value": [1, "x"]}]})"})
    EXPECT_FALSE(read(bad)) << bad;
}

constexpr std::string_view kConfig = R"(global:
  resolve_timeout: 5m
  smtp_auth_password: <secret>
route:
  receiver: default
  group_by:
  - alertname
  - instance
  continue: false
  routes:
  - receiver: "on: call"
    match:
      severity: page
    matchers:
    - team=~"db|web"
    - kind!="test"
    group_wait: 0s
    routes:
    - receiver: deep
      match_re:
        instance: db-.*
      group_interval: 1w
  - receiver: rest
    group_by: [a, 'b c']
  group_wait: 10s
  group_interval: 2m
  repeat_interval: 4h
receivers:
- name: default
  webhook_configs:
  - url: http://x
templates: []
inhibit_rules:
- source_match:
    severity: page
)";

TEST(AlertmanagerRoute, IsReadFromItsOwnConfiguration) {
  const auto route =
      parse_alertmanager_route(Json{{"config", {{"original", kConfig}}}, {"uptime", "x"}}.dump());
  ASSERT_TRUE(route) << describe(route.error());
  EXPECT_EQ((*route)["receiver"], "default");
  EXPECT_EQ((*route)["group_wait"], "10s");
  EXPECT_EQ((*route)["group_by"], Json::array({"alertname", "instance"}));
  ASSERT_EQ((*route)["routes"].size(), 2U);
  const Json& page = (*route)["routes"][0];
  EXPECT_EQ(page["receiver"], "on: call");
  EXPECT_EQ(page["matchers"], Json::parse(R"([{"name": "team", "op": "=~", "value": "db|web"},
                            {"name": "kind", "op": "!=", "value": "test"},
                            {"name": "severity", "op": "=", "value": "page"}])"));
  EXPECT_EQ(page["routes"][0]["group_interval"], "7d");
  EXPECT_EQ((*route)["routes"][1]["group_by"], Json::array({"a", "b c"}));
}

TEST(AlertmanagerRoute, WhatCannotBeReadIsSaid) {
  for (const char* bad :
       {"", "route:\n  receiver\n", "route:\n   a: 1\n  b: 2\n    c: 3\n", "route: x\n",
        "other: 1\n", "route:\n  group_wait: soon\n", "route:\n  matchers:\n  - nothing\n"})
    EXPECT_FALSE(parse_alertmanager_route(Json{{"config", {{"original", bad}}}}.dump())) << bad;
}

TEST(Yaml, EveryScalarIsATextAndBlocksAreReadToo) {
  const auto yaml = parse_yaml(
      "a: no\nb: [1e3, \"x\\n\", 'it''s']\nc: |\n  two\n  lines\nd:\ne: ~\n\"on: call\": {f: "
      "{}}\n");
  ASSERT_TRUE(yaml) << describe(yaml.error());
  EXPECT_EQ(*yaml, Json::parse(R"({"a": "no", "b": ["1e3", "x\n", "it's"], "c": "two\nlines\n",
                                   "d": null, "e": null, "on: call": {"f": {}}})"));
  EXPECT_EQ(parse_yaml("# nothing\n").value(), Json());
}

TEST(Yaml, WhatIsHostileIsRefusedWhileItIsRead) {
  const auto error = [](const std::string& text) {
    const auto yaml = parse_yaml(text);
    return yaml ? "read" : yaml.error().what;
  };
  std::string deep, twice = "a: 1\na: 2\n", bomb = "a: &a [x, x]\nb: &b [*a, *a]\n";
  for (std::size_t i = 0; i < 200; ++i) deep += std::string(i, ' ') + "a:\n";
  EXPECT_THAT(error(deep), HasSubstr("line 41, column 41: nested deeper than 40"));
  constexpr std::size_t kMany = 200'000;
  for (const char* open : {"[", "{", "- ", "? ", ": ", "[{a: ", "{? ", "[: "}) {
    std::string many;
    while (many.size() + 8 < kMany) many += open;
    EXPECT_THAT(error(many), HasSubstr("YAML line")) << open;
  }
  EXPECT_THAT(error(std::string((1 << 20) + 1, 'x')), HasSubstr("at most 1048576"));
  std::string wide;
  while (wide.size() < 2 * kMany + 8) wide += "- a\n";
  EXPECT_THAT(error(wide), HasSubstr("line 100000, column 3: more than 100000 nodes"));
  EXPECT_THAT(error(bomb), HasSubstr("line 2, column 8: aliases are not read"));
  EXPECT_THAT(error(twice), HasSubstr("line 2, column 1: the key 'a' stands here twice"));
  EXPECT_THAT(error("[a]: b\n"), HasSubstr("a key must be a text"));
  EXPECT_THAT(error("a: *nowhere\n"), HasSubstr("YAML line 1"));
  EXPECT_THAT(error("a: \"\\ud800\"\n"), HasSubstr("YAML line 1"));
}

TEST(RulesData, KeepsTheWantedAndPutsInstantsOnOurClock) {
  AlertRule rule;
  rule.name = "Slow";
  rule.query = "rate(x[10s]) > 1";
  rule.hold = 10s;
  rule.interval = 1s;
  rule.last_evaluation = from_micros(105'000'000);
  AlertRule other;
  other.name = "Other";
  const ScrapeTarget target{"node", "db-1", 15s, from_micros(104'000'000)};
  const MonitorClock clock{5s, 2ms};
  const Json data = rules_data(std::vector{rule, other}, std::vector{target}, {{rule.query, {"x"}}},
                               {"Slow"}, clock);
  ASSERT_EQ(data["rules"].size(), 1U);
  const Json& told = data["rules"][0];
  EXPECT_EQ(told["for"], "10s");
  EXPECT_EQ(told["range"], "10s");
  EXPECT_EQ(told["empty"], Json::array({"x"}));
  EXPECT_EQ(told["last_evaluation_us"], 100'000'000);
  EXPECT_EQ(data["targets"][0]["last_scrape_us"], 99'000'000);
  Json later = data;
  later["rules"][0]["last_evaluation_us"] = 1;
  EXPECT_TRUE(same_rules(data, later));
  later["rules"][0]["for"] = "1m";
  EXPECT_FALSE(same_rules(data, later));
}

}  // namespace
}  // namespace firedrill
