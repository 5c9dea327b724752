#include "controller/runner/api.hpp"

#include <gtest/gtest.h>

#include "controller/runner/event_log.hpp"

namespace firedrill {
namespace {

struct Heard {
  std::vector<std::string> words;
  std::size_t notices = 0;
  SharedBoard board;
  ApiActions actions{
      .halt =
          [this](const std::string& who, const std::string& reason, const Json& by) {
            words.push_back("halt " + who + " " + reason + " " + by.dump());
          },
      .word =
          [this](std::string_view kind, const std::string& who, const Json& data) {
            words.push_back(std::string(kind) + " " + who + " " + data.dump());
          },
      .notified = [this](const std::vector<AlertNotice>& list, UtcTime) { notices += list.size(); },
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
