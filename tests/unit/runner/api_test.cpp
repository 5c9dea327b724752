#include "controller/runner/api.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/runner/event_log.hpp"

namespace firedrill {
namespace {

struct Heard {
  std::vector<std::string> words;
  std::size_t notices = 0;
  std::string last_detector;
  Moment last;
  SharedBoard board;
  ApiActions actions{
      .halt =
          [this](const std::string& who, const std::string& reason, const Json& by) {
            words.push_back("halt " + who + " " + reason + " " + by.dump());
          },
      .word =
          [this](std::string_view kind, const std::string& who, const Json& data,
                 const Moment& when) {
            words.push_back(std::string(kind) + " " + who + " " + data.dump());
            last = when;
          },
      .noticed =
          [this](const std::string& who, const Json& data, const Moment& when) {
            words.push_back("noticed " + who + " " + data.dump());
            last = when;
          },
      .notified =
          [this](const std::string& detector, const std::vector<AlertNotice>& list, UtcTime) {
            notices += list.size();
            last_detector = detector;
          },
      .agents = [] { return std::vector<AgentInfo>{}; }};

  void start_run() {
    RunBoard next;
    next.run = "r1";
    next.steps = {"check-drops", "raise-ring"};
    board.set(std::move(next));
  }
  HttpResponse post(std::string target, std::string body, std::string role = "operator") {
    return handle_api({.method = "POST",
                       .target = std::move(target),
                       .body = std::move(body),
                       .role = std::move(role),
                       .subject = "alice",
                       .webhook_token_ok = false,
                       .remote_address = "192.0.2.7"},
                      board, actions);
  }
};

TEST(Api, OnlyOperatorsMayHalt) {
  Heard heard;
  heard.start_run();
  for (const std::string role : {"", "agent", "controller"})
    EXPECT_EQ(heard.post("/api/v1/halt", "{}", role).status, 401) << role;
  EXPECT_TRUE(heard.words.empty());
  EXPECT_EQ(heard.post("/api/v1/halt", R"({"reason":"real incident"})").status, 200);
  EXPECT_EQ(heard.words.at(0),
            R"(halt alice real incident {"address":"192.0.2.7","certificate":"alice"})");
}

TEST(Api, ThePortIsGivenToOperatorsByThoseWhoCan) {
  Heard heard;
  EXPECT_EQ(heard.post("/api/v1/controller/yield", "{}").status, 409);
  int yielded = 0;
  heard.actions.yield = [&yielded] { ++yielded; };
  EXPECT_EQ(heard.post("/api/v1/controller/yield", "{}", "agent").status, 401);
  EXPECT_EQ(yielded, 0);
  EXPECT_EQ(heard.post("/api/v1/controller/yield", "{}").status, 200);
  EXPECT_EQ(yielded, 1);
}

TEST(Api, StepMustBeInTheRunbook) {
  Heard heard;
  EXPECT_EQ(heard.post("/api/v1/steps/raise-ring/done", "{}").status, 409) << "no run goes on";
  heard.start_run();
  const HttpResponse wrong = heard.post("/api/v1/steps/raise-rin/done", "{}");
  EXPECT_EQ(wrong.status, 404);
  EXPECT_NE(wrong.body.find("Did you mean 'raise-ring'?"), std::string::npos) << wrong.body;
  EXPECT_EQ(heard.post("/api/v1/steps/raise-ring/done", R"({"note":"done"})").status, 200);
  EXPECT_EQ(heard.words.size(), 1U);
}

TEST(Api, BadBodiesNameThePlace) {
  Heard heard;
  heard.start_run();
  const HttpResponse unknown = heard.post("/api/v1/halt", R"({"raeson":"x"})");
  EXPECT_EQ(unknown.status, 400);
  EXPECT_NE(unknown.body.find("/raeson"), std::string::npos);
  EXPECT_EQ(heard.post("/api/v1/halt", "{").status, 400);
  EXPECT_EQ(heard.post("/api/v1/notes", "{}").status, 400);
  EXPECT_EQ(heard.post("/api/v1/nothing", "{}").status, 404);
  EXPECT_TRUE(heard.words.empty());
}

TEST(Api, WebhookNeedsItsToken) {
  Heard heard;
  HttpRequest request{.method = "POST",
                      .target = "/api/v1/webhooks/alertmanager",
                      .body = "{}",
                      .role = "operator",
                      .subject = "x",
                      .webhook_token_ok = false};
  EXPECT_EQ(handle_api(request, heard.board, heard.actions).status, 401);
  request.webhook_token_ok = true;
  EXPECT_EQ(handle_api(request, heard.board, heard.actions).status, 400);
  EXPECT_EQ(heard.notices, 0U);
}

TEST(Api, APersonsWordCountsFromWhenItWasSaid) {
  Heard heard;
  heard.start_run();
  const std::int64_t now = to_micros(utc_now());
  const auto body = [](std::int64_t said, std::int64_t error) {
    return fmt::format(R"({{"alertname":"Slow","said_us":{},"error_us":{}}})", said, error);
  };
  EXPECT_EQ(heard.post("/api/v1/detected", body(now - 2'000'000, 200)).status, 200);
  EXPECT_THAT(heard.words.at(0),
              testing::StartsWith(R"(noticed alice {"alertname":"Slow","by":{)"));
  EXPECT_EQ(to_micros(heard.last.at), now - 2'000'000);
  EXPECT_EQ(heard.last.uncertainty, Duration{200});
  for (const std::string& bad : {body(now, -1), body(now, 60'000'001), body(now - 61'000'000, 0),
                                 body(now + 60'000'000, 9), std::string(R"({"said_us":"1"})")})
    EXPECT_EQ(heard.post("/api/v1/ack", bad).status, 400) << bad;
}

TEST(Api, WebhooksFindTheirDetectorByNameAndByType) {
  Heard heard;
  Detector checks;
  checks.name = "checks";
  checks.kind = Detector::Kind::webhook;
  checks.alert = "CheckFailed";
  Detector pager;
  pager.name = "duty";
  pager.kind = Detector::Kind::pager;
  const auto post = [&](std::string name, std::string body) {
    return handle_api({.method = "POST",
                       .target = "/api/v1/webhooks/" + std::move(name),
                       .body = std::move(body),
                       .role = "",
                       .subject = "",
                       .webhook_token_ok = true},
                      heard.board, heard.actions);
  };
  EXPECT_EQ(post("checks", "anything").status, 200) << "no run: monitoring must not see failures";
  RunBoard board;
  board.run = "r1";
  board.webhooks = {checks, pager};
  heard.board.set(board);
  EXPECT_EQ(post("checks", "{}").status, 200);
  EXPECT_EQ(heard.last_detector, "checks");
  EXPECT_EQ(post("pager", R"({"event":{"event_type":"incident.triggered","data":
      {"id":"Q1","title":"Slow"}}})")
                .status,
            200);
  EXPECT_EQ(heard.last_detector, "duty");
  EXPECT_EQ(heard.notices, 2U);
  const HttpResponse unknown = post("check", "{}");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_NE(unknown.body.find("Did you mean 'checks'?"), std::string::npos) << unknown.body;
  EXPECT_EQ(post("checks", "{").status, 400);
}

TEST(Clock, AgentInstantsMoveByTheOffsetAndDurationsDoNot) {
  const rpc::AgentEvent event{.instance = "i",
                              .number = 1,
                              .run = "r1",
                              .at_us = 5'000'000,
                              .kind = "injection.active",
                              .data = {{"started_us", 4'900'000}, {"stopped_for_us", 42}}};
  const Event ours = on_our_clock(
      "db-1", event, {.offset = Duration{2'000'000}, .error = Duration{300}, .round_trip = {}});
  EXPECT_EQ(to_micros(ours.at), 3'000'000);
  EXPECT_EQ(ours.uncertainty, Duration{300});
  EXPECT_EQ(ours.data.at("started_us"), 2'900'000);
  EXPECT_EQ(ours.data.at("stopped_for_us"), 42);
  EXPECT_EQ(ours.data.at("clock_offset_us"), 2'000'000);
  EXPECT_EQ(ours.source, "agent:db-1");
}

}  // namespace
}  // namespace firedrill
