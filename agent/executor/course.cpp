#include "agent/executor/course.hpp"

#include <algorithm>

namespace firedrill::agent {
namespace {

void follow_pattern(const Pattern& pattern, Duration elapsed, CourseMoment& moment) {
  const Duration period = pattern.on + pattern.off;
  if (period <= Duration{}) return;
  const Duration begun = elapsed - elapsed % period;
  moment.on = elapsed - begun < pattern.on;
  moment.next = std::min(moment.next, begun + (moment.on ? pattern.on : period));
}

void follow_ramp(Duration over, int steps, Duration elapsed, CourseMoment& moment) {
  if (elapsed >= over) {
    moment.step = steps;
    return;
  }
  // The instant of each step, so that rounding cannot make `next` lie before it.
  const auto instant = [&](int step) {
    return Duration{(over.count() * step + steps - 1) / steps};
  };
  moment.step = static_cast<int>(elapsed.count() * steps / over.count());
  moment.next = std::min(moment.next, instant(moment.step + 1));
}

}  // namespace

CourseMoment moment_of(const Course& course, Duration elapsed) {
  CourseMoment moment;
  elapsed = std::max(elapsed, Duration{});
  if (course.pattern) follow_pattern(*course.pattern, elapsed, moment);
  if (course.ramp_steps > 0) follow_ramp(course.ramp_over, course.ramp_steps, elapsed, moment);
  return moment;
}

}  // namespace firedrill::agent
