// When faults may run on a host: windows of its own local time. Pure; time is an argument.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "firedrill/json.hpp"
#include "firedrill/units.hpp"

namespace firedrill::agent {

inline constexpr int kMinutesOfDay = 24 * 60;
inline constexpr int kMinutesOfWeek = 7 * kMinutesOfDay;

/// The minute of the week, 0 for Monday 00:00, at which an instant is on this host.
using LocalMinute = std::function<int(UtcTime)>;
/// By the time zone of the system. Any thread.
[[nodiscard]] int local_minute_of_week(UtcTime at);
/// "Fri 17:00"
[[nodiscard]] std::string minute_text(int minute_of_week);

class Hours {
 public:
  /// No windows: any time.
  Hours() = default;

  /// `[{"days": "mon-fri", "from": "09:00", "to": "17:00"}, …]`. `days` is a list of days and spans
  /// of days, "mon,wed-fri"; every day unless given. A window whose `to` is not after its `from`
  /// ends on the next day; `to` may be "24:00".
  /// @errors invalid_input  with pointer and nearest word
  [[nodiscard]] static Result<Hours> parse(const Json& list, std::string_view pointer);

  [[nodiscard]] bool any_time() const { return windows_.empty(); }
  [[nodiscard]] bool open_at(int minute_of_week) const;
  /// The first minute, of those from `at` to `at` + `span`, at which no window is open; -1: none.
  [[nodiscard]] int first_closed(UtcTime at, Duration span, const LocalMinute& local) const;
  /// "mon-fri 09:00-17:00, sat 10:00-12:00"
  [[nodiscard]] std::string describe() const;

 private:
  struct Window {
    std::uint8_t days = 0;  ///< bit 0: Monday
    int from = 0;           ///< minute of the day
    int to = 0;             ///< the first minute after it, up to two days' worth
    std::string text;
  };
  std::vector<Window> windows_;
};

}  // namespace firedrill::agent
