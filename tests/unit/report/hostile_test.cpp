// Text from outside in reports: it may look odd, but it must stay text.
#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "controller/report/report.hpp"
#include "controller/report/words.hpp"
#include "tests/unit/measure/stories.hpp"

namespace firedrill {
namespace {

using reporting::escape;
using testing::RunLog;
using testing::tell;
using testing::us;

constexpr std::string_view kHostile =
    "</script><script>alert(1)</script>\"' onload='x' <img src=x>&amp;";

struct Reports {
  std::string html, junit, text;
};

Reports reports_of(const std::vector<Event>& events) {
  const Experiment experiment = experiment_of(events).value();
  const Measures measures = measure(events, experiment).value();
  const Scorecard card = score(measures);
  return {html_report(measures, card, experiment, events), junit_report(measures, card, experiment),
          text_report(measures, card, experiment, false)};
}

/// A log whose every free text is hostile.
std::vector<Event> hostile_log() {
  RunLog log;
  log.events = tell({.dirty = true});
  const std::string text(kHostile);
  Json& experiment = log.events.front().data["experiment"];
  experiment["title"] = text;
  experiment["runbook"]["steps"][0]["title"] = text;
  experiment["steady-state-hypothesis"]["probes"][0]["unit"] = text;
  for (Event& event : log.events) {
    if (event.kind == "injection.dirty") event.data["differences"] = {text};
    if (event.kind == "step.done") event.data["note"] = text;
    if (event.kind == "note") event.data["text"] = text;
    if (event.kind == "run.phase" && event.data["phase"] == "recovering")
      event.data["phase"] = text;
  }
  log.alert("alert.firing", 20, text,
            {{"fired_us", us(20)}, {"labels", {{"alertname", text}, {text, text}}}});
  log.add("responder.output", 21, {{"line", text}}, text);
  log.add("note", 22, {{"who", text}, {"text", std::string("\xff\xfe\x01 \x1b[31mred\0", 14)}});
  return log.events;
}

/// Counts opened and closed elements; good enough to see broken nesting and stray quotes.
bool well_formed(std::string_view xml) {
  std::vector<std::string> open;
  for (std::size_t at = xml.find('<'); at != std::string_view::npos; at = xml.find('<', at)) {
    const std::size_t end = xml.find('>', at);
    if (end == std::string_view::npos) return false;
    const std::string_view tag = xml.substr(at + 1, end - at - 1);
    at = end;
    if (tag.contains('<') || std::ranges::count(tag, '"') % 2 != 0) return false;
    if (tag.starts_with('?') || tag.ends_with('/')) continue;
    const std::string name(tag.substr(tag.starts_with('/') ? 1 : 0, tag.find(' ')));
    if (!tag.starts_with('/')) {
      open.push_back(name);
    } else if (open.empty() || open.back() != name) {
      return false;
    } else {
      open.pop_back();
    }
  }
  return open.empty();
}

std::size_t count(std::string_view text, std::string_view what) {
  std::size_t found = 0;
  for (std::size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1))
    ++found;
  return found;
}

TEST(Escape, TurnsMarkupIntoText) {
  EXPECT_EQ(escape("<a href=\"x\">'&'"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;");
  EXPECT_EQ(escape("grüße → ✓"), "grüße → ✓");
}

TEST(Escape, ReplacesWhatNeitherHtmlNorXmlMayHold) {
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(escape(std::string_view("a\0b", 3)), "a" + bad + "b");
  EXPECT_EQ(escape("\x1b[31m"), bad + "[31m");
  EXPECT_EQ(escape("\xff"), bad);
  EXPECT_EQ(escape("\xC0\xAF"), bad + bad);               // overlong
  EXPECT_EQ(escape("\xED\xA0\x80"), bad + bad + bad);     // surrogate
  EXPECT_EQ(escape("cut \xE2\x82"), "cut " + bad + bad);  // torn at the end
}

TEST(Shorten, CountsCharactersAndNeverTearsOne) {
  EXPECT_EQ(reporting::shorten("grüße", 5), "grüße");
  EXPECT_EQ(reporting::shorten("grüße!", 5), "grüß…");
  EXPECT_EQ(reporting::shorten("", 5), "");
}

TEST(Hostile, NoTextBecomesMarkupInThePage) {
  const std::string page = reports_of(hostile_log()).html;
  EXPECT_EQ(count(page, "<script"), 1U);
  EXPECT_EQ(count(page, "</script"), 1U);
  EXPECT_EQ(count(page, "<img"), 0U);
  EXPECT_FALSE(page.contains("onload='x'"));
  EXPECT_TRUE(page.contains("&lt;/script&gt;"));
  EXPECT_FALSE(page.contains('\x01'));
  EXPECT_FALSE(page.contains('\x1b'));
}

TEST(Hostile, JunitStaysWellFormed) {
  EXPECT_TRUE(well_formed(reports_of(hostile_log()).junit));
  EXPECT_TRUE(well_formed(reports_of(tell()).junit));
  EXPECT_FALSE(well_formed("<a><b></a>"));
}

TEST(Hostile, ATerminalIsNotMoved) {
  const std::string text = reports_of(hostile_log()).text;
  EXPECT_FALSE(text.contains('\x1b'));
}

TEST(Hostile, AHugeLogStillMakesASmallPage) {
  RunLog log;
  log.events = tell();
  for (int i = 0; i < 20'000; ++i) log.sample("write-p99", 62 + i, 60 + i % 9);
  for (int i = 0; i < 3'000; ++i) {
    log.add("responder.output", 5 + i * 0.01, {{"line", std::string(500, '<')}}, "responder");
    log.alert("alert.firing", 30, "Noise" + std::to_string(i), {{"fired_us", us(30)}});
    log.active("stray." + std::to_string(i), "netem", 1, 1);
  }
  const std::string page = reports_of(log.events).html;
  EXPECT_LT(page.size(), 300'000U);
  EXPECT_TRUE(page.contains("did not fit"));
}

}  // namespace
}  // namespace firedrill
