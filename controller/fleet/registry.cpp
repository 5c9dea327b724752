#include "controller/fleet/registry.hpp"

#include <algorithm>

#include <boost/asio/post.hpp>
#include <malloc.h>

#include "firedrill/join.hpp"

namespace firedrill {
namespace {

using SteadyClock = std::chrono::steady_clock;

// NTP's burst: enough to meet an idle moment of the network before the first event is placed.
constexpr int kFirstExchanges = 8;
constexpr Duration kClockTimeout{5'000'000};
// Beyond this a caller does not wait, it forgets; and the sum with "now" cannot overflow.
constexpr Duration kMaxTimeout = std::chrono::days{366};
constexpr std::size_t kManySessions = 1000;
constexpr const char* kRevoked = "its certificate was revoked";

std::int64_t utc_micros() {
  return to_micros(std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now()));
}

std::optional<std::int64_t> integer_member(const Json& json, std::string_view key) {
  if (!json.is_object()) return std::nullopt;
  const auto it = json.find(key);
  if (it == json.end() || !it->is_number_integer()) return std::nullopt;
  return it->get<std::int64_t>();
}

}  // namespace

Registry::Registry(boost::asio::io_context& io, const FleetConfig& config,
                   const FleetHandlers& handlers, Worker& clerk)
    : io_(io), config_(config), handlers_(handlers), clerk_(clerk), deadline_timer_(io) {}

void Registry::opened(const std::shared_ptr<Wire>& wire) {
  const auto session = std::make_shared<Session>(io_, wire);
  sessions_.emplace(wire.get(), session);
  most_sessions_ = std::max(most_sessions_, sessions_.size());
  // Revoked between its handshake and now.
  if (revoked_.contains(wire->peer().serial)) return refuse(session, kRevoked);
  session->timer.expires_after(config_.hello_timeout);
  session->timer.async_wait([this, session](boost::system::error_code cancelled) {
    if (!cancelled && session->stage == Stage::fresh)
      refuse(session, "no hello within " + to_string(config_.hello_timeout));
  });
}

void Registry::message(Wire& wire, std::string_view text) {
  const auto it = sessions_.find(&wire);
  if (it == sessions_.end()) return;  // dropped already; its wire is closing
  const SessionPtr session = it->second;
  const auto decoded = rpc::decode(text);
  if (!decoded) return refuse(session, "malformed message: " + describe(decoded.error()));
  if (const auto* request = std::get_if<rpc::Request>(&*decoded))
    return on_request(session, *request);
  const auto& response = std::get<rpc::Response>(*decoded);
  const auto* id = std::get_if<std::int64_t>(&response.id);
  if (id == nullptr) return refuse(session, "an answer to a request that was never sent");
  // An id that is not this session's any more belongs to a call that timed out: too late.
  if (session->calls.contains(*id)) finish(*id, response.result);
}

void Registry::closed(Wire& wire, const std::string& reason) {
  const auto it = sessions_.find(&wire);
  if (it == sessions_.end()) return;
  const SessionPtr session = it->second;
  if (session->stage != Stage::ready)
    handlers_.refused(wire.remote_address(), wire.host() + ": " + reason);
  drop(session, reason, false);
}

void Registry::refuse(const SessionPtr& session, const std::string& reason) {
  if (!sessions_.contains(session->wire.get())) return;  // a timer that fired as it was cancelled
  handlers_.refused(session->wire->remote_address(), session->wire->host() + ": " + reason);
  drop(session, reason, true);
}

void Registry::drop(const SessionPtr& session, const std::string& reason, bool close_wire) {
  if (sessions_.erase(session->wire.get()) == 0) return;
  session->timer.cancel();
  const std::string host = session->wire->host();
  bool was_known = false;
  {
    const std::scoped_lock lock{mutex_};
    const auto it = known_.find(host);
    was_known = it != known_.end() && it->second.session == session;
    if (was_known) {
      it->second.info.connected = false;
      it->second.info.clock = session->filter.at(SteadyClock::now()).value_or(ClockEstimate{});
      it->second.session.reset();
    }
  }
  if (close_wire) session->wire->close(reason);
  const std::set<std::int64_t> calls = session->calls;  // finish() takes them out one by one
  for (const std::int64_t id : calls)
    finish(id, fail(ErrorCode::unavailable, "the link to '" + host + "' was lost: " + reason));
  if (was_known) handlers_.lost(host, reason);
  give_memory_back();
}

// glibc keeps what many closed TLS connections freed; half of them gone is worth asking for it.
void Registry::give_memory_back() {
  if (most_sessions_ < kManySessions || sessions_.size() > most_sessions_ / 2) return;
  most_sessions_ = sessions_.size();
  ::malloc_trim(0);
}

