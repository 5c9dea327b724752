// How values spread while the fault lasted: a small histogram for each probe, drawn by us.
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "controller/report/html.hpp"
#include "controller/report/words.hpp"

namespace firedrill::reporting {
namespace {

constexpr std::size_t kMostRows = 24;
constexpr double kWidth = 192, kHeight = 34;

std::string cell(std::string_view text, std::string_view style) {
  return fmt::format("<td class=\"{}\">{}</td>", style, escape(text));
}

std::string maybe_quantity(const std::optional<double>& value, const std::string& unit) {
  return value ? quantity(*value, unit) : "";
}

/// Bars of equal width; one sample is still seen. Marks the two modes when there are two.
std::string histogram(const Spread& spread, const std::string& unit) {
  const std::size_t most = std::max<std::size_t>(1, std::ranges::max(spread.bins));
  const double width = kWidth / static_cast<double>(spread.bins.size());
  std::string out = fmt::format(
      "<svg class=\"spread\" viewBox=\"0 0 {0:.0f} {1:.0f}\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
      "role=\"img\" aria-label=\"{2}\">",
      kWidth, kHeight + 4,
      escape(fmt::format("{} samples from {} to {}", spread.count, quantity(spread.low, unit),
                         quantity(spread.high, unit))));
  for (std::size_t i = 0; i < spread.bins.size(); ++i) {
    if (spread.bins[i] == 0) continue;
    const double share = static_cast<double>(spread.bins[i]) / static_cast<double>(most);
    const double height = std::max(2.0, share * kHeight);
    out += fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>",
                       static_cast<double>(i) * width + 0.5, kHeight - height, width - 1, height);
  }
  const auto place = [&](double value) {
    const double share = spread.logarithmic
                             ? std::log(value / spread.low) / std::log(spread.high / spread.low)
                             : (value - spread.low) / (spread.high - spread.low);
    return std::clamp(share, 0.0, 1.0) * kWidth;
  };
  if (spread.bimodal)
    for (const double mode : {spread.lower, spread.upper})
      out += fmt::format("<path class=\"mode\" d=\"M{0:.1f} {1:.0f}l-4 4h8z\"/>", place(mode),
                         kHeight);
  return out + "</svg>";
}

std::string row_of(const SliSeries& series) {
  const Spread& spread = *series.spread;
  return "<tr>" + cell(spread.bimodal ? "two modes" : "one mode", spread.bimodal ? "no" : "eh") +
         cell(shorten(fmt::format("{} from {}", series.probe, series.host), 80), "") +
         fmt::format("<td>{}</td>", histogram(spread, series.unit)) +
         cell(quantity(spread.low, series.unit), "r") +
         cell(quantity(spread.high, series.unit), "r") + cell(modes_words(series), "s") +
         cell(maybe_quantity(series.on_median, series.unit), "r") +
         cell(maybe_quantity(series.off_median, series.unit), "r") +
         cell(number(spread.coefficient), "r") +
         cell(std::isfinite(spread.separation) ? number(spread.separation) : "no spread", "r") +
         "</tr>\n";
}

}  // namespace

std::string html_spread_table(const Measures& measures) {
  std::string rows;
  std::size_t count = 0;
  for (const SliSeries& series : measures.series)
    if (series.spread && count++ < kMostRows) rows += row_of(series);
  if (count == 0) return {};
  std::string out =
      "<h2>How it felt while the fault lasted</h2><div class=\"card scroll\"><table>"
      "<thead><tr>";
  for (const std::string_view column :
       {"", "probe", "samples from least to greatest", "least", "greatest", "modes",
        "median while on", "while off", "Sarle’s coefficient", "Ashman’s D"})
    out += fmt::format("<th>{}</th>", column);
  out += "</tr></thead><tbody>\n" + rows + "</tbody></table>";
  if (count > kMostRows) out += fmt::format("<p class=\"note\">and {} more</p>", count - kMostRows);
  return out +
         "<p class=\"note\">Two modes: the coefficient is above 5/9, D above 2, and each part "
         "holds "
         "a tenth of the samples; on a log scale where all values are above zero. Samples that an "
         "edge between on and off falls into are in neither median.</p></div>\n";
}

}  // namespace firedrill::reporting
