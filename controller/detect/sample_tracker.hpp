// Turns the samples of an agent's probe into an alert: a log line that was waited for, a probe in
// breach. Pure: no clock; instants are arguments, on the controller's clock.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controller/detect/detection.hpp"

namespace firedrill {

/// What one sample says. Its window lay between `from` and `to`, known to ± clock_error.
struct SampleLook {
  UtcTime from{}, to{};
  Duration clock_error{};
  Duration unseen{};               ///< the end of the window in which it did not look any more
  std::optional<bool> on{};        ///< absent: the sample could not tell
  bool complete = true;            ///< false: what happened in the window may show only later
  std::optional<UtcTime> began{};  ///< the source's own instant, such as a log line's stamp
  Duration began_error{};          ///< of that, the clock included
  std::string host{}, detail{}, error{};
};

struct SampleTrackerConfig {
  std::string alert{}, severity{};
  bool events = false;  ///< a sample tells what happened in its window, not how things stand
  int on_after = 1;     ///< consecutive samples that are on make it fire, back-dated to the first
  Duration hold{};      ///< quiet for so long is resolved; 0: at the first sample that is off
};

class SampleTracker {
 public:
  SampleTracker(SampleTrackerConfig config, std::string host);

  /// alert.firing with bounds [end of the last quiet sample, end of the first that shows it],
  /// narrowed by the source's own instant when the two agree; alert.resolved; detector.lost after
  /// three samples in a row that could not tell, detector.up at the first that could.
  [[nodiscard]] std::vector<Detection> observe(const SampleLook& look);

 private:
  [[nodiscard]] Detection firing(const SampleLook& look) const;
  [[nodiscard]] Detection resolved(const SampleLook& look) const;
  void could_not_tell(const SampleLook& look, std::vector<Detection>& out);

  SampleTrackerConfig config_;
  std::string host_;
  Labels labels_;
  std::optional<UtcTime> last_quiet_, last_on_;
  std::optional<SampleLook> first_on_;  ///< of the run of samples that are on now
  int on_ = 0, failures_ = 0;
  bool firing_ = false, up_ = false, lost_ = false;
};

}  // namespace firedrill
