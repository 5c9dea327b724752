// Inside of the study reports: words, the page's frame, and shapes of pictures.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "controller/report/study.hpp"

namespace firedrill::reporting {

/// "12.0 s"; "> 72.0 s" when it was not seen.
[[nodiscard]] std::string spoken_s(double seconds);
[[nodiscard]] std::string timed_words(const std::optional<Timed>& one);
/// "87 % (13 of 15; 95 %: 62 to 96 %)".
[[nodiscard]] std::string share_words(const stats::Proportion& share);
/// "median 12.0 s (95 %: 10.5 s to 14.0 s), 2 of 15 not seen".
[[nodiscard]] std::string median_words(const Distribution& distribution);

/// The whole page: style, head and `body`, which is markup.
[[nodiscard]] std::string study_page(std::string_view kind, std::string_view title,
                                     std::string_view lead, std::string_view id,
                                     std::string_view body);

// Shapes. Texts are plain and are escaped here.
[[nodiscard]] std::string svg_text(double x, double y, std::string_view style,
                                   std::string_view text);
[[nodiscard]] std::string svg_line(double x1, double y1, double x2, double y2,
                                   std::string_view style);
[[nodiscard]] std::string svg_rect(double x, double y, double width, double height,
                                   std::string_view style, std::string_view tip = {});
[[nodiscard]] std::string svg_circle(double x, double y, double radius, std::string_view style,
                                     std::string_view tip = {});
[[nodiscard]] std::string svg_path(std::string_view d, std::string_view style,
                                   std::string_view tip = {});
/// A round step (1, 2, 5 · 10^k) that divides `span` into at most `most` parts.
[[nodiscard]] double round_step(double span, int most);

/// The one sweep in full: zones, what users felt, when it was noticed, on one axis of intensity.
[[nodiscard]] std::string draw_sweep(const Sweep& sweep);
/// A row for each sweep, from mild to strong.
[[nodiscard]] std::string draw_map(std::span<const Sweep> sweeps);
/// Its cells along the axis of intensity, `width` wide, at (x, y).
[[nodiscard]] std::string draw_zones(const Sweep& sweep, double x, double y, double width,
                                     double height);
/// Ticks below `y`, for the axis from x to x + width.
[[nodiscard]] std::string draw_intensities(const Sweep& sweep, double x, double y, double width);
/// Share of trials in which it was noticed by then, with its band.
[[nodiscard]] std::string draw_curve(const Distribution& distribution);

}  // namespace firedrill::reporting
