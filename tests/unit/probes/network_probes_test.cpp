// http, tcp and etcd against a real server on loopback: what is counted, and as what.
#include <atomic>
#include <mutex>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/probes/probe.hpp"
#include "tests/unit/probes/http_server.hpp"

namespace firedrill::agent {
namespace {

using test::WebRequest;
using test::WebResponse;
using test::WebServer;
using testing::HasSubstr;
using namespace std::chrono_literals;

std::unique_ptr<ProbeSession> open(std::string_view probe, const Json& params) {
  auto session = open_probe(probe, params);
  EXPECT_TRUE(session) << describe(session.error());
  return session ? std::move(*session) : nullptr;
}

/// A port on which nobody listens.
int closed_port() {
  return WebServer([](const WebRequest&) { return WebResponse{}; }).port();
}

TEST(HttpProbe, CountsOperationsOfTheWindowOnOneKeptConnection) {
  WebServer server([](const WebRequest&) { return WebResponse{.body = "all fine"}; });
  const auto session =
      open("http", {{"url", server.url() + "/x"}, {"rate", 50}, {"timeout", "10s"}});
  const auto first = session->sample(200ms);
  const auto second = session->sample(200ms);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->count, 10);
  EXPECT_EQ(second->count, 10);
  EXPECT_EQ(first->errors, 0) << first->error;
  EXPECT_EQ(first->to_us - first->from_us, 200'000);
  for (const char* name : {"p50_ms", "p95_ms", "p99_ms", "max_ms", "mean_ms"})
    EXPECT_GT(first->values.at(name), 0) << name;
  EXPECT_EQ(first->values.at("error_ratio"), 0);
  EXPECT_EQ(first->values.at("count"), 10);
  EXPECT_LT(server.connections(), server.requests()) << "connections must be reused";
}

/// What a health check with a failure threshold goes by.
TEST(HttpProbe, CountsFailuresInARowAcrossWindows) {
  std::atomic<int> asked = 0;
  // Of each ten: a good one, two failures, good ones, and three that run on into the next ten.
  WebServer server([&](const WebRequest&) {
    const int n = asked++ % 10;
    return WebResponse{.status = n == 1 || n == 2 || n >= 7 ? 503 : 200};
  });
  const auto session = open("http", {{"url", server.url()}, {"rate", 25}, {"timeout", "10s"}});
  const auto first = session->sample(280ms);   // 0 to 6
  const auto second = session->sample(160ms);  // 7 to 10: three, then a good one
  const auto third = session->sample(280ms);   // 11 to 17: two; the last begins a row of three
  const auto fourth = session->sample(120ms);  // 18 to 20: two more, then a good one
  ASSERT_TRUE(first && second && third && fourth);
  EXPECT_EQ(first->values.at("failures_in_a_row"), 2);
  EXPECT_EQ(second->values.at("failures_in_a_row"), 3);
  EXPECT_EQ(third->values.at("failures_in_a_row"), 2);
  EXPECT_EQ(fourth->values.at("failures_in_a_row"), 3) << "one of them was in the window before";
}

TEST(HttpProbe, JudgesStatusAndBody) {
  WebServer server([](const WebRequest& request) {
    if (request.target == "/teapot") return WebResponse{.status = 418, .body = "short and stout"};
    if (request.target == "/moved") return WebResponse{.status = 302};
    return WebResponse{.body = "ready: yes"};
  });
  const auto error = [&](Json params) {
    params["url"] = server.url() + params["url"].get<std::string>();
    const auto sample = open("http", params)->sample(0ms);
    EXPECT_TRUE(sample);
    EXPECT_EQ(sample->count, 1);
    EXPECT_EQ(sample->errors, sample->error.empty() ? 0 : 1);
    return sample->error;
  };
  EXPECT_EQ(error({{"url", "/"}}), "");
  EXPECT_THAT(error({{"url", "/teapot"}}), HasSubstr("418"));
  EXPECT_EQ(error({{"url", "/teapot"}, {"status", {418, 200}}}), "");
  EXPECT_THAT(error({{"url", "/moved"}}), HasSubstr("302"));
  EXPECT_EQ(error({{"url", "/"}, {"body-contains", "ready: yes"}}), "");
  EXPECT_THAT(error({{"url", "/"}, {"body-contains", "no"}}), HasSubstr("does not hold"));
  EXPECT_EQ(error({{"url", "/"}, {"method", "HEAD"}}), "");
  EXPECT_EQ(error({{"url", "/"}, {"method", "POST"}}), "");
}

TEST(HttpProbe, RefusedConnectionsAreErrorsWithWordsAndNoLatency) {
  const auto url = "http://127.0.0.1:" + std::to_string(closed_port());
  const auto sample = open("http", {{"url", url}, {"rate", 50}})->sample(100ms);
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->count, 5);
  EXPECT_EQ(sample->errors, 5);
  EXPECT_FALSE(sample->error.empty());
  EXPECT_EQ(sample->values.at("error_ratio"), 1);
  EXPECT_FALSE(sample->values.contains("p50_ms")) << "a refusal is quick and says nothing";
}

TEST(HttpProbe, HangingOperationHidesNoOtherAndCountsFromItsScheduledStart) {
  std::atomic<int> number = 0;
  WebServer server([&](const WebRequest&) {
    return WebResponse{.hang = number++ == 0};  // the first never answers
  });
  const auto session = open("http", {{"url", server.url()}, {"rate", 50}, {"timeout", "2s"}});
  const auto sample = session->sample(200ms);
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->count, 10);
  EXPECT_EQ(sample->errors, 1) << sample->error;
  EXPECT_THAT(sample->error, HasSubstr("2s"));
  EXPECT_EQ(sample->values.at("max_ms"), 2000) << "the time-out is its lower bound";
  EXPECT_LT(sample->values.at("p50_ms"), 2000);
  // Meanwhile later operations went on: their windows are whole although the first came late.
  const auto next = session->sample(200ms);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->count, 10);
  EXPECT_EQ(next->errors, 0) << next->error;
}

