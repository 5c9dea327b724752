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

std::optional<double> read_bound(ObjectReader& reader, std::string_view key) {
  const Json* value = reader.member(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_number()) return value->get<double>();
  reader.note_error(
      {ErrorCode::invalid_input, 0, "'" + std::string(key) + "' must be a number", reader.at(key)});
  return std::nullopt;
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

Json to_json(const FaultRequest& request) {
  Json out = {{"id", request.id},
              {"run", request.run},
              {"fault", request.fault},
              {"arguments", request.params},
              {"duration", to_string(request.duration)}};
  if (request.lease) out["lease"] = to_string(*request.lease);
  if (request.cured_by) out["cured-by"] = to_json(*request.cured_by);
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
  if (const Json* cure = reader.optional_object("cured-by")) {
    auto parsed = parse_cure_condition(*cure, reader.at("cured-by"));
    if (parsed) request.cured_by = std::move(*parsed);
    else reader.note_error(parsed.error());
  }
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  return request;
}

}  // namespace firedrill
