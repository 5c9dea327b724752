// Tables of the error budgets and of the target's own operating mode.
#include <fmt/format.h>

#include "controller/report/html.hpp"
#include "controller/report/words.hpp"

namespace firedrill::reporting {
namespace {

constexpr std::size_t kMostRows = 60;

std::string cell(std::string_view text, std::string_view style) {
  return fmt::format("<td class=\"{}\">{}</td>", style, escape(text));
}

std::string open_table(std::string_view title, std::initializer_list<std::string_view> columns) {
  std::string out = fmt::format("<h2>{}</h2><div class=\"card scroll\"><table><thead><tr>", title);
  for (const std::string_view column : columns) out += fmt::format("<th>{}</th>", column);
  return out + "</tr></thead><tbody>\n";
}

std::string close_table(std::size_t rows, std::string_view note) {
  std::string out = "</tbody></table>";
  if (rows > kMostRows) out += fmt::format("<p class=\"note\">and {} more</p>", rows - kMostRows);
  return out + fmt::format("<p class=\"note\">{}</p></div>\n", note);
}

std::string budget_row(const SloResult& slo) {
  Duration blind{};
  for (const auto& [from, to] : slo.blind) blind += to - from;
  return "<tr>" + cell("", "") + cell(shorten(slo.name, 80), "") + cell(objective_words(slo), "r") +
         cell("", "") + cell(left_words(slo), "r") + cell(shorten(spent_words(slo), 160), "s") +
         cell(blind > Duration{} ? fmt::format("counts not read for {}", spoken(blind)) : "", "s") +
         "</tr>\n";
}

std::string burn_row(const BurnResult& result, UtcTime origin) {
  const bool fires = result.fired || result.before;
  const bool known = result.longer && result.shorter;
  const std::string_view words = fires ? "▲ burns" : known ? "– quiet" : "? not known";
  const std::string_view style = fires && result.wakes ? "no" : fires || !known ? "eh" : "ok";
  return "<tr>" + cell(words, style) + cell("", "") + cell(row_words(result.row), "r") +
         cell(result.row.severity, "s") + cell("", "") + cell(burn_words(result), "s") +
         cell(firing_words(result, origin), "s") + "</tr>\n";
}

}  // namespace

std::string html_slo_table(const Measures& measures) {
  if (measures.slos.empty()) return {};
  const UtcTime origin = origin_of(measures);
  std::string out = open_table("Error budgets", {"", "SLO", "objective, or burn rate", "severity",
                                                 "left before", "spent by the exercise", ""});
  std::size_t rows = 0;
  for (const SloResult& slo : measures.slos) {
    if (++rows <= kMostRows) out += budget_row(slo);
    for (const BurnResult& result : slo.rows)
      if (++rows <= kMostRows) out += burn_row(result, origin);
  }
  return out + close_table(
                   rows,
                   "Burn rate: the share of bad events over the share that may be bad; at 1 the "
                   "budget lasts exactly its window. A row fires while both of its windows burn "
                   "above its factor. Spent: bad events from the injection to the end, over those "
                   "that the objective allows in the whole window.");
}

std::string html_mode_table(const Measures& measures) {
  if (measures.operating_modes.empty()) return {};
  const UtcTime origin = origin_of(measures);
  std::string out = open_table("What the target said of itself",
                               {"", "operating mode", "time in each", "in order"});
  std::size_t rows = 0;
  for (const ModeResult& mode : measures.operating_modes) {
    if (++rows > kMostRows) continue;
    out += "<tr>" + cell(mode.flaps > 0 ? "✕ flaps" : "", mode.flaps > 0 ? "no" : "") +
           cell(shorten(mode.name, 80), "") + cell(mode_times_words(mode), "s") +
           cell(mode_path_words(mode, origin), "s") + "</tr>\n";
  }
  return out +
         close_table(rows,
                     "Each change lies between two answers. Flapping: back in the mode before "
                     "within the stated time.");
}

}  // namespace firedrill::reporting
