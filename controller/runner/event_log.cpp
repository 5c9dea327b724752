#include "controller/runner/event_log.hpp"

#include <utility>

#include "controller/runner/loop.hpp"

namespace firedrill {

EventLog::EventLog(Store& store, std::string run, Observer observer)
    : store_(store), run_(std::move(run)), observer_(std::move(observer)) {}

Result<void> EventLog::say(std::string_view kind, Json data) {
  return say(Event{.seq = 0,
                   .run = run_,
                   .at = utc_now(),
                   .uncertainty = {},
                   .source = "controller",
                   .kind = std::string(kind),
                   .data = std::move(data)});
}

Result<void> EventLog::say(Event event) {
  event.run = run_;
  auto stored = store_.append(std::move(event));
  if (!stored) return std::unexpected(stored.error());
  events_.push_back(std::move(*stored));
  if (observer_) observer_(events_.back());
  return {};
}

Event on_our_clock(const std::string& host, const rpc::AgentEvent& event,
                   const ClockEstimate& clock) {
  Event out{.seq = 0,
            .run = event.run,
            .at = from_micros(event.at_us) - clock.offset,
            .uncertainty = clock.error,
            .source = "agent:" + host,
            .kind = event.kind,
            .data = event.data};
  for (auto& [key, value] : out.data.items())
    if (key.ends_with("_us") && !key.ends_with("_for_us") && value.is_number_integer())
      value = value.get<std::int64_t>() - clock.offset.count();
  out.data["host"] = host;
  out.data["clock_offset_us"] = clock.offset.count();
  return out;
}

}  // namespace firedrill