void Registry::on_request(const SessionPtr& session, const rpc::Request& request) {
  if (request.method == rpc::method::hello) return on_hello(session, request);
  if (session->stage != Stage::ready)
    return refuse(session, "'" + request.method + "' before hello was answered");
  Result<Json> result = Json::object();
  if (request.method == join::kCertificateMethod) return on_renewal(session, request);
  if (request.method == rpc::method::event) {
    result = on_event(*session, request.params);
    if (!result)
      handlers_.refused(session->wire->remote_address(),
                        session->wire->host() + ": an event: " + describe(result.error()));
  } else
    result = fail(ErrorCode::unsupported, "the controller has no method '" + request.method + "'");
  if (request.id) session->wire->send(rpc::encode(rpc::Response{*request.id, std::move(result)}));
}

void Registry::on_hello(const SessionPtr& session, const rpc::Request& request) {
  if (session->stage != Stage::fresh) return refuse(session, "a second hello");
  if (!request.id) return refuse(session, "hello without an id");
  auto hello = rpc::parse_hello(request.params);
  if (!hello) return refuse(session, "hello: " + describe(hello.error()));
  if (hello->host != session->wire->host())
    return refuse(session, "it calls itself '" + hello->host +
                               "', but its certificate was issued for '" + session->wire->host() +
                               "'");
  session->stage = Stage::measuring;
  session->hello_id = request.id;
  session->hello = std::move(*hello);
  session->timer.cancel();
  exchange_clocks(session);
}

/// The clerk signs; the answer comes back to this thread, if the agent is still there.
void Registry::on_renewal(const SessionPtr& session, const rpc::Request& request) {
  if (!request.id) return refuse(session, "a certificate is asked for without an id");
  const rpc::Id id = *request.id;
  const TlsPeer& peer = session->wire->peer();
  RenewalRequest asked{peer.name, peer.serial, request.params};
  auto job = [this, session, id, asked = std::move(asked)] {
    Result<Json> result = handlers_.renew(asked);
    boost::asio::post(io_, [this, session, id, result = std::move(result)]() mutable {
      if (sessions_.contains(session->wire.get()))
        session->wire->send(rpc::encode(rpc::Response{id, std::move(result)}));
    });
  };
  if (!clerk_.post(std::move(job)))
    session->wire->send(rpc::encode(rpc::Response{
        id, fail(ErrorCode::unavailable, "too many certificates are asked for; try later")}));
}

void Registry::set_authority(std::string digest) {
  if (std::exchange(authority_, std::move(digest)) == authority_) return;
  const rpc::Request news{
      {}, std::string{join::kAuthorityMethod}, {{std::string{join::kAuthorityKey}, authority_}}};
  const std::string text = rpc::encode(news);
  for (const auto& [wire, session] : sessions_)
    if (session->stage == Stage::ready) session->wire->send(text);
}

void Registry::set_revoked(std::set<std::string> serials) {
  revoked_ = std::move(serials);
  std::vector<SessionPtr> leaving;
  for (const auto& [wire, session] : sessions_)
    if (revoked_.contains(wire->peer().serial)) leaving.push_back(session);
  for (const SessionPtr& session : leaving) refuse(session, kRevoked);
}

Result<Json> Registry::on_event(Session& session, const Json& params) {
  const auto event = rpc::parse_agent_event(params);
  if (!event) return std::unexpected(event.error());
  if (event->instance != session.hello.instance)
    return fail(ErrorCode::invalid_input, "the event is of another instance than hello");
  ClockEstimate estimate;
  {
    const std::scoped_lock lock{mutex_};
    Known& known = known_.at(session.wire->host());
    if (event->number <= known.last_event) return Json::object();  // resent: its answer was lost
    known.last_event = event->number;
    estimate = session.filter.at(SteadyClock::now()).value_or(ClockEstimate{});
  }
  handlers_.event(session.wire->host(), *event, estimate);
  return Json::object();
}

void Registry::exchange_clocks(const SessionPtr& session) {
  if (!sessions_.contains(session->wire.get())) return;
  const std::int64_t sent_us = utc_micros();
  const Steady sent = SteadyClock::now();
  request(session, rpc::method::clock, Json::object(), kClockTimeout,
          [this, session, sent_us, sent](const Result<Json>& answer) {
            on_clock(session, sent_us, sent, answer);
          });
}

void Registry::on_clock(const SessionPtr& session, std::int64_t sent_us, Steady sent,
                        const Result<Json>& answer) {
  const Steady now = SteadyClock::now();
  if (!sessions_.contains(session->wire.get())) return;
  if (answer) {
    const auto received = integer_member(*answer, "received_us");
    const auto answered = integer_member(*answer, "sent_us");
    if (!received || !answered) return refuse(session, "clock: no 'received_us' and 'sent_us'");
    const auto elapsed = std::chrono::duration_cast<Duration>(now - sent);
    const std::scoped_lock lock{mutex_};
    // A sample that cannot be is left out; the error grows until a good one comes.
    (void)session->filter.add({sent_us, *received, *answered, elapsed}, now);
  }
  if (session->stage == Stage::measuring) {
    if (!answer) return refuse(session, "clock: " + describe(answer.error()));
    if (++session->exchanges < kFirstExchanges) return exchange_clocks(session);
    if (!session->filter.at(now)) return refuse(session, "clock: its instants cannot be");
    on_ready(session);
  }
  session->timer.expires_after(config_.clock_interval);
  session->timer.async_wait([this, session](boost::system::error_code cancelled) {
    if (!cancelled) exchange_clocks(session);
  });
}

