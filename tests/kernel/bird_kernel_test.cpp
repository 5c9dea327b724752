// bgp-flap and the probes route and bird against two real BIRDs that speak BGP over a veth pair.
#include <filesystem>
#include <fstream>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include "agent/host_routes.hpp"
#include "agent/probes/probe.hpp"
#include "tests/kernel/route_lab.hpp"

namespace firedrill::agent::test {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr int kMaxOperations = 60;
constexpr auto kPatience = 60s;  // an emulated guest is slow; no time is asserted
constexpr const char* kAnnounced = "10.200.0.0/24";

/// BIRD here (AS 65001) announces 10.200.0.0/24 to BIRD at the peer (AS 65002), which puts it into
/// its kernel; and learns 10.201.0.0/24 from it into ours.
class BirdLab : public RouteLab {
 protected:
  void SetUp() override {
    RouteLab::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    if (system("command -v bird >/dev/null") != 0) GTEST_SKIP() << "no bird: install bird2";
    static int number = 0;  // BIRD of the last test may still be taking its files away
    folder_ = fmt::format("{}firedrill-bird-{}-{}", testing::TempDir(), getpid(), ++number);
    std::filesystem::create_directories(folder_);
    start("here", "", "10.77.0.1", 65001, "10.77.0.2", 65002, kAnnounced);
    start("peer", "ip netns exec " + peer_name() + " ", "10.77.0.2", 65002, "10.77.0.1", 65001,
          "10.201.0.0/24");
    ASSERT_TRUE(comes_to(true)) << "the session never came up";
  }

  void TearDown() override {
    for (const std::string& name : started_)
      run(fmt::format("kill $(cat {}/{}.pid)", folder_, name));
    // BIRD takes its own files away as it ends, perhaps at this moment.
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
    RouteLab::TearDown();
  }

  void start(const std::string& name, const std::string& where, const std::string& own, int as,
             const std::string& other, int other_as, const std::string& announced) {
    std::ofstream(folder_ + "/" + name + ".conf")
        << "router id " << own << ";\nprotocol device {}\n"
        << "protocol kernel { ipv4 { export all; }; }\n"
        << "protocol static pinned { ipv4; route " << announced << " blackhole; }\n"
        << "protocol bgp edge1 { local " << own << " as " << as << "; neighbor " << other << " as "
        << other_as << "; connect delay time 1; error wait time 1, 2; "
        << "ipv4 { import all; export all; }; }\n";
    run(fmt::format("{0}bird -c {1}/{2}.conf -s {1}/{2}.ctl -P {1}/{2}.pid", where, folder_, name));
    started_.push_back(name);
  }

  [[nodiscard]] std::string socket() const { return folder_ + "/here.ctl"; }
  [[nodiscard]] Params asked(const std::string& protocol = "edge1") const {
    return params_of(fault(), {{"protocol", protocol}, {"socket", socket()}});
  }
  static const Fault& fault() { return *find_fault("bgp-flap"); }

  /// Waits until the peer's kernel has the route, or has it not.
  bool comes_to(bool present) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < end) {
      const std::string shown = run(fmt::format("ip -n {} route show {}", peer_name(), kAnnounced));
      if (shown.empty() != present) return true;
      std::this_thread::sleep_for(100ms);
    }
    return false;
  }

  void tell_bird(const std::string& command) {
    const auto reply = open_host()->bird().command(socket(), command);
    ASSERT_TRUE(reply) << describe(reply.error());
    ASSERT_TRUE(check_bird_reply(*reply, command));
  }

 private:
  std::string folder_;
  std::vector<std::string> started_;
};

TEST_F(BirdLab, PeersRouteGoesAndComesBack) {
  const auto record = fault().capture(*open_host(), asked());
  ASSERT_TRUE(record) << describe(record.error());
  EXPECT_EQ(record->at("info"), "Established");
  for (const int round : {1, 2}) {
    const auto values = fault().apply(*open_host(), asked(), *record);
    ASSERT_TRUE(values) << describe(values.error());
    EXPECT_TRUE(comes_to(false)) << "round " << round;
    EXPECT_FALSE(fault().verify(*open_host(), *record)->clean());
    undo(fault(), *record);
    EXPECT_TRUE(comes_to(true)) << "round " << round;
  }
}

TEST_F(BirdLab, StaticProtocolIsWithdrawnTheSameWay) {
  const Json record = inject(fault(), asked("pinned"));
  EXPECT_TRUE(comes_to(false));
  undo(fault(), record);
  EXPECT_TRUE(comes_to(true));
}

