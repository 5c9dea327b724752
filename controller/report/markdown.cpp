#include "controller/report/markdown.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "controller/report/words.hpp"

namespace firedrill::reporting {
namespace {

bool is_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// "1. x" or "- x" at the beginning would open a list inside of ours.
std::size_t list_mark(std::string_view text) {
  if (text.empty()) return std::string_view::npos;
  if (text[0] == '-' || text[0] == '+' || text[0] == '=') return 0;
  const std::size_t end = text.find_first_not_of("0123456789");
  if (end == 0 || end == std::string_view::npos) return std::string_view::npos;
  return text[end] == '.' || text[end] == ')' ? end : std::string_view::npos;
}

/// Does the mark at `i` mean something there? Marks that do not are left readable: rx_missed.
bool is_active(std::string_view text, std::size_t i) {
  const char before = i == 0 ? ' ' : text[i - 1];
  const char after = i + 1 < text.size() ? text[i + 1] : ' ';
  switch (text[i]) {
    case '\\':
    case '`':
    case '*':
    case '[':
    case '|':
    case '~':
    case '$':
      return true;
    case '_':
      return !is_word(before) || !is_word(after);
    case '#':
      return i == 0 || is_digit(after);  // a heading, or an issue's number
    case ':':
      return text.substr(i).starts_with("://");  // a bare address would become a link
    case '.':
      return i >= 3 && text.substr(i - 3, 3) == "www";
    default:
      return false;
  }
}

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size())
    text.replace(at, what.size(), with);
}

/// As escape(), but quotes stay: they mean nothing here, and people read the source as well.
std::string without_html(std::string_view text) {
  std::string line(text);
  std::ranges::replace_if(line, [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
  line.erase(0, std::min(line.size(), line.find_first_not_of(' ')));
  std::string out = escape(line);
  replace_all(out, "&#39;", "'");
  replace_all(out, "&quot;", "\"");
  return out;
}

/// @param mark  where a mark stands that would open a list, or npos
std::string without_marks(std::string_view plain, std::size_t mark) {
  std::string out;
  for (std::size_t i = 0; i < plain.size(); ++i) {
    if (i == mark || is_active(plain, i)) out += '\\';
    out += plain[i];
    // An invisible blank, so that no name behind an @ is called.
    if (plain[i] == '@') out += "\u200B";
  }
  return out;
}

}  // namespace

std::string markdown(std::string_view text) {
  const std::string plain = without_html(text);
  return without_marks(plain, list_mark(plain));
}

std::string markdown(std::string_view text, std::size_t most) {
  return markdown(shorten(text, most));
}

std::string markdown_row(std::initializer_list<std::string_view> cells) {
  std::string out = "|";
  // A cell holds no list, so that +12.0 s stays readable in the source as well.
  for (const std::string_view cell : cells)
    out += fmt::format(" {} |", without_marks(without_html(cell), std::string_view::npos));
  return out + "\n";
}

}  // namespace firedrill::reporting
