// The picture: rows on one time axis, as SVG. Each row function draws itself at the cursor and
// moves it down. Everything that has a time carries it in data-a, data-b or data-x, in plot units,
// so that the page's script can zoom without knowing what it zooms.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "controller/experiment/experiment.hpp"
#include "controller/measure/measures.hpp"

namespace firedrill::reporting {

inline constexpr double kGutter = 206;  ///< left of the plot: names of the rows
inline constexpr double kPlot = 968;    ///< width of the plot
inline constexpr double kPad = 18;      ///< right of it

struct Axis {
  UtcTime from{}, to{}, origin{};
  [[nodiscard]] double x(UtcTime at) const;
  /// Inside the picture, not past its edges.
  [[nodiscard]] double inside(UtcTime at) const;
};

class Picture {
 public:
  Picture(const Measures& measures, const Experiment& experiment);

  const Measures& measures;
  const Experiment& experiment;
  Axis axis;
  double y = 0;  ///< cursor: top of the next row

  /// Starts a group of rows; `id` is what data-rows names.
  void open(std::string_view id, std::string_view title);
  void close();
  void line(std::string_view name, std::string_view detail, double at_y);
  void gutter(double x, double at_y, std::string_view style, std::string_view text);

  // Plot: x and y in plot units, tips are plain text (escaped here).
  void bar(double a, double b, double top, double height, std::string_view style,
           std::string_view tip = {}, double least = 2);
  /// `shape` is SVG around (0, 0).
  void mark(double x, double at_y, std::string_view shape, std::string_view style,
            std::string_view tip = {});
  /// `aside` keeps its size when the plot is zoomed, so that a label stays beside its mark.
  void label(double x, double at_y, std::string_view style, std::string_view text,
             double aside = 0);
  /// A path in plot units that stretches with the zoom.
  void path(std::string_view d, std::string_view style, std::string_view attributes = {});
  void raw(std::string_view svg) { plot_ += svg; }
  void backdrop(std::string_view svg) { back_ += svg; }

  /// The whole `<svg>`; call once, last.
  [[nodiscard]] std::string svg();

 private:
  [[nodiscard]] std::string ticks() const;

  std::string back_, plot_, gutter_;
};

/// A text's width in plot units at the size that labels have; an estimate is enough.
[[nodiscard]] double text_width(std::string_view text);
/// " data-tip=\"…\"", or nothing for an empty tip.
[[nodiscard]] std::string tip_attribute(std::string_view tip);

void draw_points(Picture& picture);
void draw_phases(Picture& picture);
void draw_faults(Picture& picture);
void draw_series(Picture& picture);
void draw_alerts(Picture& picture);
void draw_people(Picture& picture);
void draw_intervals(Picture& picture);

/// All rows, top to bottom.
[[nodiscard]] std::string draw_picture(const Measures& measures, const Experiment& experiment);

}  // namespace firedrill::reporting
