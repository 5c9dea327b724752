// The head of the page: verdict, sentence, ladder and scores.
#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include "controller/report/html.hpp"
#include "controller/report/report.hpp"
#include "controller/report/words.hpp"
#include "controller/score/floors.hpp"

namespace firedrill::reporting {
namespace {

/// A shape for each verdict, so that nobody has to tell it by colour.
std::string_view icon_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass:
      return "<circle cx=\"13\" cy=\"13\" r=\"11\"/><path d=\"M8 13.4l3.4 3.6L18 9.6\"/>";
    case Verdict::fail:
      return "<path d=\"M8.5 2h9L24 8.5v9L17.5 24h-9L2 17.5v-9Z\"/><path d=\"M9 9l8 8M17 9l-8 "
             "8\"/>";
    case Verdict::inconclusive:
      return "<path d=\"M13 1.5L24.5 13 13 24.5 1.5 13Z\"/>"
             "<path d=\"M10 10.5a3 3 0 1 1 4.4 2.8c-1 .6-1.4 1-1.4 2.2M13 "
             "18.6v.1\"/>";
    case Verdict::aborted:
      return "<circle cx=\"13\" cy=\"13\" r=\"11\"/><path d=\"M9.5 9.5h7v7h-7Z\"/>";
    case Verdict::error:
      return "<path d=\"M13 2.5L24.5 23h-23Z\"/><path d=\"M13 10v6M13 19.3v.1\"/>";
  }
  return "";
}

std::string meta(std::string_view name, std::string_view value) {
  if (value.empty()) return {};
  return fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", name, escape(shorten(value, 120)));
}

std::string hosts_of(const Measures& measures) {
  std::set<std::string> hosts;
  for (const InjectionSpan& span : measures.injections) hosts.insert(span.host);
  if (hosts.size() > 6) return fmt::format("{} hosts", hosts.size());
  return fmt::format("{}", fmt::join(hosts, ", "));
}

std::string rung_markup(const Rung& rung, const Scorecard& card, double x, UtcTime origin) {
  const bool next = rung.name == card.next_rung;
  const std::string_view style = rung.reached ? "on" : next ? "next" : rung.watched ? "" : "skip";
  std::string when = "not reached";
  if (rung.reached) when = rung.at ? since(rung.at->at, origin) : "";
  else if (!rung.watched) when = "not watched";
  const std::string_view inner =
      rung.reached ? "<path class=\"tick\" d=\"M-4.5 .3l3 3.4L4.8 -3.5\"/>"
      : next       ? "<path class=\"cross\" d=\"M-3.5 -3.5l7 7M3.5 -3.5l-7 7\"/>"
                   : "";
  return fmt::format(
      "<g class=\"{}\" transform=\"translate({:.0f} 22)\"><circle class=\"node\" r=\"11\"/>{}"
      "<text class=\"n\" y=\"31\">{}</text><text class=\"t\" y=\"47\">{}</text></g>",
      style, x, inner, escape(rung.name), escape(when));
}

std::string line_markup(const ScoreLine& line) {
  std::string evidence;
  for (std::size_t i = 0; i < line.evidence.size() && i < 8; ++i)
    evidence += fmt::format(" <a href=\"#e{0}\">#{0}</a>", line.evidence[i]);
  return fmt::format("<li class=\"{}\"><b>{} / {}</b>{}<br><span>{}{}</span></li>",
                     line.earned < line.possible ? "lost" : "kept", number(line.earned),
                     number(line.possible), escape(shorten(line.what, 90)),
                     escape(shorten(line.why, 200)), evidence);
}

/// What would have raised it, where nobody has to open anything.
std::string raise_markup(const Score& score) {
  const std::vector<ScoreLine> lost = lost_lines(score);
  if (lost.empty()) return "<p class=\"formula\">nothing was lost</p>";
  std::string out = fmt::format("<p class=\"formula\">+{} by {}", number(gain_of(score, lost[0])),
                                escape(shorten(lost[0].what, 90)));
  if (lost.size() > 1) out += fmt::format("; and {} more", lost.size() - 1);
  return out + "</p>";
}

