// The parsers behind the host's facts and counters.
#include "agent/kernel/facts.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace firedrill::agent::kernel {
namespace {

TEST(PairedCounters, GivesOneGroupUnderNstatsNames) {
  const auto counters = parse_paired_counters(
      "Ip: Forwarding InReceives\nIp: 1 100\nTcp: MaxConn ActiveOpens RetransSegs\nTcp: -1 5 7\n",
      "Tcp");
  ASSERT_TRUE(counters);
  EXPECT_EQ(*counters, (Counters{{"TcpActiveOpens", 5}, {"TcpRetransSegs", 7}}));
}

TEST(PairedCounters, LinesThatDoNotPairAreCorrupt) {
  EXPECT_FALSE(parse_paired_counters("Tcp: A B\nTcp: 1\n", "Tcp"));
  EXPECT_FALSE(parse_paired_counters("Tcp: A\nUdp: 1\n", "Tcp"));
  EXPECT_TRUE(parse_paired_counters("", "Tcp")->empty());
}

constexpr std::string_view kDev =
    "Inter-|   Receive                                                |  Transmit\n"
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop"
    " fifo colls carrier compressed\n"
    "    lo: 10 1 0 0 0 0 0 0 10 1 0 0 0 0 0 0\n"
    "data0:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n"
    "eth0:1: 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36\n";

TEST(ProcNetDev, ReadsTheLineOfTheInterface) {
  const auto counters = parse_proc_net_dev(kDev, "data0");
  ASSERT_TRUE(counters);
  EXPECT_EQ(counters->at("dev.rx_bytes"), 1U);
  EXPECT_EQ(counters->at("dev.rx_drop"), 4U);
  EXPECT_EQ(counters->at("dev.tx_packets"), 10U);
  EXPECT_EQ(counters->at("dev.tx_compressed"), 16U);
}

TEST(ProcNetDev, NameWithAColonIsNotCutShort) {
  EXPECT_EQ(parse_proc_net_dev(kDev, "eth0:1")->at("dev.rx_bytes"), 21U);
  EXPECT_EQ(parse_proc_net_dev(kDev, "eth0").error().code, ErrorCode::not_found);
}

TEST(OsRelease, QuotedPlainAndAbsent) {
  const std::string_view text = "NAME=Debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nID=x";
  EXPECT_EQ(parse_os_release(text, "PRETTY_NAME"), "Debian GNU/Linux 12 (bookworm)");
  EXPECT_EQ(parse_os_release(text, "NAME"), "Debian");
  EXPECT_EQ(parse_os_release(text, "ID"), "x");
  EXPECT_EQ(parse_os_release(text, "VERSION"), "");
}

TEST(MemTotal, IsInBytes) {
  EXPECT_EQ(parse_mem_total("MemTotal:       16337368 kB\nMemFree: 1 kB\n"), 16337368ULL * 1024);
  EXPECT_FALSE(parse_mem_total("MemFree: 1 kB\n"));
  EXPECT_FALSE(parse_mem_total("MemTotal: x kB\n"));
}

TEST(ThisHost, FactsAndCountersOfTheLoopback) {
  const auto facts = read_host_facts();
  ASSERT_TRUE(facts) << describe(facts.error());
  EXPECT_FALSE(facts->kernel_release.empty());
  EXPECT_EQ(facts->boot_id.size(), 36U);
  EXPECT_GT(facts->cpus, 0U);
  EXPECT_GT(facts->memory_bytes, 0U);
  const auto lo = std::ranges::find(facts->interfaces, "lo", &InterfaceFacts::name);
  ASSERT_NE(lo, facts->interfaces.end());
  EXPECT_FALSE(lo->ring);
  const auto counters = read_nic_counters("lo");
  ASSERT_TRUE(counters) << describe(counters.error());
  EXPECT_TRUE(counters->contains("dev.rx_packets"));
  EXPECT_EQ(read_nic_counters("nosuch0").error().code, ErrorCode::not_found);
  const auto tcp = read_tcp_counters();
  ASSERT_TRUE(tcp) << describe(tcp.error());
  EXPECT_TRUE(tcp->contains("TcpRetransSegs"));
  EXPECT_TRUE(tcp->contains("TcpExtTCPTimeouts"));
}

TEST(ThisHost, LoopbackHasNoRing) {
  EXPECT_EQ(read_ring("lo").error().code, ErrorCode::unsupported);
  EXPECT_EQ(read_ring("nosuch0").error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace firedrill::agent::kernel