void Registry::on_ready(const SessionPtr& session) {
  const std::string& host = session->wire->host();
  if (const auto it = known_.find(host); it != known_.end() && it->second.session)
    drop(SessionPtr{it->second.session}, "replaced by a newer connection of the same host", true);
  session->stage = Stage::ready;
  AgentInfo info;
  {
    const std::scoped_lock lock{mutex_};
    Known& known = known_[host];
    if (known.info.hello.instance != session->hello.instance) known.last_event = 0;
    known.session = session;
    known.info.hello = session->hello;
    known.info.connected = true;
    known.info.clock = session->filter.at(SteadyClock::now()).value_or(ClockEstimate{});
    known.info.remote_address = session->wire->remote_address();
    info = known.info;
  }
  // Told first: an event that the agent sends upon the answer must find the agent connected.
  handlers_.connected(info);
  Json answer = {{"heartbeat_us", config_.clock_interval.count()}};
  if (!authority_.empty()) answer[std::string{join::kAuthorityKey}] = authority_;
  session->wire->send(rpc::encode(rpc::Response{*session->hello_id, std::move(answer)}));
}

void Registry::call(const std::string& host, std::string_view method, Json params, Duration timeout,
                    Fleet::Done done) {
  // known_ is written on this thread only: reading it here needs no lock.
  const auto it = known_.find(host);
  if (it == known_.end() || !it->second.session)
    return done(fail(ErrorCode::unavailable, "no agent is connected for '" + host + "'"));
  request(it->second.session, method, std::move(params), timeout, std::move(done));
}

void Registry::request(const SessionPtr& session, std::string_view method, Json params,
                       Duration timeout, Fleet::Done done) {
  std::string what = "'" + std::string{method} + "' on '" + session->wire->host() + "'";
  if (timeout <= Duration{0})
    return done(fail(ErrorCode::timed_out, what + ": no time was left to ask"));
  if (timeout > kMaxTimeout)
    return done(fail(ErrorCode::invalid_input, what + ": a time-out of more than 366 days"));
  if (params.is_null()) params = Json::object();  // what `{}` becomes on its way into a Json
  if (!params.is_object())
    return done(fail(ErrorCode::invalid_input, what + ": parameters must be an object"));
  const std::int64_t id = next_id_++;
  std::string text = rpc::encode(rpc::Request{id, std::string{method}, std::move(params)});
  if (text.size() > rpc::kMaxMessageBytes)
    return done(fail(ErrorCode::invalid_input, what + ": the request is larger than 1 MiB"));
  const Steady deadline = SteadyClock::now() + timeout;
  session->calls.insert(id);
  pending_.emplace(
      id, Pending{session, deadline, what + " had " + to_string(timeout), std::move(done)});
  const bool earliest = deadlines_.empty() || deadline < deadlines_.begin()->first;
  deadlines_.emplace(deadline, id);
  if (earliest) arm_deadline();
  session->wire->send(std::move(text));
}

void Registry::finish(std::int64_t id, Result<Json> result) {
  auto node = pending_.extract(id);
  if (node.empty()) return;
  Pending& pending = node.mapped();
  pending.session->calls.erase(id);
  deadlines_.erase({pending.deadline, id});
  pending.done(std::move(result));
}

void Registry::arm_deadline() {
  if (deadlines_.empty()) return;
  deadline_timer_.expires_at(deadlines_.begin()->first);
  deadline_timer_.async_wait([this](boost::system::error_code cancelled) {
    if (cancelled) return;  // armed anew for an earlier deadline
    const Steady now = SteadyClock::now();
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
      const std::int64_t id = deadlines_.begin()->second;
      const std::string what = pending_.at(id).what;
      finish(id, fail(ErrorCode::timed_out, what + " and did not answer"));
    }
    arm_deadline();
  });
}

void Registry::stop() {
  while (!pending_.empty())
    finish(pending_.begin()->first, fail(ErrorCode::unavailable, "the controller is stopping"));
}

std::vector<AgentInfo> Registry::agents() const {
  const std::scoped_lock lock{mutex_};
  const Steady now = SteadyClock::now();
  std::vector<AgentInfo> all;
  all.reserve(known_.size());
  for (const auto& [host, known] : known_) {
    all.push_back(known.info);
    if (known.session) all.back().clock = known.session->filter.at(now).value_or(ClockEstimate{});
  }
  return all;
}

std::optional<ClockEstimate> Registry::clock(const std::string& host) const {
  const std::scoped_lock lock{mutex_};
  const auto it = known_.find(host);
  if (it == known_.end() || !it->second.session) return std::nullopt;
  return it->second.session->filter.at(SteadyClock::now());
}

}  // namespace firedrill
