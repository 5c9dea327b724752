// Preflight of budgets, and counting while a run goes on, against a stand-in for Prometheus.
#include "controller/runner/slo_run.hpp"

#include <condition_variable>
#include <mutex>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/runner/preflight.hpp"
#include "tests/unit/probes/http_server.hpp"

namespace firedrill {
namespace {

using namespace std::chrono_literals;
using test::WebRequest;
using test::WebResponse;
using test::WebServer;
using testing::HasSubstr;

Json vector_answer(const std::vector<std::pair<std::string, double>>& values) {
  Json result = Json::array();
  for (const auto& [name, value] : values)
    result.push_back({{"metric", {{"firedrill_counts", name}}},
                      {"value", {1'700'000'000.5, std::to_string(value)}}});
  return {{"status", "success"}, {"data", {{"resultType", "vector"}, {"result", result}}}};
}

/// Knows counts, how much of a window it has, and the target's mode.
struct Prometheus {
  std::mutex mutex;
  std::vector<std::pair<std::string, double>> counts{{"total", 1e6}, {"bad", 100}};
  double steps = 100;
  std::string mode = "\"normal\"";
  int status = 200;
  std::vector<std::string> asked;

  WebResponse answer(const WebRequest& request) {
    const std::lock_guard lock(mutex);
    asked.push_back(request.target);
    if (status != 200) return {.status = status, .body = "starting"};
    if (request.target == "/mode") return {.body = R"({"node": {"state": )" + mode + "}}\n"};
    if (request.target.contains("count_over_time"))
      return {.body = vector_answer({{"", steps}}).dump()};
    return {.body = vector_answer(counts).dump()};
  }
  WebServer server{[this](const WebRequest& request) { return answer(request); }};
};

Experiment experiment_of(const Prometheus& prometheus, std::string_view kind = "bad") {
  const std::string url = fmt::format("http://127.0.0.1:{}", prometheus.server.port());
  Json document = {
      {"title", "budgets"},
      {"method", Json::array({{{"type", "action"},
                               {"name", "load"},
                               {"provider", {{"type", "process"}, {"path", "true"}}}}})},
      {"detectors", {{"prom", {{"type", "prometheus"}, {"url", url}}}}},
      {"slos", {{"writes", {{"objective", "99.9%"}, {"total", "w_total"}, {"poll", "500ms"}}}}},
      {"stop-conditions",
       Json::array({{{"name", "burning"}, {"slo", "writes"}, {"burns-above", 14.4}}})}};
  document["slos"]["writes"][kind] = "w_part";
  return parse_experiment(document, "budgets", ".").value();
}

std::vector<Check> preflight(const Experiment& experiment) {
  std::vector<Check> checks;
  check_slos(experiment, checks);
  return checks;
}

TEST(PreflightSlos, SaysWhatIsLeft) {
  Prometheus prometheus;
  const auto checks = preflight(experiment_of(prometheus));
  ASSERT_EQ(checks.size(), 1U);
  EXPECT_TRUE(checks[0].ok) << checks[0].detail;
  EXPECT_THAT(checks[0].detail,
              HasSubstr("90 % of the error budget of 30d is left: 100 of 1000000"));
  EXPECT_EQ(checks[0].measured["covered_us"], Duration{30 * 24h}.count());
  EXPECT_THAT(prometheus.asked[0], HasSubstr("w_total%5B2592000s%5D"));
}

TEST(PreflightSlos, RefusesWithNumbersAndRemedyWhenTooLittleIsLeft) {
  Prometheus prometheus;
  prometheus.counts[1].second = 950;
  const auto checks = preflight(experiment_of(prometheus));
  EXPECT_FALSE(checks[0].ok);
  EXPECT_THAT(checks[0].detail, HasSubstr("5 % of the error budget"));
  EXPECT_THAT(checks[0].detail, HasSubstr("wants 10 %"));
  EXPECT_THAT(checks[0].detail, HasSubstr("/slos/writes/minimum-budget"));
}

TEST(PreflightSlos, RefusesWhatHasNoEvents) {
  Prometheus prometheus;
  prometheus.counts.clear();
  const auto checks = preflight(experiment_of(prometheus));
  EXPECT_FALSE(checks[0].ok);
  EXPECT_THAT(checks[0].detail, HasSubstr("counted no events"));
}

TEST(PreflightSlos, AMissingSeriesOfBadEventsHasNoneButOneOfGoodEventsIsAMistake) {
  Prometheus prometheus;
  prometheus.counts = {{"total", 1000}};
  EXPECT_THAT(preflight(experiment_of(prometheus))[0].detail, HasSubstr("100 % of the error"));
  const auto good = preflight(experiment_of(prometheus, "good"));
  EXPECT_FALSE(good[0].ok);
  EXPECT_THAT(good[0].detail, HasSubstr("no series of good ones"));
}

TEST(PreflightSlos, YoungDataAreNamed) {
  Prometheus prometheus;
  prometheus.counts = {{"total", 1000}, {"bad", 10}};
  prometheus.steps = 1;
  const auto checks = preflight(experiment_of(prometheus));
  EXPECT_TRUE(checks[0].ok) << checks[0].detail;
  EXPECT_THAT(checks[0].detail, HasSubstr("90 % of")) << "a whole window brings 100,000 events";
  EXPECT_THAT(checks[0].detail, HasSubstr("only 7h12m of the window are known"));
}

TEST(PreflightSlos, RefusesWhenNobodyAnswers) {
  Prometheus prometheus;
  prometheus.status = 503;
  const auto checks = preflight(experiment_of(prometheus));
  EXPECT_FALSE(checks[0].ok);
  EXPECT_THAT(checks[0].detail, HasSubstr("503"));
}

TEST(PreflightSlos, ReadsTheMode) {
  Prometheus prometheus;
  Experiment experiment = experiment_of(prometheus);
  experiment.slos.clear();
  Json document = experiment.source;
  document.erase("slos");
  document.erase("stop-conditions");
  document["operating-modes"] = {
      {"db",
       {{"url", fmt::format("http://127.0.0.1:{}/mode", prometheus.server.port())},
        {"field", "/node/state"}}}};
  experiment = parse_experiment(document, "modes", ".").value();
  EXPECT_EQ(preflight(experiment)[0].detail, "normal (normal)");
  prometheus.mode = "\"purple\"";
  EXPECT_FALSE(preflight(experiment)[0].ok);
  EXPECT_THAT(preflight(experiment)[0].detail, HasSubstr("'purple' means no mode"));
  prometheus.mode = "}";
  EXPECT_THAT(preflight(experiment)[0].detail, HasSubstr("does not answer with JSON"));
}

/// The runner's side of a SloRun: runs what is posted, at once, one at a time.
struct Side {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Event> events;
  std::vector<StopSeen> stops;
  std::recursive_mutex thread;

  SloSinks sinks() {
    return {.say =
                [this](Event event) {
                  const std::lock_guard lock(mutex);
                  events.push_back(std::move(event));
                  changed.notify_all();
                },
            .stop =
                [this](const StopSeen& stop) {
                  const std::lock_guard lock(mutex);
                  stops.push_back(stop);
                  changed.notify_all();
                },
            .post =
                [this](std::function<void()> work) {
                  const std::lock_guard lock(thread);
                  work();
                }};
  }
};

TEST(SloRun, CountsAreLoggedAndABurnStops) {
  Prometheus prometheus;
  prometheus.counts = {{"total", 1000}, {"bad", 50}};
  const Experiment experiment = experiment_of(prometheus);
  Side side;
  SloRun run(experiment, side.sinks());
  {
    const std::lock_guard lock(side.thread);
    run.start();
  }
  std::unique_lock lock(side.mutex);
  side.changed.wait(lock, [&] { return !side.events.empty() && !side.stops.empty(); });
  EXPECT_EQ(side.events[0].kind, event_kind::slo_sample);
  const Json windows = side.events[0].data["windows"];
  ASSERT_EQ(windows.size(), 7U) << "those of the four rows";
  EXPECT_EQ(windows[0]["window_us"], Duration{5min}.count());
  EXPECT_EQ(windows[0]["bad"], 50);
  EXPECT_EQ(side.stops[0].name, "burning");
  EXPECT_THAT(side.stops[0].detail, HasSubstr("burned at 50 over 5m"));
}

TEST(SloRun, SamplesOfAProbeBurnTime) {
  Prometheus prometheus;
  Json document = experiment_of(prometheus).source;
  document["targets"] = {{"client", {{"hosts", Json::array({"c"})}}}};
  document["steady-state-hypothesis"] = {
      {"title", "fast"},
      {"probes", Json::array({{{"type", "probe"},
                               {"name", "p99"},
                               {"from", "client"},
                               {"measure", "p99_ms"},
                               {"tolerance", {0, 100}},
                               {"provider", {{"type", "http"}, {"url", "http://x"}}}}})}};
  document["slos"] = {
      {"writes",
       {{"objective", 0.9},
        {"probe", "p99"},
        {"window", "1h"},
        {"burn-rates", Json::array({{{"factor", 2}, {"long", "1m"}, {"short", "10s"}}})}}}};
  document["stop-conditions"][0]["burns-above"] = 5.5;
  document["operating-modes"] = {
      {"client", {{"probe", "p99"}, {"modes", {{"normal", {0, 100}}, {"degraded", {100, 1e9}}}}}}};
  const Experiment experiment = parse_experiment(document, "time", ".").value();
  Side side;
  SloRun run(experiment, side.sinks());
  for (int i = 0; i < 10; ++i) {
    const bool good = i < 4;
    run.sample({"p99",
                "c",
                from_micros(i * 1'000'000),
                from_micros((i + 1) * 1'000'000),
                {{"values", {{"p99_ms", good ? 50 : 500}}}}},
               good, Duration{});
    EXPECT_EQ(side.stops.size(), i < 9 ? 0U : 1U) << "5 of 10 s bad are a burn rate of 5, 6 are 6";
  }
  ASSERT_EQ(side.events.size(), 2U);
  EXPECT_EQ(side.events[1].data["mode"], "degraded");
}

}  // namespace
}  // namespace firedrill
