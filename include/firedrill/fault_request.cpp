#include "firedrill/fault_request.hpp"

#include <algorithm>
#include <array>

namespace firedrill {
namespace {

template <class E>
struct Word {
  E value;
  std::string_view text;
};

constexpr std::array kStates{
    Word{InjectionState::prepared, "prepared"}, Word{InjectionState::applying, "applying"},
    Word{InjectionState::active, "active"},     Word{InjectionState::undoing, "undoing"},
    Word{InjectionState::undone, "undone"},     Word{InjectionState::dirty, "dirty"},
    Word{InjectionState::unknown, "unknown"},
};

constexpr std::array kCauses{
    Word{UndoCause::time_up, "time-up"},       Word{UndoCause::requested, "requested"},
    Word{UndoCause::halted, "halted"},         Word{UndoCause::lease_lost, "lease-lost"},
    Word{UndoCause::cured, "cured"},           Word{UndoCause::agent_stopped, "agent-stopped"},
    Word{UndoCause::agent_died, "agent-died"}, Word{UndoCause::apply_failed, "apply-failed"},
    Word{UndoCause::superseded, "superseded"},
};

template <class E, std::size_t N>
std::string_view word_of(const std::array<Word<E>, N>& words, E value) {
  for (const Word<E>& word : words)
    if (word.value == value) return word.text;
  return "unknown";
}

template <class E, std::size_t N>
Result<E> value_of(const std::array<Word<E>, N>& words, std::string_view text,
                   std::string_view kind) {
  for (const Word<E>& word : words)
    if (word.text == text) return word.value;
  return fail(ErrorCode::invalid_input,
              "unknown " + std::string(kind) + " '" + std::string(text) + "'");
}

constexpr Duration kShortestPeriod = std::chrono::milliseconds{100};
constexpr Duration kLongestPeriod = std::chrono::hours{24};
constexpr int kMostSteps = 1000;
/// So many samples tell an on period's effect from the lack of it.
constexpr int kSamplesInPeriod = 3;

bool good_id(std::string_view id) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  return !id.empty() && id.size() <= 64 && std::ranges::all_of(id, allowed);
}

Duration read_duration(ObjectReader& reader, std::string_view key, Duration low, Duration high,
                       std::optional<Duration> fallback) {
  const std::string text = fallback ? reader.optional_text(key) : reader.required_text(key);
  if (text.empty()) return fallback.value_or(Duration{});
  const auto value = parse_duration(text);
  if (!value) {
    reader.note_error({ErrorCode::invalid_input, 0, value.error().what, reader.at(key)});
  } else if (*value < low || *value > high) {
    reader.note_error({ErrorCode::invalid_input, 0,
                       "'" + std::string(key) + "' must be " + to_string(low) + " to " +
                           to_string(high) + ", not " + to_string(*value),
                       reader.at(key)});
  } else {
    return *value;
  }
  return fallback.value_or(Duration{});
}

/// As arguments are given: a string with its unit, or a whole number.
std::string read_start(ObjectReader& reader) {
  const Json* value = reader.member("from");
  if (value != nullptr && value->is_number_integer()) return value->dump();
  return reader.required_text("from");
}

std::optional<double> read_bound(ObjectReader& reader, std::string_view key) {
  const Json* value = reader.member(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_number()) return value->get<double>();
  reader.note_error(
      {ErrorCode::invalid_input, 0, "'" + std::string(key) + "' must be a number", reader.at(key)});
  return std::nullopt;
}

template <class T>
void read_part(ObjectReader& reader, std::string_view key,
               Result<T> (*parse)(const Json&, std::string_view), std::optional<T>& out) {
  const Json* json = reader.optional_object(key);
  if (json == nullptr) return;
  auto parsed = parse(*json, reader.at(key));
  if (parsed) out = std::move(*parsed);
  else reader.note_error(parsed.error());
}

}  // namespace

std::string_view to_string(InjectionState state) { return word_of(kStates, state); }
Result<InjectionState> parse_injection_state(std::string_view text) {
  return value_of(kStates, text, "injection state");
}
std::string_view to_string(UndoCause cause) { return word_of(kCauses, cause); }
Result<UndoCause> parse_undo_cause(std::string_view text) {
  return value_of(kCauses, text, "undo cause");
}

Json to_json(const CureCondition& cure) {
  Json out = {{"probe", cure.probe},
              {"arguments", cure.params},
              {"measure", cure.value},
              {"interval", to_string(cure.interval)}};
  if (cure.min) out["min"] = *cure.min;
  if (cure.max) out["max"] = *cure.max;
  return out;
}

