#include "tests/crash/cases.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace firedrill::crash {
namespace {

/// Long enough to be read back and noted, short enough for thousands of trials.
constexpr std::string_view kDuration = "100ms";
constexpr std::string_view kPattern = "on=250ms,off=250ms";
constexpr std::string_view kPatternDuration = "700ms";  // on, off, and on again until it ends

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

bool comes_and_goes(const agent::Fault& fault) {
  const auto params = validate_params(fault.schema(), fault.example(), "");
  return params && fault.pattern(*params).has_value();
}

Result<Case> parse_case(const std::vector<std::unique_ptr<agent::Fault>>& faults, const Json& json,
                        const std::string& pointer) {
  ObjectReader reader(json, pointer);
  Case out;
  out.fault = reader.required_text("fault");
  out.name = fmt::format("{}: {}", out.fault, reader.required_text("name"));
  out.pattern = reader.optional_text("pattern");
  out.ramp = reader.optional_text("ramp");
  out.duration = reader.optional_text("duration", std::string(kDuration));
  const Json* arguments = reader.member("arguments");
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  const auto found = std::ranges::find(faults, out.fault, [](const auto& f) { return f->name(); });
  if (found == faults.end())
    return fail_at(pointer_join(pointer, "fault"), fmt::format("no fault '{}'", out.fault));
  out.arguments = (*found)->example();
  if (arguments != nullptr) out.arguments.merge_patch(*arguments);
  return out;
}

}  // namespace

std::vector<std::string> Case::words() const {
  std::vector<std::string> out{"inject", fault, "--duration", duration, "--json"};
  if (!pattern.empty()) out.insert(out.end(), {"--pattern", pattern});
  if (!ramp.empty()) out.insert(out.end(), {"--ramp", ramp});
  for (const auto& [key, value] : arguments.items()) {
    // Given twice, a key is a list.
    if (value.is_array())
      for (const Json& each : value) out.push_back(fmt::format("{}={}", key, text_of(each)));
    else out.push_back(fmt::format("{}={}", key, text_of(value)));
  }
  return out;
}

Result<FaultRequest> Case::request(const std::string& id) const {
  FaultRequest out;
  out.id = id;
  out.run = "local";
  out.fault = fault;
  out.params = arguments;
  const auto length = parse_duration(duration);
  if (!length) return std::unexpected(length.error());
  out.duration = *length;
  return out;
}

Result<std::vector<Case>> cases_of(const std::vector<std::unique_ptr<agent::Fault>>& faults,
                                   const Json& more) {
  if (!more.is_array()) return fail(ErrorCode::invalid_input, "a list of cases is expected");
  std::vector<Case> out;
  for (const auto& fault : faults) {
    const std::string name(fault->name());
    out.push_back({name, name, fault->example(), {}, {}, std::string(kDuration)});
    if (!comes_and_goes(*fault))
      out.push_back({name + ": on and off",
                     name,
                     fault->example(),
                     std::string(kPattern),
                     {},
                     std::string(kPatternDuration)});
    for (std::size_t i = 0; i < more.size(); ++i) {
      auto each = parse_case(faults, more[i], pointer_join("", i));
      if (!each) return std::unexpected(each.error());
      if (each->fault == name) out.push_back(std::move(*each));
    }
  }
  return out;
}

}  // namespace firedrill::crash
