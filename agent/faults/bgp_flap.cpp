#include "agent/faults/bgp_flap.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "agent/faults/flap.hpp"
#include "agent/faults/record.hpp"
#include "agent/host_routes.hpp"

namespace firedrill::agent {
namespace {

using kernel::BirdProtocol;
using kernel::BirdReply;

constexpr std::string_view kDown = "down";
constexpr std::uint8_t kBirdRoute = 12;  // RTPROT_BIRD
constexpr int kNoSuchNetwork = 8001;     // show route
constexpr int kNoSuchProtocol = 8003;    // show protocols, with a pattern
constexpr std::size_t kSocketsToTry = 4;

constexpr std::array kSchema{
    ParamSpec{.name = "protocol",
              .required = true,
              .choices = {},
              .default_text = {},
              .help = "the protocol's name in BIRD's configuration ('show protocols')"},
    ParamSpec{.name = "socket",
              .choices = {},
              .default_text = "/run/bird/bird.ctl",
              .help = "BIRD's control socket"},
    kPeriodParam,
    kDownShareParam,
};

struct BirdRecord {
  kernel::NamespaceId where;
  std::string socket;
  std::string protocol;
  std::string token;  ///< the message with which we disable
};

bool is_protocol_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.' || c == ':';
  });
}

bool is_token(std::string_view text) {
  return text.size() == 8 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<BirdRecord> parse_record(const Json& json) {
  RecordReader reader(json, "bgp-flap");
  BirdRecord record{reader.namespace_id(), reader.text("socket"), reader.text("protocol"),
                    reader.text("token")};
  if (auto status = reader.status(); !status) return std::unexpected(status.error());
  if (record.socket.empty() || !is_protocol_name(record.protocol) || !is_token(record.token))
    return fail(ErrorCode::corrupt, "undo record of bgp-flap: no name BIRD could have");
  return record;
}

/// One command whose answer is no error.
Result<BirdReply> ask(Host& host, const std::string& socket, const std::string& command) {
  auto reply = host.bird().command(socket, command);
  if (!reply) return reply;
  if (auto good = check_bird_reply(*reply, command); !good) return std::unexpected(good.error());
  return reply;
}

/// None when BIRD knows no protocol of that name.
Result<std::optional<BirdProtocol>> find_protocol(Host& host, const std::string& socket,
                                                  const std::string& name) {
  // In quotes it is a pattern; a name has no character that would make it match another.
  const std::string command = fmt::format("show protocols all \"{}\"", name);
  const auto reply = host.bird().command(socket, command);
  if (!reply) return std::unexpected(reply.error());
  if (reply->find(kNoSuchProtocol) != nullptr) return std::nullopt;
  if (auto good = check_bird_reply(*reply, command); !good) return std::unexpected(good.error());
  for (BirdProtocol& one : kernel::parse_bird_protocols(*reply))
    if (one.name == name) return std::move(one);
  return std::nullopt;
}

/// Names those that there are.
std::unexpected<Error> refuse_unknown(Host& host, const std::string& socket,
                                      const std::string& name) {
  const auto reply = ask(host, socket, "show protocols");
  if (!reply) return std::unexpected(reply.error());
  std::vector<std::string> known;
  for (const BirdProtocol& one : kernel::parse_bird_protocols(*reply))
    known.push_back(fmt::format("{} ({}, {})", one.name, one.kind, one.state));
  return fail(ErrorCode::not_found, fmt::format("BIRD on '{}' has no protocol '{}'; it has: {}",
                                                socket, name, fmt::join(known, ", ")));
}

/// Adds what else listens, when nothing does where it was looked for.
std::unexpected<Error> refuse_socket(Host& host, Error error) {
  if (error.code != ErrorCode::not_found) return std::unexpected(std::move(error));
  const auto others = host.bird().sockets();
  if (others && !others->empty())
    error.what += fmt::format("; 'socket' could be {}", fmt::join(*others, " or "));
  return std::unexpected(std::move(error));
}

Result<void> check_kind(const BirdProtocol& protocol) {
  constexpr std::array<std::string_view, 4> kInner{"Device", "Kernel", "Direct", "BFD"};
  if (std::ranges::find(kInner, protocol.kind) != kInner.end())
    return fail(ErrorCode::unsupported,
                fmt::format("'{}' is BIRD's {} protocol, without which it loses every interface "
                            "or kernel route: choose a BGP session, or another that brings routes",
                            protocol.name, protocol.kind));
  if (protocol.state != kDown) return {};
  return fail(ErrorCode::conflict,
              fmt::format("'{}' is disabled already ({}); enable it first, so that there is "
                          "something to withdraw",
                          protocol.name,
                          protocol.message.empty() ? "without a message" : protocol.message));
}

Result<void> check_controller(Host& host, const std::string& socket, const std::string& name) {
  for (const kernel::Endpoint& peer : host.protected_peers()) {
    const kernel::IpAddress address = kernel::unmapped(peer.address);
    const auto serving = host.routes().serving(address);
    if (!serving) return std::unexpected(serving.error());
    if (!*serving || (*serving)->protocol != kBirdRoute) continue;
    const std::string command = fmt::format("show route for {} primary", to_string(address));
    const auto reply = host.bird().command(socket, command);
    if (!reply) return std::unexpected(reply.error());
    if (reply->find(kNoSuchNetwork) != nullptr) continue;
    if (auto good = check_bird_reply(*reply, command); !good) return good;
    if (kernel::route_is_from(*reply, name))
      return fail(ErrorCode::refused,
                  fmt::format("the connection to the controller ({} port {}) goes by a route from "
                              "'{}'; give the controller a static route first",
                              to_string(peer.address), peer.port, name));
  }
  return {};
}

enum class State : std::uint8_t {
  enabled,
  disabled_by_us,
  disabled_by_others,
  not_there,  ///< the protocol, BIRD or the boot has gone, and what was disabled with it
};

Result<State> state_now(Host& host, const BirdRecord& record) {
  const auto where = host.network().namespace_id();
  if (!where) return std::unexpected(where.error());
  const auto scope = scope_of(record.where, *where);
  if (!scope) return std::unexpected(scope.error());
  if (*scope == RecordScope::before_reboot) return State::not_there;
  const auto found = find_protocol(host, record.socket, record.protocol);
  if (!found && found.error().code == ErrorCode::not_found) return State::not_there;
  if (!found) return std::unexpected(found.error());
  if (!*found) return State::not_there;
  // The message goes when anybody enables it, so it is a mark that others cannot leave behind.
  if ((*found)->message == record.token) return State::disabled_by_us;
  return (*found)->state == kDown ? State::disabled_by_others : State::enabled;
}

}  // namespace

