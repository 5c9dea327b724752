// Peers that send too much, too slowly, or nonsense without end: refused and told, no memory kept,
// and a good agent's calls are answered while it goes on.
#include <fstream>
#include <thread>

#include "tests/unit/link/support.hpp"
#include "tests/unit/link/support_net.hpp"

#if __has_feature(address_sanitizer)
#include <sanitizer/allocator_interface.h>
#endif

namespace firedrill::link_test {
namespace {

using namespace std::chrono_literals;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr unsigned char kText = 0x81;
constexpr std::size_t kMebi = 1 << 20;

/// Bytes that the program holds: what is allocated under the address sanitizer, whose own memory
/// only grows; else its resident set.
std::size_t memory_held() {
#if __has_feature(address_sanitizer)
  return __sanitizer_get_current_allocated_bytes();
#else
  std::ifstream file{"/proc/self/statm"};
  std::size_t size = 0, resident = 0;
  file >> size >> resident;
  return resident * 4096;
#endif
}

class FloodTest : public ::testing::Test {
 protected:
  void SetUp() override {
    FleetConfig config = authority_.fleet_config();
    config.max_strangers = 16;
    config.stranger_grace = Duration{0};
    auto started = Fleet::start(std::move(config), log_.handlers());
    ASSERT_TRUE(started) << describe(started.error());
    fleet_ = std::move(*started);
    good_ = std::make_unique<TestAgent>(authority_.agent("good"), fleet_->port(), "good");
    good_->start();
    ASSERT_TRUE(wait_for([&] { return fleet_->clock("good").has_value(); }));
  }
  void TearDown() override {
    expect_served();
    EXPECT_EQ(good_->connections(), 1) << "the others never noticed";
  }
  void expect_served() const {
    EXPECT_TRUE(fleet_->call_and_wait("good", "list", Json::object(), 20s));
  }
  std::unique_ptr<RawClient> upgraded() const {
    const pki::Identity identity = authority_.agent("bad");
    auto client = std::make_unique<RawClient>(fleet_->port(), identity.ca, &identity);
    EXPECT_THAT(client->upgrade(), StartsWith("HTTP/1.1 101"));
    return client;
  }
  std::filesystem::path ca() const { return authority_.dir() / "ca.pem"; }

  Authority authority_;
  FleetLog log_;
  std::unique_ptr<Fleet> fleet_;
  std::unique_ptr<TestAgent> good_;
};

TEST_F(FloodTest, TenThousandMalformedMessagesLeaveNothingBehind) {
  constexpr int kConnections = 50;
  constexpr int kMessages = 200;
  const std::string nonsense = "{\"jsonrpc\":\"2.0\",\"method\":[" + std::string(1000, '1');
  const auto attack = [&] {
    auto client = upgraded();
    for (int i = 0; i < kMessages; ++i) client->send_frame(kText, nonsense);
    EXPECT_THAT(client->read_until("\x88"), HasSubstr("\x88")) << "it was closed";
  };
  attack();  // what the first one makes the program allocate for good is not counted
  const std::size_t before = memory_held();
  for (int i = 1; i < kConnections; ++i) {
    attack();
    if (i % 10 == 0) expect_served();
  }
  EXPECT_TRUE(wait_for([&] { return log_.refused().size() >= kConnections; })) << "each was told";
  EXPECT_THAT(log_.refused(), Contains(HasSubstr("malformed message")));
  // Ten megabytes came in. Half of it kept would show.
  EXPECT_TRUE(wait_for([&] { return memory_held() < before + 5 * kMebi; }))
      << memory_held() - before << " bytes more are held";
}

TEST_F(FloodTest, AMessageOfAHundredMegabytesIsNotReadToItsEnd) {
  const std::size_t before = memory_held();
  auto client = upgraded();
  // A whole frame's header, and as much of its body as the server takes.
  std::string frame{"\x81\xff\0\0\0\0\x06\x40\0\0\0\0\0\0", 14};
  client->send(frame);
  const std::string part(kMebi, 'x');
  for (int i = 0; i < 100 && !client->failed(); ++i) client->send(part);
  EXPECT_TRUE(wait_for([&] { return !log_.refused().empty(); }));
  EXPECT_THAT(log_.refused().front(), HasSubstr("bad: "));
  client.reset();
  expect_served();
  EXPECT_TRUE(wait_for([&] { return memory_held() < before + 5 * kMebi; }));
}

TEST_F(FloodTest, ABodyOfAHundredMegabytesIsRefusedByItsHeader) {
  const pki::Identity person = authority_.operator_identity();
  const pki::Identity* const nobody = nullptr;
  for (const pki::Identity* who : {nobody, &person}) {
    RawClient client{fleet_->port(), ca(), who};
    client.send("POST /api/v1/join HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n");
    EXPECT_THAT(client.read_until("}"), StartsWith("HTTP/1.1 413"));
  }
  EXPECT_TRUE(wait_for([&] { return log_.refused().size() == 2; }));
}

// Sixty connections say one letter at a time and never end a request. There is room for sixteen who
// have not shown who they are; a host that joins still gets its turn.
TEST_F(FloodTest, ThoseWhoHoldConnectionsOpenLoseThemToNewcomers) {
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 60; ++i) {
    slow.push_back(std::make_unique<RawClient>(fleet_->port(), ca(), nullptr));
    for (const auto& client : slow)
      if (!client->failed()) client->send("G");
    if (i % 20 == 0) expect_served();
  }
  RawClient newcomer{fleet_->port(), ca(), nullptr};
  newcomer.send(http_get("/x", "Connection: close\r\n"));
  EXPECT_THAT(newcomer.read_to_close().value_or("still open"), StartsWith("HTTP/1.1 200"));
  TestAgent late{authority_.agent("late"), fleet_->port(), "late"};
  late.start();
  EXPECT_TRUE(wait_for([&] { return late.connections() == 1; })) << late.last_failure();
  EXPECT_THAT(log_.refused(), Contains(HasSubstr("more than 16 connections without")));
}

TEST_F(FloodTest, ThoseWhoHoldTheHandshakeLoseTheirPlaceToo) {
  const MuteCrowd crowd{fleet_->port(), 60};
  TestAgent late{authority_.agent("late"), fleet_->port(), "late"};
  late.start();
  EXPECT_TRUE(wait_for([&] { return late.connections() == 1; })) << late.last_failure();
  expect_served();
}

TEST_F(FloodTest, ARevokedCertificateEndsInTheHandshake) {
  const auto certificate = pki::certificate_from_pem(text_of(authority_.agent("bad").certificate));
  auto client = upgraded();
  fleet_->set_revoked({pki::serial_of(certificate->get()).value()});
  EXPECT_THAT(client->read_until("\x88"), HasSubstr("revoked")) << "the live one is told why";
  const pki::Identity bad = authority_.agent("bad");
  RawClient again{fleet_->port(), ca(), &bad};
  again.send(http_get("/x"));
  EXPECT_EQ(again.read_to_close(), "");
  EXPECT_TRUE(wait_for([&] { return log_.refused().size() == 2; }));
  EXPECT_THAT(log_.refused().back(), HasSubstr("certificate revoked ('bad', serial number "));
}

}  // namespace
}  // namespace firedrill::link_test
