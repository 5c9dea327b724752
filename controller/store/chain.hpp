// The chain that an event log is: each event's hash covers the one before, so that nothing in the
// middle can be changed, taken out or put in without a trace. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "firedrill/event.hpp"

namespace firedrill {

/// SHA-256, in 64 hexadecimal digits, of `previous`, a line break, and the event as to_json() has
/// it without its hash, dumped on one line with sorted keys. `previous` is the hash of the event
/// before, and empty for the first one.
[[nodiscard]] std::string chain_hash(std::string_view previous, const Event& event);

struct ChainVerdict {
  enum class State : std::uint8_t {
    whole,
    not_chained,  ///< written by a Firedrill that did not chain yet
    broken,
  } state = State::whole;
  std::size_t chained = 0;     ///< events whose hash is right, from the first that has one
  std::size_t unchained = 0;   ///< events ahead of those
  std::int64_t broken_at = 0;  ///< seq of the first event that does not fit
  std::string why;
  std::string head;  ///< hash of the last event; noted elsewhere, it shows that none was cut off
};
[[nodiscard]] std::string_view to_string(ChainVerdict::State state);

/// What a finished run's row says of its log.
struct ChainSeal {
  std::int64_t seq = 0;  ///< of its last event; 0: nothing is known
  std::string hash;
};

/// Checks the events of one run, in order.
[[nodiscard]] ChainVerdict verify_chain(std::span<const Event> events, const ChainSeal& seal = {});

/// Reads an exported log, one event a line.
/// @errors corrupt  a line that is no event, with its number
[[nodiscard]] Result<std::vector<Event>> parse_event_lines(std::string_view text);

}  // namespace firedrill
