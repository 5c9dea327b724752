#include "controller/detect/small_yaml.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/core.h>

namespace firedrill {
namespace {

constexpr int kDeepest = 40;
constexpr std::size_t kMostLines = 50'000;

struct Line {
  std::size_t number = 0, indent = 0;
  std::string text;  ///< without indent and blanks at the end
};

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\r' || text.back() == '\t'))
    text.remove_suffix(1);
  return text;
}

bool is_item(std::string_view text) { return text == "-" || text.starts_with("- "); }

/// Where the key ends and `: ` or a final `:` stands, quotes respected; npos: no key.
std::size_t key_end(std::string_view text) {
  char quote = '\0';
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote != '\0') {
      if (c == '\\' && quote == '"') ++i;
      else if (c == quote) quote = '\0';
    } else if ((c == '"' || c == '\'') && i == 0) {
      quote = c;
    } else if (c == ':' && (i + 1 == text.size() || text[i + 1] == ' ')) {
      return i;
    }
  }
  return std::string_view::npos;
}

std::string unquoted(std::string_view text) {
  if (text.size() < 2 || (text.front() != '"' && text.front() != '\'') ||
      text.back() != text.front())
    return std::string(text);
  const char quote = text.front();
  text = text.substr(1, text.size() - 2);
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i + 1 < text.size() && ((quote == '"' && text[i] == '\\') ||
                                (quote == '\'' && text[i] == '\'' && text[i + 1] == '\'')))
      ++i;
    out += text[i];
  }
  return out;
}

Json scalar(std::string_view text) {
  text = trimmed(text);
  if (text == "{}") return Json::object();
  if (text.starts_with('[') && text.ends_with(']') && text.size() >= 2) {
    Json list = Json::array();
    std::string_view rest = trimmed(text.substr(1, text.size() - 2));
    while (!rest.empty()) {
      const std::size_t comma = rest.find(',');
      list.push_back(unquoted(trimmed(rest.substr(0, comma))));
      rest = comma == std::string_view::npos ? "" : trimmed(rest.substr(comma + 1));
    }
    return list;
  }
  return unquoted(text);
}

class Reader {
 public:
  explicit Reader(std::vector<Line> lines) : lines_(std::move(lines)) {}

  Result<Json> whole() {
    auto out = node(0);
    if (out && !done()) return bad("indented like nothing above it");
    return out;
  }

 private:
  Result<Json> node(int depth) {
    if (done()) return Json(nullptr);
    if (depth > kDeepest) return bad("nested too deep");
    if (is_item(here().text)) return sequence(here().indent, depth);
    return mapping(here().indent, depth);
  }

  [[nodiscard]] bool done() const { return at_ >= lines_.size(); }
  Line& here() { return lines_[at_]; }
  std::unexpected<Error> bad(std::string_view what) {
    const std::size_t number = done() ? 0 : here().number;
    return fail(ErrorCode::invalid_input, fmt::format("YAML line {}: {}", number, what));
  }

  void skip_deeper(std::size_t indent) {
    while (!done() && here().indent > indent) ++at_;
  }

  Result<Json> value_of(std::string_view text, std::size_t indent, int depth) {
    if (text.starts_with('|') || text.starts_with('>')) {
      skip_deeper(indent);
      return Json("");
    }
    if (!text.empty()) return scalar(text);
    if (done()) return Json(nullptr);
    const bool nested = here().indent > indent || (here().indent == indent && is_item(here().text));
    return nested ? node(depth + 1) : Result<Json>(Json(nullptr));
  }

  Result<Json> mapping(std::size_t indent, int depth) {
    Json out = Json::object();
    while (!done() && here().indent == indent && !is_item(here().text)) {
      const std::string text = here().text;
      const std::size_t end = key_end(text);
      if (end == std::string::npos) return bad("a key is needed here");
      ++at_;
      auto value = value_of(trimmed(std::string_view(text).substr(end + 1)), indent, depth);
      if (!value) return value;
      out[unquoted(trimmed(std::string_view(text).substr(0, end)))] = std::move(*value);
    }
    if (!done() && here().indent > indent) return bad("this is deeper than what it belongs to");
    return out;
  }

  Result<Json> sequence(std::size_t indent, int depth) {
    Json out = Json::array();
    while (!done() && here().indent == indent && is_item(here().text)) {
      const std::string inside(trimmed(std::string_view(here().text).substr(1)));
      if (inside.empty() || key_end(inside) == std::string::npos) {
        ++at_;
        auto value = value_of(inside, indent, depth);
        if (!value) return value;
        out.push_back(std::move(*value));
        continue;
      }
      // The item is a map whose first key stands behind the dash.
      here().indent += here().text.find_first_not_of(' ', 1);
      here().text = inside;
      if (depth > kDeepest) return bad("nested too deep");
      auto value = mapping(here().indent, depth + 1);
      if (!value) return value;
      out.push_back(std::move(*value));
    }
    return out;
  }

  std::vector<Line> lines_;
  std::size_t at_ = 0;
};

}  // namespace

Result<Json> read_yaml_section(std::string_view text, std::string_view key) {
  std::vector<Line> lines;
  bool inside = false;
  std::string first;
  for (std::size_t number = 1; !text.empty() && number <= kMostLines; ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const std::string_view content = trimmed(line);
    if (content.empty() || content.starts_with('#')) continue;
    const std::size_t indent = line.find_first_not_of(' ');
    if (indent == 0 && !is_item(content)) {
      const std::size_t end = key_end(content);
      inside = end != std::string_view::npos && unquoted(content.substr(0, end)) == key;
      if (inside) first = trimmed(content.substr(end + 1));
      continue;
    }
    if (inside) lines.push_back({number, indent, std::string(content)});
  }
  if (!first.empty()) return scalar(first);
  if (lines.empty()) return Json(nullptr);
  return Reader(std::move(lines)).whole();
}

}  // namespace firedrill
