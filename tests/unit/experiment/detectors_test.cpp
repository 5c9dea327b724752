// The detectors of an experiment: each type with its own keys, and nothing that it cannot use.
#include <chrono>

#include <gmock/gmock.h>

#include "tests/unit/experiment/documents.hpp"

namespace firedrill {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

Result<Experiment> with(const Json& detector) {
  return parse(changed("/detectors/extra", detector));
}

Detector extra(const Json& json) {
  const auto got = with(json);
  if (!got) {
    ADD_FAILURE() << json << ": " << describe(got.error());
    return {};
  }
  for (const Detector& one : got->detectors)
    if (one.name == "extra") return one;
  return {};
}

TEST(Detectors, EachTypeReadsItsOwnKeys) {
  const Detector promql = extra({{"type", "promql"},
                                 {"url", "http://m:9090"},
                                 {"query", "up == 0"},
                                 {"alert", "Down"},
                                 {"severity", "page"},
                                 {"poll", "2s"}});
  EXPECT_EQ(promql.query, "up == 0");
  EXPECT_EQ(promql.alert, "Down");
  EXPECT_EQ(promql.poll, Duration(2s));
  const Detector hook =
      extra({{"type", "webhook"}, {"fields", {{"state", "/a/b"}, {"on", "bad"}, {"name", "/n"}}}});
  EXPECT_TRUE(hook.webhook);
  EXPECT_EQ(hook.alert, "extra") << "its own name unless given";
  EXPECT_THAT(hook.fields.on, ElementsAre("bad"));
  const Detector log = extra(
      {{"type", "log"}, {"from", "victim"}, {"file", "/var/log/syslog"}, {"contains", "oom"}});
  EXPECT_EQ(log.arguments, (Json{{"file", "/var/log/syslog"}, {"contains", "oom"}}));
  EXPECT_EQ(extra({{"type", "grafana"}, {"clock-error", "50ms"}}).clock_error, Duration(50ms));
  EXPECT_TRUE(extra({{"type", "pager"}}).webhook);
  EXPECT_EQ(extra({{"type", "probe"}, {"probe", "write-p99"}}).probe, "write-p99");
  EXPECT_EQ(extra({{"type", "person"}, {"alert", "Noticed"}}).kind, Detector::Kind::person);
}

TEST(Detectors, WhatATypeCannotUseOrLacksIsRefusedWithItsPlace) {
  const std::pair<Json, std::string> cases[] = {
      {{{"type", "prometheus"}, {"url", "http://m"}, {"webhook", true}}, "/webhook"},
      {{{"type", "prometheus"}}, ""},
      {{{"type", "promql"}, {"url", "http://m"}}, ""},
      {{{"type", "promql"}, {"url", "m:9090"}, {"query", "x"}}, "/url"},
      {{{"type", "grafana"}, {"url", "http://m"}}, "/url"},
      {{{"type", "person"}, {"query", "x"}}, "/query"},
      {{{"type", "webhook"}, {"fields", {{"state", "/a"}}}}, "/fields"},
      {{{"type", "webhook"}, {"fields", {{"name", "a"}}}}, "/fields/name"},
      {{{"type", "webhook"}, {"fields", {{"name", "/a~2"}}}}, "/fields/name"},
      {{{"type", "log"}, {"file", "/x.log"}, {"contains", "x"}}, ""},
      {{{"type", "log"}, {"from", "victim"}, {"contains", "x"}}, ""},
      {{{"type", "log"}, {"from", "victim"}, {"file", "/x.log"}}, ""},
      {{{"type", "probe"}, {"probe", "write-p9"}}, "/probe"},
      {{{"type", "grafna"}}, "/type"}};
  for (const auto& [detector, place] : cases) {
    const auto got = with(detector);
    ASSERT_FALSE(got) << detector;
    EXPECT_EQ(got.error().pointer, "/detectors/extra" + place) << describe(got.error());
  }
  EXPECT_THAT(with({{"type", "webhook"}, {"fields", {{"name", "a"}}}}).error().what,
              HasSubstr("'/a'"));
}

TEST(Detectors, PagingNamesWhatWakesSomebody) {
  EXPECT_THAT(parse(whole_document())->paging.wakes, ElementsAre("page", "critical"));
  const auto got = parse(changed("/paging", {{"label", "prio"}, {"wakes", "P1"}}));
  ASSERT_TRUE(got) << describe(got.error());
  EXPECT_EQ(got->paging.label, "prio");
  EXPECT_THAT(got->paging.wakes, ElementsAre("P1"));
}

TEST(Detectors, TheClocksBoundIsAnObjective) {
  EXPECT_EQ(parse(whole_document())->objectives.clock_error, Duration(1s));
  EXPECT_EQ(parse(changed("/objectives/clock-error", "20ms"))->objectives.clock_error,
            Duration(20ms));
  EXPECT_FALSE(parse(changed("/objectives/clock-error", "0s")));
}

}  // namespace
}  // namespace firedrill
