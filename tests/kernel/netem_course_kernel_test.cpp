// netem that changes while it is on, and that comes and goes, against a real kernel: each step is
// what the kernel kept and what packets meet, and the change itself loses none of them.
#include "tests/kernel/network_lab.hpp"

namespace firedrill::agent::test {
namespace {

using namespace std::chrono_literals;

const Fault& netem() { return *find_fault("netem"); }

class NetemCourse : public NetworkLab {
 protected:
  /// Captures for the ramp's end, with its way in the record, as the engine does.
  void begin(const Json& given, const Ramp& how) {
    ramp_ = how;
    Json whole = given;
    whole["device"] = "data0";
    peak_ = params(netem(), given);
    const auto start = validate_ramp(netem().schema(), whole, how, "/ramp");
    ASSERT_TRUE(start) << describe(start.error());
    start_ = *start;
    host_ = open_host();
    const auto record = netem().capture(*host_, peak_);
    ASSERT_TRUE(record) << describe(record.error());
    record_ = *record;
    record_["ramp"] = ramp_member(how, start_, peak_);
    const auto values = netem().apply(*host_, start_, record_);
    ASSERT_TRUE(values) << describe(values.error());
  }
  /// What the kernel kept after that step.
  std::string step(int number) {
    const auto values = netem().adjust(
        *host_, ramped(start_, peak_, ramp_.parameter, number, ramp_.steps), record_);
    if (!values) ADD_FAILURE() << "step " << number << ": " << describe(values.error());
    return values ? values->at("netem").get<std::string>() : "";
  }
  void end() {
    host_.reset();
    undo(netem(), record_);
  }

  Ramp ramp_;
  Params peak_, start_;
  Json record_;
  std::unique_ptr<Host> host_;
};

TEST_F(NetemCourse, LossRisesStepByStepInPlaceAndIsFeltAtEach) {
  DatagramPath path = to_peer("10.77.0.2", 5001);
  const std::string before = dump();
  begin({{"destination", "10.77.0.2"}, {"loss", "40%"}}, {"loss", "0%", 4s, 4});
  path.send(2000);
  EXPECT_EQ(path.arrived(), 2000) << "it starts from nothing";
  const std::string kept[] = {"", "loss 10% limit 100000", "loss 20% limit 100000",
                              "loss 30% limit 100000", "loss 40% limit 100000"};
  const std::string links = run("ip -o link show type ifb | cut -d: -f1,2");
  for (int number = 1; number <= 4; ++number) {
    EXPECT_EQ(step(number), kept[number]);
    path.send(2000);
    EXPECT_TRUE(about(path.arrived(), 2000, 1 - 0.1 * number)) << "step " << number;
    EXPECT_EQ(run("ip -o link show type ifb | cut -d: -f1,2"), links) << "the same ifb";
  }
  end();
  path.send(2000);
  EXPECT_EQ(path.arrived(), 2000);
  EXPECT_EQ(dump(), before);
}

TEST_F(NetemCourse, AChangeLosesNoPacketThatIsUnderWay) {
  DatagramPath path = to_peer("10.77.0.2", 5001);
  begin({{"direction", "both"}, {"destination", "10.77.0.2"}, {"delay", "20ms"}},
        {"delay", "1s", 50s, 50});
  for (int number = 1; number <= 50; ++number) {
    path.send(40);
    ASSERT_FALSE(step(number).empty());
  }
  EXPECT_EQ(path.arrived(2000ms), 2000) << "delays shrank under them from 1 s to 20 ms";
  end();
}

TEST_F(NetemCourse, UndoWaitsForPacketsOfTheLongDelayThatTheRampCameFrom) {
  DatagramPath path = to_peer("10.77.0.2", 5001);
  begin({{"destination", "10.77.0.2"}, {"delay", "1ms"}}, {"delay", "2s", 4s, 1});
  path.send(500);
  ASSERT_EQ(step(1), "delay 1ms limit 100000");
  end();
  EXPECT_EQ(path.arrived(), 500);
}

TEST_F(NetemCourse, OtherNumbersMoveToo) {
  const std::string before = dump();
  begin({{"rate", "10mbit"}, {"duplicate", "3%"}, {"corrupt", "2%"}}, {"rate", "100mbit", 3s, 3});
  EXPECT_EQ(step(1), "duplicate 3% corrupt 2% rate 70mbit limit 100000");
  EXPECT_EQ(step(3), "duplicate 3% corrupt 2% rate 10mbit limit 100000");
  end();
  begin({{"delay", "10ms"}, {"duplicate", "4%"}}, {"duplicate", "0%", 2s, 2});
  EXPECT_EQ(step(1), "delay 10ms duplicate 2% limit 100000");
  EXPECT_EQ(step(2), "delay 10ms duplicate 4% limit 100000");
  end();
  EXPECT_EQ(dump(), before);
}

TEST_F(NetemCourse, OffAndOnAgainByTheSameRecordLosesNothing) {
  DatagramPath path = to_peer("10.77.0.2", 5001);
  const std::string before = dump();
  const Params asked = params(netem(), {{"destination", "10.77.0.2"}, {"delay", "100ms"}});
  const auto host = open_host();
  const auto record = netem().capture(*host, asked);
  ASSERT_TRUE(record) << describe(record.error());
  for (int round = 0; round < 10; ++round) {
    path.send(50);
    ASSERT_TRUE(netem().verify(*host, *record)->clean());
    const auto on = netem().apply(*host, asked, *record);
    ASSERT_TRUE(on) << round << ": " << describe(on.error());
    path.send(50);
    EXPECT_EQ(netem().undo(*host, *record), UndoOutcome::restored);
    ASSERT_EQ(dump(), before) << "round " << round;
  }
  EXPECT_EQ(path.arrived(), 1000);
}

TEST_F(NetemCourse, ALaneThatWasRemovedByHandIsNotAdjusted) {
  begin({{"destination", "10.77.0.2"}, {"loss", "40%"}}, {"loss", "0%", 4s, 4});
  run("for i in $(ip -o link show type ifb | cut -d: -f2); do ip link del $i; done");
  const auto adjusted = netem().adjust(*host_, peak_, record_);
  ASSERT_FALSE(adjusted);
  EXPECT_EQ(adjusted.error().code, ErrorCode::conflict);
  end();
}

}  // namespace
}  // namespace firedrill::agent::test
