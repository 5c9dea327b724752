#include "controller/runner/api.hpp"

#include <utility>

#include <fmt/format.h>

#include "controller/runner/loop.hpp"
#include "firedrill/event.hpp"

namespace firedrill {
namespace {

constexpr std::string_view kBase = "/api/v1/";

HttpResponse answer(int status, const Json& body) {
  return {.status = status,
          .content_type = "application/json",
          .body = body.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"};
}

HttpResponse refuse(int status, std::string what, std::string pointer = {}) {
  return answer(status, {{"error", {{"what", std::move(what)}, {"pointer", std::move(pointer)}}}});
}

constexpr Duration kLongestAgo = std::chrono::seconds(60);

/// Who says it, when, and the rest of the body. An empty body is an empty object.
struct Word {
  std::string who, text, alertname;
  Moment when;
};

/// When it was said, by our clock; without a word of it, when it arrived.
Result<Moment> read_moment(ObjectReader& reader, UtcTime received) {
  const Duration error{reader.optional_integer("error_us", 0)};
  const UtcTime said = from_micros(reader.optional_integer("said_us", to_micros(received)));
  if (error < Duration{0} || error > kLongestAgo)
    return fail_at(reader.at("error_us"), "it may be 0 to 60000000 microseconds");
  if (said < received - kLongestAgo || said > received + error)
    return fail_at(reader.at("said_us"), "it may be the last minute, by the controller's clock");
  return Moment{.at = said, .uncertainty = error};
}

Result<Word> read_word(const HttpRequest& request, std::string_view text_key) {
  const UtcTime received = utc_now();
  const auto body = parse_json(request.body.empty() ? "{}" : request.body, "request");
  if (!body) return std::unexpected(body.error());
  ObjectReader reader(*body, "");
  Word word{.who = reader.optional_text("who", request.subject),
            .text = reader.optional_text(text_key),
            .alertname = {},
            .when = {}};
  if (text_key != "alertname") word.alertname = reader.optional_text("alertname");
  const auto when = read_moment(reader, received);
  if (!when) return std::unexpected(when.error());
  word.when = *when;
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  return word;
}

/// Whom the controller saw: the certificate, and where it came from.
Json commander(const HttpRequest& request) {
  return {{"certificate", request.subject}, {"address", request.remote_address}};
}

std::string known_steps(const std::string& step, const std::set<std::string>& steps) {
  const std::vector<std::string_view> words(steps.begin(), steps.end());
  return suggestion(step, words);
}

HttpResponse step_done(const HttpRequest& request, const std::string& step, const RunBoard& board,
                       const ApiActions& actions) {
  if (!board.steps.contains(step))
    return refuse(404, "the runbook has no step '" + step + "'." + known_steps(step, board.steps));
  const auto word = read_word(request, "note");
  if (!word) return refuse(400, word.error().what, word.error().pointer);
  actions.word(event_kind::step_done, word->who,
               {{"step", step}, {"note", word->text}, {"by", commander(request)}}, word->when);
  return answer(200, {{"run", board.run}, {"step", step}});
}

HttpResponse post_word(const HttpRequest& request, std::string_view path, const RunBoard& board,
                       const ApiActions& actions) {
  if (path.starts_with("steps/") && path.ends_with("/done"))
    return step_done(request, std::string(path.substr(6, path.size() - 11)), board, actions);
  const bool halt = path == "halt";
  const bool ack = path == "ack", noticed = path == "detected";
  if (!halt && !ack && !noticed && path != "notes") return refuse(404, "no such path");
  const auto word = read_word(request, halt ? "reason" : ack ? "alertname" : "text");
  if (!word) return refuse(400, word.error().what, word.error().pointer);
  const Json by = commander(request);
  if (halt) actions.halt(word->who, word->text, by);
  else if (ack)
    actions.word(event_kind::acknowledged, word->who, {{"alertname", word->text}, {"by", by}},
                 word->when);
  else if (noticed)
    actions.noticed(word->who, {{"alertname", word->alertname}, {"text", word->text}, {"by", by}},
                    word->when);
  else if (word->text.empty()) return refuse(400, "'text' is missing");
  else actions.word(event_kind::note, word->who, {{"text", word->text}, {"by", by}}, word->when);
  return answer(200, {{"run", board.run}});
}

/// The detector that `name` means while a run goes on. Without one a type's name is still good,
/// so that monitoring need not be told when there are runs; what it posts is read and dropped.
std::optional<Detector> find_webhook(std::string_view name, const RunBoard& board) {
  for (const Detector& detector : board.webhooks)
    if (detector.name == name) return detector;
  constexpr std::pair<std::string_view, Detector::Kind> kTypes[] = {
      {"alertmanager", Detector::Kind::alertmanager},
      {"grafana", Detector::Kind::grafana},
      {"pager", Detector::Kind::pager}};
  for (const auto& [type, kind] : kTypes) {
    if (type != name) continue;
    for (const Detector& detector : board.webhooks)
      if (detector.kind == kind) return detector;
    Detector unnamed;
    unnamed.name = "webhook";
    unnamed.kind = kind;
    return unnamed;
  }
  return std::nullopt;
}

HttpResponse webhook(const HttpRequest& request, std::string_view name, const RunBoard& board,
                     const ApiActions& actions) {
  const UtcTime received = utc_now();
  if (request.method != "POST") return refuse(405, "use POST");
  if (!request.webhook_token_ok) return refuse(401, "the webhook needs its bearer token");
  const auto detector = find_webhook(name, board);
  if (!detector && board.run.empty()) return answer(200, {{"dropped", "no run goes on"}});
  if (!detector) {
    std::vector<std::string_view> names{"alertmanager", "grafana", "pager"};
    for (const Detector& one : board.webhooks) names.emplace_back(one.name);
    return refuse(404, fmt::format("the run has no detector '{}' that takes a webhook.{}", name,
                                   suggestion(name, names)));
  }
  auto notices = parse_webhook(request.body, *detector);
  if (!notices) return refuse(400, notices.error().what, notices.error().pointer);
  actions.notified(detector->name, std::move(*notices), received);
  return answer(200, Json::object());
}

HttpResponse list_agents(const ApiActions& actions) {
  Json list = Json::array();
  for (const AgentInfo& agent : actions.agents()) list.push_back(to_json(agent));
  return answer(200, {{"agents", std::move(list)}});
}

}  // namespace

void SharedBoard::set(RunBoard board) {
  const std::lock_guard lock(mutex_);
  board_ = std::move(board);
}

RunBoard SharedBoard::get() const {
  const std::lock_guard lock(mutex_);
  return board_;
}

HttpResponse handle_api(const HttpRequest& request, const SharedBoard& shared,
                        const ApiActions& actions) {
  std::string_view path = request.target;
  path = path.substr(0, path.find('?'));
  if (!path.starts_with(kBase)) return refuse(404, "no such path");
  path.remove_prefix(kBase.size());
  constexpr std::string_view kWebhooks = "webhooks/";
  if (path.starts_with(kWebhooks))
    return webhook(request, path.substr(kWebhooks.size()), shared.get(), actions);
  if (request.role != "operator")
    return refuse(401, "this needs a client certificate with the role operator");
  const RunBoard board = shared.get();
  if (request.method == "GET" && path == "agents") return list_agents(actions);
  if (request.method == "GET" && path == "run") {
    if (board.run.empty()) return refuse(409, "no run goes on");
    return answer(200, {{"run", board.run},
                        {"now_us", to_micros(utc_now())},
                        {"title", board.title},
                        {"phase", board.phase},
                        {"finished", board.finished},
                        {"steps", board.steps},
                        {"injections", board.injections}});
  }
  if (request.method != "POST") return refuse(404, "no such path");
  if (path == "controller/yield") {
    if (!actions.yield) return refuse(409, "this controller is busy with a command of its own");
    actions.yield();
    return answer(200, {{"yielded", true}});
  }
  if (board.run.empty()) return refuse(409, "no run goes on");
  return post_word(request, path, board, actions);
}

Json to_json(const AgentInfo& agent) {
  Json json = rpc::to_json(agent.hello);
  json["connected"] = agent.connected;
  json["remote_address"] = agent.remote_address;
  json["clock"] = {{"offset_us", agent.clock.offset.count()},
                   {"error_us", agent.clock.error.count()},
                   {"round_trip_us", agent.clock.round_trip.count()}};
  return json;
}

}  // namespace firedrill
