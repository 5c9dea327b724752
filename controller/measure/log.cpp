// Reads the log defensively: order, duplicates, and typed members of an event's data.
#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

#include <fmt/format.h>

#include "controller/measure/parts.hpp"

namespace firedrill::measuring {
namespace {

struct Keyed {
  const Event* event;
  std::string key;
};

const Json* member(const Json& data, std::string_view key) {
  if (!data.is_object()) return nullptr;
  const auto found = data.find(key);
  return found == data.end() ? nullptr : &*found;
}

}  // namespace

Log in_order(std::span<const Event> events) {
  std::vector<Keyed> keyed;
  keyed.reserve(events.size());
  for (const Event& event : events)
    keyed.push_back({&event, event.kind + '\n' + event.source + '\n' +
                                 event.data.dump(-1, ' ', false, Json::error_handler_t::replace)});
  // The sequence number comes last: it only tells twins apart, of which the first is kept.
  std::ranges::sort(keyed, [](const Keyed& a, const Keyed& b) {
    return std::tie(a.event->at, a.key, a.event->seq) < std::tie(b.event->at, b.key, b.event->seq);
  });
  Log log;
  log.reserve(keyed.size());
  for (std::size_t i = 0; i < keyed.size(); ++i) {
    const bool twin =
        i > 0 && keyed[i].event->at == keyed[i - 1].event->at && keyed[i].key == keyed[i - 1].key;
    if (!twin) log.push_back(keyed[i].event);
  }
  return log;
}

std::string text_of(const Json& data, std::string_view key) {
  const Json* value = member(data, key);
  if (value == nullptr || value->is_null()) return {};
  if (value->is_string()) return value->get<std::string>();
  return value->dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<UtcTime> time_of(const Json& data, std::string_view key) {
  const Json* value = member(data, key);
  if (value == nullptr || !value->is_number_integer()) return std::nullopt;
  return from_micros(value->get<std::int64_t>());
}

std::optional<double> number_of(const Json& data, std::string_view key) {
  const Json* value = member(data, key);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->get<double>();
}

std::optional<bool> flag_of(const Json& data, std::string_view key) {
  const Json* value = member(data, key);
  if (value == nullptr || !value->is_boolean()) return std::nullopt;
  return value->get<bool>();
}

const Json* object_of(const Json& data, std::string_view key) {
  const Json* value = member(data, key);
  return value != nullptr && value->is_object() ? value : nullptr;
}

std::vector<std::string> texts_of(const Json& data, std::string_view key) {
  std::vector<std::string> out;
  const Json* value = member(data, key);
  if (value == nullptr || !value->is_array()) return out;
  for (const Json& item : *value)
    out.push_back(item.is_string() ? item.get<std::string>()
                                   : item.dump(-1, ' ', false, Json::error_handler_t::replace));
  return out;
}

Instant between(UtcTime a, UtcTime b, Duration uncertainty) {
  const UtcTime low = std::min(a, b);
  const UtcTime high = std::max(a, b);
  const UtcTime middle = low + (high - low) / 2;
  return {.at = middle, .early = middle - low + uncertainty, .late = high - middle + uncertainty};
}

std::string in_words(Duration duration) {
  if (duration < Duration{0}) return "-" + in_words(-duration);
  if (duration < Duration{1'000'000}) return fmt::format("{} ms", (duration.count() + 500) / 1000);
  const std::int64_t tenths = (duration.count() + 50'000) / 100'000;
  if (tenths < 1200) return fmt::format("{}.{} s", tenths / 10, tenths % 10);
  const std::int64_t seconds = (tenths + 5) / 10;
  if (seconds % 60 == 0) return fmt::format("{} min", seconds / 60);
  return fmt::format("{} min {} s", seconds / 60, seconds % 60);
}

}  // namespace firedrill::measuring
