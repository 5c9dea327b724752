// A sweep in text and as a page.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "controller/report/study_parts.hpp"
#include "controller/report/words.hpp"

namespace firedrill {
namespace {

using namespace reporting;

std::string_view style_of(Zone zone) {
  return zone == Zone::false_alarm ? std::string_view("false") : to_string(zone);
}

std::string hurt_words(const SweepPoint& point) {
  if (point.zone == Zone::unknown) return "?";
  if (!point.hurt) return "no";
  return fmt::format("{} % of the time, after {}", number(100 * point.hurt_share),
                     timed_words(point.impact));
}

std::string seen_words(const SweepPoint& point) {
  if (point.zone == Zone::unknown) return "?";
  if (point.noticed) return "after " + timed_words(point.detection);
  return point.detection ? "not in " + spoken_s(point.detection->time) : "no";
}

std::string name_of(const Sweep& sweep) { return sweep.vary.subject + "." + sweep.vary.parameter; }

std::string left_over_words(const Sweep& sweep) {
  return sweep.unfinished == 0
             ? ""
             : fmt::format("{} run{} stopped or failed, and {} left out", sweep.unfinished,
                           sweep.unfinished == 1 ? " was" : "s were",
                           sweep.unfinished == 1 ? "is" : "are");
}

std::string one_text(const Sweep& sweep) {
  std::string out = fmt::format("{}: {}\n{}\n\n", name_of(sweep), sweep.title, gray_words(sweep));
  out += fmt::format("  users hurt        {}\n", threshold_words(sweep.hurt, sweep.vary));
  out += fmt::format("  monitoring notices {}\n\n", threshold_words(sweep.noticed, sweep.vary));
  out += fmt::format("  {:>10}  {:<12} {:<34} {:<18} {}\n", "INTENSITY", "ZONE", "USERS HURT",
                     "NOTICED", "RUN");
  for (const SweepPoint& point : sweep.points)
    out += fmt::format("  {:>10}  {:<12} {:<34} {:<18} {}\n", value_text(sweep.vary, point.value),
                       to_string(point.zone), hurt_words(point), seen_words(point),
                       point.why.empty() ? point.run : point.run + ": " + point.why);
  if (!sweep.hurt.sharp || !sweep.noticed.sharp)
    out += "\n  Not sharp: a stronger fault did less than a milder one. Repeat the sweep.\n";
  if (const std::string left = left_over_words(sweep); !left.empty())
    out += fmt::format("\n  {}.\n", left);
  return out;
}

std::string quadrant(const Sweep& sweep, Zone zone) {
  std::vector<std::string> values;
  for (const SweepPoint& point : sweep.points)
    if (point.zone == zone) values.push_back(value_text(sweep.vary, point.value));
  return fmt::format("<div class=\"{}\"><b>{}: {}</b>{}</div>", style_of(zone), to_string(zone),
                     values.size(), escape(fmt::format("{}", fmt::join(values, ", "))));
}

std::string quadrants(const Sweep& sweep) {
  return "<div class=\"card\"><div class=\"quad\"><div class=\"h\"></div>"
         "<div class=\"h\">monitoring silent</div><div class=\"h\">monitoring notices</div>"
         "<div class=\"h\">users whole</div>" +
         quadrant(sweep, Zone::healthy) + quadrant(sweep, Zone::false_alarm) +
         "<div class=\"h\">users hurt</div>" + quadrant(sweep, Zone::gray) +
         quadrant(sweep, Zone::noticed) + "</div></div>\n";
}

std::string table(const Sweep& sweep) {
  std::string out =
      "<div class=\"card scroll\"><table><thead><tr><th>intensity</th><th>zone</th>"
      "<th>users hurt</th><th>noticed</th><th>run</th></tr></thead><tbody>\n";
  for (const SweepPoint& point : sweep.points)
    out += fmt::format(
        "<tr><td class=\"r\">{}</td><td><span class=\"tag {}\">{}</span></td><td>{}</td>"
        "<td>{}</td><td class=\"s\">{}{}</td></tr>\n",
        escape(value_text(sweep.vary, point.value)), style_of(point.zone), to_string(point.zone),
        escape(hurt_words(point)), escape(seen_words(point)), escape(point.run),
        point.why.empty() ? "" : ": " + escape(shorten(point.why, 160)));
  out += "</tbody></table>";
  std::string note;
  if (!sweep.hurt.sharp || !sweep.noticed.sharp)
    note = "A threshold is not sharp: a stronger fault did less than a milder one. ";
  if (const std::string left = left_over_words(sweep); !left.empty()) note += left + ".";
  if (!note.empty()) out += fmt::format("<p class=\"note\">{}</p>", escape(note));
  return out + "</div>\n";
}

std::string one_html(const Sweep& sweep, bool alone) {
  std::string out;
  if (!alone)
    out += fmt::format("<h2>{}</h2><p>{}</p>", escape(name_of(sweep)), escape(gray_words(sweep)));
  out += "<div class=\"card\"><div class=\"scroll\">" + draw_sweep(sweep) + "</div></div>\n";
  out += "<h2>Hurt or not, noticed or not</h2>" + quadrants(sweep);
  return out + "<h2>Every intensity</h2>" + table(sweep);
}

}  // namespace

std::string sweep_text(std::span<const Sweep> sweeps) {
  std::string out;
  for (const Sweep& sweep : sweeps) out += (out.empty() ? "" : "\n") + one_text(sweep);
  return out;
}

std::string sweep_html(std::span<const Sweep> sweeps) {
  if (sweeps.size() == 1) {
    const Sweep& sweep = sweeps.front();
    return study_page("gray-zone map", sweep.title, gray_words(sweep), sweep.session.id,
                      one_html(sweep, true));
  }
  std::string body =
      "<h2>Where users are hurt and nobody hears of it</h2><div class=\"card scroll\">";
  body += draw_map(sweeps) + "</div>\n";
  for (const Sweep& sweep : sweeps) body += one_html(sweep, false);
  const auto blind = std::ranges::count_if(sweeps, [](const Sweep& sweep) {
    return std::ranges::find(sweep.points, Zone::gray, &SweepPoint::zone) != sweep.points.end();
  });
  return study_page("map of blind spots", "Map of blind spots",
                    fmt::format("{} of {} faults have a gray zone: users are hurt, and monitoring "
                                "is silent.",
                                blind, sweeps.size()),
                    "", body);
}

}  // namespace firedrill
