#include "agent/faults/route_flap.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/rtnetlink.h>

#include "agent/faults/flap.hpp"
#include "agent/faults/record.hpp"
#include "agent/faults/route_safety.hpp"

namespace firedrill::agent {
namespace {

using kernel::Link;
using kernel::Route;

constexpr std::size_t kRoutesInRefusal = 6;

constexpr std::array kSchema{
    ParamSpec{.name = "prefix",
              .required = true,
              .choices = {},
              .default_text = {},
              .help = "destination of the route, as 10.77.2.0/24, 2001:db8::/32 or default"},
    ParamSpec{.name = "table",
              .type = ParamType::integer,
              .min = 1,
              .max = 4294967295.0,
              .choices = {},
              .default_text = "254",
              .help = "routing table by its number; 254 is main"},
    ParamSpec{.name = "device",
              .choices = {},
              .default_text = {},
              .help = "only routes that leave through this interface"},
    ParamSpec{.name = "via",
              .choices = {},
              .default_text = {},
              .help = "only routes through this gateway"},
    kPeriodParam,
    kDownShareParam,
};

std::string to_hex(const kernel::Bytes& bytes) {
  std::string out;
  for (const std::byte byte : bytes) out += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return out;
}

/// The route that was recorded; corrupt unless it is, byte for byte, what a route would be
/// recorded as.
Result<Route> route_of_hex(const std::string& hex) {
  kernel::Bytes bytes;
  bool whole = hex.size() % 2 == 0;
  for (std::size_t at = 0; whole && at < hex.size(); at += 2) {
    unsigned value = 0;
    const char* end = hex.data() + at + 2;
    whole = std::from_chars(hex.data() + at, end, value, 16).ptr == end;
    bytes.push_back(static_cast<std::byte>(value));
  }
  auto route = whole ? kernel::parse_route(bytes) : fail(ErrorCode::corrupt, "not hexadecimal");
  if (!route) return with_context(route.error(), "undo record of route-flap");
  if (route->message != bytes)
    return fail(ErrorCode::corrupt, "undo record of route-flap: a route is damaged");
  return route;
}

struct FlapRecord {
  kernel::NamespaceId where;
  std::vector<Route> routes;  ///< to one prefix, in one table
};

Result<FlapRecord> parse_record(const Json& json) {
  RecordReader reader(json, "route-flap");
  FlapRecord record;
  record.where = reader.namespace_id();
  const auto routes = reader.texts("routes");
  if (auto status = reader.status(); !status) return std::unexpected(status.error());
  for (const std::string& hex : routes) {
    auto route = route_of_hex(hex);
    if (!route) return std::unexpected(route.error());
    record.routes.push_back(std::move(*route));
  }
  const auto elsewhere = [&record](const Route& route) {
    return route.table != record.routes.front().table ||
           route.destination != record.routes.front().destination;
  };
  if (record.routes.empty() || std::ranges::any_of(record.routes, elsewhere))
    return fail(ErrorCode::corrupt, "undo record of route-flap: not the routes to one prefix");
  return record;
}

Result<RecordScope> scope_now(Host& host, const FlapRecord& record) {
  const auto where = host.network().namespace_id();
  if (!where) return std::unexpected(where.error());
  return scope_of(record.where, *where);
}

Result<std::vector<Route>> routes_now(Host& host, const FlapRecord& record) {
  return host.routes().routes(record.routes.front().destination, record.routes.front().table);
}

bool is_among(const Route& route, const std::vector<Route>& routes) {
  return std::ranges::find(routes, route.message, &Route::message) != routes.end();
}

/// A route that somebody else has put where `route` was; null when there is none.
const Route* usurper(const Route& route, const FlapRecord& record, const std::vector<Route>& now) {
  for (const Route& other : now)
    if (same_place(other, route) && !is_among(other, record.routes)) return &other;
  return nullptr;
}

/// True when the kernel has itself dropped the route, because its only interface has gone or is
/// down: it would not take it back, and nobody would miss it there.
bool went_with_interface(const Route& route, const std::vector<Link>& links) {
  if (route.hops.size() != 1) return false;
  const auto link = std::ranges::find(links, route.hops.front().device, &Link::index);
  return link == links.end() || !link->up;
}

std::vector<std::string> lines(const std::vector<Route>& routes, const std::vector<Link>& links) {
  std::vector<std::string> out;
  for (const Route& route : routes) out.push_back(to_string(route, links));
  return out;
}

/// Of the routes to the prefix, those that the parameters pick.
Result<std::vector<Route>> chosen(std::vector<Route> routes, const Params& params,
                                  const std::vector<Link>& links) {
  if (params.has("device")) {
    const auto link = std::ranges::find(links, params.text("device"), &Link::name);
    if (link == links.end())
      return fail(ErrorCode::not_found,
                  fmt::format("there is no interface '{}'", params.text("device")));
    std::erase_if(routes, [&link](const Route& route) {
      return std::ranges::find(route.hops, link->index, &kernel::RouteHop::device) ==
             route.hops.end();
    });
  }
  if (params.has("via")) {
    const auto gateway = kernel::parse_ip_address(params.text("via"));
    if (!gateway) return std::unexpected(gateway.error());
    std::erase_if(routes, [&gateway](const Route& route) {
      return std::ranges::find(route.hops, std::optional(*gateway), &kernel::RouteHop::gateway) ==
             route.hops.end();
    });
  }
  return routes;
}

/// As ip(8) calls it.
std::string table_name(std::uint32_t table) {
  return table == RT_TABLE_MAIN ? "main" : fmt::format("{}", table);
}

/// No route matches: says what is there instead.
std::unexpected<Error> refuse_missing(Host& host, const Params& params,
                                      const kernel::IpPrefix& prefix,
                                      const std::vector<Route>& to_prefix,
                                      const std::vector<Link>& links) {
  const auto table = static_cast<std::uint32_t>(params.integer("table"));
  if (!to_prefix.empty())
    return fail(ErrorCode::not_found,
                fmt::format("no route to {} is by that 'device' or 'via'; there is: {}",
                            params.text("prefix"), fmt::join(lines(to_prefix, links), "; ")));
  const auto near = host.routes().overlapping(prefix, table, kRoutesInRefusal);
  if (!near) return std::unexpected(near.error());
  const std::string nearest =
      near->empty() ? fmt::format("none there shares an address with it")
                    : fmt::format("nearest: {}", fmt::join(lines(*near, links), "; "));
  return fail(ErrorCode::not_found, fmt::format("table {} has no route to {}; {}",
                                                table_name(table), to_string(prefix), nearest));
}

Result<void> check_controller(Host& host, const std::vector<Route>& routes,
                              const std::vector<Link>& links) {
  const auto peer = peer_served_by(host, routes);
  if (!peer) return std::unexpected(peer.error());
  if (!*peer) return {};
  return fail(
      ErrorCode::refused,
      fmt::format("{} carries the connection to the controller ({} port {}); flap a more "
                  "specific route, or first give the controller one of its own",
                  to_string(routes.front(), links), to_string((*peer)->address), (*peer)->port));
}

Result<void> check_withdrawable(Host& host, const std::vector<Route>& routes,
                                const std::vector<Link>& links) {
  for (const Route& route : routes) {
    if (route.type == kernel::RouteType::local)
      return fail(ErrorCode::unsupported,
                  fmt::format("{} is of an address of this host itself and comes and goes with "
                              "it; flap a route that leads elsewhere",
                              to_string(route, links)));
    if (route.expires)
      return fail(ErrorCode::unsupported,
                  fmt::format("{} has a lifetime (a router advertisement gave it), which would be "
                              "lost; use route-blackhole, or a static route",
                              to_string(route, links)));
  }
  return check_controller(host, routes, links);
}

/// What people should know about the routes before they go.
std::vector<std::string> warnings(const std::vector<Route>& routes) {
  std::vector<std::string> out;
  for (const Route& route : routes) {
    std::string warning;
    const std::string owner = kernel::protocol_name(route.protocol);
    if (kernel::is_of_daemon(route.protocol))
      warning = fmt::format(
          "'{}' installed it and may install it again while it is withdrawn; "
          "bgp-flap asks BIRD itself",
          owner);
    if (owner == "kernel")
      warning =
          "the kernel made it with an address; it is put back as it was, but the kernel "
          "itself would only when the address changes";
    if (!warning.empty() && std::ranges::find(out, warning) == out.end()) out.push_back(warning);
  }
  return out;
}

/// Error unless each captured route is there, and nobody else's in its place.
Result<void> check_as_captured(const FlapRecord& record, const std::vector<Route>& now,
                               const std::vector<Link>& links) {
  for (const Route& route : record.routes) {
    if (is_among(route, now)) continue;
    if (const Route* other = usurper(route, record, now))
      return fail(ErrorCode::conflict,
                  fmt::format("{} has been replaced by {} meanwhile", to_string(route, links),
                              to_string(*other, links)));
    return fail(ErrorCode::conflict,
                fmt::format("{} has gone since it was captured", to_string(route, links)));
  }
  return {};
}

/// Puts back what is missing; the outcome, and in `added` what to read back.
Result<UndoOutcome> put_back(Host& host, const FlapRecord& record, const std::vector<Route>& now,
                             std::vector<Route>& added) {
  bool superseded = false;
  for (const Route& route : record.routes) {
    if (is_among(route, now)) continue;
    if (usurper(route, record, now) != nullptr) {
      superseded = true;
      continue;
    }
    const auto links = host.network().links();
    if (!links) return std::unexpected(links.error());
    if (went_with_interface(route, *links)) continue;
    auto done = host.routes().add_route(route);
    if (!done && done.error().code != ErrorCode::already_exists)
      return std::unexpected(done.error());
    added.push_back(route);
  }
  if (superseded) return UndoOutcome::superseded;
  return added.empty() ? UndoOutcome::already_gone : UndoOutcome::restored;
}

}  // namespace

std::string_view RouteFlap::summary() const {
  return "Withdraws every route to a prefix and puts it back, again and again";
}

std::span<const ParamSpec> RouteFlap::schema() const { return kSchema; }

Json RouteFlap::example() const {
  return Json{{"prefix", "10.77.2.0/24"}, {"period", "30s"}, {"down-share", "50%"}};
}

Support RouteFlap::probe_support(Host& host) const {
  if (auto able = host.routes().may_change(); !able) return {false, able.error().what};
  return {true, {}};
}

Result<void> RouteFlap::check(const Params& params) const {
  const auto prefix = kernel::parse_route_prefix(params.text("prefix"));
  if (!prefix) return fail_at("/prefix", prefix.error().what);
  if (params.has("via"))
    if (const auto via = kernel::parse_ip_address(params.text("via")); !via)
      return fail_at("/via", via.error().what);
  return check_flap(params);
}

std::vector<std::string> RouteFlap::exclusive_resources(const Params& params) const {
  const auto prefix = kernel::parse_route_prefix(params.text("prefix"));
  return {fmt::format("route:{}:{}", params.integer("table"),
                      prefix ? to_string(*prefix) : params.text("prefix"))};
}

Result<Json> RouteFlap::capture(Host& host, const Params& params) const {
  const auto prefix = kernel::parse_route_prefix(params.text("prefix"));
  if (!prefix) return std::unexpected(prefix.error());
  const auto table = static_cast<std::uint32_t>(params.integer("table"));
  const auto where = host.network().namespace_id();
  if (!where) return std::unexpected(where.error());
  const auto links = host.network().links();
  if (!links) return std::unexpected(links.error());
  const auto to_prefix = host.routes().routes(*prefix, table);
  if (!to_prefix) return std::unexpected(to_prefix.error());
  const auto routes = chosen(*to_prefix, params, *links);
  if (!routes) return std::unexpected(routes.error());
  if (routes->empty()) return refuse_missing(host, params, *prefix, *to_prefix, *links);
  if (auto able = check_withdrawable(host, *routes, *links); !able)
    return std::unexpected(able.error());
  Json record{{"boot_id", where->boot},
              {"namespace", where->inode},
              {"routes", Json::array()},
              {"told", lines(*routes, *links)},
              {"warnings", warnings(*routes)}};
  for (const Route& route : *routes) record["routes"].push_back(to_hex(route.message));
  return record;
}

Result<Json> RouteFlap::apply(Host& host, const Params&, const Json& json) const {
  const auto record = parse_record(json);
  if (!record) return std::unexpected(record.error());
  const auto scope = scope_now(host, *record);
  if (!scope) return std::unexpected(scope.error());
  if (*scope == RecordScope::before_reboot)
    return fail(ErrorCode::not_found, "the routes were captured before the host was booted");
  const auto links = host.network().links();
  if (!links) return std::unexpected(links.error());
  const auto before = routes_now(host, *record);
  if (!before) return std::unexpected(before.error());
  if (auto same = check_as_captured(*record, *before, *links); !same)
    return std::unexpected(same.error());
  // The connection may have come to this route since it was captured.
  if (auto allowed = check_controller(host, record->routes, *links); !allowed)
    return std::unexpected(allowed.error());
  for (const Route& route : record->routes)
    if (auto gone = host.routes().delete_route(route); !gone) return std::unexpected(gone.error());
  const auto after = routes_now(host, *record);
  if (!after) return std::unexpected(after.error());
  for (const Route& route : record->routes)
    if (is_among(route, *after))
      return fail(ErrorCode::conflict,
                  fmt::format("{} was withdrawn and is there again at once: '{}' keeps it",
                              to_string(route, *links), kernel::protocol_name(route.protocol)));
  return Json{{"withdrawn", lines(record->routes, *links)},
              {"left", lines(*after, *links)},
              {"warnings", warnings(record->routes)}};
}

Result<UndoOutcome> RouteFlap::undo(Host& host, const Json& json) const {
  const auto record = parse_record(json);
  if (!record) return std::unexpected(record.error());
  const auto scope = scope_now(host, *record);
  if (!scope) return std::unexpected(scope.error());
  if (*scope == RecordScope::before_reboot) return UndoOutcome::already_gone;
  const auto now = routes_now(host, *record);
  if (!now) return std::unexpected(now.error());
  std::vector<Route> added;
  const auto outcome = put_back(host, *record, *now, added);
  if (!outcome || added.empty()) return outcome;
  const auto after = routes_now(host, *record);
  if (!after) return std::unexpected(after.error());
  for (const Route& route : added)
    if (!is_among(route, *after))
      return fail(ErrorCode::io_failed,
                  fmt::format("{} was put back and is not there as it was", to_string(route, {})));
  return outcome;
}

Result<Verification> RouteFlap::verify(Host& host, const Json& json) const {
  const auto record = parse_record(json);
  if (!record) return std::unexpected(record.error());
  const auto scope = scope_now(host, *record);
  if (!scope) return std::unexpected(scope.error());
  if (*scope == RecordScope::before_reboot) return Verification{};
  const auto links = host.network().links();
  if (!links) return std::unexpected(links.error());
  const auto now = routes_now(host, *record);
  if (!now) return std::unexpected(now.error());
  Verification out;
  for (const Route& route : record->routes) {
    if (is_among(route, *now) || went_with_interface(route, *links)) continue;
    const Route* other = usurper(route, *record, *now);
    out.differences.push_back(other == nullptr
                                  ? fmt::format("{} is not there", to_string(route, *links))
                                  : fmt::format("{} is not there, but {}", to_string(route, *links),
                                                to_string(*other, *links)));
  }
  return out;
}

std::optional<Pattern> RouteFlap::pattern(const Params& params) const {
  return flap_pattern(params);
}

}  // namespace firedrill::agent
