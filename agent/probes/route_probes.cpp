// route and bird: is a route there, how often does it change, what does BIRD say of its session.
#include <array>

#include <fmt/format.h>

#include "agent/kernel/linux_bird.hpp"
#include "agent/kernel/linux_routes.hpp"
#include "agent/kernel/route_watch.hpp"
#include "agent/probes/kinds.hpp"
#include "agent/probes/last_minute.hpp"
#include "agent/probes/route_values.hpp"

namespace firedrill::agent {
namespace {

using kernel::BirdProtocol;
using kernel::LinuxBird;
using kernel::LinuxRoutes;
using kernel::RouteWatch;
using Clock = std::chrono::steady_clock;

constexpr std::array<std::string_view, 2> kFamilies{"ipv4", "ipv6"};

constexpr std::array kRouteParams{
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
    ParamSpec{.name = "family",
              .type = ParamType::choice,
              .choices = kFamilies,
              .default_text = {},
              .help = "of 'default'; any other prefix tells by itself"},
};

constexpr std::array kBirdParams{
    ParamSpec{.name = "protocol",
              .required = true,
              .choices = {},
              .default_text = {},
              .help = "the protocol's name in BIRD's configuration"},
    ParamSpec{.name = "socket",
              .choices = {},
              .default_text = "/run/bird/bird.ctl",
              .help = "BIRD's control socket"},
};

Result<kernel::IpPrefix> prefix_of(const Params& params) {
  auto prefix = kernel::parse_route_prefix(params.text("prefix"));
  if (!prefix) return fail_at("/prefix", prefix.error().what);
  if (!params.has("family")) return prefix;
  const bool v6 = params.text("family") == "ipv6";
  if (params.text("prefix") == "default") prefix->address.v6 = v6;
  if (prefix->address.v6 != v6)
    return fail_at("/family", fmt::format("'{}' is not of family {}", params.text("prefix"),
                                          params.text("family")));
  return prefix;
}

/// Reads the routes to one prefix, and hears of every change to them in between.
class RouteReading {
 public:
  RouteReading(kernel::IpPrefix prefix, std::uint32_t table, RouteWatch watch)
      : prefix_(prefix), table_(table), watch_(std::move(watch)) {}

  Result<Values> operator()(std::optional<Duration>) {
    std::size_t changes = 0;
    const auto heard = watch_.drain([&](const RouteWatch::Change& change) {
      if (change.route.destination == prefix_ && change.route.table == table_) ++changes;
    });
    const auto now = Clock::now();
    last_minute_.add(now, changes);
    if (!heard) return std::unexpected(heard.error());
    const auto routes = routes_.routes(prefix_, table_);
    if (!routes) return std::unexpected(routes.error());
    Values values = route_values(*routes);
    values["changes"] = static_cast<double>(changes);
    values["changes_per_min"] = last_minute_.count(now);
    return values;
  }

 private:
  kernel::IpPrefix prefix_;
  std::uint32_t table_;
  RouteWatch watch_;
  LinuxRoutes routes_{{}};
  LastMinute last_minute_;
};

class RouteProbe final : public Probe {
 public:
  std::string_view name() const override { return "route"; }
  std::string_view summary() const override {
    return "whether the kernel has a route, and how often it changes";
  }
  std::span<const ParamSpec> schema() const override { return kRouteParams; }
  std::vector<std::string_view> values() const override {
    return {"present", "nexthops", "metric", "changes", "changes_per_min"};
  }
  Json example() const override { return {{"prefix", "10.77.2.0/24"}}; }
  Support probe_support() const override {
    const auto watch = RouteWatch::open();
    if (!watch) return {.supported = false, .reason = watch.error().what};
    return {.supported = true, .reason = {}};
  }

  Result<std::unique_ptr<ProbeSession>> open(const Params& params) const override {
    const auto prefix = prefix_of(params);
    if (!prefix) return std::unexpected(prefix.error());
    auto watch = RouteWatch::open();
    if (!watch) return std::unexpected(watch.error());
    // The reading is moved about inside a std::function, which wants to be able to copy it.
    auto reading = std::make_shared<RouteReading>(
        *prefix, static_cast<std::uint32_t>(params.integer("table")), std::move(*watch));
    auto session = std::make_unique<PacedSession>(
        [reading](std::optional<Duration> since) { return (*reading)(since); });
    if (auto taken = session->take_baseline(); !taken) return std::unexpected(taken.error());
    return session;
  }
};

/// Asks BIRD about one protocol. A BIRD that does not listen has no session up: that is a value.
class BirdReading {
 public:
  BirdReading(std::string socket, std::string protocol)
      : socket_(std::move(socket)), protocol_(std::move(protocol)) {}

  Result<Values> operator()() {
    const auto now = ask();
    if (!now) return std::unexpected(now.error());
    const auto at = Clock::now();
    if (before_ && changed_state(*before_, *now)) last_minute_.add(at);
    before_ = *now;
    Values values = bird_values(*now);
    values["changes_per_min"] = last_minute_.count(at);
    return values;
  }

 private:
  Result<BirdProtocol> ask() {
    const std::string command = fmt::format("show protocols all \"{}\"", protocol_);
    const auto reply = bird_.command(socket_, command);
    if (!reply && reply.error().code == ErrorCode::not_found && before_) {
      BirdProtocol gone;
      gone.name = protocol_;
      gone.state = "not running";
      return gone;
    }
    if (!reply) return std::unexpected(reply.error());
    if (auto good = check_bird_reply(*reply, command); !good) return std::unexpected(good.error());
    for (BirdProtocol& one : kernel::parse_bird_protocols(*reply))
      if (one.name == protocol_) return std::move(one);
    return fail(ErrorCode::not_found,
                fmt::format("BIRD on '{}' has no protocol '{}'", socket_, protocol_));
  }

  std::string socket_;
  std::string protocol_;
  LinuxBird bird_{{}};
  std::optional<BirdProtocol> before_;
  LastMinute last_minute_;
};

class BirdProbe final : public Probe {
 public:
  std::string_view name() const override { return "bird"; }
  std::string_view summary() const override { return "state and routes of a protocol of BIRD"; }
  std::span<const ParamSpec> schema() const override { return kBirdParams; }
  std::vector<std::string_view> values() const override {
    return {"up", "imported", "exported", "preferred", "changes_per_min"};
  }
  Json example() const override { return {{"protocol", "edge1"}}; }
  Support probe_support() const override {
    const auto sockets = LinuxBird({}).sockets();
    if (!sockets) return {.supported = false, .reason = sockets.error().what};
    if (!sockets->empty()) return {.supported = true, .reason = {}};
    return {.supported = false,
            .reason = "no BIRD listens in this network namespace (no socket *.ctl)"};
  }

  Result<std::unique_ptr<ProbeSession>> open(const Params& params) const override {
    const std::string protocol = params.text("protocol");
    if (protocol.find_first_of("\"\n") != std::string::npos)
      return fail_at("/protocol", "a protocol's name has no quotes and no line breaks");
    auto reading = std::make_shared<BirdReading>(params.text("socket"), protocol);
    auto session =
        std::make_unique<PacedSession>([reading](std::optional<Duration>) { return (*reading)(); });
    if (auto taken = session->take_baseline(); !taken) return std::unexpected(taken.error());
    return session;
  }
};

}  // namespace

std::unique_ptr<Probe> make_route_probe() { return std::make_unique<RouteProbe>(); }
std::unique_ptr<Probe> make_bird_probe() { return std::make_unique<BirdProbe>(); }

}  // namespace firedrill::agent
