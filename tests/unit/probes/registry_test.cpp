// The registry and the runner: what an agent offers, starts and stops.
#include <condition_variable>
#include <map>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/probes/probe_runner.hpp"
#include "tests/unit/probes/http_server.hpp"

namespace firedrill::agent {
namespace {

using test::WebRequest;
using test::WebResponse;
using test::WebServer;
using testing::HasSubstr;
using namespace std::chrono_literals;

TEST(ProbeRegistry, EveryProbeDescribesItselfAndAcceptsItsExample) {
  std::set<std::string_view> names;
  for (const auto& probe : probe_registry()) {
    EXPECT_TRUE(names.insert(probe->name()).second) << probe->name();
    EXPECT_EQ(find_probe(probe->name()), probe.get());
    EXPECT_FALSE(probe->summary().empty());
    EXPECT_FALSE(probe->values().empty());
    const auto valid = validate_params(probe->schema(), probe->example(), "");
    EXPECT_TRUE(valid) << probe->name() << ": " << describe(valid.error());
    EXPECT_TRUE(from_json_schema(to_json_schema(probe->schema()))) << probe->name();
  }
  EXPECT_EQ(describe_probes().size(), probe_registry().size());
  for (const rpc::Capability& one : describe_probes())
    EXPECT_NE(one.supported, !one.reason.empty()) << one.name;
}

TEST(ProbeRegistry, RefusesWhatIsWrongAndSaysWhere) {
  const auto error = [](std::string_view probe, const Json& params) {
    const auto session = open_probe(probe, params);
    EXPECT_FALSE(session) << probe << params;
    return session ? std::string() : describe(session.error());
  };
  EXPECT_THAT(error("htp", Json::object()), HasSubstr("'http'"));
  EXPECT_THAT(error("http", Json::object()), HasSubstr("url"));
  EXPECT_THAT(error("http", {{"url", "ftp://x/"}}), HasSubstr("ftp://x/"));
  EXPECT_THAT(error("http", {{"url", "http:///x"}}), HasSubstr("http:///x"));
  EXPECT_THAT(error("http", {{"url", "http://x"}, {"rate", 1001}}), HasSubstr("/rate"));
  EXPECT_THAT(error("http", {{"url", "http://x"}, {"timeout", 5}}), HasSubstr("/timeout"));
  EXPECT_THAT(error("http", {{"url", "http://x"}, {"method", "HEAD"}, {"body-contains", "a"}}),
              HasSubstr("/body-contains"));
  EXPECT_THAT(error("tcp", {{"host", "a/b"}, {"port", 80}}), HasSubstr("/host"));
  EXPECT_THAT(error("tcp", {{"host", "a"}, {"port", 0}}), HasSubstr("/port"));
  EXPECT_THAT(error("etcd", {{"endpoints", {"http://a:1", "b"}}}), HasSubstr("/endpoints/1"));
  EXPECT_THAT(error("nic-ring", {{"device", "no-such-nic"}}), HasSubstr("no-such-nic"));
  EXPECT_THAT(error("route", {{"prefix", "10.0.0.1/8"}}), HasSubstr("/prefix"));
  EXPECT_THAT(error("route", {{"prefix", "10.0.0.0/8"}, {"family", "ipv6"}}), HasSubstr("/family"));
  EXPECT_THAT(error("bird", {{"protocol", "x\" all"}}), HasSubstr("/protocol"));
  EXPECT_THAT(error("bird", {{"protocol", "x"}, {"socket", "/nonexistent/bird.ctl"}}),
              HasSubstr("no BIRD listens on '/nonexistent/bird.ctl'"));
  EXPECT_THAT(error("nic-counters", {{"device", "lo"}, {"counters", "dev.rx_dorp"}}),
              HasSubstr("dev.rx_drop"));
}

TEST(HostProbes, LoopbackCountersAndTcpStatsCanBeRead) {
  const auto counters = open_probe("nic-counters", {{"device", "lo"}});
  ASSERT_TRUE(counters) << describe(counters.error());
  const auto first = (*counters)->sample(10ms);
  ASSERT_TRUE(first) << describe(first.error());
  for (const char* name : {"rx_dropped", "rx_errors", "tx_dropped", "rx_dropped_per_s"})
    EXPECT_TRUE(first->values.contains(name)) << name;
  const auto stats = open_probe("tcp-stats", Json::object());
  ASSERT_TRUE(stats) << describe(stats.error());
  const auto second = (*stats)->sample(10ms);
  ASSERT_TRUE(second) << describe(second.error());
  for (const char* name :
       {"retrans_segs", "timeouts", "lost_retransmits", "syn_retransmits", "aborts_on_timeout",
        "failed_connects", "resets_sent", "connections_reset"})
    EXPECT_TRUE(second->values.contains(name)) << name;
}

/// Collects samples and waits for them.
class Samples {
 public:
  ProbeRunner::OnSample sink() {
    return [this](const rpc::ProbeRequest& request, const rpc::Sample& sample) {
      const std::lock_guard lock(mutex_);
      by_id_[request.id].push_back(sample);
      changed_.notify_all();
    };
  }
  std::vector<rpc::Sample> wait_for(const std::string& id, std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return by_id_[id].size() >= count; });
    return by_id_[id];
  }
  std::size_t total() {
    const std::lock_guard lock(mutex_);
    std::size_t sum = 0;
    for (const auto& [id, samples] : by_id_) sum += samples.size();
    return sum;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::vector<rpc::Sample>> by_id_;
};

rpc::ProbeRequest request(std::string run, std::string id, std::string probe, Json params) {
  return {.id = std::move(id),
          .run = std::move(run),
          .probe = std::move(probe),
          .params = std::move(params),
          .interval = 20ms};
}

TEST(ProbeRunner, RunsManyAndStopsOneOrARunOrAll) {
  WebServer server([](const WebRequest&) { return WebResponse{}; });
  const Json params{{"url", server.url()}, {"rate", 50}};
  Samples samples;
  ProbeRunner runner(samples.sink());
  for (const auto& [run, id] : {std::pair{"r1", "a"}, {"r1", "b"}, {"r2", "c"}})
    ASSERT_TRUE(runner.start(request(run, id, "http", params)));
  EXPECT_EQ(runner.start(request("r1", "a", "http", params)).error().code,
            ErrorCode::already_exists);
  for (const char* id : {"a", "b", "c"}) samples.wait_for(id, 3);
  EXPECT_EQ(runner.running(), 3U);
  EXPECT_EQ(runner.stop("r1", "a"), 1U);
  EXPECT_EQ(runner.stop("r1", "a"), 0U);
  EXPECT_EQ(runner.stop("r1"), 1U);
  EXPECT_EQ(runner.stop_all(), 1U);
  EXPECT_EQ(runner.running(), 0U);
  const std::size_t total = samples.total();
  ASSERT_TRUE(runner.start(request("r1", "a", "http", params))) << "it may be started again";
  runner.stop_all();
  EXPECT_GE(samples.total(), total);
}

TEST(ProbeRunner, UnreachableTargetGivesSamplesNotSilence) {
  const int port = WebServer([](const WebRequest&) { return WebResponse{}; }).port();
  Samples samples;
  ProbeRunner runner(samples.sink());
  ASSERT_TRUE(runner.start(
      request("r", "dead", "tcp", {{"host", "127.0.0.1"}, {"port", port}, {"rate", 100}})));
  for (const rpc::Sample& sample : samples.wait_for("dead", 3)) {
    EXPECT_EQ(sample.count, 2);
    EXPECT_EQ(sample.errors, sample.count);
    EXPECT_FALSE(sample.error.empty());
  }
}

TEST(ProbeRunner, StopDoesNotWaitForAHangingTarget) {
  WebServer server([](const WebRequest&) { return WebResponse{.hang = true}; });
  Samples samples;
  ProbeRunner runner(samples.sink());
  ASSERT_TRUE(runner.start(
      request("r", "hangs", "http", {{"url", server.url()}, {"rate", 100}, {"timeout", "1m"}})));
  while (server.requests() == 0) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(runner.stop("r"), 1U);
  EXPECT_EQ(samples.total(), 0U) << "a sample cut short is not handed on";
}

TEST(ProbeRunner, OnceGivesOneSampleOrTheReason) {
  WebServer server([](const WebRequest&) { return WebResponse{}; });
  const ProbeRunner runner([](const rpc::ProbeRequest&, const rpc::Sample&) {});
  const auto sample = runner.once(request("r", "x", "http", {{"url", server.url()}, {"rate", 50}}));
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->count, 1);
  EXPECT_EQ(runner.once(request("r", "x", "nothing", {})).error().code, ErrorCode::not_found);
  rpc::ProbeRequest hasty = request("r", "x", "http", {{"url", server.url()}});
  hasty.interval = 1ms;
  EXPECT_EQ(runner.once(hasty).error().code, ErrorCode::invalid_input);
}

}  // namespace
}  // namespace firedrill::agent