std::string_view BgpFlap::summary() const {
  return "Disables and enables a protocol of BIRD, so that its routes come and go";
}

std::span<const ParamSpec> BgpFlap::schema() const { return kSchema; }

Json BgpFlap::example() const {
  return Json{{"protocol", "edge1"}, {"period", "30s"}, {"down-share", "50%"}};
}

Support BgpFlap::probe_support(Host& host) const {
  const auto sockets = host.bird().sockets();
  if (!sockets) return {false, sockets.error().what};
  std::string refusal = "no control socket (*.ctl) listens in this network namespace: start BIRD";
  for (std::size_t i = 0; i < std::min(sockets->size(), kSocketsToTry); ++i) {
    const auto reply = ask(host, (*sockets)[i], "show status");
    if (reply) return {true, fmt::format("BIRD on {}", (*sockets)[i])};
    refusal = reply.error().what;
  }
  return {false, refusal};
}

Result<void> BgpFlap::check(const Params& params) const {
  if (!is_protocol_name(params.text("protocol")))
    return fail_at("/protocol", fmt::format("'{}' is no name of a protocol: letters, digits and "
                                            "_ - . : only, at most 64",
                                            params.text("protocol")));
  if (!params.text("socket").starts_with('/'))
    return fail_at("/socket", "the path of a socket begins with '/'");
  return check_flap(params);
}

