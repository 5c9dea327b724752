#include "firedrill/json.hpp"

#include <algorithm>

namespace firedrill {
namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + cost});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

std::string line_and_column(std::string_view text, std::size_t byte) {
  const std::string_view before = text.substr(0, std::min(byte, text.size()));
  const auto line = 1 + std::ranges::count(before, '\n');
  const std::size_t start = before.rfind('\n');
  const std::size_t column = before.size() - (start == std::string_view::npos ? 0 : start + 1);
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view name) {
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    return fail(ErrorCode::invalid_input,
                std::string(name) + ": not valid JSON at " + line_and_column(text, error.byte));
  } catch (const Json::exception&) {  // numbers out of range
    return fail(ErrorCode::invalid_input, std::string(name) + ": a number is out of range");
  }
}

std::string pointer_join(std::string_view base, std::string_view key) {
  std::string out(base);
  out += '/';
  for (const char c : key) {
    if (c == '~') out += "~0";
    else if (c == '/') out += "~1";
    else out += c;
  }
  return out;
}

std::string pointer_join(std::string_view base, std::size_t index) {
  return std::string(base) + "/" + std::to_string(index);
}

std::string nearest_word(std::string_view word, std::span<const std::string_view> candidates) {
  if (word.size() > 100) return {};
  std::size_t best = std::clamp<std::size_t>(word.size() / 3, 1, 3) + 1;
  std::string_view found;
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best) {
      best = distance;
      found = candidate;
    }
  }
  return std::string(found);
}

std::string suggestion(std::string_view word, std::span<const std::string_view> candidates) {
  if (const std::string near = nearest_word(word, candidates); !near.empty())
    return " Did you mean '" + near + "'?";
  if (candidates.empty()) return {};
  std::string out = " Known:";
  for (const std::string_view candidate : candidates)
    out += std::string(out.back() == ':' ? " " : ", ") + std::string(candidate);
  return out + ".";
}

ObjectReader::ObjectReader(const Json& object, std::string pointer)
    : object_(object), pointer_(std::move(pointer)) {
  if (!object_.is_object())
    note_error({ErrorCode::invalid_input, 0, "expected an object", pointer_});
}

void ObjectReader::note_error(Error error) {
  if (!error_) error_ = std::move(error);
}

const Json* ObjectReader::member(std::string_view key) {
  known_.emplace_back(key);
  if (!object_.is_object()) return nullptr;
  const auto it = object_.find(key);
  return it == object_.end() ? nullptr : &*it;
}

const Json* ObjectReader::typed(std::string_view key, bool (Json::*is)() const noexcept,
                                std::string_view kind, bool required) {
  const Json* value = member(key);
  if (value == nullptr) {
    if (required)
      note_error({ErrorCode::invalid_input, 0, "'" + std::string(key) + "' is missing", pointer_});
    return nullptr;
  }
  if ((value->*is)()) return value;
  note_error({ErrorCode::invalid_input, 0,
              "'" + std::string(key) + "' must be " + std::string(kind) + ", not " +
                  std::string(value->type_name()),
              at(key)});
  return nullptr;
}

std::string ObjectReader::required_text(std::string_view key) {
  const Json* value = typed(key, &Json::is_string, "a string", true);
  if (value == nullptr) return {};
  auto text = value->get<std::string>();
  if (text.empty())
    note_error({ErrorCode::invalid_input, 0, "'" + std::string(key) + "' is empty", at(key)});
  return text;
}

std::string ObjectReader::optional_text(std::string_view key, std::string fallback) {
  const Json* value = typed(key, &Json::is_string, "a string", false);
  return value == nullptr ? std::move(fallback) : value->get<std::string>();
}

double ObjectReader::optional_number(std::string_view key, double fallback) {
  const Json* value = typed(key, &Json::is_number, "a number", false);
  return value == nullptr ? fallback : value->get<double>();
}

std::int64_t ObjectReader::optional_integer(std::string_view key, std::int64_t fallback) {
  const Json* value = typed(key, &Json::is_number_integer, "a whole number", false);
  return value == nullptr ? fallback : value->get<std::int64_t>();
}

bool ObjectReader::optional_flag(std::string_view key, bool fallback) {
  const Json* value = typed(key, &Json::is_boolean, "true or false", false);
  return value == nullptr ? fallback : value->get<bool>();
}

std::vector<std::string> ObjectReader::optional_texts(std::string_view key) {
  std::vector<std::string> out;
  const Json* value = optional_array(key);
  if (value == nullptr) return out;
  for (std::size_t i = 0; i < value->size(); ++i) {
    const Json& item = (*value)[i];
    if (item.is_string()) out.push_back(item.get<std::string>());
    else note_error({ErrorCode::invalid_input, 0, "expected a string", pointer_join(at(key), i)});
  }
  return out;
}

const Json* ObjectReader::required_object(std::string_view key) {
  return typed(key, &Json::is_object, "an object", true);
}

const Json* ObjectReader::optional_object(std::string_view key) {
  return typed(key, &Json::is_object, "an object", false);
}

const Json* ObjectReader::optional_array(std::string_view key) {
  return typed(key, &Json::is_array, "a list", false);
}

Result<void> ObjectReader::finish() {
  if (error_) return std::unexpected(*error_);
  const std::vector<std::string_view> known(known_.begin(), known_.end());
  for (const auto& [key, value] : object_.items()) {
    if (std::ranges::find(known, key) != known.end()) continue;
    return fail_at(at(key), "unknown key '" + key + "'." + suggestion(key, known));
  }
  return {};
}

}  // namespace firedrill
