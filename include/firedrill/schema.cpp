#include "firedrill/schema.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace firedrill {
namespace {

struct TypeName {
  ParamType type;
  std::string_view name;
};

constexpr std::array kTypeNames{
    TypeName{ParamType::text, "text"},         TypeName{ParamType::integer, "integer"},
    TypeName{ParamType::duration, "duration"}, TypeName{ParamType::bytes, "bytes"},
    TypeName{ParamType::rate, "rate"},         TypeName{ParamType::ratio, "ratio"},
    TypeName{ParamType::flag, "flag"},         TypeName{ParamType::choice, "choice"},
};

std::string_view name_of(ParamType type) {
  for (const TypeName& entry : kTypeNames)
    if (entry.type == type) return entry.name;
  return "text";
}

bool bounded(const OwnedParamSpec& spec) { return spec.max >= spec.min; }

std::string plain_number(double value) {
  if (value == std::floor(value) && std::abs(value) < 1e15)
    return std::to_string(static_cast<std::int64_t>(value));
  std::string text = std::to_string(value);
  while (text.ends_with('0')) text.pop_back();
  return text;
}

/// A bound as a person writes it.
std::string bound_text(ParamType type, double value) {
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
      return plain_number(value);
  }
}

OwnedParamSpec own(const ParamSpec& spec) {
  const bool has_bounds = spec.max >= spec.min && !(spec.min == 0 && spec.max == 0);
  return {.name = std::string(spec.name),
          .type = spec.type,
          .required = spec.required,
          .min = spec.min,
          .max = has_bounds ? spec.max : spec.min - 1,
          .choices = {spec.choices.begin(), spec.choices.end()},
          .default_text = std::string(spec.default_text),
          .help = std::string(spec.help),
          .list = spec.list,
          .ramps = spec.ramps};
}

std::vector<OwnedParamSpec> own_all(std::span<const ParamSpec> specs) {
  std::vector<OwnedParamSpec> out;
  out.reserve(specs.size());
  for (const ParamSpec& spec : specs) out.push_back(own(spec));
  return out;
}

Result<std::int64_t> whole_number(const Json& given) {
  if (given.is_number_integer() &&
      !(given.is_number_unsigned() && given.get<std::uint64_t>() > std::uint64_t{1} << 62))
    return given.get<std::int64_t>();
  if (given.is_string()) {
    const auto& text = given.get_ref<const std::string&>();
    char* end = nullptr;
    errno = 0;
    const long long value = std::strtoll(text.c_str(), &end, 10);
    if (errno == 0 && !text.empty() && end == text.c_str() + text.size() && text[0] != ' ')
      return value;
  }
  return fail(ErrorCode::invalid_input, "expected a whole number");
}

/// A string with its unit. A bare number would hide the unit, so it is refused.
Result<std::string> unit_text(const Json& given, std::string_view example) {
  if (given.is_string()) return given.get<std::string>();
  return fail(ErrorCode::invalid_input,
              "expected a string with its unit, like " + std::string(example));
}

/// Parses a string with its unit and gives the canonical number, by `count`.
template <class T, class Count>
Result<Json> parse_united(const Json& given, std::string_view example,
                          Result<T> (*parse)(std::string_view), Count count) {
  const auto text = unit_text(given, example);
  if (!text) return std::unexpected(text.error());
  const auto value = parse(*text);
  if (!value) return std::unexpected(value.error());
  return Json(count(*value));
}

Result<Json> to_canonical(const OwnedParamSpec& spec, const Json& given) {
  switch (spec.type) {
    case ParamType::text:
      if (given.is_string()) return given;
      return fail(ErrorCode::invalid_input, "expected a string");
    case ParamType::integer: {
      const auto value = whole_number(given);
      if (!value) return std::unexpected(value.error());
      return Json(*value);
    }
    case ParamType::duration:
      return parse_united(given, "'200ms'", &parse_duration, [](Duration v) { return v.count(); });
    case ParamType::bytes:
      return parse_united(given, "'64KiB'", &parse_byte_count, [](ByteCount v) { return v.value; });
    case ParamType::rate:
      return parse_united(given, "'10mbit'", &parse_bit_rate,
                          [](BitRate v) { return v.bits_per_second; });
    case ParamType::ratio:
      return parse_united(given, "'5%'", &parse_ratio, [](Ratio v) { return v.value; });
    case ParamType::flag:
      if (given.is_boolean()) return given;
      if (given == "true") return Json(true);
      if (given == "false") return Json(false);
      return fail(ErrorCode::invalid_input, "expected true or false");
    case ParamType::choice: {
      const std::vector<std::string_view> words(spec.choices.begin(), spec.choices.end());
      const std::string word = given.is_string() ? given.get<std::string>() : given.dump();
      if (std::ranges::find(words, word) != words.end()) return given;
      return fail(ErrorCode::invalid_input,
                  "'" + word + "' is not one of them." + suggestion(word, words));
    }
  }
  return fail(ErrorCode::internal, "unknown parameter type");
}