std::vector<std::string> BgpFlap::exclusive_resources(const Params& params) const {
  return {fmt::format("bird:{}:{}", params.text("socket"), params.text("protocol"))};
}

Result<Json> BgpFlap::capture(Host& host, const Params& params) const {
  const std::string socket = params.text("socket");
  const std::string name = params.text("protocol");
  const auto where = host.network().namespace_id();
  if (!where) return std::unexpected(where.error());
  const auto protocol = find_protocol(host, socket, name);
  if (!protocol) return refuse_socket(host, protocol.error());
  if (!*protocol) return refuse_unknown(host, socket, name);
  if (auto able = check_kind(**protocol); !able) return std::unexpected(able.error());
  if (auto allowed = check_controller(host, socket, name); !allowed)
    return std::unexpected(allowed.error());
  return Json{{"boot_id", where->boot},
              {"namespace", where->inode},
              {"socket", socket},
              {"protocol", name},
              {"token", fmt::format("{:08x}", host.fresh_token())},
              {"kind", (*protocol)->kind},
              {"state", (*protocol)->state},
              {"info", (*protocol)->info}};
}

Result<Json> BgpFlap::apply(Host& host, const Params&, const Json& json) const {
  const auto record = parse_record(json);
  if (!record) return std::unexpected(record.error());
  const auto before = state_now(host, *record);
  if (!before) return std::unexpected(before.error());
  if (*before == State::not_there)
    return fail(ErrorCode::not_found, fmt::format("BIRD on '{}' or its protocol '{}' has gone",
                                                  record->socket, record->protocol));
  if (*before == State::disabled_by_others)
    return fail(ErrorCode::conflict,
                fmt::format("someone else has disabled '{}' meanwhile", record->protocol));
  if (*before == State::enabled) {
    if (auto allowed = check_controller(host, record->socket, record->protocol); !allowed)
      return std::unexpected(allowed.error());
    // The message also reaches the neighbour, so it names nobody (RFC 9003).
    const auto done = ask(host, record->socket,
                          fmt::format("disable \"{}\" \"{}\"", record->protocol, record->token));
    if (!done) return std::unexpected(done.error());
  }
  const auto after = find_protocol(host, record->socket, record->protocol);
  if (!after) return std::unexpected(after.error());
  if (*after && (*after)->message == record->token)
    return Json{{"protocol", record->protocol}, {"state", (*after)->state}};
  return fail(ErrorCode::io_failed,
              fmt::format("'{}' was disabled and does not show it", record->protocol));
}

Result<UndoOutcome> BgpFlap::undo(Host& host, const Json& json) const {
  const auto record = parse_record(json);
  if (!record) return std::unexpected(record.error());
  const auto now = state_now(host, *record);
  if (!now) return std::unexpected(now.error());
  if (*now == State::disabled_by_others) return UndoOutcome::superseded;
  if (*now != State::disabled_by_us) return UndoOutcome::already_gone;
  if (auto done = ask(host, record->socket, fmt::format("enable \"{}\"", record->protocol)); !done)
    return std::unexpected(done.error());
  const auto after = state_now(host, *record);
  if (!after) return std::unexpected(after.error());
  if (*after == State::enabled) return UndoOutcome::restored;
  return fail(ErrorCode::io_failed,
              fmt::format("'{}' was enabled and does not show it", record->protocol));
}

Result<Verification> BgpFlap::verify(Host& host, const Json& json) const {
  const auto record = parse_record(json);
  if (!record) return std::unexpected(record.error());
  const auto now = state_now(host, *record);
  if (!now) return std::unexpected(now.error());
  Verification out;
  if (*now == State::disabled_by_us || *now == State::disabled_by_others)
    out.differences.push_back(fmt::format("'{}' is disabled{}", record->protocol,
                                          *now == State::disabled_by_us ? "" : " by someone else"));
  return out;
}

std::optional<Pattern> BgpFlap::pattern(const Params& params) const { return flap_pattern(params); }

}  // namespace firedrill::agent
