// Checks a document against its table.
#include "controller/experiment/shape.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "controller/experiment/tolerance.hpp"

namespace firedrill::format {
namespace {

std::unexpected<Error> wrong(const Key& key, const Json& value, const std::string& pointer,
                             std::string_view expected) {
  return fail_at(pointer, fmt::format("'{}' must be {}, not {}", key.name, expected,
                                      value.is_string() ? "'" + value.get<std::string>() + "'"
                                                        : std::string(value.type_name())));
}

Result<void> check_duration(const Key& key, const Json& value, const std::string& pointer) {
  if (key.kind == Kind::seconds && value.is_number()) {
    if (value.get<double>() >= 0 && value.get<double>() * 1e6 <= key.max) return {};
    return fail_at(pointer, fmt::format("'{}' must be 0 to {} seconds", key.name, key.max / 1e6));
  }
  if (!value.is_string()) return wrong(key, value, pointer, "a duration with its unit, like '5m'");
  const auto duration = parse_duration(value.get_ref<const std::string&>());
  if (!duration) return fail_at(pointer, duration.error().what);
  const auto micros = static_cast<double>(duration->count());
  if (micros >= key.min && micros <= key.max) return {};
  return fail_at(pointer, fmt::format("'{}' must be {} to {}, not {}", key.name,
                                      to_string(Duration{static_cast<std::int64_t>(key.min)}),
                                      to_string(Duration{static_cast<std::int64_t>(key.max)}),
                                      to_string(*duration)));
}

Result<void> check_number(const Key& key, const Json& value, const std::string& pointer) {
  const bool whole = key.kind == Kind::integer;
  if (whole ? !value.is_number_integer() : !value.is_number())
    return wrong(key, value, pointer, whole ? "a whole number" : "a number");
  const double number = value.get<double>();
  if (key.min == key.max || (number >= key.min && number <= key.max)) return {};
  return fail_at(pointer,
                 fmt::format("'{}' must be {} to {}, not {}", key.name, key.min, key.max, number));
}

Result<void> check_texts(const Key& key, const Json& value, const std::string& pointer) {
  if (!value.is_array()) return wrong(key, value, pointer, "a list of strings");
  for (std::size_t i = 0; i < value.size(); ++i)
    if (!value[i].is_string()) return wrong(key, value[i], pointer_join(pointer, i), "a string");
  return {};
}

Result<void> check_labels(const Key& key, const Json& value, const std::string& pointer) {
  if (!value.is_object()) return wrong(key, value, pointer, "an object of strings");
  for (const auto& [name, text] : value.items()) {
    const std::string at = pointer_join(pointer, name);
    if (!text.is_string()) return wrong(key, text, at, "a string");
    const auto& word = text.get_ref<const std::string&>();
    if (!key.choices.empty() && std::ranges::find(key.choices, word) == key.choices.end())
      return fail_at(at,
                     fmt::format("'{}' is unknown here.{}", word, suggestion(word, key.choices)));
  }
  return {};
}

Result<void> check_list(const Key& key, const Json& value, const std::string& pointer) {
  if (!value.is_array()) return wrong(key, value, pointer, "a list");
  for (std::size_t i = 0; i < value.size(); ++i) {
    const Shape& shape = key.pick == nullptr ? *key.shape : key.pick(value[i]);
    if (auto done = check(value[i], shape, pointer_join(pointer, i)); !done) return done;
  }
  return {};
}

Result<void> check_map(const Key& key, const Json& value, const std::string& pointer) {
  if (!value.is_object()) return wrong(key, value, pointer, "an object");
  for (const auto& [name, item] : value.items()) {
    if (name.empty()) return fail_at(pointer, "a name is empty");
    if (auto done = check(item, *key.shape, pointer_join(pointer, name)); !done) return done;
  }
  return {};
}

Result<void> check_text(const Key& key, const Json& value, const std::string& pointer) {
  if (!value.is_string()) return wrong(key, value, pointer, "a string");
  const auto& text = value.get_ref<const std::string&>();
  if (text.empty()) return fail_at(pointer, fmt::format("'{}' is empty", key.name));
  if (key.kind == Kind::text || std::ranges::find(key.choices, text) != key.choices.end())
    return {};
  return fail_at(pointer, fmt::format("'{}' is no known '{}'.{}", text, key.name,
                                      suggestion(text, key.choices)));
}

Result<void> check_value(const Key& key, const Json& value, const std::string& pointer) {
  switch (key.kind) {
    case Kind::text:
    case Kind::choice:
      return check_text(key, value, pointer);
    case Kind::duration:
    case Kind::seconds:
      return check_duration(key, value, pointer);
    case Kind::number:
    case Kind::integer:
      return check_number(key, value, pointer);
    case Kind::count:
      return value.is_number() || value.is_string() ? Result<void>{}
                                                    : wrong(key, value, pointer, "a number");
    case Kind::flag:
      return value.is_boolean() ? Result<void>{} : wrong(key, value, pointer, "true or false");
    case Kind::words:
      return value.is_string() ? Result<void>{} : check_texts(key, value, pointer);
    case Kind::texts:
      return check_texts(key, value, pointer);
    case Kind::labels:
      return check_labels(key, value, pointer);
    case Kind::open:
      return value.is_object() ? Result<void>{} : wrong(key, value, pointer, "an object");
    case Kind::any:
      return {};
    case Kind::tolerance:
      if (auto read = parse_tolerance(value, pointer); !read) return std::unexpected(read.error());
      return {};
    case Kind::object:
      return check(value, *key.shape, pointer);
    case Kind::list:
      return check_list(key, value, pointer);
    case Kind::map:
      return check_map(key, value, pointer);
    case Kind::refused:
      return fail_at(pointer, fmt::format("'{}' is not supported: {}", key.name, key.help));
  }
  return fail(ErrorCode::internal, "unknown kind of key");
}

const Key* find_key(const Shape& shape, std::string_view name) {
  for (const Key& key : shape.keys)
    if (key.name == name) return &key;
  return nullptr;
}

std::vector<std::string_view> offered_keys(const Shape& shape) {
  std::vector<std::string_view> out;
  for (const Key& key : shape.keys)
    if (key.kind != Kind::refused) out.push_back(key.name);
  return out;
}

}  // namespace

Result<void> check(const Json& json, const Shape& shape, const std::string& pointer) {
  if (!json.is_object())
    return fail_at(pointer, fmt::format("{} must be an object, not {}", shape.name,
                                        std::string(json.type_name())));
  for (const auto& [name, value] : json.items()) {
    const Key* key = find_key(shape, name);
    const std::string at = pointer_join(pointer, name);
    if (key == nullptr && shape.open) continue;
    if (key == nullptr)
      return fail_at(
          at, fmt::format("unknown key '{}'.{}", name, suggestion(name, offered_keys(shape))));
    if (auto done = check_value(*key, value, at); !done) return done;
  }
  for (const Key& key : shape.keys)
    if (key.required && !json.contains(key.name))
      return fail_at(pointer, fmt::format("'{}' is missing in {}", key.name, shape.name));
  return {};
}

}  // namespace firedrill::format