TEST(HttpProbe, DeadTargetStillAnswersForEveryScheduledOperation) {
  WebServer server([](const WebRequest&) { return WebResponse{.hang = true}; });
  // 40 operations wait at once and only 16 can be in flight.
  const auto session = open("http", {{"url", server.url()}, {"rate", 200}, {"timeout", "200ms"}});
  for (int window = 0; window < 2; ++window) {
    const auto sample = session->sample(200ms);
    ASSERT_TRUE(sample);
    EXPECT_EQ(sample->count, 40);
    EXPECT_EQ(sample->errors, 40);
    EXPECT_EQ(sample->values.at("p50_ms"), 200);
  }
}

TEST(HttpProbe, CancelEndsASampleThatWaits) {
  WebServer server([](const WebRequest&) { return WebResponse{.hang = true}; });
  const auto session = open("http", {{"url", server.url()}, {"rate", 1}, {"timeout", "1m"}});
  std::thread canceller([&] {
    while (server.requests() == 0) std::this_thread::sleep_for(1ms);
    session->cancel();
  });
  const auto sample = session->sample(1h);
  canceller.join();
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->count, 0) << "an operation in flight has no outcome yet";
}

TEST(TcpProbe, MeasuresTheConnectionAndLeavesNoneOpen) {
  WebServer server([](const WebRequest&) { return WebResponse{}; });
  const Json params{{"host", "127.0.0.1"}, {"port", server.port()}, {"rate", 200}};
  const auto session = open("tcp", params);
  const auto sample = session->sample(200ms);
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->count, 40);
  EXPECT_EQ(sample->errors, 0) << sample->error;
  // The server's own threads notice connections and their ends a little later.
  for (int tries = 0; tries < 1000 && server.connections() < 40; ++tries)
    std::this_thread::sleep_for(5ms);
  EXPECT_EQ(server.connections(), 40) << "each operation is a new connection";
  EXPECT_EQ(server.requests(), 0);
  for (int tries = 0; tries < 1000 && server.open_now() > 0; ++tries)
    std::this_thread::sleep_for(5ms);
  EXPECT_EQ(server.open_now(), 0U);
}

TEST(TcpProbe, ClosedPortIsAnError) {
  const auto sample = open("tcp", {{"host", "127.0.0.1"}, {"port", closed_port()}})->sample(0ms);
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->errors, 1);
  EXPECT_THAT(sample->error, HasSubstr("127.0.0.1"));
}

TEST(EtcdProbe, WritesOneKeyThroughTheGatewayOfEachMemberInTurn) {
  std::mutex mutex;
  std::set<std::string> keys, values;
  const auto handler = [&](const WebRequest& request) {
    if (request.method != "POST" || request.target != "/v3/kv/put" ||
        request.head.find("Expect:") != std::string::npos)
      return WebResponse{.status = 404};
    const Json body = Json::parse(request.body);
    const std::lock_guard lock(mutex);
    keys.insert(body.at("key").get<std::string>());
    values.insert(body.at("value").get<std::string>());
    return WebResponse{.body = R"({"header":{"revision":"7"}})"};
  };
  WebServer one(handler), two(handler);
  const auto session = open("etcd", {{"endpoints", {one.url(), two.url() + "/"}}, {"rate", 50}});
  const auto sample = session->sample(200ms);
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->errors, 0) << sample->error;
  EXPECT_EQ(one.requests(), 5);
  EXPECT_EQ(two.requests(), 5);
  EXPECT_EQ(keys.size(), 1U);
  EXPECT_TRUE(keys.begin()->starts_with("ZmlyZWRyaWxsL3Byb2JlL")) << "base64 of firedrill/probe/";
  EXPECT_EQ(values.size(), 10U);
}

TEST(EtcdProbe, ReadsAndReportsEtcdsOwnWords) {
  WebServer server([](const WebRequest& request) {
    if (request.target != "/v3/kv/range") return WebResponse{.status = 404};
    return WebResponse{.status = 503, .body = R"({"error":"etcdserver: no leader","code":14})"};
  });
  const auto sample =
      open("etcd", {{"endpoints", server.url()}, {"operation", "read"}})->sample(0ms);
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->errors, 1);
  EXPECT_THAT(sample->error, HasSubstr("no leader"));
}

TEST(EtcdProbe, DeadMemberCostsItsShareOnly) {
  WebServer alive([](const WebRequest&) { return WebResponse{.body = "{}"}; });
  const auto dead = "http://127.0.0.1:" + std::to_string(closed_port());
  const auto sample =
      open("etcd", {{"endpoints", {alive.url(), dead}}, {"rate", 50}})->sample(200ms);
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->count, 10);
  EXPECT_EQ(sample->errors, 5);
  EXPECT_EQ(sample->values.at("error_ratio"), 0.5);
}

}  // namespace
}  // namespace firedrill::agent
