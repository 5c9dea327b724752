// memory-leak: growth as a function of time, half-done states, and all that it refuses.
#include "agent/faults/memory_leak.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/faults/memory_target.hpp"
#include "tests/support/fake_host.hpp"

namespace firedrill::agent {
namespace {

using test::FakeHost;
using test::FakeProcess;
using test::kEtcd;
using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr std::uint64_t kMiB = 1 << 20;

const Fault& leak() { return *find_fault("memory-leak"); }

Params with(Json more = Json::object()) {
  Json given{{"rate", "1MiB"}, {"limit", "64MiB"}};
  if (!more.contains("pid") && !more.contains("cgroup")) given["process"] = "etcd";
  given.update(more);
  const auto params = validate_params(leak().schema(), given, "");
  if (!params) ADD_FAILURE() << describe(params.error());
  return params.value_or(Params{});
}

Params in_cgroup(Json more = Json::object()) {
  more.update({{"where", "cgroup"}, {"cgroup", "etcd"}});
  return with(std::move(more));
}

Error refusal(FakeHost& host, const Params& params) {
  const auto captured = leak().capture(host, params);
  EXPECT_FALSE(captured);
  return captured ? Error{} : captured.error();
}

FakeProcess& etcd(FakeHost& host) { return host.fake_processes.processes.at(kEtcd); }

Json inject(FakeHost& host, const Params& params) {
  const auto record = leak().capture(host, params);
  if (!record) {
    ADD_FAILURE() << describe(record.error());
    return {};
  }
  const auto values = leak().apply(host, params, *record);
  if (!values) ADD_FAILURE() << describe(values.error());
  return *record;
}

std::uint64_t grow(FakeHost& host, const Params& params, const Json& record, Duration active) {
  const auto values = leak().advance(host, params, record, active);
  if (!values) {
    ADD_FAILURE() << describe(values.error());
    return 0;
  }
  return values->at("filled_bytes");
}

TEST(MemoryLeak, RulesBetweenParameters) {
  const auto pointer = [](const Json& more) {
    const auto checked = leak().check(with(more));
    EXPECT_FALSE(checked) << more;
    return checked ? "accepted" : checked.error().pointer;
  };
  EXPECT_EQ(pointer({{"pid", 7}, {"process", "x"}}), "");
  EXPECT_EQ(pointer({{"process", "x"}, {"cgroup", "y"}}), "/cgroup");
  EXPECT_EQ(pointer({{"where", "cgroup"}}), "");
  EXPECT_EQ(pointer({{"where", "cgroup"}, {"cgroup", "x"}, {"pid", 7}}), "");
  EXPECT_EQ(pointer({{"limit", "1000000B"}}), "/limit");
  EXPECT_EQ(pointer({{"rate", "64MiB"}, {"every", "1100ms"}}), "/every");
  EXPECT_TRUE(leak().check(with({{"rate", "64MiB"}})));
  EXPECT_TRUE(leak().check(in_cgroup()));
  EXPECT_TRUE(leak().check(with({{"pid", 7}})));
}

TEST(MemoryLeak, GrowsByTimeNotByCalls) {
  FakeHost host;
  const Params params = with({{"rate", "3MiB"}, {"limit", "10MiB"}});
  const Json record = inject(host, params);
  EXPECT_EQ(grow(host, params, record, 0s), 0U);
  EXPECT_EQ(grow(host, params, record, 1s), 3 * kMiB);
  EXPECT_EQ(grow(host, params, record, 1s), 3 * kMiB) << "repeated";
  EXPECT_EQ(grow(host, params, record, 500ms), 3 * kMiB) << "never shrinks";
  EXPECT_EQ(grow(host, params, record, 3s), 9 * kMiB) << "one was missing";
  EXPECT_EQ(grow(host, params, record, 1h), 10 * kMiB) << "plateau";
  EXPECT_EQ(grow(host, params, record, 2h), 10 * kMiB);
  std::uint64_t next = record.at("address");
  for (const kernel::Region& part : host.fake_processes.fills) {
    EXPECT_EQ(part.address, next) << "each page once, in order";
    next = part.end();
  }
  EXPECT_EQ(leak().undo(host, record), UndoOutcome::restored);
  EXPECT_TRUE(etcd(host).filled.empty());
}

TEST(MemoryLeak, FillsWholePagesAndCatchesUpInParts) {
  FakeHost host;
  host.fake_processes.room.bytes = 1024 * kMiB;
  const Params params = with({{"rate", "64MiB"}, {"limit", "512MiB"}});
  const Json record = inject(host, params);
  EXPECT_EQ(grow(host, params, record, 100us), 4096U) << "6710 bytes are due: one page";
  EXPECT_EQ(grow(host, params, record, 1h), 128 * kMiB + 4096);
  EXPECT_EQ(grow(host, params, record, 1h), 256 * kMiB + 4096);
}

TEST(MemoryLeak, AFreshProcessGoesOnWhereTheLastOneStopped) {
  FakeHost host;
  const Params params = with();
  const Json record = inject(host, params);
  grow(host, params, record, 5s);
  const Json stored = Json::parse(record.dump());
  host.fail_call(2, true);  // filled, but whoever did it never heard
  EXPECT_FALSE(leak().advance(host, params, stored, 7s));
  host.heal();
  EXPECT_EQ(grow(host, params, stored, 8s), 8 * kMiB);
}

TEST(MemoryLeak, TargetThatIsGoneIsNoErrorOfTheLeak) {
  FakeHost host;
  const Params params = with();
  const Json record = inject(host, params);
  host.fake_processes.kills_when_filled = true;
  const auto killed = leak().advance(host, params, record, 5s);
  ASSERT_TRUE(killed) << describe(killed.error());
  EXPECT_EQ(*killed, (Json{{"alive", false}, {"filled_bytes", 0}}));
  EXPECT_EQ(leak().advance(host, params, record, 6s)->at("alive"), false);
  EXPECT_TRUE(leak().verify(host, record)->clean());
  EXPECT_EQ(leak().undo(host, record), UndoOutcome::already_gone);
}

TEST(MemoryLeak, RestartedTargetWithTheSameNumberIsAnother) {
  FakeHost host;
  const Params params = with();
  const Json record = inject(host, params);
  etcd(host).facts.id.start_time += 1;
  const std::string during = host.state();
  EXPECT_EQ(leak().advance(host, params, record, 6s)->at("alive"), false);
  EXPECT_EQ(leak().undo(host, record), UndoOutcome::already_gone);
  EXPECT_EQ(leak().apply(host, params, record).error().code, ErrorCode::not_found);
  EXPECT_EQ(host.state(), during);
}

TEST(MemoryLeak, ExecLeavesNothingToUndo) {
  FakeHost host;
  const Json record = inject(host, with());
  etcd(host).mappings = {{0x400000, 0x500000, "r-xp", 20, "/usr/bin/other"}};
  EXPECT_EQ(leak().undo(host, record), UndoOutcome::already_gone);
  EXPECT_TRUE(leak().verify(host, record)->clean());
}

TEST(MemoryLeak, WhatElseLiesThereIsLeft) {
  FakeHost host;
  const Json record = inject(host, with());
  const std::uint64_t address = record.at("address");
  for (auto& mapping : etcd(host).mappings)
    if (mapping.begin == address) mapping.end -= 4096;
  const std::string during = host.state();
  EXPECT_EQ(leak().undo(host, record), UndoOutcome::superseded);
  EXPECT_EQ(host.state(), during);
  for (auto& mapping : etcd(host).mappings)
    if (mapping.begin == address) mapping = {address, address + 64 * kMiB, "r--p", 9, "/a"};
  EXPECT_EQ(leak().undo(host, record), UndoOutcome::superseded);
}

TEST(MemoryLeak, UndoWaitsForAHelperAndForATracer) {
  FakeHost host;
  const Json record = inject(host, with());
  host.fake_processes.pending = true;
  EXPECT_EQ(leak().undo(host, record).error().code, ErrorCode::unavailable);
  host.fake_processes.pending = false;
  etcd(host).facts.tracer = 99;
  etcd(host).facts.tracer_name = "gdb";
  const auto refused = leak().undo(host, record);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
  EXPECT_THAT(refused.error().what, HasSubstr("'gdb' (99)"));
  etcd(host).facts.tracer = 0;
  EXPECT_EQ(leak().undo(host, record), UndoOutcome::restored);
}

TEST(MemoryLeak, ApplyLooksAgainAtWhatMayHaveComeSinceCapture) {
  FakeHost host;
  const Params params = with();
  const auto record = leak().capture(host, params);
  ASSERT_TRUE(record);
  const std::string before = host.state();
  etcd(host).facts.seccomp = true;
  EXPECT_EQ(leak().apply(host, params, *record).error().code, ErrorCode::refused);
  EXPECT_EQ(host.state(), before);
}

TEST(MemoryLeak, TwoLeaksOfOneProcessDoNotMeet) {
  FakeHost host;
  const std::string before = host.state();
  const Params params = with();
  const auto first = leak().capture(host, params);
  const auto second = leak().capture(host, params);
  ASSERT_TRUE(leak().apply(host, params, *first));
  ASSERT_TRUE(leak().apply(host, params, *second));
  grow(host, params, *second, 5s);
  EXPECT_EQ(leak().undo(host, *first), UndoOutcome::restored);
  EXPECT_FALSE(leak().verify(host, *second)->clean());
  EXPECT_EQ(leak().undo(host, *second), UndoOutcome::restored);
  EXPECT_EQ(host.state(), before);
}

TEST(MemoryLeak, RefusesTargetsAndSaysWhyAndWhatToDo) {
  struct Case {
    const char* cause;
    const char* remedy;
    void (*make)(FakeProcess&);
  };
  const Case cases[] = {
      {"init process", "name a service", [](FakeProcess& p) { p.facts.id.pid = 1; }},
      {"thread of the kernel", "name a service",
       [](FakeProcess& p) { p.facts.kernel_thread = true; }},
      {"Firedrill itself", "another process", [](FakeProcess& p) { p.facts.ours = true; }},
      {"Firedrill itself", "another process",
       [](FakeProcess& p) { p.facts.program = "firedrill-agent"; }},
      {"the way in", "another process", [](FakeProcess& p) { p.facts.program = "sshd"; }},
      {"by this host's owner, as unit 'db'", "another process",
       [](FakeProcess& p) { p.facts.owner_protects = "unit 'db'"; }},
      {"seccomp filter", "without the filter", [](FakeProcess& p) { p.facts.seccomp = true; }},
      {"traced by 'gdb' (99)", "end that one",
       [](FakeProcess& p) {
         p.facts.tracer = 99;
         p.facts.tracer_name = "gdb";
       }},
      {"state D", "wait until", [](FakeProcess& p) { p.facts.state = 'D'; }},
      {"another architecture", "'cgroup'", [](FakeProcess& p) { p.facts.native = false; }},
      {"locks memory", "without mlock", [](FakeProcess& p) { p.facts.locked = 4096; }},
      {"ulimit -v", "smaller 'limit'",
       [](FakeProcess& p) { p.facts.address_limit = p.facts.mapped + 63 * kMiB; }},
      {"ulimit -d", "smaller 'limit'",
       [](FakeProcess& p) { p.facts.data_limit = p.facts.data + 63 * kMiB; }},
  };
  for (const Case& one : cases) {
    FakeHost host;
    one.make(etcd(host));
    const Error error = refusal(host, with());
    EXPECT_EQ(error.code, ErrorCode::refused) << one.cause;
    EXPECT_THAT(error.what, HasSubstr(one.cause));
    EXPECT_THAT(error.what, HasSubstr(one.remedy)) << one.cause;
    EXPECT_THAT(error.what, HasSubstr("'etcd' (")) << one.cause;
  }
}

TEST(MemoryLeak, UnknownAndAmbiguousNamesAreRefusedWithTheCandidates) {
  FakeHost host;
  const Error unknown = refusal(host, with({{"process", "nosuch"}}));
  EXPECT_EQ(unknown.code, ErrorCode::not_found);
  EXPECT_EQ(unknown.pointer, "/process");
  EXPECT_EQ(refusal(host, with({{"pid", 17}})).pointer, "/pid");
  FakeProcess second = etcd(host);
  second.facts.id = {5000, 1};
  second.facts.name = "etcd-proxy";
  host.fake_processes.processes.emplace(5000, second);
  const Error ambiguous = refusal(host, with());
  EXPECT_EQ(ambiguous.code, ErrorCode::invalid_input);
  EXPECT_THAT(ambiguous.what, HasSubstr("'etcd' (4242), 'etcd-proxy' (5000)"));
  EXPECT_TRUE(leak().capture(host, with({{"pid", 5000}})));
}

TEST(MemoryLeak, MoreThanThereIsRoomForNeedsAWord) {
  FakeHost host;
  const Error full = refusal(host, with({{"limit", "413MiB"}}));
  EXPECT_EQ(full.code, ErrorCode::refused);
  EXPECT_EQ(full.pointer, "/limit");
  for (const char* number : {"413.0 MiB", "512.0 MiB", "100.0 MiB", "412.0 MiB", "allow-oom"})
    EXPECT_THAT(full.what, HasSubstr(number));
  EXPECT_TRUE(leak().capture(host, with({{"limit", "413MiB"}, {"allow-oom", true}})));
  EXPECT_TRUE(leak().capture(host, with({{"limit", "412MiB"}})));
  EXPECT_EQ(refusal(host, in_cgroup({{"limit", "413MiB"}})).pointer, "/limit");
  host.fake_processes.room.level.clear();
  EXPECT_THAT(refusal(host, with({{"limit", "413MiB"}})).what, HasSubstr("this host"));
  host.fake_processes.room.mappable = 10 * kMiB;
  EXPECT_THAT(refusal(host, with({{"allow-oom", true}})).what, HasSubstr("overcommit_memory"));
}

TEST(MemoryLeak, HostThatCannotTraceIsUnsupportedAndSaysWhy) {
  struct Case {
    kernel::TracePowers powers;
    const char* why;
  };
  const Case cases[] = {{{false, 0, true, true}, "CAP_SYS_PTRACE"},
                        {{true, 3, true, true}, "yama"},
                        {{true, 0, false, true}, "x86-64"},
                        {{true, 0, true, false}, "4.17"}};
  for (const Case& one : cases) {
    FakeHost host;
    host.fake_processes.powers = one.powers;
    const Support support = leak().probe_support(host);
    EXPECT_FALSE(support.supported);
    EXPECT_THAT(support.reason, HasSubstr(one.why));
    const Error error = refusal(host, with());
    EXPECT_EQ(error.code, ErrorCode::unsupported);
    EXPECT_THAT(error.what, HasSubstr(one.why));
  }
}

TEST(MemoryLeakInCgroup, GrowsBesideTheServiceAndIsUndone) {
  FakeHost host;
  const std::string before = host.state();
  const Params params = in_cgroup();
  const Json record = inject(host, params);
  EXPECT_EQ(host.fake_processes.processes.size(), 2U);
  EXPECT_EQ(grow(host, params, record, 5s), 5 * kMiB);
  EXPECT_TRUE(etcd(host).filled.empty());
  EXPECT_FALSE(leak().verify(host, record)->clean());
  EXPECT_EQ(leak().undo(host, record), UndoOutcome::restored);
  EXPECT_EQ(leak().undo(host, record), UndoOutcome::already_gone);
  EXPECT_EQ(host.state(), before);
}

TEST(MemoryLeakInCgroup, UndoRestoresWhicheverCallFails) {
  for (const bool after : {false, true}) {
    for (int fail_at = 0;; ++fail_at) {
      FakeHost host;
      const std::string before = host.state();
      const auto record = leak().capture(host, in_cgroup());
      ASSERT_TRUE(record);
      host.fail_call(fail_at, after);
      const bool applied = leak().apply(host, in_cgroup(), *record).has_value();
      host.heal();
      ASSERT_TRUE(leak().undo(host, *record)) << fail_at;
      ASSERT_EQ(host.state(), before) << fail_at;
      if (applied) break;
    }
  }
}

TEST(MemoryLeakInCgroup, ProcessThatOnlyBearsTheNameIsLeft) {
  FakeHost host;
  const auto record = leak().capture(host, in_cgroup());
  FakeProcess stranger;
  stranger.facts.id = {6000, 1};
  stranger.facts.name = record->at("holder");
  host.fake_processes.processes.emplace(6000, stranger);
  const std::string before = host.state();
  ASSERT_TRUE(leak().apply(host, in_cgroup(), *record));
  EXPECT_EQ(leak().undo(host, *record), UndoOutcome::restored);
  EXPECT_EQ(host.state(), before);
}

TEST(MemoryLeakInCgroup, CgroupMustBeThereAndAccountMemory) {
  FakeHost host;
  host.fake_processes.cgroups["/sys/fs/cgroup/etcd"] = false;
  EXPECT_EQ(refusal(host, in_cgroup()).code, ErrorCode::unsupported);
  host.fake_processes.cgroups.clear();
  EXPECT_EQ(refusal(host, in_cgroup()).code, ErrorCode::not_found);
}

}  // namespace
}  // namespace firedrill::agent
