#include "agent/policy/policy.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace firedrill::agent {
namespace {

constexpr std::int64_t kMostInjections = 64;
constexpr Duration kLongest = std::chrono::hours{24};
/// Parameters that name a network interface in every fault that has one.
constexpr std::array<std::string_view, 2> kInterfaceParams{"device", "interface"};

std::vector<std::string_view> names_of(std::span<const FaultTable> faults) {
  std::vector<std::string_view> out;
  for (const FaultTable& fault : faults) out.push_back(fault.name);
  return out;
}

template <class Item>
const Item* find_named(std::span<const Item> items, std::string_view name) {
  const auto found = std::ranges::find(items, name, &Item::name);
  return found == items.end() ? nullptr : &*found;
}

void refuse_name(ObjectReader& reader, const std::string& pointer, std::string_view kind,
                 std::string_view name, std::span<const std::string_view> known) {
  reader.note_error({ErrorCode::invalid_input, 0,
                     fmt::format("unknown {} '{}'.{}", kind, name, suggestion(name, known)),
                     pointer});
}

void check_fault_names(ObjectReader& reader, std::string_view key,
                       const std::vector<std::string>& names, std::span<const FaultTable> faults) {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (find_named(faults, names[i]) == nullptr)
      refuse_name(reader, pointer_join(reader.at(key), i), "fault", names[i], names_of(faults));
}

/// A bound, written as the parameter itself is written ("20%", "2s", 5), in its canonical unit.
std::optional<double> read_bound(ObjectReader& reader, std::string_view key, const ParamSpec& spec,
                                 std::string& text) {
  const Json* given = reader.member(key);
  if (given == nullptr) return std::nullopt;
  std::array<OwnedParamSpec, 1> table;  // of the same type, but without the fault's own bounds
  table[0].name = key;
  table[0].type = spec.type;
  const auto value = validate_params(std::span<const OwnedParamSpec>(table), Json{{key, *given}},
                                     reader.pointer());
  if (!value) {
    reader.note_error(value.error());
    return std::nullopt;
  }
  const Json canonical = value->canonical().at(std::string(key));
  if (!canonical.is_number()) {
    reader.note_error({ErrorCode::invalid_input, 0,
                       fmt::format("'{}' has no order, so it cannot have bounds", spec.name),
                       reader.at(key)});
    return std::nullopt;
  }
  text = given->is_string() ? given->get<std::string>() : given->dump();
  return canonical.get<double>();
}

Result<ParamLimit> read_limit(const Json& json, std::string pointer, const ParamSpec& spec) {
  ObjectReader reader(json, std::move(pointer));
  ParamLimit limit;
  limit.type = spec.type;
  limit.min = read_bound(reader, "min", spec, limit.min_text);
  limit.max = read_bound(reader, "max", spec, limit.max_text);
  if (!limit.min && !limit.max)
    reader.note_error({ErrorCode::invalid_input, 0, "give 'min', 'max' or both", reader.pointer()});
  if (limit.min && limit.max && *limit.min > *limit.max)
    reader.note_error({ErrorCode::invalid_input, 0, "'min' is above 'max'", reader.at("min")});
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  return limit;
}

std::string in_words(ParamType type, double value) {
  switch (type) {
    case ParamType::duration:
      return to_string(Duration{static_cast<std::int64_t>(value)});
    case ParamType::bytes:
      return to_string(ByteCount{static_cast<std::uint64_t>(value)});
    case ParamType::rate:
      return to_string(BitRate{static_cast<std::uint64_t>(value)});
    case ParamType::ratio:
      return to_string(Ratio{value});
    default:
      return fmt::format("{}", value);
  }
}

std::vector<Json> values_of(const Params& params, std::string_view name) {
  if (!params.has(name)) return {};
  const Json& value = params.canonical().at(std::string(name));
  if (value.is_array()) return {value.begin(), value.end()};
  return {value};
}

}  // namespace

void Policy::read_faults(ObjectReader& reader, std::span<const FaultTable> faults) {
  const auto allowed = reader.optional_texts("allow");
  check_fault_names(reader, "allow", allowed, faults);
  if (reader.optional_array("allow") != nullptr) allow_ = allowed;
  deny_ = reader.optional_texts("deny");
  check_fault_names(reader, "deny", deny_, faults);
}

void Policy::read_limits(ObjectReader& reader, std::span<const FaultTable> faults) {
  const Json* limits = reader.optional_object("limits");
  if (limits == nullptr) return;
  const std::string base = reader.at("limits");
  for (const auto& [fault_name, params] : limits->items()) {
    const std::string at_fault = pointer_join(base, fault_name);
    const FaultTable* fault = find_named(faults, fault_name);
    if (fault == nullptr)
      return refuse_name(reader, at_fault, "fault", fault_name, names_of(faults));
    if (!params.is_object())
      return reader.note_error({ErrorCode::invalid_input, 0, "expected an object", at_fault});
    std::vector<std::string_view> known;
    for (const ParamSpec& spec : fault->params) known.push_back(spec.name);
    for (const auto& [param, json] : params.items()) {
      const std::string at_param = pointer_join(at_fault, param);
      const ParamSpec* spec = find_named(fault->params, param);
      if (spec == nullptr) return refuse_name(reader, at_param, "parameter", param, known);
      const auto limit = read_limit(json, at_param, *spec);
      if (!limit) return reader.note_error(limit.error());
      limits_[fault_name][param] = *limit;
    }
  }
}

