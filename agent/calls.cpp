#include "agent/calls.hpp"

#include <fmt/format.h>

#include "firedrill/commander.hpp"
#include "firedrill/rpc.hpp"

namespace firedrill::agent {
namespace {

namespace method = rpc::method;

Result<Json> to_answer(const Result<void>& done) {
  if (!done) return std::unexpected(done.error());
  return Json::object();
}

Result<Json> to_answer(const Result<std::vector<rpc::InjectionStatus>>& statuses) {
  if (!statuses) return std::unexpected(statuses.error());
  Json list = Json::array();
  for (const rpc::InjectionStatus& status : *statuses) list.push_back(rpc::to_json(status));
  return Json{{"injections", std::move(list)}};
}

}  // namespace

Result<Json> AgentCalls::commit(const Json& params) {
  ObjectReader reader(params, "");
  const std::vector<std::string> ids = reader.optional_texts("injections");
  const Json* at = reader.member("at_us");
  // Far instants are refused later; what is none at all must not get into arithmetic.
  constexpr std::int64_t kLastInstant = 8'000'000'000'000'000;
  if (at == nullptr || !at->is_number_integer() || at->get<std::int64_t>() < 0 ||
      at->get<std::int64_t>() > kLastInstant)
    reader.note_error({ErrorCode::invalid_input, 0, "expected microseconds UTC", "/at_us"});
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  return to_answer(executor_.commit(ids, from_micros(at->get<std::int64_t>())));
}

Result<Json> AgentCalls::undo(const Json& params, const Caller& caller) {
  ObjectReader reader(params, "");
  const bool all = reader.member("injections") == nullptr;
  const std::vector<std::string> ids = reader.optional_texts("injections");
  const auto cause = parse_undo_cause(reader.optional_text("cause", "requested"));
  if (!cause) reader.note_error({ErrorCode::invalid_input, 0, cause.error().what, "/cause"});
  // An empty list is a caller's mistake; read as "all" it would undo what nobody named.
  if (!all && ids.empty())
    reader.note_error({ErrorCode::invalid_input, 0, "names no injection", "/injections"});
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  return to_answer(executor_.undo(ids, *cause, caller.tell()));
}

Result<Json> AgentCalls::stop_probe(const Json& params) {
  ObjectReader reader(params, "");
  const std::string run = reader.required_text("run");
  const std::string id = reader.optional_text("id");
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  probes_.stop(run, id.empty() ? std::nullopt : std::optional<std::string_view>(id));
  return Json::object();
}

Result<Json> AgentCalls::answer(const std::string& name, const Json& params, const Caller& caller) {
  if (name == method::prepare || name == method::commit)
    if (auto may = policy_.check_commander(caller.controller); !may)
      return std::unexpected(may.error());
  if (name == method::prepare) {
    const auto request = parse_fault_request(params, "");
    if (!request) return std::unexpected(request.error());
    const auto record = executor_.prepare(*request, caller.tell());
    if (!record) return std::unexpected(record.error());
    return Json{{"record", *record}};
  }
  if (name == method::commit) return commit(params);
  if (name == method::undo) return undo(params, caller);
  if (name == method::list) return to_answer(executor_.list());
  if (name == method::renew) {
    ObjectReader reader(params, "");
    const std::string run = reader.required_text("run");
    if (auto done = reader.finish(); !done) return std::unexpected(done.error());
    executor_.renew(run);
    return Json::object();
  }
  if (name == method::probe_stop) return stop_probe(params);
  if (name == method::probe_start || name == method::probe_once) {
    const auto request = rpc::parse_probe_request(params);
    if (!request) return std::unexpected(request.error());
    if (name == method::probe_start) return to_answer(probes_.start(*request));
    const auto sample = probes_.once(*request);
    if (!sample) return std::unexpected(sample.error());
    return rpc::to_json(*sample);
  }
  return fail(ErrorCode::not_found, fmt::format("no method '{}'", name));
}

Result<Json> AgentCalls::call(const std::string& name, const Json& params,
                              std::string_view controller) {
  return answer(name, params, {controller, [&] { return Json{{"certificate", controller}}; }});
}

Result<Json> AgentCalls::local_call(const std::string& name, const Json& params,
                                    const LocalPeer& peer) {
  const auto tell = [&] { return commander_of(peer.process, peer.user); };
  if (name != kForgetMethod) return answer(name, params, {{}, tell});
  ObjectReader reader(params, "");
  const std::string id = reader.required_text("injection");
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  return to_answer(executor_.forget(id, tell()));
}

}  // namespace firedrill::agent
