// Peers that break the rules lose their own connection, and nobody else's.
#include "tests/unit/link/support.hpp"
#include "tests/unit/link/support_net.hpp"

namespace firedrill::link_test {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr Duration kLong = 20s;
constexpr unsigned char kText = 0x81;
constexpr unsigned char kBinary = 0x82;

class HostileTest : public ::testing::Test {
 protected:
  void SetUp() override { start_fleet(authority_.fleet_config()); }
  void start_fleet(FleetConfig config) {
    fleet_.reset();
    auto started = Fleet::start(std::move(config), log_.handlers());
    ASSERT_TRUE(started) << describe(started.error());
    fleet_ = std::move(*started);
    bystander_ = std::make_unique<TestAgent>(authority_.agent("good"), fleet_->port(), "good");
    bystander_->start();
    ASSERT_TRUE(wait_for([&] { return fleet_->clock("good").has_value(); }));
  }
  void TearDown() override {
    EXPECT_TRUE(fleet_->call_and_wait("good", "list", Json::object(), kLong));
    EXPECT_EQ(bystander_->connections(), 1) << "the others never noticed";
  }
  std::unique_ptr<RawClient> upgraded() {
    const pki::Identity identity = authority_.agent("bad");
    auto client = std::make_unique<RawClient>(fleet_->port(), identity.ca, &identity);
    EXPECT_THAT(client->upgrade(), AllOf(StartsWith("HTTP/1.1 101"), HasSubstr("firedrill.1")));
    return client;
  }

  /// The server's close frame arrives; then the client leaves without the politeness of its own.
  static void expect_close(std::unique_ptr<RawClient> client) {
    EXPECT_THAT(client->read_until("\x88"), HasSubstr("\x88"));
  }

  Authority authority_;
  FleetLog log_;
  std::unique_ptr<Fleet> fleet_;
  std::unique_ptr<TestAgent> bystander_;
};

struct BadFrame {
  const char* name;
  unsigned char first_byte;
  std::string payload;
  bool masked;
  std::string reason;
};

class BadFrameTest : public HostileTest, public ::testing::WithParamInterface<BadFrame> {};

TEST_P(BadFrameTest, EndsTheConnectionAndSaysWhy) {
  auto client = upgraded();
  client->send_frame(GetParam().first_byte, GetParam().payload, GetParam().masked);
  expect_close(std::move(client));
  EXPECT_TRUE(wait_for([&] { return !log_.refused().empty(); }));
  EXPECT_THAT(log_.refused(), Contains(HasSubstr(GetParam().reason)));
}

std::string event_message() { return R"({"jsonrpc":"2.0","id":1,"method":"event","params":{}})"; }

INSTANTIATE_TEST_SUITE_P(
    Kinds, BadFrameTest,
    ::testing::Values(
        BadFrame{"NotJson", kText, "{nonsense", true, "malformed message"},
        BadFrame{"NotRpc", kText, R"({"a":1})", true, "JSON-RPC 2.0"},
        BadFrame{"Deep", kText, std::string(100'000, '['), true, "malformed message"},
        BadFrame{"Batch", kText, "[]", true, "JSON-RPC 2.0"},
        BadFrame{"Binary", kBinary, "\x01\x02", true, "binary"},
        BadFrame{"NotUtf8", kText, "\xff\xfe", true, "bad: "},
        BadFrame{"NotMasked", kText, "{}", false, "bad: "},
        BadFrame{"ReservedBits", 0xF1, "{}", true, "bad: "},
        BadFrame{"Oversized", kText, std::string(rpc::kMaxMessageBytes + 1, 'x'), true, "bad: "},
        BadFrame{"EventBeforeHello", kText, event_message(), true, "before hello"},
        BadFrame{"EmptyHello", kText,
                 R"({"jsonrpc":"2.0","id":"hello","method":"hello","params":{}})", true, "hello: "},
        BadFrame{"HelloWithoutId", kText, R"({"jsonrpc":"2.0","method":"hello","params":{}})", true,
                 "without an id"},
        BadFrame{"AnswerToNothing", kText, R"({"jsonrpc":"2.0","id":"x","result":{}})", true,
                 "never sent"},
        BadFrame{"OthersName", kText, hello_message("good"), true, "issued for 'bad'"}),
    [](const auto& info) { return std::string{info.param.name}; });

TEST_F(HostileTest, NonsenseInsteadOfTheTimeIsRefused) {
  auto client = upgraded();
  client->send_frame(kText, hello_message("bad"));
  const std::string request = client->read_until("\"clock\"");
  ASSERT_THAT(request, HasSubstr("\"clock\""));
  const auto at = request.find("\"id\":") + 5;
  const std::string id = request.substr(at, request.find_first_of(",}", at) - at);
  client->send_frame(kText, R"({"jsonrpc":"2.0","id":)" + id + R"(,"result":{"sent_us":"now"}})");
  expect_close(std::move(client));
  EXPECT_THAT(log_.refused(), Contains(HasSubstr("clock")));
  EXPECT_EQ(fleet_->agents().size(), 1U) << "it never became an agent";
}

TEST_F(HostileTest, WhoNeverSaysHelloIsDropped) {
  FleetConfig config = authority_.fleet_config();
  config.hello_timeout = 100ms;
  bystander_.reset();
  start_fleet(config);
  expect_close(upgraded());
  EXPECT_THAT(log_.refused(), Contains(HasSubstr("no hello within 100ms")));
}

TEST_F(HostileTest, WhoHoldsTheHandshakeIsDropped) {
  FleetConfig config = authority_.fleet_config();
  config.request_timeout = 200ms;
  bystander_.reset();
  start_fleet(config);
  EXPECT_TRUE(closes_on_the_mute(fleet_->port()));
}

TEST_F(HostileTest, WhoOnlyLooksWhetherThePortIsOpenIsNotRefused) {
  {
    const MuteCrowd lookers{fleet_->port(), 3};
  }
  auto client = upgraded();
  client->send_frame(kBinary, "\x01");
  expect_close(std::move(client));
  EXPECT_TRUE(wait_for([&] { return !log_.refused().empty(); }));
  EXPECT_THAT(log_.refused(), Each(HasSubstr("binary")));
}

TEST_F(HostileTest, ConnectionsBeyondTheLimitAreClosed) {
  FleetConfig config = authority_.fleet_config();
  config.max_connections = 2;
  bystander_.reset();
  start_fleet(config);
  const auto ca = authority_.dir() / "ca.pem";
  {
    const RawClient second{fleet_->port(), ca, nullptr};
    EXPECT_TRUE(second.connected());
    const RawClient third{fleet_->port(), ca, nullptr};
    EXPECT_FALSE(third.connected());
  }
  EXPECT_TRUE(wait_for([&] { return RawClient{fleet_->port(), ca, nullptr}.connected(); }))
      << "the place is free again";
}

}  // namespace
}  // namespace firedrill::link_test
