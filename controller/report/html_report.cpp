// Puts the page together and keeps it small: the log gets what room the rest has left.
#include <algorithm>

#include <fmt/format.h>

#include "controller/report/html.hpp"
#include "controller/report/picture.hpp"
#include "controller/report/report.hpp"
#include "controller/report/words.hpp"

namespace firedrill {
namespace {

constexpr std::size_t kMostBytes = 290'000;

std::vector<Event> by_number(std::span<const Event> events) {
  std::vector<Event> sorted(events.begin(), events.end());
  std::ranges::sort(sorted, {}, &Event::seq);
  return sorted;
}

}  // namespace

std::string html_report(const Measures& measures, const Scorecard& card,
                        const Experiment& experiment, std::span<const Event> events) {
  using namespace reporting;
  std::string page = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n"
      "<link rel=\"icon\" href=\"data:,\">\n<title>{}: "
      "{}</title>\n<style>{}</style></head>\n<body>\n<main>\n",
      to_string(card.verdict), escape(shorten(experiment.title, 120)), kPageStyle);
  page += html_head(measures, card, experiment);
  page += html_ladder(measures, card);
  page += html_scores(card);
  page += "<h2>What happened, on one clock</h2><div class=\"card\"><div class=\"scroll\">\n";
  page += draw_picture(measures, experiment);
  page += "</div>" + html_legend() + "</div>\n";
  page += html_interval_table(measures);
  page += html_spread_table(measures);
  page += html_detection_table(measures);
  page += html_prediction_table(measures);
  page += html_slo_table(measures);
  page += html_mode_table(measures);
  page += html_step_table(measures);
  page += html_host_table(measures);
  const std::string end = fmt::format(
      "</main><div id=\"tip\" role=\"status\"></div>\n<script>{}</script>\n</body></html>\n",
      kPageScript);
  const std::size_t used = page.size() + end.size() + 1000;
  page += html_event_table(by_number(events), origin_of(measures),
                           kMostBytes - std::min(used, kMostBytes));
  return page + end;
}

}  // namespace firedrill
