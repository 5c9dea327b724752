// Resolves `configuration` and puts its values in place of ${name}.
#include "controller/experiment/variables.hpp"

#include <algorithm>
#include <cstdlib>

namespace firedrill {
namespace {

/// The walk below recurses; no sensible experiment nests deeper than this.
constexpr int kDeepest = 64;

std::vector<std::string_view> names_of(const Json& values) {
  std::vector<std::string_view> out;
  for (const auto& [name, value] : values.items()) out.emplace_back(name);
  std::ranges::sort(out);
  return out;
}

/// JSON text is UTF-8; the environment and the command line may hold anything.
bool is_utf8(const std::string& text) {
  using Handler = Json::error_handler_t;
  const Json json(text);
  return json.dump(-1, ' ', false, Handler::ignore) == json.dump(-1, ' ', false, Handler::replace);
}

/// Text from outside, as the type of the value that it replaces.
Result<Json> text_as(const Json& like, const std::string& text, const std::string& pointer) {
  if (!is_utf8(text)) return fail_at(pointer, "the value given is not UTF-8 text");
  if (!like.is_number() && !like.is_boolean()) return Json(text);
  const Json value = Json::parse(text, nullptr, false);
  const bool same = like.is_boolean() ? value.is_boolean() : value.is_number();
  if (same) return value;
  return fail_at(
      pointer, "'" + text + "' is not a " + (like.is_boolean() ? "flag: true or false" : "number"));
}

Result<Json> typed_env(const std::string& type, const std::string& text,
                       const std::string& pointer) {
  if (type == "int" || type == "float") return text_as(Json(0), text, pointer);
  if (type == "str") return text_as(Json(""), text, pointer);
  return fail_at(pointer_join(pointer, "env_var_type"),
                 "'" + type + "' is not a type; write str, int or float");
}

Result<Json> from_environment(const Json& given, const std::string& pointer) {
  ObjectReader reader(given, pointer);
  if (const std::string type = reader.required_text("type"); reader.ok() && type != "env")
    return fail_at(pointer_join(pointer, "type"),
                   "'" + type + "' is not supported; give a value, or {\"type\": \"env\"}");
  const std::string key = reader.required_text("key");
  const Json* fallback = reader.member("default");
  const std::string type = reader.optional_text("env_var_type");
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  const char* const found = std::getenv(key.c_str());
  if (found == nullptr && fallback == nullptr)
    return std::unexpected(Error{
        ErrorCode::not_found, 0,
        "the environment variable " + key + " is not set and there is no 'default'", pointer});
  if (found == nullptr) return *fallback;
  if (!type.empty()) return typed_env(type, found, pointer);
  return text_as(fallback == nullptr ? Json("") : *fallback, found, pointer);
}

Result<void> apply_overrides(Json& values, const Variables& overrides) {
  for (const auto& [name, text] : overrides) {
    const auto found = values.find(name);
    if (found == values.end())
      return fail_at("/configuration",
                     "there is no '" + name + "' to set." + suggestion(name, names_of(values)));
    auto value = text_as(*found, text, pointer_join("/configuration", name));
    if (!value) return std::unexpected(value.error());
    *found = std::move(*value);
  }
  return {};
}

Result<Json> resolve_configuration(const Json& given, const Variables& overrides) {
  if (!given.is_object()) return fail_at("/configuration", "'configuration' must be an object");
  Json values = Json::object();
  for (const auto& [name, value] : given.items()) {
    const std::string pointer = pointer_join("/configuration", name);
    // An override stands in for the environment, which then need not have the variable.
    const auto overridden = overrides.find(name);
    if (value.is_object() && overridden != overrides.end() && !value.contains("default")) {
      values[name] = "";
      continue;
    }
    auto plain = value.is_object() ? from_environment(value, pointer) : Result<Json>(value);
    if (!plain) return std::unexpected(plain.error());
    if (plain->is_string() && plain->get_ref<const std::string&>().contains("${"))
      return fail_at(pointer, "${…} is not replaced inside 'configuration'; write the value");
    values[name] = std::move(*plain);
  }
  if (auto done = apply_overrides(values, overrides); !done) return std::unexpected(done.error());
  return values;
}

Result<const Json*> look_up(std::string_view name, const Json& values, const std::string& pointer) {
  const auto found = values.find(name);
  if (found != values.end()) return &*found;
  return fail_at(pointer, "${" + std::string(name) + "} is not in 'configuration'." +
                              suggestion(name, names_of(values)));
}

Result<Json> substitute_text(const std::string& text, const Json& values,
                             const std::string& pointer) {
  std::string out;
  std::size_t at = 0;
  for (std::size_t open; (open = text.find("${", at)) != std::string::npos;) {
    const std::size_t close = text.find('}', open);
    if (close == std::string::npos) return fail_at(pointer, "'${' without its '}'");
    const auto value =
        look_up(std::string_view(text).substr(open + 2, close - open - 2), values, pointer);
    if (!value) return std::unexpected(value.error());
    if (open == 0 && close + 1 == text.size()) return **value;
    if ((*value)->is_structured() || (*value)->is_null())
      return fail_at(pointer, "a list or object cannot be part of a text; let ${…} stand alone");
    out.append(text, at, open - at);
    out += (*value)->is_string() ? (*value)->get<std::string>() : (*value)->dump();
    at = close + 1;
  }
  return Json(out + text.substr(at));
}

/// In place, so that a document of any width costs one copy.
Result<void> substitute(Json& json, const Json& values, const std::string& pointer, int depth = 0) {
  if (depth > kDeepest) return fail_at(pointer, "nested too deeply");
  if (json.is_string()) {
    const auto& text = json.get_ref<const std::string&>();
    if (!text.contains("${")) return {};
    auto replaced = substitute_text(text, values, pointer);
    if (!replaced) return std::unexpected(replaced.error());
    json = std::move(*replaced);
    return {};
  }
  if (!json.is_structured()) return {};
  for (const auto& [key, value] : json.items()) {
    if (auto done = substitute(value, values, pointer_join(pointer, key), depth + 1); !done)
      return done;
  }
  return {};
}

}  // namespace

Result<Json> substitute_variables(const Json& document, const Variables& overrides) {
  if (!document.is_object()) return fail_at("", "an experiment is a JSON object");
  const auto given = document.find("configuration");
  const bool has = given != document.end();
  auto values = resolve_configuration(has ? *given : Json::object(), overrides);
  if (!values) return std::unexpected(values.error());
  Json out = document;
  for (const auto& [key, value] : out.items()) {
    if (key == "configuration" || key == "secrets") continue;
    if (auto done = substitute(value, *values, pointer_join("", key)); !done)
      return std::unexpected(done.error());
  }
  if (has) out["configuration"] = std::move(*values);
  return out;
}

}  // namespace firedrill
