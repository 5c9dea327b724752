// Events that the controller has not answered yet, as the messages that will carry them. Pure: no
// lock, no clock, no socket.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

namespace firedrill::agent {

/// Who goes first when the queue is full.
enum class EventWeight : std::uint8_t { sample, other, injection };
[[nodiscard]] EventWeight weight_of(std::string_view kind);

class EventQueue {
 public:
  struct Entry {
    std::int64_t number = 0;
    EventWeight weight = EventWeight::other;
    std::string message;  ///< encoded: a tenth of what the parsed JSON would take
  };

  /// Holds at most `limit` entries, and more only when all of them are injection events.
  explicit EventQueue(std::size_t limit) : limit_(limit) {}

  /// Numbers must rise. A full queue first loses its oldest sample, else its oldest other event;
  /// when only injection events are left it grows, unless the new one is of less weight: then
  /// that is the one lost.
  void push(Entry entry);
  /// Takes out what was delivered. Unknown numbers (dropped meanwhile) are ignored.
  void answered(std::int64_t number);
  /// The first entry after `number`, or null. Valid until the queue changes.
  [[nodiscard]] const Entry* after(std::int64_t number) const;

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::size_t dropped() const { return dropped_; }

 private:
  bool drop_oldest(EventWeight weight);

  std::size_t limit_;
  std::size_t dropped_ = 0;
  std::deque<Entry> entries_;
};

}  // namespace firedrill::agent
