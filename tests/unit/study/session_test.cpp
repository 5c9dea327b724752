// The tag that ties a run to its session: what is written reads back, what is wrong is refused.
#include <gtest/gtest.h>

#include "tests/unit/study/studied.hpp"

namespace firedrill {
namespace {

using testing::studied;

TEST(SessionTag, ReadsBackAsItWasWritten) {
  Session session = testing::trials_session(20);
  session.seed = 18'446'744'073'709'551'615U;  // more than a double keeps
  const SessionTag trial{.session = session, .index = 13, .value = 0};
  const auto read = parse_session_tag(to_json(trial));
  ASSERT_TRUE(read) << describe(read.error());
  EXPECT_EQ(to_json(*read), to_json(trial));
  EXPECT_EQ(read->session.seed, session.seed);
  const SessionTag step{
      .session = testing::sweep_session("netem.loss=1%..30%", 0.1), .index = 0, .value = 0.05};
  EXPECT_EQ(to_json(parse_session_tag(to_json(step)).value()), to_json(step));
}

TEST(SessionTag, RefusesWhatItDoesNotKnowWithItsPlace) {
  const Json good = to_json(SessionTag{.session = testing::trials_session(20), .index = 1});
  const auto refused = [&](const std::string& pointer, const Json& value) {
    Json json = good;
    json[Json::json_pointer(pointer)] = value;
    const auto read = parse_session_tag(json);
    return read ? std::string() : read.error().pointer;
  };
  EXPECT_EQ(refused("/trials/count", 0), "/session/trials/count");
  EXPECT_EQ(refused("/trials/sham_ratio", 1.5), "/session/trials/sham_ratio");
  EXPECT_EQ(refused("/index", -1), "/session/index");
  EXPECT_EQ(refused("/seed", "7x"), "/session/seed");
  EXPECT_EQ(refused("/set/loss", 5), "/session/set/loss");
  EXPECT_EQ(refused("/surprise", 5), "/session/surprise");
  EXPECT_EQ(refused("/sweep", Json::object()), "/session/value");
}

TEST(StudiedRun, KnowsItsSessionAndItsTagFromTheLogAlone) {
  auto events = testing::tell_as(
      "a", {}, SessionTag{.session = testing::trials_session(20), .index = 4, .value = 0});
  events.front().data["tag"] = "v1.4";
  const auto run = study(events);
  ASSERT_TRUE(run);
  EXPECT_EQ(run->tag->index, 4U);
  EXPECT_EQ(run->group, "v1.4");
  EXPECT_EQ(run->run, "a");
  EXPECT_FALSE(study(testing::tell())->tag);
}

TEST(StudiedRun, IsSettledUnlessItWasStoppedOrFailed) {
  EXPECT_TRUE(settled(studied("a", {})));
  EXPECT_TRUE(settled(studied("a", {.sham = true})));
  EXPECT_FALSE(settled(studied("a", {.halt = 10})));
  EXPECT_FALSE(settled(studied("a", {.raise = {}, .dirty = true})));
}

TEST(StudiedRun, IsOfNoUseWhenItsBaselineWasNotQuiet) {
  auto events = testing::tell();
  for (Event& event : events)
    if (event.kind == event_kind::steady_state && event.data["when"] == "before")
      event.data["met"] = false;
  EXPECT_EQ(why_unusable(study(events).value()), "the steady state did not hold before the fault");
  EXPECT_EQ(why_unusable(study(testing::tell()).value()), "");
}

}  // namespace
}  // namespace firedrill
