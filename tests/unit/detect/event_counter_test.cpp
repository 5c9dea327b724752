// Counting events over a window, against a stand-in for Prometheus.
#include "controller/detect/event_counter.hpp"

#include <mutex>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/probes/http_server.hpp"

namespace firedrill {
namespace {

using namespace std::chrono_literals;
using test::WebRequest;
using test::WebResponse;
using test::WebServer;
using testing::ElementsAre;
using testing::HasSubstr;

Json vector_of(const std::vector<std::pair<std::string, std::string>>& values) {
  Json result = Json::array();
  for (const auto& [name, value] : values)
    result.push_back(
        {{"metric", {{"firedrill_counts", name}}}, {"value", {1'700'000'000.5, value}}});
  return {{"status", "success"}, {"data", {{"resultType", "vector"}, {"result", result}}}};
}

struct World {
  std::mutex mutex;
  std::vector<WebResponse> answers;  ///< one after another; the last again and again
  std::vector<std::string> asked;
  WebServer server{[this](const WebRequest& request) {
    const std::lock_guard lock(mutex);
    asked.push_back(request.target);
    const WebResponse answer = answers.front();
    if (answers.size() > 1) answers.erase(answers.begin());
    return answer;
  }};
  std::unique_ptr<PrometheusClient> client =
      PrometheusClient::create(fmt::format("http://127.0.0.1:{}/prom/", server.port()), 5s).value();

  void say(const Json& json) { answers.push_back({.body = json.dump()}); }
};

TEST(EventCounter, AsksForAllInOneQuery) {
  World world;
  world.say(vector_of({{"total", "1200.5"}, {"bad", "3"}}));
  const auto got = world.client->count({.total = "sum(a)", .bad = "sum(b)", .good = ""});
  ASSERT_TRUE(got) << describe(got.error());
  EXPECT_DOUBLE_EQ(*got->total, 1200.5);
  EXPECT_DOUBLE_EQ(*got->bad, 3);
  EXPECT_FALSE(got->good);
  ASSERT_EQ(world.asked.size(), 1U);
  EXPECT_EQ(world.asked[0],
            "/prom/api/v1/query?query=" +
                url_encoded(R"(label_replace(sum(a), "firedrill_counts", "total", "", "") or )"
                            R"(label_replace(sum(b), "firedrill_counts", "bad", "", ""))"));
}

TEST(EventCounter, NoSeriesIsNotZero) {
  World world;
  world.say(vector_of({}));
  const auto got = world.client->count({.total = "sum(a)", .bad = "sum(b)", .good = ""});
  ASSERT_TRUE(got);
  EXPECT_FALSE(got->total);
}

TEST(EventCounter, WhatIsNoCountIsRefused) {
  World world;
  world.say(vector_of({{"total", "NaN"}}));
  EXPECT_FALSE(world.client->count({.total = "sum(a)", .bad = "", .good = "sum(b)"}));
  world.answers.clear();
  world.say(vector_of({{"total", "-5"}}));
  EXPECT_THAT(world.client->count({.total = "sum(a)", .bad = "", .good = "sum(b)"}).error().what,
              HasSubstr("counts -5 events"));
}

TEST(EventCounter, PrometheusOwnWordsOnABadExpressionReachThePerson) {
  World world;
  world.answers.push_back(
      {.status = 400,
       .body =
           R"({"status":"error","errorType":"bad_data","error":"parse error: unexpected )\""})"});
  EXPECT_THAT(describe(world.client->query("sum(").error()), HasSubstr("parse error"));
}

TEST(EventCounter, WholeWindowIsCoveredWhenEveryStepHasAValue) {
  World world;
  world.say(vector_of({{"", "100"}}));
  EXPECT_EQ(world.client->covered("sum(a)", 30 * 24h).value(), 30 * 24h);
  EXPECT_EQ(world.asked.size(), 1U);
  EXPECT_THAT(world.asked[0], HasSubstr(url_encoded("(sum(a))[2592000000ms:25920000ms]")));
}

TEST(EventCounter, YoungDataAreMeasuredFiner) {
  World world;
  world.say(vector_of({}));            // no step of 7.2 hours
  world.say(vector_of({{"", "1"}}));   // one step of 12.96 minutes
  world.say(vector_of({{"", "40"}}));  // of 23.328 s each
  EXPECT_EQ(world.client->covered("sum(a)", 30 * 24h).value(), 40 * 23'328ms);
}

TEST(EventCounter, SecondsOfDataAreCoveredToo) {
  World world;
  world.say(vector_of({}));
  world.say(vector_of({}));
  world.say(vector_of({}));            // no step of 23.328 s
  world.say(vector_of({{"", "12"}}));  // of 1 s each: a cluster that was started just now
  EXPECT_EQ(world.client->covered("sum(a)", 30 * 24h).value(), 12s);
}

TEST(EventCounter, NothingIsCoveredWithoutData) {
  World world;
  world.say(vector_of({}));
  EXPECT_EQ(world.client->covered("sum(a)", 30 * 24h).value(), 0s);
}

}  // namespace
}  // namespace firedrill
