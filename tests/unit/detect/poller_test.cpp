// The poller against a stand-in for Prometheus and Alertmanager on loopback.
#include "controller/detect/poller.hpp"

#include <algorithm>
#include <condition_variable>
#include <ctime>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/detect/clock_bounds.hpp"
#include "tests/unit/probes/http_server.hpp"

namespace firedrill {
namespace {

using test::WebRequest;
using test::WebResponse;
using test::WebServer;
using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::chrono_literals;

/// Answers as the two programs do; what is on can be changed while it runs.
class Monitoring {
 public:
  WebServer::Handler handler() {
    return [this](const WebRequest& request) {
      const std::lock_guard lock(mutex_);
      if (!up_) {
        if (request.target == "/prom/api/v1/alerts") ++failed_looks_;
        return WebResponse{.status = 503, .body = "starting"};
      }
      if (!token_.empty() && request.head.find("Authorization: " + token_) == std::string::npos)
        return WebResponse{.status = 401};
      if (request.target == "/prom/api/v1/alerts")
        return answer({{"status", "success"}, {"data", {{"alerts", alerts_}}}});
      if (request.target == "/prom/api/v1/rules?type=alert")
        return answer(Json::parse(R"({"status": "success", "data": {"groups": [{"name": "g",
          "interval": 1, "rules": [{"type": "alerting", "name": "Down", "query": "up == 0",
          "duration": 0, "labels": {},
          "lastEvaluation": "2026-03-01T12:00:00Z"}]}]}})"));
      if (request.target == "/prom/api/v1/targets?state=active")
        return answer(Json::parse(R"({"status": "success", "data": {"activeTargets": [{"labels":
          {"job": "node", "instance": "db-1"}, "scrapeInterval": "15s",
          "lastScrape": "2026-03-01T12:00:00Z"}]}})"));
      if (request.target == "/prom/api/v1/query?query=time()") return server_time();
      if (request.target == "/prom/api/v1/status/runtimeinfo")
        return answer({{"status", "success"}, {"data", {{"startTime", started_}}}});
      if (request.target == "/prom/api/v1/query?query=count%28up%29")
        return answer(Json::parse(
            R"({"status": "success", "data": {"resultType": "vector", "result": []}})"));
      if (request.target == "/prom/api/v1/query?query=errors%20%3E%200")
        return answer(
            {{"status", "success"}, {"data", {{"resultType", "vector"}, {"result", alerts_}}}});
      if (request.target == "/api/v2/status")
        return answer({{"config", {{"original", "route:\n  receiver: x\n  group_wait: 5s\n"}}}});
      if (request.target == "/api/v2/alerts") return answer(alerts_);
      return WebResponse{.status = 404};
    };
  }
  void set(const Json& alerts) {
    const std::lock_guard lock(mutex_);
    alerts_ = alerts;
  }
  void set_up(bool up) {
    const std::lock_guard lock(mutex_);
    up_ = up;
  }
  /// Is away for at least one look at the alerts, and says then that it was started at `instant`.
  void go_away(const std::string& instant) {
    std::unique_lock lock(mutex_);
    up_ = false;
    for (const int before = failed_looks_; failed_looks_ == before;) {
      lock.unlock();
      std::this_thread::sleep_for(1ms);
      lock.lock();
    }
    started_ = instant;
    up_ = true;
  }
  void require(const std::string& token) { token_ = token; }

 private:
  static WebResponse server_time() {
    const auto now = std::chrono::duration<double>(
        std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now())
            .time_since_epoch());
    return answer(
        {{"status", "success"},
         {"data",
          {{"resultType", "scalar"}, {"result", {now.count(), std::to_string(now.count())}}}}});
  }
  static WebResponse answer(const Json& json) {
    const std::time_t now = std::time(nullptr);
    char date[64];
    std::tm parts{};
    std::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", ::gmtime_r(&now, &parts));
    return {.body = json.dump(), .date = date};
  }
  std::mutex mutex_;
  bool up_ = true;
  int failed_looks_ = 0;
  std::string token_;
  std::string started_ = "2026-03-01T12:00:00.123456789Z";
  Json alerts_ = Json::array();
};