Result<Json> check_one(const OwnedParamSpec& spec, const Json& given, const std::string& pointer) {
  Result<Json> value = to_canonical(spec, given);
  if (!value) {
    Error error = value.error();
    error.what = "'" + spec.name + "': " + error.what;
    error.pointer = pointer;
    return std::unexpected(std::move(error));
  }
  if (!bounded(spec) || !value->is_number()) return value;
  const auto number = value->get<double>();
  if (number >= spec.min && number <= spec.max) return value;
  return fail_at(pointer, "'" + spec.name + "' must be " + bound_text(spec.type, spec.min) +
                              " to " + bound_text(spec.type, spec.max) + ", not " +
                              bound_text(spec.type, number));
}

Result<Json> check_param(const OwnedParamSpec& spec, const Json& given,
                         const std::string& pointer) {
  if (!spec.list) return check_one(spec, given, pointer);
  Json values = Json::array();
  const Json items = given.is_array() ? given : Json::array({given});
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string place = given.is_array() ? pointer_join(pointer, i) : pointer;
    auto value = check_one(spec, items[i], place);
    if (!value) return value;
    values.push_back(std::move(*value));
  }
  return values;
}

std::string join(const std::vector<std::string_view>& words) {
  std::string out;
  for (const std::string_view word : words) out += (out.empty() ? " " : ", ") + std::string(word);
  return out;
}

[[noreturn]] void missing(std::string_view name) {
  std::fprintf(stderr, "bug: parameter '%.*s' read but absent or of another type\n",
               static_cast<int>(name.size()), name.data());
  std::abort();
}

template <class T>
T get_or_abort(const Json& values, std::string_view name) {
  const auto it = values.find(name);
  if (it == values.end()) missing(name);
  try {
    return it->template get<T>();
  } catch (const Json::exception&) {
    missing(name);
  }
}

}  // namespace

std::string Params::text(std::string_view name) const {
  return get_or_abort<std::string>(values_, name);
}
std::int64_t Params::integer(std::string_view name) const {
  return get_or_abort<std::int64_t>(values_, name);
}
Duration Params::duration(std::string_view name) const { return Duration{integer(name)}; }
ByteCount Params::bytes(std::string_view name) const {
  return {get_or_abort<std::uint64_t>(values_, name)};
}
BitRate Params::rate(std::string_view name) const {
  return {get_or_abort<std::uint64_t>(values_, name)};
}
Ratio Params::ratio(std::string_view name) const { return {get_or_abort<double>(values_, name)}; }
bool Params::flag(std::string_view name) const { return get_or_abort<bool>(values_, name); }
std::vector<std::string> Params::texts(std::string_view name) const {
  return get_or_abort<std::vector<std::string>>(values_, name);
}
std::vector<std::int64_t> Params::integers(std::string_view name) const {
  return get_or_abort<std::vector<std::int64_t>>(values_, name);
}

Result<Params> validate_params(std::span<const OwnedParamSpec> specs, const Json& given,
                               std::string_view pointer) {
  if (!given.is_object()) return fail_at(std::string(pointer), "expected an object of parameters");
  std::vector<std::string_view> names;
  names.reserve(specs.size());
  for (const OwnedParamSpec& spec : specs) names.push_back(spec.name);
  for (const auto& [key, value] : given.items())
    if (std::ranges::find(names, key) == names.end())
      return fail_at(pointer_join(pointer, key),
                     "unknown parameter '" + key + "'." + suggestion(key, names));
  Params params;
  for (const OwnedParamSpec& spec : specs) {
    const auto it = given.find(spec.name);
    if (it == given.end() && spec.required)
      return fail_at(std::string(pointer),
                     "parameter '" + spec.name + "' is missing: " + spec.help);
    if (it == given.end() && spec.default_text.empty()) continue;
    const Json value = it == given.end() ? Json(spec.default_text) : *it;
    auto checked = check_param(spec, value, pointer_join(pointer, spec.name));
    if (!checked) return std::unexpected(checked.error());
    params.values_[spec.name] = std::move(*checked);
  }
  return params;
}

Result<Params> validate_params(std::span<const ParamSpec> specs, const Json& given,
                               std::string_view pointer) {
  return validate_params(own_all(specs), given, pointer);
}

Result<Params> validate_ramp(std::span<const OwnedParamSpec> specs, const Json& given,
                             const Ramp& ramp, std::string_view pointer) {
  const std::string place = pointer_join(pointer, "parameter");
  std::vector<std::string_view> ramping;
  std::vector<std::string_view> names;
  for (const OwnedParamSpec& spec : specs) {
    names.emplace_back(spec.name);
    if (spec.ramps) ramping.emplace_back(spec.name);
  }
  if (std::ranges::find(names, ramp.parameter) == names.end())
    return fail_at(place, "unknown parameter '" + ramp.parameter + "'." +
                              suggestion(ramp.parameter, ramping.empty() ? names : ramping));
  if (std::ranges::find(ramping, ramp.parameter) == ramping.end())
    return fail_at(place, "'" + ramp.parameter + "' cannot change while the fault is on; " +
                              (ramping.empty() ? "nothing of this fault can" : "these can:") +
                              join(ramping));
  if (!given.contains(ramp.parameter))
    return fail_at(place, "'" + ramp.parameter +
                              "' must be among the arguments too: its value there is where the "
                              "ramp ends");
  Json start = given;
  start[ramp.parameter] = ramp.from;
  auto params = validate_params(specs, start, "");
  if (params || params.error().pointer != "/" + ramp.parameter) return params;
  return fail_at(pointer_join(pointer, "from"), params.error().what);
}

