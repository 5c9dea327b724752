// One run's events: to the store first, then to whoever watches. The store's word is final.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/fleet/fleet.hpp"
#include "controller/store/store.hpp"
#include "firedrill/event.hpp"

namespace firedrill {

class EventLog {
 public:
  using Observer = std::function<void(const Event&)>;

  EventLog(Store& store, std::string run, Observer observer);

  /// Appends an event of the controller itself, now.
  Result<void> say(std::string_view kind, Json data);
  /// Appends an event seen elsewhere, already on the controller's clock.
  Result<void> say(Event event);

  [[nodiscard]] const std::vector<Event>& events() const { return events_; }
  [[nodiscard]] const std::string& run() const { return run_; }

 private:
  Store& store_;
  std::string run_;
  Observer observer_;
  std::vector<Event> events_;
};

/// An agent's event on the controller's clock: `at` and every member of data that ends in "_us" and
/// is an instant (durations end in "_for_us") are moved by the offset; the uncertainty is the
/// clock's error; data keeps "clock_offset_us", so that the agent's own times can be had back.
[[nodiscard]] Event on_our_clock(const std::string& host, const rpc::AgentEvent& event,
                                 const ClockEstimate& clock);

}  // namespace firedrill
