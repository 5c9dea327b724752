// Rows of the picture: runbook steps, planned against done, and what people said meanwhile.
#include <algorithm>

#include <fmt/format.h>

#include "controller/report/picture.hpp"
#include "controller/report/words.hpp"

namespace firedrill::reporting {
namespace {

constexpr std::size_t kMostSteps = 30;
constexpr std::size_t kMostMarks = 60;
constexpr double kRow = 33;

constexpr std::string_view kDiamond = "<path d=\"M0 -7L7 0L0 7L-7 0Z\"/>";
constexpr std::string_view kRing = "<circle r=\"5.6\"/>";

std::string words_of(const StepResult& step, bool asked) {
  if (!asked || step.outcome == StepOutcome::on_time) return {};
  if (step.outcome == StepOutcome::late && step.due && step.done)
    return fmt::format("✕ {} late", spoken(step.done->at - *step.due));
  return fmt::format("✕ {}", word(step.outcome));
}

void draw_step(Picture& picture, const StepResult& step) {
  const Axis& axis = picture.axis;
  const Measures& measures = picture.measures;
  const double middle = picture.y + 12;
  picture.line(step.title.empty() ? step.id : step.title,
               step.who.empty() ? step.id : fmt::format("{} · {}", step.id, step.who),
               picture.y + 9);
  double anchor = 0, aside = 4;
  if (step.due && measures.points.fired) {
    const double a = axis.inside(measures.points.fired->at);
    const double b = axis.inside(*step.due);
    picture.bar(a, b, middle - 7, 14, "plan",
                fmt::format("planned: until {}", since(*step.due, axis.origin)));
    anchor = b, aside = 8;
  }
  const bool good = step.outcome == StepOutcome::on_time;
  if (step.done) {
    const double x = axis.inside(step.done->at);
    if (step.outcome == StepOutcome::late && step.due)
      picture.bar(axis.inside(*step.due), x, middle - 1, 2, "overdue");
    picture.mark(
        x, middle, step.evidence == StepEvidence::machine ? kDiamond : kRing,
        fmt::format("step {} {}", step.evidence == StepEvidence::machine ? "machine" : "word",
                    good ? "" : "bad"),
        fmt::format("{}: {}, {}\n{}\n{}", step.id, word(step.outcome),
                    since(step.done->at, axis.origin), word(step.evidence), step.detail));
    if (x + 12 > anchor + aside) anchor = x, aside = 12;
  }
  const std::string words = words_of(step, measures.points.injected.has_value());
  if (words.empty()) return;
  const double width = text_width(words) + 6;
  if (anchor + aside + width > kPlot && measures.points.fired)
    anchor = axis.inside(measures.points.fired->at), aside = -width;
  picture.label(anchor, middle + 4, "bad", words, aside);
}

void draw_lone_ack(Picture& picture) {
  const auto& ack = picture.measures.points.acknowledged;
  const bool in_steps = std::ranges::any_of(picture.experiment.steps, [](const RunbookStep& step) {
    return step.verify.kind == StepVerification::Kind::ack;
  });
  if (!ack || in_steps) return;
  picture.line("Acknowledged", "", picture.y + 14);
  picture.mark(picture.axis.inside(ack->at), picture.y + 11, kDiamond, "step machine",
               "acknowledged " + since(ack->at, picture.axis.origin));
  picture.y += kRow;
}

std::string_view shape_of(const Mark& mark) {
  if (mark.kind == "halt") return "<path d=\"M-3 -7H3L7 -3V3L3 7H-3L-7 3V-3Z\"/>";
  if (mark.kind == "inject") return "<path d=\"M0 7V-7L8 -3.5L0 0\"/>";
  return "<path d=\"M0 7C-3 2 -4.6 0 -4.6 -2.6A4.6 4.6 0 1 1 4.6 -2.6C4.6 0 3 2 0 7Z\"/>";
}

/// Notes, facilitator's messages and halts: a pin each, with its first words where there is room.
void draw_marks(Picture& picture) {
  std::vector<const Mark*> marks;
  for (const Mark& mark : picture.measures.marks)
    if (mark.kind != "ack" && mark.at >= picture.axis.from && mark.at <= picture.axis.to)
      marks.push_back(&mark);
  if (marks.empty()) return;
  marks.resize(std::min(marks.size(), kMostMarks));
  picture.line("Said and done", "notes, messages, halts", picture.y + 9);
  const double middle = picture.y + 12;
  for (std::size_t i = 0; i < marks.size(); ++i) {
    const Mark& mark = *marks[i];
    const double x = picture.axis.inside(mark.at);
    const double next = i + 1 < marks.size() ? picture.axis.inside(marks[i + 1]->at) : kPlot;
    picture.mark(x, middle, shape_of(mark), "pin " + escape(mark.kind),
                 fmt::format("{} {}, {}\n{}", mark.kind, since(mark.at, picture.axis.origin),
                             mark.who, mark.text));
    const auto room = static_cast<std::size_t>(std::max(0.0, (next - x - 22) / 6.2));
    if (room >= 6)
      picture.label(
          x, middle + 4, mark.kind == "halt" ? "bad" : "quiet",
          shorten(mark.text.empty() ? mark.kind : mark.text, std::min<std::size_t>(room, 60)), 10);
  }
  picture.y += kRow;
}

}  // namespace

void draw_people(Picture& picture) {
  const Measures& measures = picture.measures;
  if (measures.steps.empty() && measures.marks.empty()) return;
  picture.open("people", "People and runbook");
  draw_lone_ack(picture);
  std::size_t drawn = 0;
  for (const StepResult& step : measures.steps) {
    if (drawn++ >= kMostSteps) continue;
    draw_step(picture, step);
    picture.y += kRow;
  }
  if (drawn > kMostSteps) {
    picture.gutter(10, picture.y + 8, "sub", fmt::format("and {} more", drawn - kMostSteps));
    picture.y += 14;
  }
  draw_marks(picture);
  picture.close();
}

}  // namespace firedrill::reporting
