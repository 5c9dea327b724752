// Turns the target's answers on its own mode into changes of it. Pure: no clock; instants are
// arguments, on the controller's clock.
#pragma once

#include <optional>
#include <string>

#include "controller/experiment/experiment.hpp"
#include "firedrill/event.hpp"

namespace firedrill {

/// One answer, which holds for an instant between the two.
struct ModeLook {
  UtcTime from{}, to{};
  Duration clock_error{};
  std::optional<Json> answer{};  ///< absent: it did not answer, see `error`
  std::string error{};
};

class ModeTracker {
 public:
  explicit ModeTracker(OperatingMode spec) : spec_(std::move(spec)) {}

  /// The data of operating-mode.changed, with its instant, when the mode is another than before.
  /// An answer that means none is unknown at once; no answer is unknown after three in a row, since
  /// the first of them.
  [[nodiscard]] std::optional<Event> observe(const ModeLook& look);

 private:
  [[nodiscard]] std::optional<Event> change(Mode mode, const std::string& value,
                                            const ModeLook& look, UtcTime first_seen);
  OperatingMode spec_;
  std::optional<Mode> mode_;
  std::optional<UtcTime> last_seen_;  ///< when it last answered with the mode it is in
  std::optional<UtcTime> failing_since_;
  int failures_ = 0;
};

/// The answer as a short line: a text as it is, other values as JSON.
[[nodiscard]] std::string answer_words(const Json& answer);

}  // namespace firedrill
