// What must hold for every fault of the catalogue, whatever it does and wherever it fails.
#include <gtest/gtest.h>

#include "agent/fault.hpp"
#include "tests/support/fake_host.hpp"

namespace firedrill::agent {
namespace {

using test::FakeHost;

constexpr int kMaxKernelCalls = 200;
constexpr std::size_t kNetworkFaults = 2;  ///< netem and nic-ring come first

Params example_of(const Fault& fault) {
  auto params = validate_params(fault.schema(), fault.example(), "");
  if (!params) ADD_FAILURE() << describe(params.error());
  return params.value_or(Params{});
}

class FaultContract : public testing::TestWithParam<std::size_t> {
 protected:
  const Fault& fault() const { return *fault_registry()[GetParam()]; }
};

TEST_P(FaultContract, ExampleIsValidAndFoundByName) {
  const Params params = example_of(fault());
  EXPECT_TRUE(fault().check(params));
  EXPECT_EQ(find_fault(fault().name()), &fault());
  EXPECT_FALSE(fault().summary().empty());
}

TEST_P(FaultContract, CaptureOnlyReads) {
  FakeHost host;
  const std::string before = host.state();
  ASSERT_TRUE(fault().capture(host, example_of(fault())));
  EXPECT_EQ(host.state(), before);
}

TEST_P(FaultContract, ApplyChangesTheHostAndUndoRestoresIt) {
  FakeHost host;
  const std::string before = host.state();
  const Params params = example_of(fault());
  const auto record = fault().capture(host, params);
  ASSERT_TRUE(record);
  const auto values = fault().apply(host, params, *record);
  ASSERT_TRUE(values) << describe(values.error());
  EXPECT_NE(host.state(), before);
  EXPECT_FALSE(values->empty());
  const auto during = fault().verify(host, *record);
  ASSERT_TRUE(during);
  EXPECT_FALSE(during->clean()) << "verify sees no difference while the fault is on";

  const auto first = fault().undo(host, *record);
  ASSERT_TRUE(first) << describe(first.error());
  EXPECT_EQ(*first, UndoOutcome::restored);
  EXPECT_EQ(host.state(), before);
  const auto second = fault().undo(host, *record);
  ASSERT_TRUE(second) << describe(second.error());
  EXPECT_EQ(*second, UndoOutcome::already_gone);
  EXPECT_EQ(host.state(), before);
  const auto after = fault().verify(host, *record);
  ASSERT_TRUE(after);
  EXPECT_TRUE(after->clean());
}

TEST_P(FaultContract, RecordSurvivesBeingWrittenAndReadAgain) {
  FakeHost host;
  const std::string before = host.state();
  const Params params = example_of(fault());
  const auto record = fault().capture(host, params);
  ASSERT_TRUE(record);
  const Json stored = Json::parse(record->dump());
  ASSERT_TRUE(fault().apply(host, params, stored));
  ASSERT_TRUE(fault().undo(host, Json::parse(record->dump())));
  EXPECT_EQ(host.state(), before);
}

/// Applies with the n-th operation failing, for every n, and undoes after each.
void undo_restores_whichever_call_fails(const Fault& fault, bool after_taking_effect) {
  const Params params = example_of(fault);
  for (int fail_at = 0; fail_at < kMaxKernelCalls; ++fail_at) {
    FakeHost host;
    const std::string before = host.state();
    const auto record = fault.capture(host, params);
    ASSERT_TRUE(record);
    host.fail_call(fail_at, after_taking_effect);
    const bool applied = fault.apply(host, params, *record).has_value();
    host.heal();
    for (const int round : {1, 2})
      ASSERT_TRUE(fault.undo(host, *record)) << "undo " << round << ", call " << fail_at;
    ASSERT_EQ(host.state(), before) << "kernel call " << fail_at << " failed";
    ASSERT_TRUE(host.kernel.black_holes.empty()) << host.kernel.black_holes.front();
    ASSERT_TRUE(fault.verify(host, *record)->clean());
    if (applied) return;  // every call has failed once by now
  }
  FAIL() << "apply never succeeded";
}

TEST_P(FaultContract, UndoRestoresHostWhicheverKernelCallFails) {
  undo_restores_whichever_call_fails(fault(), false);
}

TEST_P(FaultContract, UndoRestoresHostWhicheverKernelCallIsTheLastToTakeEffect) {
  undo_restores_whichever_call_fails(fault(), true);
}

TEST_P(FaultContract, UndoThatFailsHalfWayCompletesWhenRepeated) {
  const Params params = example_of(fault());
  for (int fail_at = 0; fail_at < kMaxKernelCalls; ++fail_at) {
    FakeHost host;
    const std::string before = host.state();
    const auto record = fault().capture(host, params);
    ASSERT_TRUE(record);
    ASSERT_TRUE(fault().apply(host, params, *record));
    const auto calls_before = host.kernel.log.size();
    host.fail_call(fail_at);
    const bool undone = fault().undo(host, *record).has_value();
    const bool failed = host.kernel.log.size() - calls_before > static_cast<std::size_t>(fail_at);
    host.heal();
    ASSERT_TRUE(fault().undo(host, *record)) << "after call " << fail_at << " failed";
    ASSERT_EQ(host.state(), before) << "after call " << fail_at << " failed";
    ASSERT_TRUE(host.kernel.black_holes.empty()) << host.kernel.black_holes.front();
    if (undone && !failed) return;
  }
  FAIL() << "undo never ran to its end";
}

TEST_P(FaultContract, CaptureReportsWhicheverReadFails) {
  const Params params = example_of(fault());
  for (int fail_at = 0; fail_at < kMaxKernelCalls; ++fail_at) {
    FakeHost host;
    host.fail_call(fail_at);
    const bool captured = fault().capture(host, params).has_value();
    const bool failed = host.kernel.log.size() > static_cast<std::size_t>(fail_at);
    ASSERT_EQ(captured, !failed) << "read " << fail_at << " failed and capture hid it";
    if (!failed) return;
  }
  FAIL() << "capture never ran to its end";
}

TEST_P(FaultContract, SupportProbeLeavesNothingBehindWhicheverCallFails) {
  for (int fail_at = 0; fail_at < kMaxKernelCalls; ++fail_at) {
    FakeHost host;
    const std::string before = host.state();
    host.fail_call(fail_at);
    const Support support = fault().probe_support(host);
    const bool failed = host.kernel.log.size() > static_cast<std::size_t>(fail_at);
    const bool cleaning = failed && host.kernel.log[fail_at] == "network.delete_link";
    if (!cleaning) ASSERT_EQ(host.state(), before) << "call " << fail_at;
    if (!support.supported) EXPECT_FALSE(support.reason.empty());
    if (failed) continue;
    EXPECT_TRUE(support.supported) << support.reason;
    return;
  }
  FAIL() << "the probe never ran to its end";
}

TEST_P(FaultContract, RecordFromBeforeARebootNeedsNothing) {
  FakeHost host;
  const auto record = fault().capture(host, example_of(fault()));
  ASSERT_TRUE(record);
  host.kernel.where.boot = "boot-2";
  host.kernel.rings.at(test::kEth0).rx = 64;  // whatever is there now is not of that record
  const std::string before = host.state();
  EXPECT_EQ(fault().undo(host, *record), UndoOutcome::already_gone);
  EXPECT_TRUE(fault().verify(host, *record)->clean());
  EXPECT_EQ(host.state(), before);
}

TEST_P(FaultContract, DamagedRecordIsCorruptAndTouchesNothing) {
  FakeHost host;
  const Params params = example_of(fault());
  const auto record = fault().capture(host, params);
  ASSERT_TRUE(fault().apply(host, params, *record));
  std::string during = host.state();
  std::vector<Json> damages{nullptr, Json::object(), Json::array()};
  for (const auto& [key, value] : record->items()) {
    damages.push_back(*record);
    damages.back()[key] = value.is_number() ? Json(-1) : Json(1.5);
    damages.push_back(*record);
    damages.back().erase(key);
  }
  for (const Json& damaged : damages) {
    const auto undone = fault().undo(host, damaged);
    // What the record only tells people may be missing: then undo works all the same.
    if (undone) {
      ASSERT_TRUE(fault().verify(host, *record)->clean()) << damaged.dump();
      ASSERT_TRUE(fault().apply(host, params, *record)) << damaged.dump();
      during = host.state();  // what is made anew gets new numbers
      continue;
    }
    EXPECT_EQ(undone.error().code, ErrorCode::corrupt) << damaged.dump();
    const auto verified = fault().verify(host, damaged);
    ASSERT_FALSE(verified) << damaged.dump();
    EXPECT_EQ(verified.error().code, ErrorCode::corrupt) << damaged.dump();
    EXPECT_EQ(host.state(), during) << damaged.dump();
  }
}

TEST_P(FaultContract, AppliesAgainFromTheSameRecordAfterUndo) {
  FakeHost host;
  const std::string before = host.state();
  const Params params = example_of(fault());
  const auto record = fault().capture(host, params);
  ASSERT_TRUE(record);
  for (const int round : {1, 2, 3}) {
    ASSERT_TRUE(fault().apply(host, params, *record)) << "round " << round;
    EXPECT_NE(host.state(), before);
    ASSERT_TRUE(fault().undo(host, *record)) << "round " << round;
    ASSERT_EQ(host.state(), before) << "round " << round;
  }
}

/// Half of what the example asks for, as a person writes it.
std::string half_of(ParamType type, double value) {
  const auto half = static_cast<std::int64_t>(value / 2);
  switch (type) {
    case ParamType::duration:
      return to_string(Duration{half});
    case ParamType::bytes:
      return to_string(ByteCount{static_cast<std::uint64_t>(half)});
    case ParamType::rate:
      return to_string(BitRate{static_cast<std::uint64_t>(half)});
    case ParamType::ratio:
      return to_string(Ratio{value / 2});
    default:
      return std::to_string(half);
  }
}

/// One ramp for each parameter of the example that can have one.
std::vector<Ramp> ramps_of(const Fault& fault) {
  std::vector<Ramp> out;
  const Params peak = example_of(fault);
  for (const ParamSpec& spec : fault.schema())
    if (spec.ramps && fault.example().contains(spec.name))
      out.push_back({std::string(spec.name),
                     half_of(spec.type, peak.canonical()[spec.name].get<double>()),
                     std::chrono::seconds(4), 4});
  return out;
}

/// An injection with a ramp, as the engine carries it out.
struct RampRun {
  RampRun(const Fault& what, const Ramp& how) : fault(what), ramp(how), peak(example_of(what)) {
    auto from = validate_ramp(what.schema(), what.example(), how, "/ramp");
    if (!from) ADD_FAILURE() << describe(from.error());
    start = from.value_or(Params{});
  }
  void begin(FakeHost& host) {
    EXPECT_TRUE(fault.check_step(start));
    const auto captured = fault.capture(host, peak);
    ASSERT_TRUE(captured);
    record = *captured;
    record["ramp"] = ramp_member(ramp, start, peak);
    const auto applied = fault.apply(host, start, record);
    ASSERT_TRUE(applied) << describe(applied.error());
  }
  Result<Json> go_to(FakeHost& host, int step) const {
    return fault.adjust(host, ramped(start, peak, ramp.parameter, step, ramp.steps), record);
  }
  const Fault& fault;
  const Ramp& ramp;
  Params peak, start;
  Json record;
};

TEST_P(FaultContract, ARampIsUndoneFromEachOfItsSteps) {
  for (const Ramp& ramp : ramps_of(fault()))
    for (int end = 0; end <= ramp.steps; ++end) {
      FakeHost host;
      const std::string before = host.state();
      RampRun run(fault(), ramp);
      run.begin(host);
      for (int step = 1; step <= end; ++step) {
        const std::string earlier = host.state();
        const auto values = run.go_to(host, step);
        ASSERT_TRUE(values) << ramp.parameter << " " << step << ": " << describe(values.error());
        EXPECT_FALSE(values->empty());
        EXPECT_NE(host.state(), earlier) << ramp.parameter << " " << step << " changed nothing";
      }
      for ([[maybe_unused]] const int round : {1, 2})
        ASSERT_TRUE(fault().undo(host, Json::parse(run.record.dump())));
      EXPECT_EQ(host.state(), before) << ramp.parameter << " after step " << end;
      EXPECT_TRUE(fault().verify(host, run.record)->clean());
    }
}

TEST_P(FaultContract, AnAdjustIsUndoneWhicheverKernelCallFails) {
  for (const Ramp& ramp : ramps_of(fault()))
    for (const bool after : {false, true})
      for (int fail_at = 0;; ++fail_at) {
        ASSERT_LT(fail_at, kMaxKernelCalls) << "adjust never ran to its end";
        FakeHost host;
        const std::string before = host.state();
        RampRun run(fault(), ramp);
        run.begin(host);
        host.fail_call(fail_at, after);
        const bool adjusted = run.go_to(host, 2).has_value();
        host.heal();
        ASSERT_TRUE(fault().undo(host, run.record)) << ramp.parameter << ", call " << fail_at;
        ASSERT_EQ(host.state(), before) << ramp.parameter << ", call " << fail_at;
        ASSERT_TRUE(host.kernel.black_holes.empty()) << host.kernel.black_holes.front();
        if (adjusted) break;
      }
}

/// Faults whose record is about a network interface: the first two of the catalogue.
class NetworkFaultContract : public FaultContract {};

TEST_P(NetworkFaultContract, RecordOfAnotherNamespaceIsNotUndoneHere) {
  FakeHost host;
  const Params params = example_of(fault());
  const auto record = fault().capture(host, params);
  ASSERT_TRUE(fault().apply(host, params, *record));
  const std::string during = host.state();
  host.kernel.where.inode += 1;
  EXPECT_FALSE(fault().undo(host, *record));
  EXPECT_FALSE(fault().verify(host, *record));
  EXPECT_EQ(host.state(), during);
}

TEST_P(NetworkFaultContract, InterfaceThatVanishedIsNoObstacle) {
  FakeHost host;
  const Params params = example_of(fault());
  const auto record = fault().capture(host, params);
  ASSERT_TRUE(fault().apply(host, params, *record));
  ASSERT_TRUE(host.network().delete_link(test::kEth0));
  host.kernel.rings.clear();
  host.kernel.black_holes.clear();
  ASSERT_TRUE(fault().undo(host, *record));
  ASSERT_EQ(host.kernel.links.size(), 1U) << host.state();  // the loopback
  EXPECT_TRUE(fault().undo(host, *record));
}

TEST_P(NetworkFaultContract, UnknownInterfaceIsNotFound) {
  FakeHost host;
  Json given = fault().example();
  given["device"] = "nosuch0";
  const auto params = validate_params(fault().schema(), given, "");
  ASSERT_TRUE(params);
  EXPECT_EQ(fault().capture(host, *params).error().code, ErrorCode::not_found);
}

std::string test_name(const testing::TestParamInfo<std::size_t>& info) {
  std::string name(fault_registry()[info.param]->name());
  std::erase(name, '-');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Catalogue, FaultContract,
                         testing::Range<std::size_t>(0, fault_registry().size()), test_name);

INSTANTIATE_TEST_SUITE_P(Catalogue, NetworkFaultContract,
                         testing::Range<std::size_t>(0, kNetworkFaults), test_name);

TEST(Catalogue, HoldsWhatItPromises) {
  EXPECT_NE(find_fault("netem"), nullptr);
  EXPECT_NE(find_fault("nic-ring"), nullptr);
  EXPECT_NE(find_fault("memory-leak"), nullptr);
  for (const char* name : {"route-flap", "route-blackhole", "bgp-flap"})
    EXPECT_NE(find_fault(name), nullptr) << name;
  EXPECT_EQ(find_fault("nosuch"), nullptr);
}

}  // namespace
}  // namespace firedrill::agent