std::string score_markup(const Score& score) {
  std::string out =
      fmt::format("<div class=\"card\"><div class=\"score-name\">{}</div>", score.name);
  if (!score.value)
    return out + fmt::format("<div class=\"big\">–</div><div class=\"none\">{}</div></div>\n",
                             escape(score.why_none));
  const std::string_view style = *score.value >= 80 ? "" : *score.value >= 50 ? "mid" : "low";
  out += fmt::format(
      "<div class=\"big\">{} <small>of 100</small></div><div class=\"meter\"><i class=\"{}\" "
      "style=\"width:{:.1f}%\"></i></div><details><summary>{} point{} of evidence</summary>"
      "<ul class=\"points\">",
      number(*score.value), style, *score.value, score.lines.size(),
      score.lines.size() == 1 ? "" : "s");
  out.insert(out.find("<details>"), raise_markup(score));
  constexpr std::size_t kMostLines = 40;
  for (std::size_t i = 0; i < score.lines.size() && i < kMostLines; ++i)
    out += line_markup(score.lines[i]);
  if (score.lines.size() > kMostLines)
    out += fmt::format("<li>and {} more</li>", score.lines.size() - kMostLines);
  return out + fmt::format("</ul><p class=\"formula\">{} = {}<br>{}</p></details></div>\n",
                           number(*score.value), points_words(score), escape(score.formula));
}

}  // namespace

std::string html_head(const Measures& measures, const Scorecard& card,
                      const Experiment& experiment) {
  std::string out = fmt::format(
      "<header><div class=\"brand\"><span><b>Firedrill</b> game day "
      "report</span><span>{}</span></div>"
      "<div class=\"top\"><div class=\"stamp {}\"><svg viewBox=\"0 0 26 26\" "
      "aria-hidden=\"true\">{}"
      "</svg>{}</div><h1>{}</h1></div><p class=\"lead\">{}</p><ul class=\"reasons\">",
      escape(measures.run), to_string(card.verdict), icon_of(card.verdict), to_string(card.verdict),
      escape(shorten(experiment.title, 160)),
      escape(shorten(what_happened(measures, experiment), 600)));
  constexpr std::size_t kMostReasons = 10;
  for (std::size_t i = 0; i < card.reasons.size() && i < kMostReasons; ++i)
    out += fmt::format("<li>{}</li>", escape(shorten(card.reasons[i], 260)));
  if (card.reasons.size() > kMostReasons)
    out += fmt::format("<li>and {} more</li>", card.reasons.size() - kMostReasons);
  out += "</ul><dl class=\"meta\">";
  out += meta("started", to_rfc3339(measures.started).substr(0, 19) + "Z");
  out += meta("lasted", spoken(measures.ended - measures.started));
  out += meta("injected on", hosts_of(measures));
  out += meta("experiment", experiment.id);
  if (measures.sham) out += meta("kind", "sham run");
  if (measures.budget_spent)
    out += meta("error budget spent", fmt::format("{} %", number(100 * *measures.budget_spent)));
  out += meta("runbook", experiment.runbook_url);
  return out + "</dl></header>\n";
}

std::string html_ladder(const Measures& measures, const Scorecard& card) {
  if (measures.ladder.empty() || measures.sham) return {};
  const double step = 1200.0 / static_cast<double>(measures.ladder.size());
  std::string rails, nodes;
  for (std::size_t i = 0; i < measures.ladder.size(); ++i) {
    const double x = step * (static_cast<double>(i) + 0.5);
    if (i > 0) {
      const bool on = measures.ladder[i].reached && measures.ladder[i - 1].reached;
      rails +=
          fmt::format("<line class=\"rail {}\" x1=\"{:.0f}\" x2=\"{:.0f}\" y1=\"22\" y2=\"22\"/>",
                      on ? "on" : "", x - step + 15, x - 15);
    }
    nodes += rung_markup(measures.ladder[i], card, x, origin_of(measures));
  }
  const std::string next = card.next_rung.empty()
                               ? ""
                               : fmt::format("<p class=\"note\">The next rung, {}, takes {}.</p>",
                                             escape(card.next_rung), rung_words(card.next_rung));
  return fmt::format(
      "<h2>How far it went: {}</h2><div class=\"card scroll\"><svg class=\"ladder\" viewBox=\"0 0 "
      "1200 76\" "
      "role=\"img\" aria-label=\"Ladder: reached {}\">{}{}</svg>{}</div>\n",
      escape(card.rung), escape(card.rung), rails, nodes, next);
}

std::string html_scores(const Scorecard& card) {
  std::string out = "<h2>Scores</h2><div class=\"scores\">\n";
  for (const Score& score : card.scores) out += score_markup(score);
  return out + "</div>\n";
}

}  // namespace firedrill::reporting
