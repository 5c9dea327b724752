// What the probes route and bird make of routes and of BIRD's words.
#include "agent/probes/route_values.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/probes/last_minute.hpp"

namespace firedrill::agent {
namespace {

using kernel::BirdProtocol;
using testing::ElementsAre;
using testing::Pair;
using namespace std::chrono_literals;

TEST(RouteValues, AreOfThePreferredRoute) {
  kernel::Route backup;
  backup.metric = 200;
  backup.hops.resize(1);
  kernel::Route best;
  best.metric = 10;
  best.hops.resize(3);
  EXPECT_THAT(route_values({backup, best}),
              ElementsAre(Pair("metric", 10), Pair("nexthops", 3), Pair("present", 1)));
  EXPECT_THAT(route_values({}), ElementsAre(Pair("nexthops", 0), Pair("present", 0)));
}

TEST(BirdValues, SessionThatIsDownHasNoRoutes) {
  BirdProtocol up{.name = "edge1",
                  .kind = "BGP",
                  .state = "up",
                  .since = "1",
                  .info = {},
                  .message = {},
                  .has_routes = true,
                  .imported = 10,
                  .exported = 3,
                  .preferred = 2};
  EXPECT_THAT(bird_values(up), ElementsAre(Pair("exported", 3), Pair("imported", 10),
                                           Pair("preferred", 2), Pair("up", 1)));
  BirdProtocol down{
      .name = "edge1", .kind = "BGP", .state = "start", .since = "1", .info = {}, .message = {}};
  EXPECT_THAT(bird_values(down), ElementsAre(Pair("exported", 0), Pair("imported", 0),
                                             Pair("preferred", 0), Pair("up", 0)));
}

TEST(BirdValues, ProtocolWithoutChannelsHasNoCounts) {
  const BirdProtocol device{
      .name = "device1", .kind = "Device", .state = "up", .since = "1", .info = {}, .message = {}};
  EXPECT_THAT(bird_values(device), ElementsAre(Pair("up", 1)));
}

TEST(BirdValues, FlapBetweenTwoReadingsShowsByTheTime) {
  BirdProtocol before;
  before.state = "up";
  before.since = "12:00:00.1";
  BirdProtocol now = before;
  EXPECT_FALSE(changed_state(before, now));
  now.since = "12:00:05.7";
  EXPECT_TRUE(changed_state(before, now));
  now.since = before.since;
  now.state = "start";
  EXPECT_TRUE(changed_state(before, now));
}

TEST(LastMinute, ForgetsWhatIsOlder) {
  LastMinute minute;
  const LastMinute::Instant start{};
  minute.add(start, 2);
  minute.add(start + 30s);
  minute.add(start + 30s, 0);
  EXPECT_EQ(minute.count(start + 30s), 3);
  EXPECT_EQ(minute.count(start + 60s), 1);
  EXPECT_EQ(minute.count(start + 2min), 0);
}

}  // namespace
}  // namespace firedrill::agent
