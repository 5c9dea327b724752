// Reading the policy section, strictly: every name that nothing has is found here.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "agent/policy/policy.hpp"

namespace firedrill::agent {
namespace {

constexpr std::int64_t kMostInjections = 64;
constexpr Duration kLongest = std::chrono::hours{24};

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

/// Texts, none empty: an empty name would mean nothing, or everything.
std::vector<std::string> read_names(ObjectReader& reader, std::string_view key) {
  std::vector<std::string> out = reader.optional_texts(key);
  for (std::size_t i = 0; i < out.size(); ++i)
    if (out[i].empty())
      reader.note_error(
          {ErrorCode::invalid_input, 0, "is empty: leave it out", pointer_join(reader.at(key), i)});
  return out;
}

std::vector<std::uint16_t> read_ports(ObjectReader& reader, std::string_view key) {
  std::vector<std::uint16_t> out;
  const Json* list = reader.optional_array(key);
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    const Json& port = (*list)[i];
    if (port.is_number_integer() && port >= 1 && port <= 65535)
      out.push_back(port.get<std::uint16_t>());
    else
      reader.note_error({ErrorCode::invalid_input, 0, "a port is a number from 1 to 65535",
                         pointer_join(reader.at(key), i)});
  }
  return out;
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

void Policy::read_bounds(ObjectReader& reader) {
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
      max_duration_ = *longest;
    }
  }
  const std::int64_t most = reader.optional_integer("max-injections", 8);
  if (most < 0 || most > kMostInjections)
    reader.note_error({ErrorCode::invalid_input, 0,
                       fmt::format("'max-injections' must be 0 to {}", kMostInjections),
                       reader.at("max-injections")});
  max_injections_ = static_cast<std::size_t>(most);
  if (const Json* hours = reader.optional_array("hours"); hours != nullptr) {
    auto read = Hours::parse(*hours, reader.at("hours"));
    if (read) hours_ = std::move(*read);
    else reader.note_error(read.error());
  }
  required_tags_ = read_names(reader, "required-tags");
}

void Policy::read_protected(ObjectReader& reader) {
  protected_.interfaces = read_names(reader, "protected-interfaces");
  protected_.devices = read_names(reader, "protected-devices");
  protected_.units = read_names(reader, "protected-units");
  protected_.processes = read_names(reader, "protected-processes");
  protected_.paths = read_names(reader, "protected-paths");
  for (std::size_t i = 0; i < protected_.paths.size(); ++i)
    if (!protected_.paths[i].starts_with('/'))
      reader.note_error(
          {ErrorCode::invalid_input, 0,
           fmt::format("'{}' is not absolute: begin it with '/'", protected_.paths[i]),
           pointer_join(reader.at("protected-paths"), i)});
  protected_.ports = read_ports(reader, "protected-ports");
  protected_.ssh = reader.optional_flag("protect-ssh", true);
}

void Policy::read_commanders(ObjectReader& reader) {
  const Json* section = reader.optional_object("commanders");
  if (section == nullptr) return;
  ObjectReader commanders(*section, reader.at("commanders"));
  const bool named = commanders.member("controllers") != nullptr;
  const auto names = read_names(commanders, "controllers");
  if (named) commanders_.controllers = names;
  commanders_.local = commanders.optional_flag("local", true);
  if (auto done = commanders.finish(); !done) reader.note_error(done.error());
}

Result<Policy> Policy::parse(const Json& section, std::string_view pointer, std::string_view file,
                             std::string_view source, std::span<const FaultTable> faults) {
  Policy out;
  out.where_ = {std::string(file), std::string(source), std::string(pointer)};
  ObjectReader reader(section, std::string(pointer));
  out.read_bounds(reader);
  out.read_protected(reader);
  out.read_commanders(reader);
  out.read_faults(reader, faults);
  out.read_limits(reader, faults);
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  return out;
}

}  // namespace firedrill::agent
