// The bytes of flower filters, address blocks, and how matches meet.
#include "agent/kernel/filter_options.hpp"

#include <random>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/tc_act/tc_gact.h>
#include <linux/tc_act/tc_mirred.h>
#include <netinet/in.h>

#include "agent/kernel/attributes.hpp"

namespace firedrill::agent::kernel {
namespace {

IpPrefix prefix(std::string_view text) {
  const auto parsed = parse_ip_prefix(text);
  if (!parsed) ADD_FAILURE() << parsed.error().what;
  return parsed.value_or(IpPrefix{});
}

FlowMatch tcp_to(std::string_view destination, std::uint16_t port) {
  FlowMatch match;
  match.destination = prefix(destination);
  match.v6 = match.destination->address.v6;
  match.protocol = IPPROTO_TCP;
  match.destination_port = port;
  return match;
}

Filter redirect(const FlowMatch& match) {
  Filter filter;
  filter.kind = "flower";
  filter.match = match;
  filter.redirect_to = IfIndex{77};
  filter.cookie = "fdrl1a2b3c4dh";
  return filter;
}

Filter of_kind(std::string_view kind) {
  Filter filter;
  filter.kind = kind;
  return filter;
}

TEST(Prefix, HostBlockAndWholeFamily) {
  EXPECT_EQ(to_string(prefix("10.0.0.7")), "10.0.0.7/32");
  EXPECT_EQ(to_string(prefix("10.0.0.0/24")), "10.0.0.0/24");
  EXPECT_EQ(to_string(prefix("0.0.0.0/0")), "0.0.0.0/0");
  EXPECT_EQ(to_string(prefix("2001:db8::/33")), "2001:db8::/33");
}

TEST(Prefix, RefusesHostBitsAndNonsense) {
  for (const char* text : {"10.0.0.7/24", "10.0.0.0/33", "2001:db8::1/64", "10.0.0", "", "/24",
                           "10.0.0.0/", "10.0.0.0/2x", "10.0.0.0/-1", "host.example"})
    EXPECT_FALSE(parse_ip_prefix(text)) << text;
}

TEST(Prefix, OverlapIsContainment) {
  EXPECT_TRUE(overlaps(prefix("10.0.0.0/8"), prefix("10.1.2.3")));
  EXPECT_TRUE(overlaps(prefix("10.1.2.3"), prefix("10.0.0.0/8")));
  EXPECT_FALSE(overlaps(prefix("10.0.0.0/25"), prefix("10.0.0.128/25")));
  EXPECT_TRUE(overlaps(prefix("0.0.0.0/0"), prefix("10.0.0.1")));
  EXPECT_FALSE(overlaps(prefix("::/0"), prefix("10.0.0.1")));
}

TEST(FlowMatch, OverlapsUnlessSomethingTellsThemApart) {
  const FlowMatch etcd = tcp_to("10.0.0.0/24", 2380);
  EXPECT_TRUE(overlaps(etcd, FlowMatch{}));
  EXPECT_TRUE(overlaps(etcd, tcp_to("10.0.0.1", 2380)));
  EXPECT_FALSE(overlaps(etcd, tcp_to("10.0.0.1", 2379)));
  EXPECT_FALSE(overlaps(etcd, tcp_to("10.0.1.0/24", 2380)));
  FlowMatch udp = etcd;
  udp.protocol = IPPROTO_UDP;
  EXPECT_FALSE(overlaps(etcd, udp));
  FlowMatch v6;
  v6.v6 = true;
  EXPECT_FALSE(overlaps(FlowMatch{}, v6));
}

TEST(FlowMatch, IntersectionIsTheNarrowerOfEach) {
  FlowMatch ssh;
  ssh.protocol = IPPROTO_TCP;
  ssh.source_port = 22;
  const auto both = intersection(tcp_to("10.0.0.0/24", 2380), ssh);
  ASSERT_TRUE(both);
  EXPECT_EQ(to_string(*both), "ip to 10.0.0.0/24 tcp sport 22 dport 2380");
  FlowMatch wide;
  wide.destination = prefix("10.0.0.0/8");
  EXPECT_EQ(intersection(wide, tcp_to("10.1.0.0/16", 1)), tcp_to("10.1.0.0/16", 1));
  EXPECT_FALSE(intersection(tcp_to("10.0.0.1", 1), tcp_to("10.0.0.1", 2)));
}

TEST(EncodeFlower, MatchLiesWhereTheKernelReadsIt) {
  const auto bytes = encode_flower(redirect(tcp_to("10.1.2.0/23", 2380)));
  const auto table = AttributeTable::parse(bytes);
  ASSERT_TRUE(table);
  EXPECT_EQ(table->get<std::uint16_t>(TCA_FLOWER_KEY_ETH_TYPE), htons(ETH_P_IP));
  EXPECT_EQ(table->get<std::uint8_t>(TCA_FLOWER_KEY_IP_PROTO), IPPROTO_TCP);
  EXPECT_EQ(table->get<std::uint32_t>(TCA_FLOWER_KEY_IPV4_DST), htonl(0x0A010200));
  EXPECT_EQ(table->get<std::uint32_t>(TCA_FLOWER_KEY_IPV4_DST_MASK), htonl(0xFFFFFE00));
  EXPECT_EQ(table->get<std::uint16_t>(TCA_FLOWER_KEY_TCP_DST), htons(2380));
  EXPECT_FALSE(table->find(TCA_FLOWER_KEY_IPV4_SRC));
  EXPECT_EQ(table->get<std::uint32_t>(TCA_FLOWER_FLAGS), TCA_CLS_FLAGS_SKIP_HW);
}

TEST(EncodeFlower, RedirectIsMirredToTheEgressOfTheIfb) {
  const auto bytes = encode_flower(redirect(FlowMatch{}));
  const auto table = AttributeTable::parse(bytes);
  const auto actions = table->nest(TCA_FLOWER_ACT);
  ASSERT_TRUE(actions);
  const auto action = actions->nest(1);
  ASSERT_TRUE(action);
  EXPECT_EQ(action->text(TCA_ACT_KIND), "mirred");
  const auto mirred = action->nest(TCA_ACT_OPTIONS)->get<tc_mirred>(TCA_MIRRED_PARMS);
  ASSERT_TRUE(mirred);
  EXPECT_EQ(mirred->eaction, TCA_EGRESS_REDIR);
  EXPECT_EQ(mirred->action, TC_ACT_STOLEN);
  EXPECT_EQ(mirred->ifindex, 77U);
  EXPECT_EQ(action->find(TCA_ACT_COOKIE)->size(), 13U);
}

TEST(EncodeFlower, WithoutTargetThePacketPasses) {
  const auto bytes = encode_flower(Filter{});
  const auto table = AttributeTable::parse(bytes);
  const auto action = table->nest(TCA_FLOWER_ACT)->nest(1);
  EXPECT_EQ(action->text(TCA_ACT_KIND), "gact");
  EXPECT_EQ(action->nest(TCA_ACT_OPTIONS)->get<tc_gact>(TCA_GACT_PARMS)->action, TC_ACT_OK);
}

TEST(ParseFilter, ReadsBackWhatWasWritten) {
  FlowMatch v6;
  v6.v6 = true;
  v6.source = prefix("2001:db8::/33");
  v6.protocol = IPPROTO_UDP;
  v6.source_port = 53;
  FlowMatch discovery;
  discovery.v6 = true;
  discovery.protocol = IPPROTO_ICMPV6;
  discovery.icmp_type = 135;
  for (const FlowMatch& match : {FlowMatch{}, tcp_to("10.1.2.0/23", 2380), v6, discovery}) {
    const Filter wrote = redirect(match);
    Filter read;
    read.kind = "flower";
    ASSERT_TRUE(parse_filter_options(encode_flower(wrote), read));
    EXPECT_EQ(read.match, match) << to_string(read.match);
    EXPECT_EQ(read.redirect_to, wrote.redirect_to);
    EXPECT_EQ(read.cookie, wrote.cookie);
  }
}

TEST(ParseFilter, ContentLeavesOutCountersAndOffloadState) {
  const Filter wrote = redirect(tcp_to("10.0.0.1", 80));
  Filter plain = of_kind("flower");
  ASSERT_TRUE(parse_filter_options(encode_flower(wrote), plain));
  AttributeWriter more;
  more.put(TCA_FLOWER_IN_HW_COUNT, std::uint32_t{1});
  more.put(TCA_FLOWER_FLAGS, std::uint32_t{TCA_CLS_FLAGS_NOT_IN_HW});
  auto bytes = encode_flower(wrote);
  bytes.insert(bytes.end(), more.bytes().begin(), more.bytes().end());
  Filter offloaded = of_kind("flower");
  ASSERT_TRUE(parse_filter_options(bytes, offloaded));
  EXPECT_EQ(offloaded.content, plain.content);
  Filter other = of_kind("flower");
  ASSERT_TRUE(parse_filter_options(encode_flower(redirect(tcp_to("10.0.0.2", 80))), other));
  EXPECT_NE(other.content, plain.content);
}

TEST(ParseFilter, DamagedBytesAreRefusedOrReadButNeverOverrun) {
  const auto whole = encode_flower(redirect(tcp_to("10.0.0.1", 80)));
  std::mt19937 random(1);  // the sanitizers judge; the values do not matter
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::byte> copy(whole.begin(), whole.begin() + random() % (whole.size() + 1));
    for (int flips = 0; flips < 4 && !copy.empty(); ++flips)
      copy[random() % copy.size()] = static_cast<std::byte>(random());
    Filter filter = of_kind("flower");
    (void)parse_filter_options(copy, filter);
  }
}

TEST(ParseFilter, ACookieLongerThanTheKernelKeepsIsDamage) {
  const auto with_cookie = [](std::size_t size) {
    AttributeWriter cookie, action, actions;
    cookie.put_bytes(TCA_ACT_COOKIE, std::vector<std::byte>(size));
    action.put_bytes(1, cookie.bytes());
    actions.put_bytes(TCA_FLOWER_ACT, action.bytes());
    return actions.bytes();
  };
  Filter filter = of_kind("flower");
  EXPECT_TRUE(parse_filter_options(with_cookie(TC_COOKIE_MAX_SIZE), filter));
  EXPECT_EQ(filter.cookie.size(), TC_COOKIE_MAX_SIZE);
  filter = of_kind("flower");
  const auto read = parse_filter_options(with_cookie(TC_COOKIE_MAX_SIZE + 1), filter);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::corrupt);
}

TEST(ParseFilter, UnknownKindIsComparedByItsPlaceOnly) {
  Filter filter = of_kind("route");
  EXPECT_TRUE(parse_filter_options({}, filter));
  EXPECT_TRUE(filter.content.empty());
}

}  // namespace
}  // namespace firedrill::agent::kernel
