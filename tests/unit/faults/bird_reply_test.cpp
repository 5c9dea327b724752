// What BIRD says, in every way that a socket may cut it.
#include "agent/kernel/bird_reply.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/kernel/linux_bird.hpp"

namespace firedrill::agent::kernel {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kProtocols =
    "2002-Name       Proto      Table      State  Since         Info\n"
    "1002-device1    Device     ---        up     2026-11-27 12:00:00  \n"
    " peer1      BGP        ---        start  01:57:34.802  Active        Socket: refused\n"
    "1006-  Message:        1a2b3c4d\n"
    "   BGP state:          Established\n"
    "   Channel ipv4\n"
    "     Routes:         10 imported, 1 filtered, 3 exported, 2 preferred\n"
    "   Channel ipv6\n"
    "     Routes:         5 imported, 0 exported, 5 preferred\n"
    " \n"
    "0000 \n";

/// Fed in pieces of `size` bytes.
std::vector<BirdReply> read(std::string_view bytes, std::size_t size) {
  BirdReplyReader reader;
  std::vector<BirdReply> out;
  while (!bytes.empty()) {
    const auto fed = reader.feed(bytes.substr(0, size));
    EXPECT_TRUE(fed) << describe(fed.error());
    bytes.remove_prefix(std::min(size, bytes.size()));
    while (auto reply = reader.take()) out.push_back(std::move(*reply));
  }
  return out;
}

TEST(BirdReply, IsTheSameHoweverItIsCut) {
  const std::string bytes = "0001 BIRD 2.0.12 ready.\n" + std::string(kProtocols);
  for (const std::size_t size : {1U, 2U, 7U, 64U, 4096U}) {
    const auto replies = read(bytes, size);
    ASSERT_EQ(replies.size(), 2U) << size;
    EXPECT_EQ(replies[0].lines.back().code, 1);
    EXPECT_EQ(replies[0].lines.back().text, "BIRD 2.0.12 ready.");
    ASSERT_EQ(replies[1].lines.size(), 11U) << size;
    EXPECT_EQ(replies[1].lines[2].code, 1002) << "a line that goes on keeps the code";
    EXPECT_EQ(replies[1].lines.back().code, 0);
  }
}

TEST(BirdReply, HalfALineIsNoAnswerYet) {
  BirdReplyReader reader;
  ASSERT_TRUE(reader.feed("0009-edge1: disabled\n00"));
  EXPECT_FALSE(reader.take());
  ASSERT_TRUE(reader.feed("00 \n"));
  EXPECT_TRUE(reader.take());
  EXPECT_FALSE(reader.take());
}

TEST(BirdReply, LogMessagesInBetweenBelongToNoAnswer) {
  const auto replies = read("+edge1: state changed\n0009-edge1: disabled\n+more\n0000 \n", 5);
  ASSERT_EQ(replies.size(), 1U);
  EXPECT_EQ(replies[0].lines.size(), 2U);
}

TEST(BirdReply, WhatIsNotBirdIsRefused) {
  for (const std::string_view bytes :
       {"220 mail.example ESMTP\n", "\n", "HTTP/1.1 400 Bad Request\n", " goes on with nothing\n",
        "00x0 \n", "0000\n"}) {
    BirdReplyReader reader;
    const auto fed = reader.feed(bytes);
    ASSERT_FALSE(fed) << bytes;
    EXPECT_EQ(fed.error().code, ErrorCode::corrupt);
  }
}

TEST(BirdReply, EndlessLinesAndAnswersAreRefused) {
  BirdReplyReader reader;
  EXPECT_FALSE(reader.feed(std::string(BirdReplyReader::kLongestLine + 1, 'x')));
  BirdReplyReader patient;
  const std::string line = "1002-" + std::string(60'000, 'x') + "\n";
  bool refused = false;
  for (std::size_t fed = 0; !refused && fed < 2 * BirdReplyReader::kLongestReply;
       fed += line.size())
    refused = !patient.feed(line);
  EXPECT_TRUE(refused);
}

TEST(BirdReply, ErrorsAndRestrictionsHaveWords) {
  const auto judged = [](std::string_view bytes) {
    const auto reply = read(bytes, 100);
    const auto good = check_bird_reply(reply.at(0), "disable x");
    return good ? std::string() : describe(good.error());
  };
  EXPECT_EQ(judged("0009-x: disabled\n0000 \n"), "");
  EXPECT_EQ(judged("0008-x: already disabled\n0000 \n"), "");
  EXPECT_THAT(judged("0016 Access restricted\n"), HasSubstr("not restricted"));
  EXPECT_THAT(judged("8003 No protocols match\n"), HasSubstr("8003: No protocols match"));
  EXPECT_THAT(judged("9001 syntax error, unexpected CF_SYM_UNDEFINED\n"), HasSubstr("9001"));
}

TEST(BirdProtocols, RowsMessagesAndRoutesOfAllChannels) {
  const auto found = parse_bird_protocols(read(kProtocols, 4096).at(0));
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].name, "device1");
  EXPECT_EQ(found[0].state, "up");
  EXPECT_EQ(found[0].since, "2026-11-27 12:00:00");
  EXPECT_FALSE(found[0].has_routes);
  const BirdProtocol& peer = found[1];
  EXPECT_EQ(peer.kind, "BGP");
  EXPECT_EQ(peer.state, "start");
  EXPECT_EQ(peer.since, "01:57:34.802");
  EXPECT_EQ(peer.info, "Active        Socket: refused");
  EXPECT_EQ(peer.message, "1a2b3c4d");
  EXPECT_EQ(peer.imported, 15U);
  EXPECT_EQ(peer.exported, 3U);
  EXPECT_EQ(peer.preferred, 7U);
}

TEST(ControlSockets, AreThoseThatListenAndEndInCtl) {
  EXPECT_THAT(parse_control_sockets(
                  "Num       RefCount Protocol Flags    Type St Inode Path\n"
                  "0000000000000000: 00000002 00000000 00010000 0001 01 2315 /run/bird/bird.ctl\n"
                  "0000000000000000: 00000003 00000000 00000000 0001 03 2316 /run/bird/bird.ctl\n"
                  "0000000000000000: 00000002 00000000 00010000 0001 01 2317 /run/dbus/socket\n"
                  "0000000000000000: 00000002 00000000 00000000 0002 01 2318 /run/other.ctl\n"
                  "0000000000000000: 00000002 00000000 00010000 0001 01 2319 /run/bird 6.ctl\n"
                  "0000000000000000: 00000002 00000000 00010000 0001 01 2320"),
              ElementsAre("/run/bird/bird.ctl", "/run/bird 6.ctl"));
}

}  // namespace
}  // namespace firedrill::agent::kernel
