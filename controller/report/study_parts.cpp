#include "controller/report/study_parts.hpp"

#include <array>
#include <cmath>

#include <fmt/format.h>

#include "controller/report/html.hpp"
#include "controller/report/words.hpp"

namespace firedrill::reporting {
namespace {

constexpr std::string_view kStudyStyle = R"css(
:root{--z-healthy:#cfe8d5;--z-noticed:#bfd5f5;--z-gray:#4b515c;--z-false:#f4dfad;--on-gray:#fff}
@media (prefers-color-scheme:dark){:root{--z-healthy:#1f4a31;--z-noticed:#23467c;--z-gray:#8f97a5;
--z-false:#6a5217;--on-gray:#14161a}}
.study{display:block;width:100%;min-width:860px}
.study text{font-size:12px;fill:var(--ink)}.study .soft{fill:var(--soft)}
.study .name{font-size:13px;font-weight:600}.study .tick{font-size:11.5px;fill:var(--soft);
text-anchor:middle}.study .ytick{font-size:11px;fill:var(--faint);text-anchor:end}
.study .mid{text-anchor:middle}.study .end{text-anchor:end}
.study .zone{font-size:12.5px;font-weight:650;text-anchor:middle;letter-spacing:.02em}
.study .zone.gray{fill:var(--on-gray)}
.study .bad{fill:var(--bad);font-weight:600}.study .al{fill:var(--alert);font-weight:600}
.cell{stroke:var(--card);stroke-width:1.5}.cell.healthy{fill:var(--z-healthy)}
.cell.noticed{fill:var(--z-noticed)}.cell.gray{fill:var(--z-gray)}.cell.false{fill:var(--z-false)}
.cell.unknown{fill:url(#hatch);stroke:var(--faint)}
.study .hatch{stroke:var(--faint);stroke-width:1.4}
.grayband{fill:var(--z-gray);opacity:.12}
.axis{stroke:var(--faint)}.gridline{stroke:var(--grid)}
.bracket{opacity:.2}.bracket.hurt{fill:var(--bad)}.bracket.seen{fill:var(--alert)}
.edge{stroke-width:1.4;stroke-dasharray:4 3}.edge.hurt{stroke:var(--bad)}
.edge.seen{stroke:var(--alert)}
.stem{stroke-width:7;stroke-linecap:butt}.stem.hurt{stroke:var(--bad);opacity:.75}
.stem.quiet{stroke:var(--faint);stroke-width:1.4;stroke-dasharray:2 3}
.stem.seen{stroke:var(--alert);stroke-width:1.4;opacity:.55}
.dot.seen{fill:var(--alert);stroke:var(--card);stroke-width:1.5}
.dot.imp{fill:var(--bad);stroke:var(--card);stroke-width:1.2}
.dot.none{fill:var(--card);stroke:var(--faint);stroke-width:1.6}
.dot.open{fill:var(--card);stroke:var(--alert);stroke-width:1.8;stroke-linejoin:round}
.dot.point{fill:var(--card);stroke:var(--ink);stroke-width:1.5}
.kmband{fill:var(--alert);opacity:.14}.km{fill:none;stroke:var(--alert);stroke-width:2.2;
stroke-linejoin:round}.censor{stroke:var(--alert);stroke-width:1.8}
.medianline{stroke:var(--ink);stroke-dasharray:4 3;opacity:.6}.whisk{stroke:var(--ink);
stroke-width:2}
.shares{display:grid;grid-template-columns:repeat(3,1fr);gap:14px}
.shares .card{padding:14px 16px}.ci{position:relative;height:8px;border-radius:4px;
background:var(--tint);margin:10px 0 6px}.ci i{position:absolute;top:0;height:8px;border-radius:4px;
background:var(--sli);opacity:.35}.ci b{position:absolute;top:-3px;width:3px;height:14px;
border-radius:2px;background:var(--sli)}
.quad{display:grid;grid-template-columns:110px 1fr 1fr;gap:8px;font-size:14px}
.quad div{padding:10px 14px;border-radius:10px;min-height:66px}.quad .h{padding:4px;min-height:0;
color:var(--soft);font-size:13px;align-self:center}.quad b{display:block}
.quad .healthy{background:var(--z-healthy)}.quad .noticed{background:var(--z-noticed)}
.quad .gray{background:var(--z-gray);color:var(--on-gray)}.quad .false{background:var(--z-false)}
.tag{display:inline-block;padding:1px 9px;border-radius:9px;font-size:12.5px;font-weight:600}
.tag.healthy{background:var(--z-healthy)}.tag.noticed{background:var(--z-noticed)}
.tag.gray{background:var(--z-gray);color:var(--on-gray)}.tag.false{background:var(--z-false)}
.tag.unknown{border:1px dashed var(--faint);color:var(--soft)}
.strip{display:flex;flex-wrap:wrap;gap:5px}.strip span{width:30px;height:30px;border-radius:8px;
display:inline-flex;align-items:center;justify-content:center;font-size:12px;font-weight:600}
.strip .hit{background:var(--alert);color:var(--card)}.strip .late{background:var(--warn);
color:var(--card)}.strip .miss{background:var(--card);border:2px solid var(--bad);color:var(--bad)}
.strip .quiet{background:var(--z-healthy)}.strip .cry{background:var(--z-false);
border:2px solid var(--warn)}.strip .out{border:1px dashed var(--faint);color:var(--faint)}
@media (max-width:900px){.shares{grid-template-columns:1fr}}
)css";

std::string title_of(std::string_view tip) {
  return tip.empty() ? std::string() : fmt::format("<title>{}</title>", escape(tip));
}

std::string percent(double share) { return number(100 * share); }

}  // namespace

std::string spoken_s(double seconds) {
  return spoken(Duration{static_cast<std::int64_t>(std::llround(seconds * 1e6))});
}

std::string timed_words(const std::optional<Timed>& one) {
  if (!one) return "–";
  return (one->observed ? "" : "> ") + spoken_s(one->time);
}

std::string share_words(const stats::Proportion& share) {
  if (share.count == 0) return "no run to tell by";
  const stats::Bounds bounds = stats::wilson(share);
  return fmt::format("{} % ({} of {}; 95 %: {} to {} %)", percent(*share.value()), share.events,
                     share.count, percent(bounds.low), percent(bounds.high));
}

std::string median_words(const Distribution& distribution) {
  if (distribution.count == 0) return "no run to tell by";
  const std::string unseen = distribution.censored == 0
                                 ? ""
                                 : fmt::format("; {} of {} not seen while watched",
                                               distribution.censored, distribution.count);
  const stats::Quantile& median = distribution.median;
  if (!median.value)
    return fmt::format("median not reached: > {}{}", spoken_s(distribution.curve.last), unseen);
  std::string interval;
  if (median.low)
    interval = fmt::format(
        " (95 %: {} to {})", spoken_s(*median.low),
        median.high ? spoken_s(*median.high) : "beyond " + spoken_s(distribution.curve.last));
  return fmt::format("median {}{}{}", spoken_s(*median.value), interval, unseen);
}

std::string study_page(std::string_view kind, std::string_view title, std::string_view lead,
                       std::string_view id, std::string_view body) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'; img-src data:\">\n<link rel=\"icon\" href=\"data:,\">\n"
      "<title>{0}: {1}</title>\n<style>{2}{3}</style></head>\n<body>\n<main>\n"
      "<header><div class=\"brand\"><span><b>Firedrill</b> {0}</span><span>{4}</span></div>"
      "<h1>{1}</h1><p class=\"lead\">{5}</p></header>\n{6}</main></body></html>\n",
      escape(kind), escape(shorten(title, 160)), kPageStyle, kStudyStyle, escape(id),
      escape(shorten(lead, 800)), body);
}

std::string svg_text(double x, double y, std::string_view style, std::string_view text) {
  return fmt::format("<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", style, x, y,
                     escape(text));
}

std::string svg_line(double x1, double y1, double x2, double y2, std::string_view style) {
  return fmt::format(
      "<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", style, x1,
      y1, x2, y2);
}

std::string svg_rect(double x, double y, double width, double height, std::string_view style,
                     std::string_view tip) {
  return fmt::format(
      "<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\">{}</rect>\n",
      style, x, y, width, height, title_of(tip));
}

std::string svg_circle(double x, double y, double radius, std::string_view style,
                       std::string_view tip) {
  return fmt::format("<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\">{}</circle>\n",
                     style, x, y, radius, title_of(tip));
}

std::string svg_path(std::string_view d, std::string_view style, std::string_view tip) {
  return fmt::format("<path class=\"{}\" d=\"{}\">{}</path>\n", style, d, title_of(tip));
}

double round_step(double span, int most) {
  const double decade = std::pow(10, std::floor(std::log10(span)) - 2);
  for (double scale = decade;; scale *= 10)
    for (const double step : {1.0, 2.0, 5.0})
      if (span / (step * scale) <= most) return step * scale;
}

}  // namespace firedrill::reporting
