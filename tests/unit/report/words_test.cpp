// Numbers and sentences as people read them.
#include "controller/report/words.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/report/report.hpp"

namespace firedrill {
namespace {

using ::testing::HasSubstr;

TEST(Words, BytesAreSpokenInPowersOf1024) {
  EXPECT_EQ(reporting::quantity(512, "B"), "512 B");
  EXPECT_EQ(reporting::quantity(33'554'432, "B"), "32 MiB");
  EXPECT_EQ(reporting::quantity(29'179'904, "B"), "27.8 MiB");
  EXPECT_EQ(reporting::quantity(-2048, "B"), "\u22122 KiB");
  EXPECT_EQ(reporting::quantity(5e15, "B"), "4547 TiB");
  EXPECT_EQ(reporting::quantity(2048, "ms"), "2048 ms");
}

/// Fired five seconds after the fault, by an estimate; acknowledged so much later.
Measures acknowledged_after(Duration after) {
  const UtcTime injected = from_micros(1'700'000'000'000'000);
  Measures measures;
  measures.points.injected = Instant{injected, {}, {}};
  measures.points.fired = Instant{injected + std::chrono::seconds{5}, {}, {}};
  measures.points.acknowledged = Instant{measures.points.fired->at + after, {}, {}};
  return measures;
}

TEST(Sentence, AnAcknowledgementBeforeTheAlertsEstimatedInstantIsAtOnce) {
  EXPECT_THAT(what_happened(acknowledged_after(std::chrono::milliseconds{-4}), Experiment{}),
              HasSubstr("fired 5.0 s after the injection, acknowledged at once"));
  EXPECT_THAT(what_happened(acknowledged_after(std::chrono::milliseconds{290}), Experiment{}),
              HasSubstr("acknowledged within 290 ms"));
}

}  // namespace
}  // namespace firedrill
