#include "agent/uplink/event_queue.hpp"

#include <algorithm>
#include <utility>

#include "firedrill/event.hpp"

namespace firedrill::agent {

EventWeight weight_of(std::string_view kind) {
  if (kind == event_kind::probe_sample) return EventWeight::sample;
  if (kind.starts_with("injection.")) return EventWeight::injection;
  return EventWeight::other;
}

bool EventQueue::drop_oldest(EventWeight weight) {
  const auto it = std::ranges::find(entries_, weight, &Entry::weight);
  if (it == entries_.end()) return false;
  entries_.erase(it);
  ++dropped_;
  return true;
}

void EventQueue::push(Entry entry) {
  if (entries_.size() >= limit_ && !drop_oldest(EventWeight::sample) &&
      !drop_oldest(EventWeight::other) && entry.weight != EventWeight::injection) {
    ++dropped_;
    return;
  }
  entries_.push_back(std::move(entry));
}

void EventQueue::answered(std::int64_t number) {
  const auto it = std::ranges::lower_bound(entries_, number, {}, &Entry::number);
  if (it != entries_.end() && it->number == number) entries_.erase(it);
}

const EventQueue::Entry* EventQueue::after(std::int64_t number) const {
  const auto it = std::ranges::upper_bound(entries_, number, {}, &Entry::number);
  return it == entries_.end() ? nullptr : &*it;
}

}  // namespace firedrill::agent