Result<Policy> Policy::parse(const Json& section, std::string_view pointer, std::string_view file,
                             std::string_view source, std::span<const FaultTable> faults) {
  Policy out;
  out.where_ = {std::string(file), std::string(source), std::string(pointer)};
  ObjectReader reader(section, std::string(pointer));
  if (const std::string text = reader.optional_text("max-duration"); !text.empty()) {
    const auto longest = parse_duration(text);
    if (!longest) {
      reader.note_error(
          {ErrorCode::invalid_input, 0, longest.error().what, reader.at("max-duration")});
    } else if (*longest <= Duration{} || *longest > kLongest) {
      reader.note_error({ErrorCode::invalid_input, 0,
                         "'max-duration' must be above 0 and at most 24h",
                         reader.at("max-duration")});
    } else {
      out.max_duration_ = *longest;
    }
  }
  const std::int64_t most = reader.optional_integer("max-injections", 8);
  if (most < 0 || most > kMostInjections)
    reader.note_error({ErrorCode::invalid_input, 0,
                       fmt::format("'max-injections' must be 0 to {}", kMostInjections),
                       reader.at("max-injections")});
  out.max_injections_ = static_cast<std::size_t>(most);
  out.protected_interfaces_ = reader.optional_texts("protected-interfaces");
  out.read_faults(reader, faults);
  out.read_limits(reader, faults);
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  return out;
}

std::unexpected<Error> Policy::refuse(std::string_view pointer, std::string why) const {
  const std::string full = where_.base + std::string(pointer);
  if (const std::size_t line = line_of(where_.source, full); line != 0)
    return fail(ErrorCode::refused,
                fmt::format("{}: refused by {} line {} ({})", why, where_.file, line, full));
  return fail(ErrorCode::refused,
              fmt::format("{}: refused by the built-in policy; '{}' in agent.json's policy "
                          "section changes that",
                          why, pointer.substr(1)));
}

Result<void> Policy::check_limits(const FaultRequest& request, const Params& params) const {
  const auto fault = limits_.find(request.fault);
  if (fault == limits_.end()) return {};
  for (const auto& [name, limit] : fault->second) {
    const std::string base = pointer_join(pointer_join("/limits", request.fault), name);
    for (const Json& value : values_of(params, name)) {
      if (!value.is_number()) continue;
      const auto number = value.get<double>();
      if (limit.max && number > *limit.max)
        return refuse(base + "/max", fmt::format("'{}' is {}, above {}", name,
                                                 in_words(limit.type, number), limit.max_text));
      if (limit.min && number < *limit.min)
        return refuse(base + "/min", fmt::format("'{}' is {}, below {}", name,
                                                 in_words(limit.type, number), limit.min_text));
    }
  }
  return {};
}

Result<void> Policy::check_interfaces(const Params& params) const {
  for (const std::string_view param : kInterfaceParams) {
    for (const Json& value : values_of(params, param)) {
      for (std::size_t i = 0; i < protected_interfaces_.size(); ++i)
        if (value == Json(protected_interfaces_[i]))
          return refuse(pointer_join("/protected-interfaces", i),
                        fmt::format("interface '{}' is protected", protected_interfaces_[i]));
    }
  }
  return {};
}

Result<void> Policy::check(const FaultRequest& request, const Params& params,
                           std::size_t open) const {
  if (const auto denied = std::ranges::find(deny_, request.fault); denied != deny_.end())
    return refuse(pointer_join("/deny", static_cast<std::size_t>(denied - deny_.begin())),
                  fmt::format("fault '{}' is denied", request.fault));
  if (allow_ && std::ranges::find(*allow_, request.fault) == allow_->end())
    return refuse("/allow", fmt::format("fault '{}' is not among those allowed", request.fault));
  if (request.duration > max_duration_)
    return refuse("/max-duration",
                  fmt::format("duration {} is longer than {}", to_string(request.duration),
                              to_string(max_duration_)));
  if (open >= max_injections_)
    return refuse(
        "/max-injections",
        fmt::format("{} injections are open already, at most {} may be", open, max_injections_));
  if (auto limits = check_limits(request, params); !limits) return limits;
  return check_interfaces(params);
}

std::string Policy::describe() const {
  std::string out = fmt::format("longest duration  {}\nat most           {} injections at once\n",
                                to_string(max_duration_), max_injections_);
  out += fmt::format("allowed faults    {}\n",
                     allow_ ? fmt::format("{}", fmt::join(*allow_, ", ")) : "all");
  if (!deny_.empty()) out += fmt::format("denied faults     {}\n", fmt::join(deny_, ", "));
  if (!protected_interfaces_.empty())
    out += fmt::format("protected         {}\n", fmt::join(protected_interfaces_, ", "));
  for (const auto& [fault, params] : limits_)
    for (const auto& [name, limit] : params)
      out += fmt::format("limit             {} {}{}{}\n", fault, name,
                         limit.min ? " at least " + limit.min_text : "",
                         limit.max ? " at most " + limit.max_text : "");
  return out;
}

}  // namespace firedrill::agent
