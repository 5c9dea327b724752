// Markdown as hosted CI shows it (GitHub's flavour; the others read it too). Text from outside
// stays text: no markup, no HTML, no link, no mention, no second line.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace firedrill::reporting {

/// One line of text with everything that would mean something escaped. Line breaks become blanks;
/// what escape() replaces is replaced.
[[nodiscard]] std::string markdown(std::string_view text);
/// The same, shortened first: at most `most` characters of the text.
[[nodiscard]] std::string markdown(std::string_view text, std::size_t most);
/// "| a | b |" and a line break; each cell is escaped.
[[nodiscard]] std::string markdown_row(std::initializer_list<std::string_view> cells);

}  // namespace firedrill::reporting
