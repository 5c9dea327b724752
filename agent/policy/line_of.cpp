// Where a JSON pointer stands in its text: the parser keeps no positions, and an owner looks for
// lines. Works on text that has parsed already, so it checks only what keeps it inside the text.
#include <algorithm>

#include "agent/policy/policy.hpp"

namespace firedrill::agent {
namespace {

constexpr std::size_t kNowhere = std::string_view::npos;

std::size_t skip_space(std::string_view text, std::size_t at) {
  return std::min(text.find_first_not_of(" \t\r\n", at), text.size());
}

/// Past the string that begins at `at`.
std::size_t skip_string(std::string_view text, std::size_t at) {
  for (++at; at < text.size() && text[at] != '"'; ++at)
    if (text[at] == '\\') ++at;
  return std::min(at + 1, text.size());
}

/// Past the value that begins at `at`.
std::size_t skip_value(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = skip_string(text, at);
    } else if (c == '{' || c == '[') {
      ++depth;
      ++at;
    } else if (c == '}' || c == ']') {
      if (depth == 0) return at;
      --depth;
      ++at;
    } else if (depth == 0 && c == ',') {
      return at;
    } else {
      ++at;
      continue;
    }
    if (depth == 0) return at;
  }
  return text.size();
}

std::string key_at(std::string_view text, std::size_t from, std::size_t to) {
  const Json key = Json::parse(text.substr(from, to - from), nullptr, false);
  return key.is_string() ? key.get<std::string>() : std::string{};
}

/// Where member or element `step` of the container at `at` begins.
std::size_t find_child(std::string_view text, std::size_t at, std::string_view step) {
  const bool object = text[at] == '{';
  std::size_t index = 0;
  std::size_t found = kNowhere;  // of repeated keys the last one counts, as for the parser
  at = skip_space(text, at + 1);
  while (at < text.size() && text[at] != '}' && text[at] != ']') {
    std::string name = std::to_string(index++);
    if (object) {
      const std::size_t end = skip_string(text, at);
      name = key_at(text, at, end);
      at = skip_space(text, std::min(skip_space(text, end) + 1, text.size()));  // past the colon
    }
    if (name == step) found = at;
    at = skip_space(text, skip_value(text, at));
    if (at < text.size() && text[at] == ',') at = skip_space(text, at + 1);
  }
  return found;
}

std::string unescape(std::string_view step) {
  std::string out;
  for (std::size_t i = 0; i < step.size(); ++i) {
    const bool escaped = step[i] == '~' && i + 1 < step.size();
    out += escaped ? (step[++i] == '1' ? '/' : '~') : step[i];
  }
  return out;
}

}  // namespace

std::size_t line_of(std::string_view text, std::string_view pointer) {
  std::size_t at = skip_space(text, 0);
  while (!pointer.empty()) {
    if (at >= text.size() || (text[at] != '{' && text[at] != '[')) return 0;
    pointer.remove_prefix(1);
    const std::string_view step = pointer.substr(0, pointer.find('/'));
    at = find_child(text, at, unescape(step));
    if (at == kNowhere) return 0;
    pointer.remove_prefix(step.size());
  }
  if (at >= text.size()) return 0;
  return 1 + static_cast<std::size_t>(std::ranges::count(text.substr(0, at), '\n'));
}

}  // namespace firedrill::agent
