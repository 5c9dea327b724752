#include "firedrill/units.hpp"

#include <string>

#include <gtest/gtest.h>

namespace firedrill {
namespace {

using namespace std::chrono_literals;

TEST(Duration, ReadsEveryUnitAndIso8601) {
  EXPECT_EQ(parse_duration("250us").value(), 250us);
  EXPECT_EQ(parse_duration("200ms").value(), 200ms);
  EXPECT_EQ(parse_duration("1.5s").value(), 1500ms);
  EXPECT_EQ(parse_duration("1m30s").value(), 90s);
  EXPECT_EQ(parse_duration("PT5M").value(), 5min);
  EXPECT_EQ(parse_duration("P1DT2H").value(), 26h);
  EXPECT_EQ(parse_duration("0s").value(), 0s);
}

TEST(Duration, RefusesWhatHasNoUnitOrSign) {
  for (const std::string_view text :
       {"", "5", "-5s", "5 s", "5x", "s", "1e3s", "PT", "P", "PT5", "5sm", "0.1us", "1000d", "nan",
        "inf", "99999999999999999999999999s", ".5s"})
    EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(Duration, WritesWhatItReads) {
  for (const std::string_view text :
       {"250us", "200ms", "1.5s", "1m30s", "5m", "26h", "0s", "1d2h"}) {
    const Duration once = parse_duration(text).value();
    EXPECT_EQ(parse_duration(to_string(once)).value(), once) << text;
  }
  EXPECT_EQ(to_string(Duration{90s}), "1m30s");
}

TEST(Ratio, IsNeverClamped) {
  EXPECT_DOUBLE_EQ(parse_ratio("5%").value().value, 0.05);
  EXPECT_DOUBLE_EQ(parse_ratio("0.05").value().value, 0.05);
  EXPECT_DOUBLE_EQ(parse_ratio("100%").value().value, 1.0);
  EXPECT_FALSE(parse_ratio("101%"));
  EXPECT_FALSE(parse_ratio("5"));
  EXPECT_FALSE(parse_ratio("-1%"));
}

TEST(Sizes, TellKibFromKb) {
  EXPECT_EQ(parse_byte_count("64KiB").value().value, 65536U);
  EXPECT_EQ(parse_byte_count("64KB").value().value, 64000U);
  EXPECT_EQ(parse_bit_rate("10mbit").value().bits_per_second, 10'000'000U);
  EXPECT_FALSE(parse_byte_count("64"));
  EXPECT_FALSE(parse_byte_count("64kib"));
  EXPECT_EQ(to_string(ByteCount{65536}), "64KiB");
  EXPECT_EQ(to_string(BitRate{10'000'000}), "10mbit");
}

TEST(Time, ReadsWhatPrometheusAndPeopleWrite) {
  EXPECT_EQ(to_rfc3339(parse_rfc3339("2026-03-01T12:00:00Z").value()),
            "2026-03-01T12:00:00.000000Z");
  EXPECT_EQ(parse_rfc3339("2026-03-01T14:00:00.123456789+02:00").value(),
            parse_rfc3339("2026-03-01T12:00:00.123456Z").value());
  for (const std::string_view text :
       {"", "2026-03-01", "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2026-03-01T25:00:00Z",
        "2026-03-01T12:00:00", "2026-03-01T12:00:00.Z", "2026-03-01T12:00:00+2:00"})
    EXPECT_FALSE(parse_rfc3339(text)) << text;
  // In UTC these lie outside the four digits of a year.
  for (const char* text : {"0000-01-01T12:00:11+15:30", "9999-12-31T23:00:00-02:00"})
    EXPECT_FALSE(parse_rfc3339(text)) << text;
}

}  // namespace
}  // namespace firedrill
