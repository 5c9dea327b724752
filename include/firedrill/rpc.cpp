#include "firedrill/rpc.hpp"

namespace firedrill::rpc {
namespace {

Json id_json(const Id& id) {
  return std::visit([](const auto& value) { return Json(value); }, id);
}

Result<std::optional<Id>> read_id(const Json& json) {
  const auto it = json.find("id");
  if (it == json.end()) return std::nullopt;
  if (it->is_number_integer()) return Id{it->get<std::int64_t>()};
  if (it->is_string()) return Id{it->get<std::string>()};
  return fail_at("/id", "'id' must be a whole number or a string");
}

// JSON-RPC's own codes are for framing; ours travel by name in `data`, so that none is lost.
constexpr int kApplicationError = -32000;

Json error_json(const Error& error) {
  return {
      {"code", kApplicationError},
      {"message", error.what},
      {"data",
       {{"code", to_string(error.code)}, {"errno", error.sys_errno}, {"pointer", error.pointer}}}};
}

Error read_error(const Json& json) {
  Error error{ErrorCode::internal, 0, "the peer sent an error without words", {}};
  if (!json.is_object()) return error;
  if (const auto it = json.find("message"); it != json.end() && it->is_string())
    error.what = it->get<std::string>();
  const auto data = json.find("data");
  if (data == json.end() || !data->is_object()) return error;
  if (const auto it = data->find("code"); it != data->end() && it->is_string())
    error.code = parse_error_code(it->get<std::string>()).value_or(ErrorCode::internal);
  if (const auto it = data->find("errno"); it != data->end() && it->is_number_integer())
    error.sys_errno = static_cast<int>(it->get<std::int64_t>());
  if (const auto it = data->find("pointer"); it != data->end() && it->is_string())
    error.pointer = it->get<std::string>();
  return error;
}

Result<Message> decode_response(const Json& json) {
  auto id = read_id(json);
  if (!id) return std::unexpected(id.error());
  if (!*id) return fail_at("/id", "a response needs an 'id'");
  const bool has_result = json.contains("result");
  if (has_result == json.contains("error"))
    return fail(ErrorCode::invalid_input, "a response holds either 'result' or 'error'");
  if (has_result) return Message{Response{**id, json.at("result")}};
  return Message{Response{**id, std::unexpected(read_error(json.at("error")))}};
}

Result<std::vector<Capability>> read_capabilities(ObjectReader& reader, std::string_view key) {
  std::vector<Capability> out;
  const Json* list = reader.optional_array(key);
  if (list == nullptr) return out;
  for (std::size_t i = 0; i < list->size(); ++i) {
    ObjectReader one((*list)[i], pointer_join(reader.at(key), i));
    Capability capability;
    capability.name = one.required_text("name");
    capability.summary = one.optional_text("summary");
    if (const Json* schema = one.required_object("schema")) capability.schema = *schema;
    capability.supported = one.optional_flag("supported", false);
    capability.reason = one.optional_text("reason");
    capability.values = one.optional_texts("values");
    if (auto done = one.finish(); !done) return std::unexpected(done.error());
    out.push_back(std::move(capability));
  }
  return out;
}

}  // namespace

std::string encode(const Request& request) {
  Json json = {{"jsonrpc", "2.0"}, {"method", request.method}, {"params", request.params}};
  if (request.id) json["id"] = id_json(*request.id);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string encode(const Response& response) {
  Json json = {{"jsonrpc", "2.0"}, {"id", id_json(response.id)}};
  if (response.result) json["result"] = *response.result;
  else json["error"] = error_json(response.result.error());
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Message> decode(std::string_view text) {
  if (text.size() > kMaxMessageBytes)
    return fail(ErrorCode::invalid_input,
                "message larger than " + std::to_string(kMaxMessageBytes) + " bytes");
  auto json = parse_json(text, "message");
  if (!json) return std::unexpected(json.error());
  if (!json->is_object() || json->value("jsonrpc", Json{}) != "2.0")
    return fail(ErrorCode::invalid_input, "not a JSON-RPC 2.0 message");
  const auto method = json->find("method");
  if (method == json->end()) return decode_response(*json);
  if (!method->is_string()) return fail_at("/method", "'method' must be a string");
  auto id = read_id(*json);
  if (!id) return std::unexpected(id.error());
  Request request{*id, method->get<std::string>(), json->value("params", Json::object())};
  if (!request.params.is_object()) return fail_at("/params", "'params' must be an object");
  return Message{std::move(request)};
}

Json to_json(const Capability& capability) {
  return {{"name", capability.name},     {"summary", capability.summary},
          {"schema", capability.schema}, {"supported", capability.supported},
          {"reason", capability.reason}, {"values", capability.values}};
}

Json to_json(const InjectionStatus& status) {
  return {{"id", status.id},
          {"run", status.run},
          {"fault", status.fault},
          {"state", to_string(status.state)},
          {"values", status.values},
          {"detail", status.detail},
          {"remaining_us", status.remaining_us}};
}

Json to_json(const Hello& hello) {
  Json faults = Json::array();
  for (const Capability& one : hello.faults) faults.push_back(to_json(one));
  Json probes = Json::array();
  for (const Capability& one : hello.probes) probes.push_back(to_json(one));
  Json injections = Json::array();
  for (const InjectionStatus& one : hello.injections) injections.push_back(to_json(one));
  return {{"host", hello.host},         {"version", hello.version}, {"boot_id", hello.boot_id},
          {"instance", hello.instance}, {"tags", hello.tags},       {"facts", hello.facts},
          {"faults", faults},           {"probes", probes},         {"injections", injections}};
}

Json to_json(const AgentEvent& event) {
  return {{"instance", event.instance}, {"number", event.number}, {"run", event.run},
          {"at_us", event.at_us},       {"kind", event.kind},     {"data", event.data}};
}

Json to_json(const ProbeRequest& request) {
  return {{"id", request.id},
          {"run", request.run},
          {"probe", request.probe},
          {"arguments", request.params},
          {"interval", to_string(request.interval)}};
}

Json to_json(const Sample& sample) {
  return {{"from_us", sample.from_us}, {"to_us", sample.to_us},   {"count", sample.count},
          {"errors", sample.errors},   {"values", sample.values}, {"error", sample.error}};
}

Result<InjectionStatus> parse_injection_status(const Json& json) {
  ObjectReader reader(json, "");
  InjectionStatus status;
  status.id = reader.required_text("id");
  status.run = reader.optional_text("run");
  status.fault = reader.optional_text("fault");
  const std::string state = reader.required_text("state");
  if (const Json* values = reader.optional_object("values")) status.values = *values;
  status.detail = reader.optional_text("detail");
  status.remaining_us = reader.optional_integer("remaining_us", 0);
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  const auto parsed = parse_injection_state(state);
  if (!parsed) return fail_at("/state", parsed.error().what);
  status.state = *parsed;
  return status;
}

Result<Hello> parse_hello(const Json& json) {
  ObjectReader reader(json, "");
  Hello hello;
  hello.host = reader.required_text("host");
  hello.version = reader.required_text("version");
  hello.boot_id = reader.optional_text("boot_id");
  hello.instance = reader.required_text("instance");
  if (const Json* tags = reader.optional_object("tags"))
    for (const auto& [key, value] : tags->items()) {
      if (value.is_string()) hello.tags[key] = value.get<std::string>();
      else
        reader.note_error({ErrorCode::invalid_input, 0, "a tag must be a string", "/tags/" + key});
    }
  if (const Json* facts = reader.optional_object("facts")) hello.facts = *facts;
  auto faults = read_capabilities(reader, "faults");
  if (!faults) return std::unexpected(faults.error());
  hello.faults = std::move(*faults);
  auto probes = read_capabilities(reader, "probes");
  if (!probes) return std::unexpected(probes.error());
  hello.probes = std::move(*probes);
  if (const Json* list = reader.optional_array("injections"))
    for (const Json& one : *list) {
      auto status = parse_injection_status(one);
      if (!status) return std::unexpected(status.error());
      hello.injections.push_back(std::move(*status));
    }
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  return hello;
}

Result<ProbeRequest> parse_probe_request(const Json& json) {
  ObjectReader reader(json, "");
  ProbeRequest request;
  request.id = reader.required_text("id");
  request.run = reader.required_text("run");
  request.probe = reader.required_text("probe");
  if (const Json* params = reader.optional_object("arguments")) request.params = *params;
  const std::string interval = reader.optional_text("interval", "1s");
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  const auto parsed = parse_duration(interval);
  if (!parsed) return fail_at("/interval", parsed.error().what);
  if (*parsed < Duration{10'000} || *parsed > std::chrono::hours{1})
    return fail_at("/interval", "'interval' must be 10ms to 1h, not " + interval);
  request.interval = *parsed;
  return request;
}

Result<Sample> parse_sample(const Json& json) {
  ObjectReader reader(json, "");
  Sample sample;
  sample.from_us = reader.optional_integer("from_us", 0);
  sample.to_us = reader.optional_integer("to_us", 0);
  sample.count = reader.optional_integer("count", 0);
  sample.errors = reader.optional_integer("errors", 0);
  sample.error = reader.optional_text("error");
  if (const Json* values = reader.optional_object("values"))
    for (const auto& [key, value] : values->items()) {
      if (value.is_number()) sample.values[key] = value.get<double>();
      else
        reader.note_error(
            {ErrorCode::invalid_input, 0, "a value must be a number", "/values/" + key});
    }
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  return sample;
}

}  // namespace firedrill::rpc