Result<CureCondition> parse_cure_condition(const Json& json, std::string_view pointer) {
  using namespace std::chrono_literals;
  ObjectReader reader(json, std::string(pointer));
  CureCondition cure;
  cure.probe = reader.required_text("probe");
  if (const Json* params = reader.optional_object("arguments")) cure.params = *params;
  cure.value = reader.required_text("measure");
  cure.min = read_bound(reader, "min");
  cure.max = read_bound(reader, "max");
  cure.interval = read_duration(reader, "interval", 100ms, 60s, cure.interval);
  if (!cure.min && !cure.max)
    reader.note_error({ErrorCode::invalid_input, 0,
                       "a cure needs 'min' or 'max': the value that counts as cured",
                       std::string(pointer)});
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  return cure;
}

Result<void> check_cure_pace(const CureCondition& cure, const Pattern& pattern,
                             std::string_view pointer) {
  if (cure.interval * kSamplesInPeriod <= pattern.on) return {};
  return fail_at(pointer_join(pointer, "interval"),
                 "the fault is on for only " + to_string(pattern.on) +
                     " at a time: sample at least every " +
                     to_string(pattern.on / kSamplesInPeriod) + ", so that a cure can be seen");
}

Json to_json(const Pattern& pattern) {
  return {{"on", to_string(pattern.on)}, {"off", to_string(pattern.off)}};
}

Json to_json(const Ramp& ramp) {
  return {{"parameter", ramp.parameter},
          {"from", ramp.from},
          {"over", to_string(ramp.over)},
          {"steps", ramp.steps}};
}

Result<Pattern> parse_pattern(const Json& json, std::string_view pointer) {
  ObjectReader reader(json, std::string(pointer));
  Pattern pattern;
  pattern.on = read_duration(reader, "on", kShortestPeriod, kLongestPeriod, {});
  pattern.off = read_duration(reader, "off", kShortestPeriod, kLongestPeriod, {});
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  return pattern;
}

Result<Ramp> parse_ramp(const Json& json, std::string_view pointer) {
  ObjectReader reader(json, std::string(pointer));
  Ramp ramp;
  ramp.parameter = reader.required_text("parameter");
  ramp.from = read_start(reader);
  ramp.over = read_duration(reader, "over", kShortestPeriod, kLongestPeriod, {});
  const std::int64_t steps = reader.optional_integer("steps", ramp.steps);
  if (steps < 1 || steps > kMostSteps)
    reader.note_error({ErrorCode::invalid_input, 0,
                       "'steps' must be 1 to " + std::to_string(kMostSteps), reader.at("steps")});
  else if (ramp.over < steps * kShortestPeriod)
    reader.note_error({ErrorCode::invalid_input, 0,
                       std::to_string(steps) + " steps over " + to_string(ramp.over) +
                           " are too fast: a step takes at least " + to_string(kShortestPeriod) +
                           ", so give fewer 'steps' or a longer 'over'",
                       reader.at("steps")});
  else ramp.steps = static_cast<int>(steps);
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  return ramp;
}

Json to_json(const FaultRequest& request) {
  Json out = {{"id", request.id},
              {"run", request.run},
              {"fault", request.fault},
              {"arguments", request.params},
              {"duration", to_string(request.duration)}};
  if (request.lease) out["lease"] = to_string(*request.lease);
  if (request.cured_by) out["cured-by"] = to_json(*request.cured_by);
  if (request.pattern) out["pattern"] = to_json(*request.pattern);
  if (request.ramp) out["ramp"] = to_json(*request.ramp);
  if (!request.tags.empty()) out["tags"] = request.tags;
  return out;
}

Result<FaultRequest> parse_fault_request(const Json& json, std::string_view pointer) {
  using namespace std::chrono_literals;
  ObjectReader reader(json, std::string(pointer));
  FaultRequest request;
  request.id = reader.required_text("id");
  if (reader.ok() && !good_id(request.id))
    reader.note_error({ErrorCode::invalid_input, 0,
                       "'id' must be 1 to 64 of letters, digits, '.', '_' and '-'",
                       reader.at("id")});
  request.run = reader.required_text("run");
  request.fault = reader.required_text("fault");
  if (const Json* params = reader.required_object("arguments")) request.params = *params;
  request.duration = read_duration(reader, "duration", 1ms, std::chrono::hours{24 * 7}, {});
  const Duration lease = read_duration(reader, "lease", 1s, std::chrono::hours{24}, Duration{});
  if (lease > Duration{}) request.lease = lease;
  read_part(reader, "cured-by", &parse_cure_condition, request.cured_by);
  read_part(reader, "pattern", &parse_pattern, request.pattern);
  read_part(reader, "ramp", &parse_ramp, request.ramp);
  request.tags = reader.optional_texts("tags");
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  if (request.cured_by && request.pattern)
    if (auto fits = check_cure_pace(*request.cured_by, *request.pattern, reader.at("cured-by"));
        !fits)
      return std::unexpected(fits.error());
  return request;
}

}  // namespace firedrill
