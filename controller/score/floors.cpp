#include "controller/score/floors.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "firedrill/json.hpp"

namespace firedrill {
namespace {

constexpr std::array<std::string_view, 4> kScores{"detection", "response", "recovery", "safety"};

std::unexpected<Error> refuse(std::string_view text, std::string_view why) {
  return fail(ErrorCode::invalid_input, fmt::format("--fail-under '{}': {}", text, why));
}

/// A score below its floor is told with one digit more when rounding would hide the difference.
std::string below_words(const Score& score, double least) {
  const double value = *score.value;
  const int digits = least - value < 0.1 ? 3 : 1;
  return fmt::format("{} is {:.{}f}, below {:g} by {:.{}f}", score.name, value, digits, least,
                     least - value, digits);
}

double possible_of(const Score& score) {
  double possible = 0;
  for (const ScoreLine& line : score.lines) possible += line.possible;
  return possible;
}

}  // namespace

Result<Floor> parse_floor(std::string_view text) {
  Floor floor;
  std::string_view number = text;
  if (const std::size_t at = text.find('='); at != std::string_view::npos) {
    floor.score = text.substr(0, at);
    number = text.substr(at + 1);
    if (std::ranges::find(kScores, floor.score) == kScores.end())
      return refuse(text, fmt::format("there is no score '{}'.{}", floor.score,
                                      suggestion(floor.score, kScores)));
  }
  const char* end = number.data() + number.size();
  const auto [rest, error] =
      std::from_chars(number.data(), end, floor.least, std::chars_format::fixed);
  if (error != std::errc{} || rest != end || !(floor.least >= 0 && floor.least <= 100))
    return refuse(text, "write it as 80 or detection=80; scores go from 0 to 100");
  return floor;
}

Floored hold_to_floors(const Scorecard& card, std::span<const Floor> floors) {
  Floored out{.verdict = card.verdict, .lines = {}};
  bool below = false, unknown = false;
  for (const Floor& floor : floors) {
    bool held = false;
    for (const Score& score : card.scores) {
      if (!floor.score.empty() && score.name != floor.score) continue;
      if (!score.value) {
        if (floor.score.empty()) continue;
        out.lines.push_back(fmt::format("{} has no score: {}", score.name, score.why_none));
        unknown = held = true;
        continue;
      }
      held = true;
      if (*score.value >= floor.least) continue;
      below = true;
      out.lines.push_back(below_words(score, floor.least));
    }
    if (held) continue;
    out.lines.emplace_back("no score has a value, so none can be held to a floor");
    unknown = true;
  }
  if (card.verdict != Verdict::pass) return out;
  if (below) out.verdict = Verdict::fail;
  else if (unknown) out.verdict = Verdict::inconclusive;
  return out;
}

std::vector<ScoreLine> lost_lines(const Score& score) {
  std::multimap<double, const ScoreLine*> by_loss;  // which keeps the order of equal ones
  for (const ScoreLine& line : score.lines)
    if (line.earned < line.possible) by_loss.emplace(line.earned - line.possible, &line);
  std::vector<ScoreLine> lost;
  for (const auto& [loss, line] : by_loss) lost.push_back(*line);
  return lost;
}

double gain_of(const Score& score, const ScoreLine& line) {
  const double possible = possible_of(score);
  return possible > 0 ? 100 * (line.possible - line.earned) / possible : 0;
}

std::string points_words(const Score& score) {
  double earned = 0;
  for (const ScoreLine& line : score.lines) earned += line.earned;
  return fmt::format("100 x {:.4g} / {:.4g}", earned, possible_of(score));
}

std::string_view rung_words(std::string_view rung) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kWords{
      {{"injected", "a fault that its agent confirms"},
       {"impacted", "a steady-state probe out of its tolerance"},
       {"alerted", "an expected alert that fires"},
       {"notified", "its notification, received by a webhook"},
       {"acknowledged", "somebody who acknowledges it"},
       {"diagnosed", "a runbook step before the one that mends"},
       {"mitigated", "users whole again while the fault is still on"},
       {"recovered", "the steady state met again, for the stated time"}}};
  for (const auto& [name, words] : kWords)
    if (name == rung) return words;
  return {};
}

}  // namespace firedrill
