// The plain HTTPS side of the fleet's port: who is asking, and how much one may ask for.
#include <array>
#include <cstdio>

#include <sys/wait.h>

#include "controller/pki/operator_access.hpp"
#include "tests/unit/link/support.hpp"
#include "tests/unit/link/support_net.hpp"

namespace firedrill::link_test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class HttpTest : public ::testing::Test {
 protected:
  void SetUp() override { start_fleet(authority_.fleet_config(), log_.handlers()); }
  void start_fleet(FleetConfig config, FleetHandlers handlers) {
    fleet_.reset();
    auto started = Fleet::start(std::move(config), std::move(handlers));
    ASSERT_TRUE(started) << describe(started.error());
    fleet_ = std::move(*started);
  }
  std::filesystem::path ca() const { return authority_.dir() / "ca.pem"; }
  /// One exchange on a new connection that the server closes; without a client certificate.
  std::string exchange(const std::string& request) const {
    RawClient client{fleet_->port(), ca(), nullptr};
    client.send(request);
    return client.read_to_close().value_or("still open");
  }
  Json seen(const std::string& answer) const {
    const auto body = answer.find("\r\n\r\n");
    return body == std::string::npos ? Json{} : Json::parse(answer.substr(body), nullptr, false);
  }

  Authority authority_;
  FleetLog log_;
  std::unique_ptr<Fleet> fleet_;
};

TEST_F(HttpTest, TheHandlerLearnsWhoAsks) {
  const pki::Identity operator_files = authority_.operator_identity();
  const pki::Identity agent_files = authority_.agent("db-1");
  const std::string request = http_get("/api/x?y=1", "Connection: close\r\n");
  for (const auto& [identity, role, subject] :
       {std::tuple<const pki::Identity*, const char*, const char*>{nullptr, "", ""},
        {&operator_files, "operator", "operator"},
        {&agent_files, "agent", "db-1"}}) {
    RawClient client{fleet_->port(), ca(), identity};
    client.send(request);
    const Json json = seen(client.read_to_close().value_or("still open"));
    EXPECT_EQ(json["target"], "/api/x?y=1");
    EXPECT_EQ(json["role"], role);
    EXPECT_EQ(json["subject"], subject);
  }
}

TEST_F(HttpTest, OnlyTheRightBearerTokenIsRight) {
  const std::string token = pki::webhook_token(authority_.dir()).value();
  std::string wrong = token;
  wrong.back() = wrong.back() == '0' ? '1' : '0';
  const auto ok = [&](const std::string& header) {
    return seen(exchange(http_get("/hook", header + "Connection: close\r\n")))["token"];
  };
  EXPECT_EQ(ok("Authorization: Bearer " + token + "\r\n"), true);
  EXPECT_EQ(ok("Authorization: Bearer " + wrong + "\r\n"), false);
  EXPECT_EQ(ok("Authorization: Bearer " + token.substr(1) + "\r\n"), false);
  EXPECT_EQ(ok("Authorization: Basic " + token + "\r\n"), false);
  EXPECT_EQ(ok(""), false);
}

TEST_F(HttpTest, WithoutAConfiguredTokenNoneIsRight) {
  FleetConfig config = authority_.fleet_config();
  config.webhook_token.clear();
  start_fleet(config, log_.handlers());
  const std::string answer =
      exchange(http_get("/hook", "Authorization: Bearer \r\nConnection: close\r\n"));
  EXPECT_EQ(seen(answer)["token"], false);
}