Json prometheus_alert(const std::string& state) {
  return {{"state", state},
          {"labels", {{"alertname", "Down"}, {"instance", "db-1"}}},
          {"annotations", {{"summary", "it is down"}}},
          {"activeAt", "2026-03-01T12:00:00Z"},
          {"value", "1e+00"}};
}

/// Transitions in one list; what is told of clocks and rules in another.
class Detections {
 public:
  Poller::OnDetection sink() {
    return [this](const Detection& detection) {
      const std::lock_guard lock(mutex_);
      const bool aside = detection.kind == event_kind::clock_estimate ||
                         detection.kind == event_kind::monitoring_rules;
      (aside ? aside_ : all_).push_back(detection);
      changed_.notify_all();
    };
  }
  /// The detection number `index`, once it is there; an empty one when it never comes.
  Detection at(std::size_t index) {
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, 30s, [&] { return all_.size() > index; })) return all_[index];
    ADD_FAILURE() << "detection " << index << " never came";
    return {};
  }

  /// The first of `kind` told aside, once it is there; an empty one when it never comes.
  Detection told(std::string_view kind) {
    std::unique_lock lock(mutex_);
    const auto is_it = [&](const Detection& one) { return one.kind == kind; };
    const auto is_there = [&] { return std::ranges::any_of(aside_, is_it); };
    if (changed_.wait_for(lock, 30s, is_there)) return *std::ranges::find_if(aside_, is_it);
    ADD_FAILURE() << kind << " never came";
    return {};
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Detection> all_, aside_;
};

PollerConfig config(const WebServer& server, DetectorKind kind) {
  const bool prometheus = kind == DetectorKind::prometheus;
  return {.name = "mon",
          .kind = kind,
          .url = server.url() + (prometheus ? "/prom/" : ""),
          .interval = 50ms,
          .timeout = 30s,
          .authorization = {},
          .ca_file = {}};
}

TEST(Poller, ReportsUpThenEachTransition) {
  Monitoring monitoring;
  WebServer server(monitoring.handler());
  Detections seen;
  const auto poller = Poller::start(config(server, DetectorKind::prometheus), seen.sink());
  ASSERT_TRUE(poller) << describe(poller.error());
  const Detection up = seen.at(0);
  EXPECT_EQ(up.kind, event_kind::detector_up);
  EXPECT_EQ(up.data["detector"], "mon");
  monitoring.set(Json::array({prometheus_alert("pending")}));
  EXPECT_EQ(seen.at(1).kind, event_kind::alert_pending);
  monitoring.set(Json::array({prometheus_alert("firing")}));
  const Detection firing = seen.at(2);
  EXPECT_EQ(firing.kind, event_kind::alert_firing);
  EXPECT_EQ(firing.data["detector"], "mon");
  EXPECT_EQ(firing.data["annotations"]["summary"], "it is down");
  EXPECT_TRUE(firing.data.contains("fired_us")) << "rule and clock are known by now";
  EXPECT_TRUE(firing.data.contains("monitor_error_us"));
  monitoring.set(Json::array());
  EXPECT_EQ(seen.at(3).kind, event_kind::alert_resolved);
  const auto clock = (*poller)->clock();
  ASSERT_TRUE(clock);
  EXPECT_LE(clock->offset - clock->error, 0ms) << "the server's clock is our own";
  EXPECT_GE(clock->offset + clock->error, 0ms);
}

TEST(Poller, LosesTheServerAfterThreeFailuresOnceAndFindsItAgain) {
  Monitoring monitoring;
  WebServer server(monitoring.handler());
  monitoring.set(Json::array({prometheus_alert("firing")}));
  Detections seen;
  const auto poller = Poller::start(config(server, DetectorKind::prometheus), seen.sink());
  ASSERT_TRUE(poller);
  EXPECT_EQ(seen.at(0).kind, event_kind::detector_up);
  EXPECT_EQ(seen.at(1).data["already"], true);
  monitoring.set_up(false);
  const Detection lost = seen.at(2);
  EXPECT_EQ(lost.kind, event_kind::detector_lost);
  EXPECT_THAT(lost.data["reason"].get<std::string>(), HasSubstr("503"));
  EXPECT_EQ(lost.data["failures"], 3);
  const int failed = server.requests();
  while (server.requests() < failed + 3) std::this_thread::sleep_for(1ms);
  monitoring.set(Json::array());
  monitoring.set_up(true);
  EXPECT_EQ(seen.at(3).kind, event_kind::detector_up) << "one loss is reported once";
  EXPECT_EQ(seen.at(4).kind, event_kind::alert_resolved);
}