TEST_F(BirdLab, ProcessKilledAtAnyOperationLeavesWhatAnotherEnables) {
  bool whole = false;
  for (int at = 0; !whole; ++at) {
    ASSERT_LT(at, kMaxOperations);
    const auto record = fault().capture(*open_host(), asked());
    ASSERT_TRUE(record) << describe(record.error());
    whole =
        die_at(at, [&](Host& host) { return fault().apply(host, asked(), *record).has_value(); });
    undo(fault(), *record);
    ASSERT_TRUE(comes_to(true)) << "killed at operation " << at;
  }
}

TEST_F(BirdLab, RespondersWordIsLastWhicheverItIs) {
  const Json record = inject(fault(), asked());
  tell_bird("enable edge1");
  EXPECT_EQ(fault().undo(*open_host(), record), UndoOutcome::already_gone);
  ASSERT_TRUE(fault().apply(*open_host(), asked(), record));
  tell_bird("enable edge1");
  tell_bird("disable edge1 \"maintenance\"");
  EXPECT_EQ(fault().undo(*open_host(), record), UndoOutcome::superseded);
  EXPECT_EQ(fault().apply(*open_host(), asked(), record).error().code, ErrorCode::conflict);
  const auto refused = fault().capture(*open_host(), asked());
  ASSERT_FALSE(refused);
  EXPECT_THAT(describe(refused.error()), HasSubstr("disabled already (maintenance)"));
}

TEST_F(BirdLab, RefusalsNameWhatThereIs) {
  const auto words = [this](const std::string& protocol, const std::string& path) {
    const auto record = fault().capture(
        *open_host(), params_of(fault(), {{"protocol", protocol}, {"socket", path}}));
    return record ? std::string("captured") : describe(record.error());
  };
  EXPECT_THAT(words("edge2", socket()), HasSubstr("edge1 (BGP, up)"));
  EXPECT_THAT(words("device1", socket()), HasSubstr("Device"));
  EXPECT_THAT(words("edge1", "/nonexistent.ctl"), HasSubstr("could be " + socket()));
  EXPECT_TRUE(fault().probe_support(*open_host()).supported);
}

TEST_F(BirdLab, RouteOfTheControllerThatBirdBroughtIsKept) {
  const auto learnt = [] { return run("ip route show 10.201.0.0/24").contains("proto bird"); };
  for (int i = 0; i < 500 && !learnt(); ++i) std::this_thread::sleep_for(20ms);
  protected_peers_ = {{*kernel::parse_ip_address("10.201.0.9"), 7443}};
  const auto refused = fault().capture(*open_host(), asked());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::refused) << describe(refused.error());
  EXPECT_TRUE(fault().capture(*open_host(), asked("pinned")));
}

TEST_F(BirdLab, ProbesSeeTheFlap) {
  auto bird = open_probe("bird", {{"protocol", "edge1"}, {"socket", socket()}});
  ASSERT_TRUE(bird) << describe(bird.error());
  run("ip route add 10.1.0.0/24 nexthop via 10.77.0.2 nexthop via 10.78.0.2");
  auto route = open_probe("route", {{"prefix", "10.1.0.0/24"}});
  ASSERT_TRUE(route) << describe(route.error());
  const auto value = [](auto& session, const char* name) {
    const auto sample = (*session)->sample(0us);
    if (!sample) ADD_FAILURE() << describe(sample.error());
    return sample && sample->values.contains(name) ? sample->values.at(name) : -1;
  };
  EXPECT_EQ(value(bird, "up"), 1);
  EXPECT_EQ(value(bird, "exported"), 1);
  EXPECT_EQ(value(route, "nexthops"), 2);
  EXPECT_EQ(value(route, "changes_per_min"), 0);

  const Fault& flap = *find_fault("route-flap");
  const Json route_record = inject(flap, params_of(flap, {{"prefix", "10.1.0.0/24"}}));
  EXPECT_EQ(value(route, "present"), 0);
  undo(flap, route_record);
  run("ip route add 10.2.0.0/24 via 10.77.0.2");  // another prefix is none of its business
  EXPECT_EQ(value(route, "changes_per_min"), 2);
  EXPECT_EQ(value(route, "present"), 1);

  const Json record = inject(fault(), asked());
  EXPECT_EQ(value(bird, "up"), 0);
  undo(fault(), record);
  ASSERT_TRUE(comes_to(true));
  EXPECT_EQ(value(bird, "up"), 1);
  // Down and up were both seen. There may be more: BIRD drops a first connection when both ends
  // dial at the same time, and what comes and goes between two looks is counted by its time alone.
  EXPECT_GE(value(bird, "changes_per_min"), 2);
}

}  // namespace
}  // namespace firedrill::agent::test
