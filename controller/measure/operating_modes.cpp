// The target's own operating mode: how long it was in each, what it went through, and how often it
// flapped.
#include <algorithm>
#include <array>

#include "controller/measure/parts.hpp"

namespace firedrill::measuring {
namespace {

constexpr std::array kModes{Mode::normal, Mode::degraded, Mode::floor, Mode::recovery,
                            Mode::unknown};

Mode mode_word(const Json& data) {
  const std::string word = text_of(data, "mode");
  for (const Mode mode : kModes)
    if (to_string(mode) == word) return mode;
  return Mode::unknown;
}

std::vector<ModeVisit> visits_of(const Log& log, const std::string& name, UtcTime ended) {
  std::vector<ModeVisit> out;
  for (const Event* event : log) {
    if (event->kind != event_kind::mode_changed || text_of(event->data, "name") != name) continue;
    const Mode mode = mode_word(event->data);
    if (!out.empty() && out.back().mode == mode) continue;
    const UtcTime seen = time_of(event->data, "first_seen_us").value_or(event->at);
    const UtcTime other = time_of(event->data, "last_other_us").value_or(seen);
    ModeVisit visit{.mode = mode,
                    .value = text_of(event->data, "value"),
                    .began = between(other, seen, event->uncertainty),
                    .until = ended};
    if (!out.empty()) out.back().until = visit.began.at;
    out.push_back(std::move(visit));
  }
  return out;
}

/// Changes between modes that are known, and how many of them lead back soon to the one before:
/// A, then B for at most the bound, then A again. Losing sight of a mode is no change of it.
void count_changes(ModeResult& out) {
  std::vector<const ModeVisit*> known;
  for (const ModeVisit& visit : out.visits)
    if (visit.mode != Mode::unknown && (known.empty() || known.back()->mode != visit.mode))
      known.push_back(&visit);
  out.changes = known.empty() ? 0 : known.size() - 1;
  for (std::size_t i = 2; i < known.size(); ++i)
    if (known[i]->mode == known[i - 2]->mode &&
        known[i]->began.at - known[i - 1]->began.at <= out.flapping_within)
      ++out.flaps;
}

}  // namespace

void operating_modes(const Log& log, const Experiment& experiment, Measures& measures) {
  for (const OperatingMode& spec : experiment.operating_modes) {
    ModeResult out;
    out.name = spec.name;
    out.flapping_within = spec.flapping_within;
    out.visits = visits_of(log, spec.name, measures.ended);
    for (const Mode mode : kModes) {
      Duration time{};
      for (const ModeVisit& visit : out.visits)
        if (visit.mode == mode) time += std::max(Duration{0}, visit.until - visit.began.at);
      if (std::ranges::find(out.visits, mode, &ModeVisit::mode) != out.visits.end())
        out.times.emplace_back(mode, time);
    }
    count_changes(out);
    measures.operating_modes.push_back(std::move(out));
  }
}

}  // namespace firedrill::measuring
