// Lanes that share packets, and the host's own trees, against a real kernel: every lane acts, each
// goes alone, and what is the host's is the same byte for byte before, during and after.
#include <chrono>
#include <functional>

#include <sys/wait.h>
#include <unistd.h>

#include "tests/kernel/network_lab.hpp"

namespace firedrill::agent::test {
namespace {

using namespace std::chrono_literals;

constexpr int kMaxOperations = 400;

const Fault& netem() { return *find_fault("netem"); }

class NetemComposeKernel : public NetworkLab {
 protected:
  Json inject(const Json& given) { return NetworkLab::inject(netem(), params(netem(), given)); }
  void undo(const Json& record) { NetworkLab::undo(netem(), record); }
};

TEST_F(NetemComposeKernel, BothLossesActAndTheOneThatStaysIsAsItWas) {
  DatagramPath both = to_peer("10.77.0.2", 5001);
  DatagramPath one = to_peer("10.77.0.3", 5001);
  const std::string before = dump();
  for (const bool first_goes_first : {true, false}) {
    const Json wide = inject({{"destination", "10.77.0.0/24"}, {"loss", "30%"}});
    const std::string only_wide = dump();
    const Json narrow = inject({{"destination", "10.77.0.2"}, {"loss", "50%"}});
    both.send(4000);
    one.send(4000);
    EXPECT_TRUE(about(both.arrived(), 4000, 0.7 * 0.5));
    EXPECT_TRUE(about(one.arrived(), 4000, 0.7)) << "the first is undisturbed where it is alone";
    undo(first_goes_first ? wide : narrow);
    both.send(4000);
    one.send(4000);
    EXPECT_TRUE(about(both.arrived(), 4000, first_goes_first ? 0.5 : 0.7));
    if (first_goes_first) {
      EXPECT_EQ(one.arrived(), 4000);
    } else {
      EXPECT_TRUE(about(one.arrived(), 4000, 0.7));
      EXPECT_EQ(dump(), only_wide) << "the second leaves the first byte for byte";
    }
    undo(first_goes_first ? narrow : wide);
    EXPECT_EQ(dump(), before);
  }
}

TEST_F(NetemComposeKernel, DelaysAddUpInBothDirections) {
  DatagramPath out = to_peer("10.77.0.2", 5001);
  DatagramPath in = from_peer(5003);
  const std::string before = dump();
  const Json first = inject({{"direction", "both"}, {"delay", "1s"}});
  const Json second = inject({{"direction", "both"}, {"delay", "2s"}});
  for (DatagramPath* path : {&out, &in}) {
    const auto start = std::chrono::system_clock::now();
    path->send(1);
    const auto arrival = path->arrival();
    ASSERT_TRUE(arrival);
    EXPECT_GE(*arrival - start, 2990ms);
  }
  undo(first);
  const auto start = std::chrono::system_clock::now();
  out.send(1);
  const auto arrival = out.arrival();
  ASSERT_TRUE(arrival);
  EXPECT_GE(*arrival - start, 1990ms) << "the second is as it was";
  EXPECT_LT(*arrival - start, 2990ms) << "the first is gone";
  undo(second);
  EXPECT_EQ(dump(), before);
}

TEST_F(NetemComposeKernel, UndoOfEitherLosesNoPacketThatIsUnderWay) {
  DatagramPath path = to_peer("10.77.0.2", 5001);
  for (const bool first_goes_first : {true, false}) {
    const Json first = inject({{"destination", "10.77.0.2"}, {"delay", "1s"}});
    const Json second = inject({{"destination", "10.77.0.2"}, {"delay", "300ms"}});
    path.send(300);
    undo(first_goes_first ? first : second);
    path.send(200);
    undo(first_goes_first ? second : first);
    EXPECT_EQ(path.arrived(), 500);
  }
}

/// The trees of a host whose administrator has been at work; each leaves a clsact with filters.
const char* const kTrees[] = {
    "tc qdisc replace dev data0 root handle 1: mq && "
    "tc qdisc replace dev data0 parent 1:1 handle 11: fq limit 5000 flow_limit 50 && "
    "tc qdisc replace dev data0 parent 1:2 handle 12: fq limit 6000 quantum 3000 && "
    "tc qdisc replace dev data0 parent 1:3 handle 13: fq maxrate 900mbit",
    "tc qdisc replace dev data0 root handle 1: htb default 20 && "
    "tc class add dev data0 parent 1: classid 1:1 htb rate 900mbit && "
    "tc class add dev data0 parent 1:1 classid 1:10 htb rate 500mbit ceil 900mbit prio 1 && "
    "tc class add dev data0 parent 1:1 classid 1:20 htb rate 100mbit ceil 900mbit && "
    "tc qdisc add dev data0 parent 1:10 handle 10: sfq perturb 10 && "
    "tc qdisc add dev data0 parent 1:20 handle 20: fq_codel limit 700 target 7ms && "
    "tc filter add dev data0 parent 1: pref 5 protocol ip u32 match ip dport 5001 0xffff "
    "flowid 1:10 && "
    "tc filter add dev data0 parent 1: pref 6 protocol ip flower dst_ip 10.77.0.3 classid 1:20"};

TEST_F(NetemComposeKernel, HostsTreesAreTheSameBeforeDuringAndAfterTwoLanes) {
  run("ip link del data0 && ip link add data0 numtxqueues 4 numrxqueues 4 type veth peer name "
      "peer0 "
      "numtxqueues 4 numrxqueues 4 netns " +
      peer_name());
  run("ip link set data0 addrgenmode none up && ip addr add 10.77.0.1/24 dev data0");
  run("ip -n " + peer_name() + " link set peer0 addrgenmode none up");
  run("ip -n " + peer_name() + " addr add 10.77.0.2/24 dev peer0");
  run("ip -n " + peer_name() + " addr add 10.77.0.3/24 dev peer0");
  for (const char* tree : kTrees) {
    run(tree);
    run("tc qdisc add dev data0 clsact");
    run("tc filter add dev data0 egress pref 7 protocol ip flower dst_ip 10.77.0.9 action drop");
    run("tc filter add dev data0 egress pref 100 protocol all matchall action continue");
    run("tc filter add dev data0 ingress pref 3 protocol ip u32 match u32 0 0 action continue");
    const std::string before = dump();
    const std::string root = dump_root_tree();
    const std::string filters = run("tc -d filter show dev data0 | sed /Sent/d");
    const Json first =
        inject({{"direction", "both"}, {"destination", "10.77.0.0/24"}, {"loss", "50%"}});
    const std::string with_first = dump();
    const Json second = inject({{"destination", "10.77.0.2"}, {"loss", "100%"}});
    EXPECT_EQ(dump_root_tree(), root) << tree;
    EXPECT_EQ(run("tc -d filter show dev data0 | sed /Sent/d"), filters) << tree;
    DatagramPath lost = to_peer("10.77.0.2", 5001);
    DatagramPath halved = to_peer("10.77.0.3", 5001);
    lost.send(500);
    halved.send(2000);
    EXPECT_EQ(lost.arrived(), 0);
    EXPECT_TRUE(about(halved.arrived(), 2000, 0.5));
    undo(second);
    EXPECT_EQ(dump(), with_first) << tree;
    undo(first);
    EXPECT_EQ(dump(), before) << tree;
    run("tc qdisc del dev data0 clsact && tc qdisc del dev data0 root");
  }
}

/// With everything lost both ways, of both families, the controller and SSH still get through.
TEST_F(NetemComposeKernel, TotalLossBothWaysSparesControllerAndSshOfBothFamilies) {
  const auto four = kernel::parse_ip_address("10.77.0.2");
  const auto six = kernel::parse_ip_address("fd77::2");
  ASSERT_TRUE(four && six);
  protected_peers_ = {{*four, 7443}, {*six, 7443}};
  const Descriptor controller = dual_listener(7443, true);
  const Descriptor ssh = dual_listener(22, false);
  const auto reaches = [](const std::string& where, const std::string& prefix) {
    const std::string command = prefix + "timeout 20 bash -c '</dev/tcp/" + where + "' 2>/dev/null";
    return system(command.c_str()) == 0;
  };
  const std::string at_peer = "ip netns exec " + peer_name() + " ";
  const std::string before = dump();
  const Json record = inject({{"direction", "both"}, {"loss", "100%"}});
  run("ip neigh flush dev data0; ip -6 neigh flush dev data0");
  EXPECT_NE(system("ping -c 1 -W 2 10.77.0.2 >/dev/null 2>&1"), 0);
  EXPECT_NE(system("ping -6 -c 1 -W 2 fd77::2 >/dev/null 2>&1"), 0);
  EXPECT_TRUE(reaches("10.77.0.2/7443", ""));
  EXPECT_TRUE(reaches("fd77::2/7443", ""));
  EXPECT_TRUE(reaches("10.77.0.1/22", at_peer));
  EXPECT_TRUE(reaches("fd77::1/22", at_peer));
  undo(record);
  EXPECT_EQ(dump(), before);
}

/// Applies in a child that dies at its n-th kernel operation. True when it got through all of it.
bool die_at(int operation, const std::function<bool(const OperationObserver&)>& work) {
  const pid_t child = fork();
  if (child == 0) {
    int seen = 0;
    const bool done = work([&](std::string_view) {
      if (seen++ == operation) _exit(9);
    });
    _exit(done ? 0 : 1);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) != 1) << "the work failed";
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_F(NetemComposeKernel, KilledAtAnyOperationOfTheSecondsApplyLeavesTheFirst) {
  const std::string before = dump();
  const Json first = inject({{"destination", "10.77.0.0/24"}, {"loss", "5%"}});
  const std::string only_first = dump();
  const Params asked = params(netem(), {{"destination", "10.77.0.2"}, {"loss", "5%"}});
  bool whole = false;
  for (int operation = 0; operation < kMaxOperations && !whole; ++operation) {
    const auto host = open_host();
    const auto record = netem().capture(*host, asked);
    ASSERT_TRUE(record) << describe(record.error());
    whole = die_at(operation, [&](const OperationObserver& observer) {
      return netem().apply(*open_host(observer), asked, *record).has_value();
    });
    undo(*record);
    ASSERT_EQ(dump(), only_first) << "killed at operation " << operation;
  }
  EXPECT_TRUE(whole);
  undo(first);
  EXPECT_EQ(dump(), before);
}

TEST_F(NetemComposeKernel, KilledAtAnyOperationOfTheFirstsUndoLeavesTheSecond) {
  const std::string before = dump();
  DatagramPath path = to_peer("10.77.0.2", 5001);
  bool whole = false;
  for (int operation = 0; operation < kMaxOperations && !whole; operation += 3) {
    const Json first = inject({{"destination", "10.77.0.0/24"}, {"delay", "1ms"}});
    const Json second = inject({{"destination", "10.77.0.2"}, {"loss", "100%"}});
    whole = die_at(operation, [&](const OperationObserver& observer) {
      return netem().undo(*open_host(observer), first).has_value();
    });
    path.send(20);
    EXPECT_EQ(path.arrived(), 0) << "the second must act all the while";
    undo(first);
    undo(second);
    ASSERT_EQ(dump(), before) << "killed at operation " << operation;
  }
  EXPECT_TRUE(whole);
}

}  // namespace
}  // namespace firedrill::agent::test
