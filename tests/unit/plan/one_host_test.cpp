// A local run has one host: what its targets may ask of it.
#include "controller/plan/one_host.hpp"

#include <gtest/gtest.h>

namespace firedrill {
namespace {

Experiment with(const std::string& targets) {
  Json document = Json::parse(R"json({
    "title": "x",
    "method": [{"type": "action", "name": "a", "target": "one", "duration": "1s",
                "provider": {"type": "fault", "fault": "netem", "arguments": {}}}]})json");
  document["targets"] = Json::parse(targets);
  return parse_experiment(document, "x", ".").value();
}

TEST(OneHost, HasTheTagsOfAllTargets) {
  const auto tags = tags_of_targets(
      with(R"({"one": {"tags": {"role": "db", "zone": "a"}}, "two": {"tags": {"zone": "a"}}})"));
  ASSERT_TRUE(tags) << describe(tags.error());
  EXPECT_EQ(*tags, (std::map<std::string, std::string>{{"role", "db"}, {"zone", "a"}}));
  EXPECT_TRUE(tags_of_targets(with(R"({"one": {"hosts": ["h"]}})")).value().empty());
}

TEST(OneHost, CannotBeTwoThings) {
  const auto tags = tags_of_targets(
      with(R"({"one": {"tags": {"role": "db"}}, "two": {"tags": {"role": "client"}}})"));
  ASSERT_FALSE(tags);
  EXPECT_EQ(tags.error().pointer, "/targets/two/tags/role");
  EXPECT_TRUE(tags.error().what.contains("--tags")) << tags.error().what;
}

TEST(OneHost, IsNoOtherHost) {
  EXPECT_TRUE(check_only_host(with(R"({"one": {"tags": {"role": "db"}}})"), "here"));
  EXPECT_TRUE(check_only_host(with(R"({"one": {"hosts": ["here"]}})"), "here"));
  const auto other = check_only_host(with(R"({"one": {"hosts": ["here", "db-1"]}})"), "here");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().pointer, "/targets/one/hosts/1");
  EXPECT_TRUE(other.error().what.contains("--name db-1")) << other.error().what;
}

}  // namespace
}  // namespace firedrill