TEST(Poller, KnowsARestartThatForgotNothingByTheServersStart) {
  Monitoring monitoring;
  WebServer server(monitoring.handler());
  Detections seen;
  const auto poller = Poller::start(config(server, DetectorKind::prometheus), seen.sink());
  ASSERT_TRUE(poller);
  EXPECT_EQ(seen.at(0).kind, event_kind::detector_up);
  monitoring.go_away("2026-03-01T12:00:00.123456789Z");  // a poll that failed is no restart
  monitoring.go_away("2026-03-01T13:00:00Z");
  std::size_t index = 1;
  while (!HasFailure() && seen.at(index).kind != event_kind::detector_restarted) ++index;
  EXPECT_EQ(seen.at(index).data["forgotten"], Json::array());
  EXPECT_GT(seen.at(index).at, seen.at(0).at);
}

TEST(Poller, AlertmanagersStartIsTheFiringInstant) {
  Monitoring monitoring;
  WebServer server(monitoring.handler());
  Detections seen;
  const auto poller = Poller::start(config(server, DetectorKind::alertmanager), seen.sink());
  ASSERT_TRUE(poller);
  EXPECT_EQ(seen.at(0).kind, event_kind::detector_up);
  monitoring.set(Json::parse(R"([{"labels": {"alertname": "Down"}, "annotations": {},
      "startsAt": "2026-03-01T12:00:00Z", "endsAt": "2026-03-01T12:05:00Z", "fingerprint": "ab",
      "status": {"state": "suppressed", "silencedBy": ["s1"], "inhibitedBy": []}}])"));
  const Detection firing = seen.at(1);
  EXPECT_EQ(firing.kind, event_kind::alert_firing);
  EXPECT_EQ(firing.data["fingerprint"], "ab");
  EXPECT_THAT(firing.data["muted_by"], ElementsAre("s1"));
  EXPECT_TRUE(firing.data.contains("fired_us"));
}

TEST(Poller, TellsTheRulesTheirTargetsAndWhatHasNoData) {
  Monitoring monitoring;
  WebServer server(monitoring.handler());
  Detections seen;
  PollerConfig asked = config(server, DetectorKind::prometheus);
  asked.rules = {"Down"};
  const auto poller = Poller::start(asked, seen.sink());
  ASSERT_TRUE(poller);
  const Json rules = seen.told(event_kind::monitoring_rules).data;
  EXPECT_EQ(rules["detector"], "mon");
  ASSERT_EQ(rules["rules"].size(), 1U);
  EXPECT_EQ(rules["rules"][0]["interval"], "1s");
  EXPECT_EQ(rules["rules"][0]["query"], "up == 0");
  EXPECT_THAT(rules["rules"][0]["empty"], ElementsAre("up"));
  EXPECT_EQ(rules["targets"][0]["interval"], "15s");
  EXPECT_TRUE(rules["targets"][0].contains("last_scrape_us"));
}

