#include "controller/runner/mode_tracker.hpp"

#include <algorithm>

namespace firedrill {
namespace {

constexpr int kFailuresToLose = 3;
constexpr std::size_t kLongestValue = 120;

}  // namespace

std::string answer_words(const Json& answer) {
  std::string text = answer.is_string()
                         ? answer.get<std::string>()
                         : answer.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() <= kLongestValue) return text;
  std::size_t end = kLongestValue;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end) + "…";
}

std::optional<Event> ModeTracker::change(Mode mode, const std::string& value, const ModeLook& look,
                                         UtcTime first_seen) {
  if (mode_ == mode) return std::nullopt;
  Event out;
  out.kind = event_kind::mode_changed;
  out.uncertainty = look.clock_error;
  out.data = {{"name", spec_.name},
              {"mode", to_string(mode)},
              {"value", value},
              {"first_seen_us", to_micros(first_seen)}};
  const UtcTime before = std::min(last_seen_.value_or(first_seen), first_seen);
  if (last_seen_) out.data["last_other_us"] = to_micros(before);
  if (!look.error.empty()) out.data["reason"] = look.error;
  out.at = before + (first_seen - before) / 2;
  out.uncertainty += (first_seen - before + Duration{1}) / 2;
  mode_ = mode;
  return out;
}

std::optional<Event> ModeTracker::observe(const ModeLook& look) {
  if (!look.answer) {
    if (failures_++ == 0) failing_since_ = look.from;
    if (failures_ < kFailuresToLose) return std::nullopt;
    auto out = change(Mode::unknown, "", look, *failing_since_);
    last_seen_ = look.from;
    return out;
  }
  failures_ = 0;
  auto out = change(mode_of(spec_, *look.answer), answer_words(*look.answer), look, look.to);
  last_seen_ = look.from;
  return out;
}

}  // namespace firedrill
