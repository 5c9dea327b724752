// netem against a real kernel: what is asked happens to the packets it is asked for and to no
// others, and afterwards nothing tells that it was ever there.
#include <algorithm>

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/kernel/network_lab.hpp"

namespace firedrill::agent::test {
namespace {

constexpr int kMaxOperations = 300;

const Fault& netem() { return *find_fault("netem"); }

class NetemKernel : public NetworkLab {
 protected:
  Json inject(const Json& given) { return NetworkLab::inject(netem(), params(netem(), given)); }
  void undo(const Json& record) { NetworkLab::undo(netem(), record); }
};

TEST_F(NetemKernel, LosesTheShareAskedForOfTheMatchedPacketsOnly) {
  DatagramPath matched = to_peer("10.77.0.2", 5001);
  DatagramPath other_port = to_peer("10.77.0.2", 5002);
  DatagramPath other_host = to_peer("10.77.0.3", 5001);
  const std::string before = dump();
  const Json record = inject({{"destination", "10.77.0.2"},
                              {"protocol", "udp"},
                              {"destination-port", 5001},
                              {"loss", "30%"}});
  for (DatagramPath* path : {&matched, &other_port, &other_host}) path->send(4000);
  EXPECT_TRUE(about(matched.arrived(), 4000, 0.7));
  EXPECT_EQ(other_port.arrived(), 4000);
  EXPECT_EQ(other_host.arrived(), 4000);
  undo(record);
  matched.send(4000);
  EXPECT_EQ(matched.arrived(), 4000);
  EXPECT_EQ(dump(), before);
}

TEST_F(NetemKernel, DelayedPacketArrivesAfterOneSentLater) {
  DatagramPath delayed = to_peer("10.77.0.2", 5001);
  DatagramPath direct = to_peer("10.77.0.3", 5001);
  const Json record = inject({{"destination", "10.77.0.2"}, {"delay", "3s"}});
  const auto start = std::chrono::system_clock::now();
  delayed.send(1);
  direct.send(1);
  const auto direct_arrival = direct.arrival();
  const auto delayed_arrival = delayed.arrival();
  ASSERT_TRUE(direct_arrival && delayed_arrival);
  EXPECT_LT(*direct_arrival, *delayed_arrival) << "it was sent after the delayed one";
  EXPECT_GE(*delayed_arrival - start, std::chrono::milliseconds(2999));
  undo(record);
}

TEST_F(NetemKernel, UndoLosesNoPacketThatIsUnderWay) {
  DatagramPath path = to_peer("10.77.0.2", 5001);
  const Json record = inject({{"destination", "10.77.0.2"}, {"delay", "1s"}});
  path.send(500);
  undo(record);
  EXPECT_EQ(path.arrived(), 500);
}

TEST_F(NetemKernel, TotalLossSparesArpTheControllerAndWhatComesIn) {
  const auto peer = kernel::parse_ip_address("10.77.0.2");
  ASSERT_TRUE(peer);
  protected_peers_ = {{*peer, 7443}};
  const Descriptor controller = peer_listener("10.77.0.2", 7443);
  const Descriptor stranger = peer_listener("10.77.0.2", 7444);
  DatagramPath out = to_peer("10.77.0.4", 5001);
  DatagramPath in = from_peer(5003);
  const Json record = inject({{"loss", "100%"}});
  run("ip neigh flush dev data0");
  run("timeout 60 bash -c '</dev/tcp/10.77.0.2/7443'");
  EXPECT_NE(system("timeout 3 bash -c '</dev/tcp/10.77.0.2/7444' 2>/dev/null"), 0);
  out.send(100);
  in.send(100);
  EXPECT_EQ(out.arrived(), 0);
  EXPECT_EQ(in.arrived(), 100);
  undo(record);
}

TEST_F(NetemKernel, TotalLossSparesIpv6NeighbourDiscovery) {
  const Json record = inject({{"loss", "100%"}});
  run("ip -6 neigh flush dev data0");
  EXPECT_NE(system("ping -6 -c 2 -W 2 fd77::2 >/dev/null 2>&1"), 0) << "IPv6 must be lost";
  EXPECT_NE(run("ip -6 neigh show fd77::2").find("lladdr"), std::string::npos);
  undo(record);
  run("ping -6 -c 1 -W 60 fd77::2");
}

TEST_F(NetemKernel, TotalLossSparesTheSshServerUnlessTold) {
  for (const bool protect : {true, false}) {
    const Descriptor server = local_listener(22);
    const Json record = inject({{"loss", "100%"}, {"protect-ssh", protect}});
    const bool reached = peer_reaches(22);
    EXPECT_EQ(reached, protect);
    undo(record);
  }
}

TEST_F(NetemKernel, BothDirectionsAreImpairedEachByItsOwnIfb) {
  DatagramPath out = to_peer("10.77.0.2", 5001);
  DatagramPath in = from_peer(5003);
  const std::string before = dump();
  const Json record =
      inject({{"direction", "both"}, {"destination", "10.77.0.2"}, {"loss", "30%"}});
  out.send(4000);
  in.send(4000);
  EXPECT_TRUE(about(out.arrived(), 4000, 0.7));
  EXPECT_TRUE(about(in.arrived(), 4000, 0.7));
  undo(record);
  EXPECT_EQ(dump(), before);
}

TEST_F(NetemKernel, DuplicateDoublesAndComposesWithAnotherLane) {
  DatagramPath doubled = to_peer("10.77.0.2", 5001);
  DatagramPath lost = to_peer("10.77.0.3", 5001);
  const std::string before = dump();
  const Json first = inject({{"destination", "10.77.0.2"}, {"duplicate", "100%"}});
  const Json second = inject({{"destination", "10.77.0.3"}, {"loss", "100%"}});
  doubled.send(500);
  lost.send(500);
  EXPECT_EQ(doubled.arrived(), 1000);
  EXPECT_EQ(lost.arrived(), 0);
  undo(first);
  doubled.send(500);
  lost.send(500);
  EXPECT_EQ(doubled.arrived(), 500);
  EXPECT_EQ(lost.arrived(), 0) << "the second lane must outlive the first";
  undo(second);
  EXPECT_EQ(dump(), before);
}

TEST_F(NetemKernel, HostsOwnTreesAndFiltersStayBeforeDuringAndAfter) {
  for (const char* tree :
       {"tc qdisc replace dev data0 root fq_codel limit 500",
        "tc qdisc replace dev data0 root handle 1: prio bands 4 && "
        "tc qdisc add dev data0 parent 1:1 handle 10: netem delay 1ms && "
        "tc qdisc add dev data0 parent 1:2 handle 20: tbf rate 100mbit burst 64k latency 50ms",
        "tc qdisc replace dev data0 root handle 1: htb default 10 && "
        "tc class add dev data0 parent 1: classid 1:10 htb rate 500mbit"}) {
    run(tree);
    run("tc qdisc add dev data0 clsact");
    run("tc filter add dev data0 egress pref 7 protocol ip flower dst_ip 10.77.0.3 action pass");
    run("tc filter add dev data0 egress pref 49000 protocol ip u32 match u32 0 0 action continue");
    run("tc filter add dev data0 ingress pref 3 protocol all matchall action continue");
    const std::string before = dump();
    const std::string root = dump_root_tree();
    const Json record =
        inject({{"direction", "both"}, {"destination", "10.77.0.0/24"}, {"loss", "100%"}});
    EXPECT_EQ(dump_root_tree(), root) << tree;
    DatagramPath impaired = to_peer("10.77.0.2", 5001);
    DatagramPath passed_by_the_host = to_peer("10.77.0.3", 5001);
    impaired.send(100);
    passed_by_the_host.send(100);
    EXPECT_EQ(impaired.arrived(), 0);
    EXPECT_EQ(passed_by_the_host.arrived(), 100) << "the host's own filter comes first";
    undo(record);
    EXPECT_EQ(dump(), before) << tree;
    run("tc qdisc del dev data0 clsact && tc qdisc del dev data0 root");
  }
}

TEST_F(NetemKernel, KernelKeepsEveryKindOfSettingAsAsked) {
  const std::string before = dump();
  const std::pair<Json, std::string> cases[] = {
      {{{"delay", "5s"}, {"jitter", "100us"}, {"delay-correlation", "25%"}},
       "delay 5s jitter 100us delay-correlation 25% limit 100000"},
      {{{"loss", "0.1%"}, {"loss-correlation", "50%"}, {"limit", 7}},
       "loss 0.1% loss-correlation 50% limit 7"},
      {{{"loss-model", "gilbert-elliott"},
        {"gemodel-p", "1%"},
        {"gemodel-r", "10%"},
        {"gemodel-1-h", "75%"},
        {"gemodel-1-k", "0.1%"}},
       "gemodel 1% 10% 75% 0.1% limit 100000"},
      {{{"rate", "80gbit"}}, "rate 80gbit limit 100000"},
      {{{"rate", "1mbit"}, {"corrupt", "2%"}, {"duplicate", "3%"}},
       "duplicate 3% corrupt 2% rate 1mbit limit 100000"},
      {{{"delay", "10ms"}, {"reorder", "25%"}, {"gap", 5}},
       "delay 10ms reorder 25% gap 5 limit 100000"}};
  for (const auto& [given, expected] : cases) {
    const Params asked = params(netem(), given);
    const auto host = open_host();
    const auto record = netem().capture(*host, asked);
    ASSERT_TRUE(record);
    const auto values = netem().apply(*host, asked, *record);
    ASSERT_TRUE(values) << describe(values.error());
    EXPECT_EQ(values->at("netem"), expected);
    undo(*record);
  }
  EXPECT_EQ(dump(), before);
}

/// Applies in a child that dies at its n-th kernel operation, as a killed agent would.
/// True when the child got through all of it.
bool apply_and_die_at(int operation, const Params& asked, const Json& record,
                      const std::function<std::unique_ptr<Host>(OperationObserver)>& open) {
  const pid_t child = fork();
  if (child == 0) {
    int seen = 0;
    const auto host = open([&](std::string_view) {
      if (seen++ == operation) _exit(9);
    });
    _exit(netem().apply(*host, asked, record) ? 0 : 1);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) != 1) << "apply failed";
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_F(NetemKernel, AgentKilledAtAnyOperationOfApplyIsUndoneByAnother) {
  const std::string before = dump();
  const Params asked =
      params(netem(), {{"direction", "both"}, {"destination", "10.77.0.2"}, {"loss", "5%"}});
  for (int operation = 0; operation < kMaxOperations; ++operation) {
    const auto host = open_host();
    const auto record = netem().capture(*host, asked);
    ASSERT_TRUE(record) << describe(record.error());
    const bool whole = apply_and_die_at(
        operation, asked, *record, [this](OperationObserver o) { return open_host(std::move(o)); });
    undo(*record);
    ASSERT_EQ(dump(), before) << "killed at operation " << operation;
    if (whole) return;
  }
  FAIL() << "apply never ended";
}

TEST_F(NetemKernel, InterfaceThatVanishedLeavesNothingBehind) {
  const Json record = inject({{"direction", "both"}, {"delay", "10ms"}});
  run("ip link del data0");
  const auto host = open_host();
  EXPECT_EQ(netem().undo(*host, record), UndoOutcome::superseded) << "it is gone, not restored";
  EXPECT_EQ(run("ip -o link show type ifb"), "");
}

TEST_F(NetemKernel, SupportProbeLeavesNothingBehind) {
  const std::string before = dump();
  const auto host = open_host();
  EXPECT_TRUE(netem().probe_support(*host).supported);
  EXPECT_EQ(dump(), before);
}

TEST_F(NetemKernel, ErrorsCarryTheKernelsOwnWords) {
  const auto host = open_host();
  const auto& links = host->network().links();
  ASSERT_TRUE(links);
  const auto data0 = std::ranges::find(*links, "data0", &kernel::Link::name);
  ASSERT_NE(data0, links->end());
  run("tc qdisc replace dev data0 root fq_codel limit 500");
  const auto refused = host->network().add_netem(data0->index, 0, 0x51000000, {});
  ASSERT_FALSE(refused) << "a root of the host's must never be replaced";
  EXPECT_NE(refused.error().what.find("NLM_F_REPLACE"), std::string::npos) << refused.error().what;
}

}  // namespace
}  // namespace firedrill::agent::test