TEST(Poller, KnowsPrometheusClockToMillisecondsByItsOwnWord) {
  Monitoring monitoring;
  WebServer server(monitoring.handler());
  Detections seen;
  const auto poller = Poller::start(config(server, DetectorKind::prometheus), seen.sink());
  ASSERT_TRUE(poller);
  EXPECT_EQ(seen.at(0).kind, event_kind::detector_up);
  const Json told = seen.told(event_kind::clock_estimate).data;
  EXPECT_LE(std::abs(told["offset_us"].get<std::int64_t>()), told["error_us"].get<std::int64_t>());
  EXPECT_LT(told["error_us"].get<std::int64_t>(), 500'000) << "a Date header alone gives a second";
}

TEST(Poller, TellsAlertmanagersRoute) {
  Monitoring monitoring;
  WebServer server(monitoring.handler());
  Detections seen;
  const auto poller = Poller::start(config(server, DetectorKind::alertmanager), seen.sink());
  ASSERT_TRUE(poller);
  EXPECT_EQ(seen.told(event_kind::monitoring_rules).data["route"]["group_wait"], "5s");
}

TEST(Poller, AnyExpressionIsAnAlertWhileItGivesASeries) {
  Monitoring monitoring;
  WebServer server(monitoring.handler());
  Detections seen;
  PollerConfig asked = config(server, DetectorKind::promql);
  asked.url = server.url() + "/prom";
  asked.query = "errors > 0";
  asked.alert = "Errors";
  asked.severity = "page";
  const auto poller = Poller::start(asked, seen.sink());
  ASSERT_TRUE(poller);
  EXPECT_EQ(seen.at(0).kind, event_kind::detector_up);
  monitoring.set(Json::parse(
      R"([{"metric": {"__name__": "errors", "job": "web"}, "value": [1772366400.5, "3"]}])"));
  const Detection firing = seen.at(1);
  EXPECT_EQ(firing.kind, event_kind::alert_firing);
  EXPECT_EQ(firing.data["labels"],
            (Json{{"alertname", "Errors"}, {"job", "web"}, {"severity", "page"}}));
  EXPECT_TRUE(firing.data.contains("last_quiet_us"));
  monitoring.set(Json::array());
  EXPECT_EQ(seen.at(2).kind, event_kind::alert_resolved);
}

TEST(Poller, EndsAtOnceWhileTheServerHangs) {
  WebServer server([](const WebRequest&) { return WebResponse{.hang = true}; });
  Detections seen;
  {
    const auto poller = Poller::start(config(server, DetectorKind::prometheus), seen.sink());
    ASSERT_TRUE(poller);
    while (server.requests() == 0) std::this_thread::sleep_for(1ms);
  }
  SUCCEED() << "the test's own time-out is the judge";
}

TEST(Poller, RefusesBadConfigurations) {
  const auto code = [](PollerConfig config) {
    const auto poller = Poller::start(std::move(config), [](const Detection&) {});
    return poller ? std::optional<ErrorCode>() : poller.error().code;
  };
  PollerConfig good{.name = "x", .url = "http://127.0.0.1:1", .authorization = {}, .ca_file = {}};
  PollerConfig bad = good;
  bad.url = "mon-1:9090";
  EXPECT_EQ(code(bad), ErrorCode::invalid_input);
  bad = good;
  bad.interval = 1ms;
  EXPECT_EQ(code(bad), ErrorCode::invalid_input);
  bad = good;
  bad.timeout = 0ms;
  EXPECT_EQ(code(bad), ErrorCode::invalid_input);
  bad = good;
  bad.authorization = "Bearer x\r\nHost: y";
  EXPECT_EQ(code(bad), ErrorCode::invalid_input);
}

TEST(ProbeOnce, TellsWhatIsOnAndWhichRulesThereAre) {
  Monitoring monitoring;
  monitoring.set(Json::array({prometheus_alert("pending")}));
  WebServer server(monitoring.handler());
  const auto check = probe_once(config(server, DetectorKind::prometheus));
  ASSERT_TRUE(check) << describe(check.error());
  ASSERT_EQ(check->alerts.size(), 1U);
  EXPECT_EQ(check->alerts[0].alertname, "Down");
  EXPECT_EQ(check->alerts[0].state, "pending");
  EXPECT_THAT(check->alert_names, ElementsAre("Down"));
  EXPECT_TRUE(check->clock);
}

TEST(ProbeOnce, SaysWhyItCannot) {
  Monitoring monitoring;
  monitoring.require("Bearer secret");
  WebServer server(monitoring.handler());
  PollerConfig asked = config(server, DetectorKind::prometheus);
  EXPECT_EQ(probe_once(asked).error().code, ErrorCode::permission_denied);
  asked.authorization = "Bearer secret";
  EXPECT_TRUE(probe_once(asked));
  asked.url = server.url();
  EXPECT_THAT(probe_once(asked).error().what, HasSubstr("404"));
  asked.kind = DetectorKind::alertmanager;
  EXPECT_TRUE(probe_once(asked));
  WebServer page([](const WebRequest&) { return WebResponse{.body = "<html>"}; });
  asked.url = page.url();
  EXPECT_THAT(probe_once(asked).error().what, HasSubstr("/api/v2/alerts"));
  const int closed = WebServer([](const WebRequest&) { return WebResponse{}; }).port();
  asked.url = "http://127.0.0.1:" + std::to_string(closed);
  EXPECT_EQ(probe_once(asked).error().code, ErrorCode::unavailable);
}

}  // namespace
}  // namespace firedrill
