#include <cstdlib>

#include <gmock/gmock.h>

#include "tests/unit/experiment/documents.hpp"

namespace firedrill {
namespace {

using testing::HasSubstr;

TEST(Variables, KeepTheirTypeWhenAloneAndAreWrittenOutInText) {
  const auto got = parse(changed("/description", "p99 below ${p99} at ${loss} loss"));
  ASSERT_TRUE(got) << describe(got.error());
  EXPECT_EQ(got->description, "p99 below 150 at 5% loss");
  EXPECT_EQ(got->probes[0].tolerance.high, 150);
}

TEST(Variables, OverridesKeepTheType) {
  const auto got = parse(whole_document(), {{"p99", "80.5"}});
  ASSERT_TRUE(got) << describe(got.error());
  EXPECT_EQ(got->probes[0].tolerance.high, 80.5);
  const auto bad = parse(whole_document(), {{"p99", "fast"}});
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().pointer, "/configuration/p99");
}

TEST(Variables, UnknownNamesGetTheNearest) {
  const auto override_error = parse(whole_document(), {{"los", "1%"}});
  ASSERT_FALSE(override_error);
  EXPECT_THAT(override_error.error().what, HasSubstr("Did you mean 'loss'?"));
  const auto use_error = parse(changed("/method/0/provider/arguments/loss", "${los}"));
  ASSERT_FALSE(use_error);
  EXPECT_EQ(use_error.error().pointer, "/method/0/provider/arguments/loss");
  EXPECT_THAT(use_error.error().what, HasSubstr("Did you mean 'loss'?"));
  EXPECT_FALSE(parse(changed("/description", "${loss")));
}

TEST(Variables, ComeFromTheEnvironmentOrTheDefault) {
  const char* const name = "FIREDRILL_TEST_P99";
  ::unsetenv(name);
  const Json env = {{"type", "env"}, {"key", name}, {"default", 40}};
  auto got = parse(changed("/configuration/p99", env));
  ASSERT_TRUE(got) << describe(got.error());
  EXPECT_EQ(got->probes[0].tolerance.high, 40);
  ::setenv(name, "90", 1);
  got = parse(changed("/configuration/p99", env));
  ASSERT_TRUE(got) << describe(got.error());
  EXPECT_EQ(got->probes[0].tolerance.high, 90);
  ::setenv(name, "many", 1);
  EXPECT_FALSE(parse(changed("/configuration/p99", env)));
  ::setenv(name, "\xff", 1);
  EXPECT_FALSE(parse(changed("/configuration/loss", {{"type", "env"}, {"key", name}})));
  ::unsetenv(name);
}

TEST(Variables, AMissingEnvironmentVariableIsSaid) {
  const Json env = {{"type", "env"}, {"key", "FIREDRILL_TEST_UNSET"}};
  const auto got = parse(changed("/configuration/loss", env));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, ErrorCode::not_found);
  EXPECT_EQ(got.error().pointer, "/configuration/loss");
  EXPECT_TRUE(parse(changed("/configuration/loss", env), {{"loss", "1%"}}));
}

TEST(Variables, AreNotReplacedInsideConfiguration) {
  EXPECT_FALSE(parse(changed("/configuration/loss", "${p99}")));
}

TEST(Variables, DeepNestingIsRefusedNotFollowed) {
  std::string text(2'000, '[');
  text += std::string(2'000, ']');
  EXPECT_FALSE(parse(changed("/extensions", Json::parse(text))));
}

}  // namespace
}  // namespace firedrill
