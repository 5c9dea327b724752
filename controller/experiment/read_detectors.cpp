// Detectors: one table of keys serves all types, so what a type cannot use is refused here.
#include <algorithm>
#include <array>
#include <span>

#include <fmt/format.h>

#include "controller/experiment/read.hpp"

namespace firedrill::format {
namespace {

using namespace std::string_view_literals;
using Kind = Detector::Kind;

constexpr std::array kPrometheusKeys{"url"sv, "poll"sv};
constexpr std::array kAlertmanagerKeys{"url"sv, "poll"sv, "webhook"sv, "clock-error"sv};
constexpr std::array kPromqlKeys{"url"sv, "poll"sv, "query"sv, "alert"sv, "severity"sv};
constexpr std::array kPushKeys{"clock-error"sv};
constexpr std::array kWebhookKeys{"fields"sv, "alert"sv, "severity"sv, "clock-error"sv};
constexpr std::array kLogKeys{"from"sv,  "file"sv, "unit"sv,  "contains"sv,
                              "regex"sv, "poll"sv, "alert"sv, "severity"sv};
constexpr std::array kProbeKeys{"probe"sv, "alert"sv, "severity"sv};
constexpr std::array kPersonKeys{"alert"sv, "severity"sv};

struct Type {
  std::string_view name;
  Kind kind;
  std::span<const std::string_view> keys;
};
constexpr std::array<Type, 9> kTypes{{{"prometheus", Kind::prometheus, kPrometheusKeys},
                                      {"alertmanager", Kind::alertmanager, kAlertmanagerKeys},
                                      {"promql", Kind::promql, kPromqlKeys},
                                      {"grafana", Kind::grafana, kPushKeys},
                                      {"pager", Kind::pager, kPushKeys},
                                      {"webhook", Kind::webhook, kWebhookKeys},
                                      {"log", Kind::log, kLogKeys},
                                      {"probe", Kind::probe, kProbeKeys},
                                      {"person", Kind::person, kPersonKeys}}};

Result<void> check_keys(const Json& json, const Type& type, const std::string& pointer) {
  for (const auto& [key, value] : json.items()) {
    if (key == "type" || std::ranges::find(type.keys, std::string_view(key)) != type.keys.end())
      continue;
    const std::string at = pointer_join(pointer, key);
    if (type.kind == Kind::prometheus && key == "webhook")
      return fail_at(at, "Prometheus has no webhook; Alertmanager has");
    return fail_at(at, fmt::format("a detector of type {} takes no '{}'; it takes {}", type.name,
                                   key, fmt::join(type.keys, ", ")));
  }
  return {};
}

Result<void> need(const Json& json, std::string_view key, const Type& type,
                  const std::string& pointer) {
  if (json.contains(key)) return {};
  return fail_at(pointer, fmt::format("a detector of type {} needs '{}'", type.name, key));
}

Result<void> read_url(const Json& json, const Type& type, const std::string& pointer,
                      Detector& out) {
  out.url = text_of(json, "url");
  if (out.url.empty() && !out.webhook) {
    if (type.kind == Kind::alertmanager)
      return fail_at(pointer, "a detector needs a 'url', or for alertmanager a 'webhook'");
    return need(json, "url", type, pointer);
  }
  if (!out.url.empty() && !out.url.starts_with("http://") && !out.url.starts_with("https://"))
    return fail_at(pointer_join(pointer, "url"), "a URL begins with http:// or https://");
  return {};
}

Result<void> read_fields(const Json& json, const std::string& pointer, WebhookFields& out) {
  const Json& fields = object_of(json, "fields");
  const std::string at = pointer_join(pointer, "fields");
  for (const std::string_view key : {"state"sv, "name"sv, "id"sv, "at"sv, "severity"sv})
    if (auto done = check_json_pointer(fields, key, at); !done) return done;
  out = {.state = text_of(fields, "state"),
         .on = texts_of(fields, "on"),
         .name = text_of(fields, "name"),
         .id = text_of(fields, "id"),
         .at = text_of(fields, "at"),
         .severity = text_of(fields, "severity")};
  if (out.state.empty() != out.on.empty())
    return fail_at(at, "'state' and 'on' go together: where to look, and what means on");
  return {};
}

Result<void> read_log(const Json& json, const Type& type, const std::string& pointer,
                      Detector& out) {
  if (auto done = need(json, "from", type, pointer); !done) return done;
  out.from = text_of(json, "from");
  if (json.contains("file") == json.contains("unit"))
    return fail_at(pointer, "a detector of type log reads either a 'file' or a 'unit'");
  if (json.contains("contains") == json.contains("regex"))
    return fail_at(pointer, "a detector of type log needs either 'contains' or 'regex'");
  for (const std::string_view key : {"file"sv, "unit"sv, "contains"sv, "regex"sv})
    if (json.contains(key)) out.arguments[key] = text_of(json, key);
  return {};
}

Result<Detector> read_detector(const std::string& name, const Json& json,
                               const std::string& pointer) {
  const auto type = std::ranges::find(kTypes, text_of(json, "type"), &Type::name);
  if (auto done = check_keys(json, *type, pointer); !done) return std::unexpected(done.error());
  Detector out;
  out.name = name;
  out.kind = type->kind;
  out.pointer = pointer;
  out.poll = duration_of(json, "poll", out.poll);
  out.webhook = flag_of(json, "webhook") || out.kind == Kind::grafana || out.kind == Kind::pager ||
                out.kind == Kind::webhook;
  out.alert = json.contains("alert") ? text_of(json, "alert") : name;
  out.severity = text_of(json, "severity");
  out.clock_error = optional_duration(json, "clock-error");
  out.query = text_of(json, "query");
  out.probe = text_of(json, "probe");
  Result<void> done;
  if (out.kind == Kind::prometheus || out.kind == Kind::alertmanager || out.kind == Kind::promql)
    done = read_url(json, *type, pointer, out);
  if (done && out.kind == Kind::promql) done = need(json, "query", *type, pointer);
  if (done && out.kind == Kind::webhook) done = read_fields(json, pointer, out.fields);
  if (done && out.kind == Kind::log) done = read_log(json, *type, pointer, out);
  if (done && out.kind == Kind::probe) done = need(json, "probe", *type, pointer);
  if (!done) return std::unexpected(done.error());
  return out;
}

}  // namespace

Result<void> check_json_pointer(const Json& fields, std::string_view key, const std::string& at) {
  const std::string text = text_of(fields, key);
  if (text.empty() || text.starts_with('/')) {
    for (std::size_t i = text.find('~'); i != std::string::npos; i = text.find('~', i + 1))
      if (i + 1 >= text.size() || (text[i + 1] != '0' && text[i + 1] != '1'))
        return fail_at(pointer_join(at, key), "in a JSON pointer ~ is written ~0 (RFC 6901)");
    return {};
  }
  return fail_at(pointer_join(at, key),
                 fmt::format("a JSON pointer begins with /: did you mean '/{}'?", text));
}

Result<void> read_detectors(const Json& document, Experiment& out) {
  for (const auto& [name, json] : object_of(document, "detectors").items()) {
    auto detector = read_detector(name, json, pointer_join("/detectors", name));
    if (!detector) return std::unexpected(detector.error());
    out.detectors.push_back(std::move(*detector));
  }
  const Json& paging = object_of(document, "paging");
  if (paging.contains("label")) out.paging.label = text_of(paging, "label");
  if (paging.contains("wakes")) out.paging.wakes = texts_of(paging, "wakes");
  return {};
}

}  // namespace firedrill::format
