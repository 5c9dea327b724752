#include "controller/report/words.hpp"

#include <array>
#include <cmath>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "controller/report/report.hpp"
#include "controller/score/lines.hpp"

namespace firedrill::reporting {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr std::string_view kMinus = "\u2212";

/// Bytes of the character at `text`, or 0 when they are not UTF-8 (RFC 3629).
std::size_t character_size(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  const std::size_t size = first < 0x80                     ? 1
                           : first >= 0xC2 && first < 0xE0  ? 2
                           : (first & 0xF0U) == 0xE0        ? 3
                           : first >= 0xF0 && first <= 0xF4 ? 4
                                                            : 0;
  if (size == 0 || text.size() < size) return 0;
  for (std::size_t i = 1; i < size; ++i)
    if ((byte(i) & 0xC0U) != 0x80) return 0;
  const bool overlong = (first == 0xE0 && byte(1) < 0xA0) || (first == 0xF0 && byte(1) < 0x90);
  const bool surrogate = first == 0xED && byte(1) >= 0xA0;
  const bool beyond = first == 0xF4 && byte(1) >= 0x90;
  const bool noncharacter = first == 0xEF && byte(1) == 0xBF && byte(2) >= 0xBE;
  return overlong || surrogate || beyond || noncharacter ? 0 : size;
}

std::string_view entity_of(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return {};
  }
}

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t size = character_size(text);
    const auto first = static_cast<unsigned char>(text[0]);
    const bool control = (first < 0x20 && first != '\n' && first != '\t') || first == 0x7F;
    if (size == 0 || control) out += kReplacement;
    else if (const std::string_view entity = entity_of(text[0]); !entity.empty()) out += entity;
    else out += text.substr(0, size);
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return out;
}

std::size_t length(std::string_view text) {
  std::size_t count = 0;
  while (!text.empty()) {
    text.remove_prefix(std::max<std::size_t>(character_size(text), 1));
    ++count;
  }
  return count;
}

std::string shorten(std::string_view text, std::size_t most) {
  if (text.size() <= most || length(text) <= most) return std::string(text);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i + 1 < most; ++i)
    bytes += std::max<std::size_t>(character_size(text.substr(bytes)), 1);
  return std::string(text.substr(0, bytes)) + "…";
}

std::string spoken(Duration duration) {
  const std::int64_t micros = duration.count();
  if (micros < 0) return std::string(kMinus) + spoken(-duration);
  if (micros == 0) return "0 s";
  if (micros < 1000) return fmt::format("{} µs", micros);
  const std::int64_t millis = (micros + 500) / 1000;
  if (millis < 1000) return fmt::format("{} ms", millis);
  const std::int64_t tenths = (micros + 50'000) / 100'000;
  if (tenths < 1200) return fmt::format("{}.{} s", tenths / 10, tenths % 10);
  const std::int64_t seconds = (micros + 500'000) / 1'000'000;
  if (seconds < 3600)
    return seconds % 60 == 0 ? fmt::format("{} min", seconds / 60)
                             : fmt::format("{} min {} s", seconds / 60, seconds % 60);
  return fmt::format("{} h {} min", seconds / 3600, seconds % 3600 / 60);
}

std::string since(UtcTime at, UtcTime origin) {
  return (at >= origin ? "+" : "") + spoken(at - origin);
}

std::string number(double value) {
  if (!std::isfinite(value)) return "?";
  const double size = std::fabs(value);
  if (size == 0) return "0";
  const int whole = static_cast<int>(std::floor(std::log10(size))) + 1;
  const int decimals = std::min(12, std::max(0, 3 - whole));
  std::string out = fmt::format("{:.{}f}", size, decimals);
  if (out.find('.') != std::string::npos) {
    out.erase(out.find_last_not_of('0') + 1);
    if (out.back() == '.') out.pop_back();
  }
  return value < 0 ? std::string(kMinus) + out : out;
}

std::string quantity(double value, std::string_view unit) {
  if (unit == kByteUnit && std::fabs(value) >= kByteStep) {
    constexpr std::array<std::string_view, 4> kUnits{"KiB", "MiB", "GiB", "TiB"};
    std::size_t power = 0;
    for (value /= kByteStep; std::fabs(value) >= kByteStep && power + 1 < kUnits.size(); ++power)
      value /= kByteStep;
    return fmt::format("{} {}", number(value), kUnits[power]);
  }
  return unit.empty() ? number(value) : fmt::format("{} {}", number(value), unit);
}

std::string value_of(const Interval& interval) {
  if (interval.value) return spoken(*interval.value);
  if (interval.censored_at) return "> " + spoken(*interval.censored_at);
  return "none";
}

std::string bounds_of(const Interval& interval) {
  if (!interval.value) return {};
  return fmt::format("{} to {}", spoken(interval.low), spoken(interval.high));
}

std::string_view objective_word(const Interval& interval) {
  switch (scoring::judge(interval)) {
    case scoring::Objective::none:
      return "";
    case scoring::Objective::met:
      return "met";
    case scoring::Objective::missed:
      return "missed";
    case scoring::Objective::open:
      return "open";
  }
  return "";
}

std::string_view point_name(std::string_view point) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kNames{
      {{"t_inj", "fault on"},
       {"t_imp", "users hurt"},
       {"t_fire", "alert fires"},
       {"t_ntf", "notified"},
       {"t_ack", "acknowledged"},
       {"t_mit", "mitigated"},
       {"t_rev", "fault off"},
       {"t_rec", "recovered"}}};
  for (const auto& [name, words] : kNames)
    if (name == point) return words;
  return point;
}

std::string_view word(DetectionOutcome outcome) {
  switch (outcome) {
    case DetectionOutcome::in_time:
      return "in time";
    case DetectionOutcome::late:
      return "late";
    case DetectionOutcome::missed:
      return "missed";
    case DetectionOutcome::already_firing:
      return "already on";
    case DetectionOutcome::unknown:
      return "unknown";
  }
  return "unknown";
}

std::string_view word(StepOutcome outcome) {
  switch (outcome) {
    case StepOutcome::on_time:
      return "on time";
    case StepOutcome::late:
      return "late";
    case StepOutcome::skipped:
      return "skipped";
    case StepOutcome::out_of_order:
      return "out of order";
  }
  return "skipped";
}

std::string_view word(StepEvidence evidence) {
  switch (evidence) {
    case StepEvidence::none:
      return "none";
    case StepEvidence::attested:
      return "a person's word";
    case StepEvidence::machine:
      return "seen by machine";
  }
  return "none";
}

std::string cause_words(std::string_view cause) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kCauses{
      {{"time-up", "its time was up"},
       {"requested", "undone on request"},
       {"halted", "undone by the halt"},
       {"lease-lost", "lease lost: undone by the agent"},
       {"cured", "cured by responders"},
       {"agent-stopped", "agent stopped: undone"},
       {"agent-died", "agent died: undone by the guardian"},
       {"apply-failed", "failed, and taken back"},
       {"superseded", "changed by responders, left to them"}}};
  for (const auto& [name, words] : kCauses)
    if (name == cause) return std::string(words);
  return std::string(cause);
}

UtcTime origin_of(const Measures& measures) {
  if (measures.points.injected) return measures.points.injected->at;
  for (const PhaseSpan& phase : measures.phases)
    if (phase.phase == "injecting") return phase.from;
  return measures.started;
}

}  // namespace firedrill::reporting
