// Writes a table as JSON Schema, draft 2020-12.
#include <fmt/format.h>

#include "controller/experiment/shape.hpp"
#include "firedrill/units.hpp"

namespace firedrill::format {
namespace {

// A string is also right wherever ${var} may give another type; the parser sees the value itself.
constexpr std::string_view kVariable = "\\$\\{[^}]+\\}";
constexpr std::string_view kDuration =
    "^([0-9]+(\\.[0-9]+)?(us|ms|s|m|h|d))+$|^P[0-9DTHMS.]+$|\\$\\{[^}]+\\}";

Json object_schema(const Shape& shape);

Json or_variable(Json schema) {
  return {
      {"anyOf", Json::array({std::move(schema), {{"type", "string"}, {"pattern", kVariable}}})}};
}

std::string bounds_text(const Key& key) {
  const auto text = [](double micros) {
    return to_string(Duration{static_cast<std::int64_t>(micros)});
  };
  return fmt::format("{} to {}", text(key.min), text(key.max));
}

Json number_schema(const Key& key) {
  Json out = {{"type", key.kind == Kind::integer ? "integer" : "number"}};
  if (key.min != key.max) {
    out["minimum"] = key.min;
    out["maximum"] = key.max;
  }
  return or_variable(out);
}

Json list_schema(const Key& key) {
  if (key.pick == nullptr) return {{"type", "array"}, {"items", object_schema(*key.shape)}};
  Json any = Json::array();
  for (const Shape* shape : key.alternatives) any.push_back(object_schema(*shape));
  return {{"type", "array"}, {"items", {{"anyOf", any}}}};
}

Json strings() { return {{"type", "array"}, {"items", {{"type", "string"}}}}; }

Json kind_schema(const Key& key) {
  const Json string = {{"type", "string"}};
  switch (key.kind) {
    case Kind::text:
      return {{"type", "string"}, {"minLength", 1}};
    case Kind::choice:
      return {{"enum", key.choices}};
    case Kind::duration:
      return {{"type", "string"}, {"pattern", kDuration}, {"x-firedrill-bounds", bounds_text(key)}};
    case Kind::seconds:
      return {{"anyOf", Json::array({{{"type", "number"}, {"minimum", 0}},
                                     {{"type", "string"}, {"pattern", kDuration}}})}};
    case Kind::number:
    case Kind::integer:
      return number_schema(key);
    case Kind::count:
      return {{"type", {"number", "string"}}};
    case Kind::flag:
      return or_variable({{"type", "boolean"}});
    case Kind::texts:
      return strings();
    case Kind::words:
      return {{"anyOf", Json::array({string, strings()})}};
    case Kind::labels:
      return {{"type", "object"},
              {"additionalProperties", key.choices.empty() ? string : Json{{"enum", key.choices}}}};
    case Kind::open:
      return {{"type", "object"}};
    case Kind::any:
      return Json::object();
    case Kind::tolerance:
      return {{"$ref", "#/$defs/tolerance"}};
    case Kind::object:
      return object_schema(*key.shape);
    case Kind::list:
      return list_schema(key);
    case Kind::map:
      return {{"type", "object"}, {"additionalProperties", object_schema(*key.shape)}};
    case Kind::refused:
      return {{"not", Json::object()}};
  }
  return Json::object();
}

Json object_schema(const Shape& shape) {
  Json properties = Json::object();
  Json required = Json::array();
  for (const Key& key : shape.keys) {
    Json schema = kind_schema(key);
    if (!key.help.empty()) schema["description"] = key.help;
    properties[key.name] = std::move(schema);
    if (key.required) required.push_back(key.name);
  }
  Json out = {{"type", "object"}, {"title", shape.name}, {"properties", std::move(properties)}};
  if (!required.empty()) out["required"] = std::move(required);
  if (!shape.open) out["additionalProperties"] = false;
  return out;
}

Json tolerance_schema() {
  const auto typed = [](std::string_view type, Json properties, Json required) {
    properties["type"] = {{"const", type}};
    properties["target"] = {{"type", "string"}};
    required.push_back("type");
    return Json{{"type", "object"},
                {"properties", std::move(properties)},
                {"required", std::move(required)},
                {"additionalProperties", false}};
  };
  const Json list = {{"type", "array"}, {"minItems", 2}};
  return {{"description", "a value, [low, high], a longer list to be one of, or an object"},
          {"anyOf", Json::array({{{"type", {"string", "number", "boolean"}}},
                                 list,
                                 typed("range", {{"range", list}}, {"range"}),
                                 typed("regex", {{"pattern", {{"type", "string"}}}}, {"pattern"}),
                                 typed("jsonpath",
                                       {{"path", {{"type", "string"}}}, {"expect", Json::object()}},
                                       {"path", "expect"})})}};
}

}  // namespace

Json to_schema(const Shape& shape) {
  Json out = object_schema(shape);
  out["$schema"] = "https://json-schema.org/draft/2020-12/schema";
  out["$defs"] = {{"tolerance", tolerance_schema()}};
  return out;
}

}  // namespace firedrill::format
