// Members of a checked object, as C++ values.
#include <cmath>

#include "controller/experiment/read.hpp"

namespace firedrill::format {
namespace {

const Json* find(const Json& object, std::string_view key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

}  // namespace

std::string text_of(const Json& object, std::string_view key) {
  const Json* value = find(object, key);
  return value == nullptr ? std::string{} : value->get<std::string>();
}

std::optional<Duration> optional_duration(const Json& object, std::string_view key) {
  const Json* value = find(object, key);
  if (value == nullptr) return std::nullopt;
  if (value->is_number())
    return Duration{static_cast<std::int64_t>(std::llround(value->get<double>() * 1e6))};
  return parse_duration(value->get_ref<const std::string&>()).value();
}

Duration duration_of(const Json& object, std::string_view key, Duration fallback) {
  return optional_duration(object, key).value_or(fallback);
}

double number_of(const Json& object, std::string_view key, double fallback) {
  const Json* value = find(object, key);
  return value == nullptr ? fallback : value->get<double>();
}

bool flag_of(const Json& object, std::string_view key) {
  const Json* value = find(object, key);
  return value != nullptr && value->get<bool>();
}

std::vector<std::string> texts_of(const Json& object, std::string_view key) {
  const Json* value = find(object, key);
  if (value == nullptr) return {};
  if (value->is_string()) return {value->get<std::string>()};
  return value->get<std::vector<std::string>>();
}

std::map<std::string, std::string> labels_of(const Json& object, std::string_view key) {
  const Json* value = find(object, key);
  if (value == nullptr) return {};
  return value->get<std::map<std::string, std::string>>();
}

const Json& object_of(const Json& object, std::string_view key) {
  static const Json kNone = Json::object();
  const Json* value = find(object, key);
  return value == nullptr ? kNone : *value;
}

const Json& list_of(const Json& object, std::string_view key) {
  static const Json kNone = Json::array();
  const Json* value = find(object, key);
  return value == nullptr ? kNone : *value;
}

}  // namespace firedrill::format
