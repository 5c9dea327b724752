#include "controller/experiment/tolerance.hpp"

#include <gtest/gtest.h>

#include "controller/experiment/experiment.hpp"

namespace firedrill {
namespace {

struct Judged {
  const char* tolerance;
  Json value;
  bool within;
};

class Tolerates : public testing::TestWithParam<Judged> {};

TEST_P(Tolerates, AsWritten) {
  const auto tolerance = parse_tolerance(Json::parse(GetParam().tolerance), "/t");
  ASSERT_TRUE(tolerance) << describe(tolerance.error());
  EXPECT_EQ(tolerates(*tolerance, GetParam().value), GetParam().within)
      << GetParam().tolerance << " " << GetParam().value;
}

INSTANTIATE_TEST_SUITE_P(
    Forms, Tolerates,
    testing::Values(Judged{"200", 200, true}, Judged{"200", 200.0, true}, Judged{"200", 503, false},
                    Judged{"\"ok\"", "ok", true}, Judged{"\"ok\"", "OK", false},
                    Judged{"true", true, true}, Judged{"[1, 3]", 1, true},
                    Judged{"[1, 3]", 3.0, true}, Judged{"[1, 3]", 3.001, false},
                    Judged{"[1, 3]", "2", false}, Judged{"[1, 3]", nullptr, false},
                    Judged{"[200, 201, 204]", 204, true}, Judged{"[200, 201, 204]", 202, false},
                    Judged{R"(["up", "degraded"])", "degraded", true},
                    Judged{R"({"type": "range", "range": [0, 0.5]})", 0.5, true},
                    Judged{R"({"type": "range", "range": [0, 0.5]})", 0.6, false},
                    Judged{R"({"type": "regex", "pattern": "^[0-9]+ ok"})", "17 ok\n", true},
                    Judged{R"({"type": "regex", "pattern": "^[0-9]+ ok"})", "not ok", false},
                    Judged{R"({"type": "regex", "pattern": "4"})", 42, true},
                    Judged{R"({"type": "jsonpath", "path": "$.a.b[1]", "expect": 7})",
                           R"({"a": {"b": [1, 7]}})", true},
                    Judged{R"({"type": "jsonpath", "path": "$.a.b[1]", "expect": [6, 7, 8]})",
                           R"({"a": {"b": [1, 7]}})", true},
                    Judged{R"({"type": "jsonpath", "path": "$.a.b[9]", "expect": 7})",
                           R"({"a": {"b": [1, 7]}})", false},
                    Judged{R"({"type": "jsonpath", "path": "$.a", "expect": 7})", "not json",
                           false}));

class NoTolerance : public testing::TestWithParam<const char*> {};

TEST_P(NoTolerance, IsRefused) {
  const auto tolerance = parse_tolerance(Json::parse(GetParam()), "/t");
  ASSERT_FALSE(tolerance);
  EXPECT_TRUE(tolerance.error().pointer.starts_with("/t"));
}

INSTANTIATE_TEST_SUITE_P(Forms, NoTolerance,
                         testing::Values("null", "[]", "[1]", "[3, 1]", "{}",
                                         R"({"type": "probe"})",
                                         R"({"type": "range", "range": [1]})",
                                         R"({"type": "range"})",
                                         R"({"type": "regex", "pattern": "("})",
                                         R"({"type": "regex", "pattern": "a", "flags": "i"})",
                                         R"({"type": "jsonpath", "path": "a", "expect": 1})",
                                         R"({"type": "jsonpath", "path": "$..a", "expect": 1})",
                                         R"({"type": "jsonpath", "path": "$.a[*]", "expect": 1})",
                                         R"({"type": "jsonpath", "path": "$.a"})"));

TEST(Tolerance, ALongTextNeitherRecursesNorHangs) {
  const auto tolerance =
      parse_tolerance(Json::parse(R"({"type": "regex", "pattern": "(a|b|ab)*c$"})"), "/t");
  ASSERT_TRUE(tolerance) << describe(tolerance.error());
  std::string text;
  for (int i = 0; i < 2'000; ++i) text += "ab";
  EXPECT_FALSE(tolerates(*tolerance, text));
  EXPECT_TRUE(tolerates(*tolerance, text + "c"));
}

}  // namespace
}  // namespace firedrill