TEST_F(HttpTest, AConnectionIsKeptForTheNextRequest) {
  RawClient client{fleet_->port(), ca(), nullptr};
  for (const char* target : {"/one", "/two"}) {
    client.send("POST " + std::string{target} +
                " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
    EXPECT_EQ(seen(client.read_until("}"))["target"], target);
  }
  client.send("HEAD /three HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string head = client.read_to_close().value_or("still open");
  EXPECT_THAT(head, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(head, HasSubstr("Content-Length: "));
  EXPECT_THAT(head, ::testing::EndsWith("\r\n\r\n")) << "no body";
}

TEST_F(HttpTest, TooMuchOrGarbageIsRefusedWithAReason) {
  const auto answer = [&](const std::string& request) {
    RawClient client{fleet_->port(), ca(), nullptr};
    client.send(request);
    return client.read_until("}");
  };
  EXPECT_THAT(answer(http_get("/", "X-Long: " + std::string(70'000, 'x') + "\r\n")),
              StartsWith("HTTP/1.1 431"));
  EXPECT_THAT(answer("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n"),
              StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(answer("NOT HTTP AT ALL\r\n\r\n"), StartsWith("HTTP/1.1 400"));
  const std::string body(1 << 20, 'b');
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
  const std::string most =
      exchange(head + "Authorization: Bearer " + authority_.fleet_config().webhook_token +
               "\r\nContent-Length: 1048576\r\n\r\n" + body);
  EXPECT_EQ(seen(most)["body"], body) << "exactly the limit is allowed";
  EXPECT_THAT(answer(head + "Content-Length: 16385\r\n\r\n"), StartsWith("HTTP/1.1 413"))
      << "from somebody who has shown nothing";
  EXPECT_THAT(answer(head + "Transfer-Encoding: chunked\r\n\r\n"), StartsWith("HTTP/1.1 411"));
}

TEST_F(HttpTest, SlowAndIdleConnectionsAreClosed) {
  FleetConfig config = authority_.fleet_config();
  config.request_timeout = 300ms;
  config.http_idle_timeout = 300ms;
  start_fleet(config, log_.handlers());
  RawClient idle{fleet_->port(), ca(), nullptr};
  RawClient slow{fleet_->port(), ca(), nullptr};
  slow.send("GET / HT");
  EXPECT_EQ(idle.read_to_close(), "");
  EXPECT_EQ(slow.read_to_close(), "");
}

TEST_F(HttpTest, WebSocketsAreForAgentsOnTheirPath) {
  const std::string websocket =
      "Upgrade: websocket\r\nConnection: Upgrade, close\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  const std::string protocol = "Sec-WebSocket-Protocol: firedrill.1\r\n";
  const std::string close = "Connection: close\r\n";
  EXPECT_THAT(exchange(http_get("/other", websocket + protocol)), StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(exchange(http_get("/agent", websocket + protocol)), StartsWith("HTTP/1.1 401"));
  EXPECT_THAT(exchange(http_get("/agent", close)), StartsWith("HTTP/1.1 426"));
  const pki::Identity agent = authority_.agent("db-1");
  RawClient mute{fleet_->port(), ca(), &agent};
  mute.send(http_get("/agent", websocket));
  EXPECT_THAT(mute.read_until("}"), StartsWith("HTTP/1.1 400")) << "no subprotocol";
}

TEST_F(HttpTest, OldTlsIsRefused) {
  EXPECT_FALSE((RawClient{fleet_->port(), ca(), nullptr, true}.connected()));
  EXPECT_TRUE((RawClient{fleet_->port(), ca(), nullptr, false}.connected()));
}

TEST_F(HttpTest, AStrangersCertificateIsRefusedThoughNoneWouldBeAllowed) {
  const Authority other;
  const pki::Identity stranger = other.operator_identity();
  RawClient client{fleet_->port(), ca(), &stranger};
  client.send(http_get("/"));
  EXPECT_EQ(client.read_to_close(), "");
}

TEST_F(HttpTest, WithoutAHandlerThereIsNothing) {
  start_fleet(authority_.fleet_config(), {});
  EXPECT_THAT(exchange(http_get("/", "Connection: close\r\n")), StartsWith("HTTP/1.1 404"));
}

TEST_F(HttpTest, AnAnswerOfMegabytesArrivesWhole) {
  FleetHandlers handlers;
  const std::string report(8 << 20, 'r');
  handlers.http = [&](const HttpRequest&) { return HttpResponse{200, "text/html", report}; };
  start_fleet(authority_.fleet_config(), handlers);
  const std::string answer = exchange(http_get("/", "Connection: close\r\n"));
  EXPECT_THAT(answer.substr(0, 400), HasSubstr("Content-Type: text/html"));
  EXPECT_TRUE(answer.ends_with(report));
}

/// Runs curl as the operator would; its output, and whether it succeeded.
std::pair<std::string, bool> run_curl(const std::string& arguments) {
  FILE* pipe =
      ::popen(("curl --silent --show-error --max-time 20 " + arguments + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return {"popen failed", false};
  std::string output;
  std::array<char, 4096> part{};
  while (const std::size_t got = std::fread(part.data(), 1, part.size(), pipe))
    output.append(part.data(), got);
  const int status = ::pclose(pipe);
  return {output, WIFEXITED(status) && WEXITSTATUS(status) == 0};
}

TEST_F(HttpTest, CurlReachesTheControllerAsOperator) {
  if (!run_curl("--version").second) GTEST_SKIP() << "curl is not installed";
  const pki::Identity files = authority_.operator_identity();
  const std::string common = "--tlsv1.3 --connect-to " +
                             pki::connect_to("127.0.0.1", fleet_->port()) + " " +
                             pki::url(fleet_->port(), "/api/agents") + " ";
  const std::string with_ca = common + "--cacert " + files.ca.string() + " ";
  const auto [text, ok] = run_curl(with_ca + "--cert " + files.certificate.string() + " --key " +
                                   files.key.string() + " --data '{\"a\":1}'");
  ASSERT_TRUE(ok) << text;
  const Json json = Json::parse(text);
  EXPECT_EQ(json["role"], "operator");
  EXPECT_EQ(json["method"], "POST");
  EXPECT_EQ(json["body"], "{\"a\":1}");
  const auto anonymous = run_curl(with_ca);
  ASSERT_TRUE(anonymous.second) << anonymous.first;
  EXPECT_EQ(Json::parse(anonymous.first)["role"], "");
  EXPECT_FALSE(run_curl(common).second) << "an authority that curl does not know";
}

}  // namespace
}  // namespace firedrill::link_test
