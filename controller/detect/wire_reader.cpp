#include "controller/detect/wire_reader.hpp"

#include <cmath>

#include <fmt/core.h>

namespace firedrill {
namespace {

const Json kNoArray = Json::array();
const Json kNoObject = Json::object();
constexpr double kLongestSeconds = 366.0 * 86400;

}  // namespace

WireReader::WireReader(const Json& value, std::string pointer)
    : value_(value.is_object() ? value : kNoObject), pointer_(std::move(pointer)) {
  if (!value.is_object())
    error_ =
        fail_at(pointer_, fmt::format("an object is needed, not {}", value.type_name())).error();
}

const Json* WireReader::find(std::string_view key) const {
  const auto member = value_.find(key);
  return member == value_.end() || member->is_null() ? nullptr : &*member;
}

void WireReader::refuse(std::string_view key, std::string what) {
  if (!error_) error_ = fail_at(at(key), std::move(what)).error();
}

Result<void> WireReader::done() const {
  if (error_) return std::unexpected(*error_);
  return {};
}

std::string WireReader::text(std::string_view key) {
  const Json* member = find(key);
  if (member != nullptr && member->is_string()) return member->get<std::string>();
  refuse(key, fmt::format("'{}' must be a text", key));
  return {};
}

std::string WireReader::text_or(std::string_view key, std::string fallback) {
  return find(key) == nullptr ? std::move(fallback) : text(key);
}

Labels WireReader::labels(std::string_view key) {
  Labels labels;
  for (const auto& [name, value] : object(key).items()) {
    if (value.is_string()) labels[name] = value.get<std::string>();
    else refuse(key, fmt::format("the value of '{}' must be a text", name));
  }
  return labels;
}

std::vector<std::string> WireReader::texts(std::string_view key) {
  std::vector<std::string> texts;
  for (const Json& value : array(key)) {
    if (value.is_string()) texts.push_back(value.get<std::string>());
    else refuse(key, fmt::format("'{}' must hold texts", key));
  }
  return texts;
}

Duration WireReader::seconds(std::string_view key) {
  const Json* member = find(key);
  const double value = member != nullptr && member->is_number() ? member->get<double>() : -1;
  if (value >= 0 && value <= kLongestSeconds)
    return Duration{static_cast<std::int64_t>(std::llround(value * 1e6))};
  refuse(key, fmt::format("'{}' must be a number of seconds", key));
  return {};
}

std::optional<UtcTime> WireReader::time(std::string_view key, bool required) {
  const std::string written = required ? text(key) : text_or(key, "");
  if (written.empty() || written.starts_with("0001-01-01T")) return std::nullopt;
  const auto parsed = parse_rfc3339(written);
  if (parsed) return *parsed;
  refuse(key, parsed.error().what);
  return std::nullopt;
}

const Json& WireReader::array(std::string_view key) {
  const Json* member = find(key);
  if (member != nullptr && member->is_array()) return *member;
  if (member != nullptr) refuse(key, fmt::format("'{}' must be an array", key));
  return kNoArray;
}

const Json& WireReader::object(std::string_view key) {
  const Json* member = find(key);
  if (member != nullptr && member->is_object()) return *member;
  if (member != nullptr) refuse(key, fmt::format("'{}' must be an object", key));
  return kNoObject;
}

}  // namespace firedrill