Result<Params> validate_ramp(std::span<const ParamSpec> specs, const Json& given, const Ramp& ramp,
                             std::string_view pointer) {
  return validate_ramp(own_all(specs), given, ramp, pointer);
}

Params ramped(const Params& start, const Params& peak, std::string_view name, int step, int steps) {
  const auto from = get_or_abort<double>(start.values_, name);
  const auto to = get_or_abort<double>(peak.values_, name);
  Params out = peak;
  if (step >= steps) return out;
  const double value = from + (to - from) * step / steps;
  Json& place = out.values_.find(name).value();
  if (place.is_number_float()) place = value;
  else place = std::llround(value);
  return out;
}

std::string param_text(std::span<const ParamSpec> specs, const Params& params,
                       std::string_view name) {
  const auto spec = std::ranges::find(specs, name, &ParamSpec::name);
  if (spec == specs.end()) missing(name);
  return bound_text(spec->type, get_or_abort<double>(params.canonical(), name));
}

Json to_json_schema(std::span<const OwnedParamSpec> specs) {
  Json properties = Json::object();
  Json required = Json::array();
  for (const OwnedParamSpec& spec : specs) {
    Json one = {{"type", spec.type == ParamType::integer ? "integer"
                         : spec.type == ParamType::flag  ? "boolean"
                                                         : "string"}};
    if (!spec.choices.empty()) one["enum"] = spec.choices;
    if (spec.type == ParamType::integer && bounded(spec))
      one.update({{"minimum", spec.min}, {"maximum", spec.max}});
    Json property = spec.list ? Json{{"type", "array"}, {"items", one}} : std::move(one);
    property["description"] = spec.help;
    property["x-firedrill-type"] = name_of(spec.type);
    if (bounded(spec))
      property.update({{"x-firedrill-min", spec.min}, {"x-firedrill-max", spec.max}});
    if (spec.ramps) property["x-firedrill-ramps"] = true;
    if (!spec.default_text.empty()) property["default"] = spec.default_text;
    if (spec.required) required.push_back(spec.name);
    properties[spec.name] = std::move(property);
  }
  return {{"type", "object"},
          {"properties", std::move(properties)},
          {"required", std::move(required)},
          {"additionalProperties", false}};
}

Json to_json_schema(std::span<const ParamSpec> specs) { return to_json_schema(own_all(specs)); }

Result<std::vector<OwnedParamSpec>> from_json_schema(const Json& schema) {
  std::vector<OwnedParamSpec> out;
  try {
    const Json required = schema.value("required", Json::array());
    for (const auto& [name, property] : schema.at("properties").items()) {
      OwnedParamSpec spec;
      spec.name = name;
      const auto type_name = property.at("x-firedrill-type").get<std::string>();
      const auto* type = std::ranges::find(kTypeNames, type_name, &TypeName::name);
      if (type == kTypeNames.end())
        return fail_at("/properties/" + name, "unknown parameter type '" + type_name + "'");
      spec.type = type->type;
      spec.list = property.value("type", "") == "array";
      const Json& one = spec.list ? property.at("items") : property;
      spec.choices = one.value("enum", std::vector<std::string>{});
      spec.required = std::ranges::find(required, Json(name)) != required.end();
      spec.min = property.value("x-firedrill-min", 0.0);
      spec.max = property.value("x-firedrill-max", spec.min - 1);
      spec.ramps = property.value("x-firedrill-ramps", false);
      spec.default_text = property.value("default", "");
      spec.help = property.value("description", "");
      out.push_back(std::move(spec));
    }
  } catch (const Json::exception&) {
    return fail(ErrorCode::invalid_input, "not a parameter schema as agents describe them");
  }
  return out;
}

std::string to_help_text(std::span<const ParamSpec> specs) {
  std::string out;
  for (const OwnedParamSpec& spec : own_all(specs)) {
    std::string line = "  " + spec.name;
    line.resize(std::max<std::size_t>(line.size() + 1, 22), ' ');
    line += std::string(name_of(spec.type)) + (spec.list ? " list" : "");
    if (bounded(spec))
      line += " " + bound_text(spec.type, spec.min) + ".." + bound_text(spec.type, spec.max);
    for (std::size_t i = 0; i < spec.choices.size(); ++i)
      line += (i == 0 ? " " : "|") + spec.choices[i];
    line.resize(std::max<std::size_t>(line.size() + 1, 46), ' ');
    line += spec.help;
    if (spec.required) line += " (required)";
    if (spec.ramps) line += " (can ramp)";
    if (!spec.default_text.empty()) line += " (default " + spec.default_text + ")";
    out += line + "\n";
  }
  return out;
}

}  // namespace firedrill
