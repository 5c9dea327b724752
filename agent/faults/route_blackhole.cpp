#include "agent/faults/route_blackhole.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "agent/faults/record.hpp"
#include "agent/faults/route_safety.hpp"

namespace firedrill::agent {
namespace {

using kernel::Rule;
using kernel::RuleAction;

/// Marks rules as ours; of the numbers that no routing program has (rt_protos).
constexpr std::uint8_t kOurProtocol = 0x51;
/// Where ours go when the host has no rule of its own: behind the local table (0), so that the
/// host keeps its own addresses, and ahead of main (32766).
constexpr std::uint32_t kPriority = 5100;

constexpr std::array<std::string_view, 3> kKinds{"blackhole", "unreachable", "prohibit"};

constexpr std::array kSchema{
    ParamSpec{.name = "prefix",
              .required = true,
              .choices = {},
              .default_text = {},
              .help = "destinations that are refused, as 10.77.2.0/24 or 2001:db8::/32"},
    ParamSpec{.name = "kind",
              .type = ParamType::choice,
              .choices = kKinds,
              .default_text = "blackhole",
              .help = "what senders get: silence when forwarded and EINVAL here; "
                      "ENETUNREACH; EACCES"},
    ParamSpec{.name = "from",
              .choices = {},
              .default_text = {},
              .help = "only packets from these source addresses"},
};

struct RuleRecord {
  kernel::NamespaceId where;
  Rule rule;
};

Result<RuleAction> parse_action(std::string_view text) {
  for (const auto action : {RuleAction::blackhole, RuleAction::unreachable, RuleAction::prohibit})
    if (text == to_string(action)) return action;
  return fail(ErrorCode::corrupt, fmt::format("'{}' is no kind of refusing rule", text));
}

Result<RuleRecord> parse_record(const Json& json) {
  RecordReader reader(json, "route-blackhole");
  RuleRecord record;
  record.where = reader.namespace_id();
  record.rule.priority = reader.number32("priority");
  record.rule.protocol = static_cast<std::uint8_t>(reader.number("protocol", 255));
  const std::string to = reader.text("prefix");
  const std::string kind = reader.text("kind");
  const std::string from = reader.text("from");  // empty: from anywhere
  if (auto status = reader.status(); !status) return std::unexpected(status.error());
  const auto damaged = [](std::string_view what) {
    return fail(ErrorCode::corrupt, fmt::format("undo record of route-blackhole: {}", what));
  };
  const auto action = parse_action(kind);
  if (!action) return damaged(action.error().what);
  record.rule.action = *action;
  const auto prefix = kernel::parse_ip_prefix(to);
  if (!prefix) return damaged(prefix.error().what);
  record.rule.to = *prefix;
  record.rule.v6 = prefix->address.v6;
  if (!from.empty()) {
    const auto source = kernel::parse_ip_prefix(from);
    if (!source) return damaged(source.error().what);
    record.rule.from = *source;
  }
  return record;
}

/// Is our rule there? None when the record is of an earlier boot: then nothing is.
Result<bool> is_there(Host& host, const RuleRecord& record) {
  const auto where = host.network().namespace_id();
  if (!where) return std::unexpected(where.error());
  const auto scope = scope_of(record.where, *where);
  if (!scope) return std::unexpected(scope.error());
  if (*scope == RecordScope::before_reboot) return false;
  const auto rules = host.routes().rules(record.rule.v6);
  if (!rules) return std::unexpected(rules.error());
  return std::ranges::find(*rules, record.rule) != rules->end();
}

Result<void> check_controller(Host& host, const kernel::IpPrefix& prefix) {
  const auto peer = peer_within(host, prefix);
  if (!peer) return {};
  return fail(ErrorCode::refused,
              fmt::format("{} holds the controller ({} port {}); choose a prefix without it",
                          to_string(prefix), to_string(peer->address), peer->port));
}

/// Ahead of every rule of the host's, except those that ask the local table at 0.
Result<std::uint32_t> free_priority(const std::vector<Rule>& rules) {
  std::uint32_t first = kPriority + 1;
  for (const Rule& rule : rules)
    if (rule.priority != 0) first = std::min(first, rule.priority);
  if (first > 1) return first - 1;
  return fail(ErrorCode::conflict,
              "a rule of the host has priority 1, so that none of ours can go ahead of it; give "
              "that rule a greater number");
}

}  // namespace

std::string_view RouteBlackhole::summary() const {
  return "Refuses packets to a prefix by a routing rule of its own; no route is touched";
}

std::span<const ParamSpec> RouteBlackhole::schema() const { return kSchema; }

Json RouteBlackhole::example() const {
  return Json{{"prefix", "10.77.2.0/24"}, {"kind", "unreachable"}, {"from", "10.77.1.0/24"}};
}

Support RouteBlackhole::probe_support(Host& host) const {
  if (auto able = host.routes().may_change(); !able) return {false, able.error().what};
  const auto rules = host.routes().rules(false);
  if (rules) return {true, {}};
  return {false, fmt::format("{}: the kernel needs CONFIG_IP_MULTIPLE_TABLES", rules.error().what)};
}

Result<void> RouteBlackhole::check(const Params& params) const {
  const auto prefix = kernel::parse_ip_prefix(params.text("prefix"));
  if (!prefix) return fail_at("/prefix", prefix.error().what);
  if (prefix->length == 0)
    return fail_at("/prefix",
                   "a rule for every destination would cut the host off: name the "
                   "prefixes that matter");
  if (!params.has("from")) return {};
  const auto from = kernel::parse_ip_prefix(params.text("from"));
  if (!from) return fail_at("/from", from.error().what);
  if (from->address.v6 == prefix->address.v6) return {};
  return fail_at("/from", "'from' and 'prefix' must be of one family, IPv4 or IPv6");
}

std::vector<std::string> RouteBlackhole::exclusive_resources(const Params& params) const {
  return {fmt::format("route-blackhole:{}:{}", params.text("prefix"),
                      params.has("from") ? params.text("from") : "all")};
}

Result<Json> RouteBlackhole::capture(Host& host, const Params& params) const {
  const auto prefix = kernel::parse_ip_prefix(params.text("prefix"));
  if (!prefix) return std::unexpected(prefix.error());
  if (auto allowed = check_controller(host, *prefix); !allowed)
    return std::unexpected(allowed.error());
  const auto where = host.network().namespace_id();
  if (!where) return std::unexpected(where.error());
  const auto rules = host.routes().rules(prefix->address.v6);
  if (!rules) return std::unexpected(rules.error());
  const auto priority = free_priority(*rules);
  if (!priority) return std::unexpected(priority.error());
  std::string from;
  if (params.has("from")) {
    const auto source = kernel::parse_ip_prefix(params.text("from"));
    if (!source) return std::unexpected(source.error());
    if (source->length != 0) from = to_string(*source);
  }
  return Json{{"boot_id", where->boot},
              {"namespace", where->inode},
              {"priority", *priority},
              {"protocol", kOurProtocol},
              {"prefix", to_string(*prefix)},
              {"kind", params.text("kind")},
              {"from", from}};
}

Result<Json> RouteBlackhole::apply(Host& host, const Params&, const Json& json) const {
  const auto record = parse_record(json);
  if (!record) return std::unexpected(record.error());
  // The connection may have moved to another address of the controller's meanwhile.
  if (auto allowed = check_controller(host, *record->rule.to); !allowed)
    return std::unexpected(allowed.error());
  const auto already = is_there(host, *record);
  if (!already) return std::unexpected(already.error());
  if (!*already)
    if (auto added = host.routes().add_rule(record->rule); !added)
      return std::unexpected(added.error());
  const auto there = is_there(host, *record);
  if (!there) return std::unexpected(there.error());
  if (!*there)
    return fail(ErrorCode::io_failed,
                fmt::format("rule {} was added and is not there", to_string(record->rule)));
  return Json{{"rule", to_string(record->rule)}, {"priority", record->rule.priority}};
}

Result<UndoOutcome> RouteBlackhole::undo(Host& host, const Json& json) const {
  const auto record = parse_record(json);
  if (!record) return std::unexpected(record.error());
  const auto there = is_there(host, *record);
  if (!there) return std::unexpected(there.error());
  if (!*there) return UndoOutcome::already_gone;
  if (auto gone = host.routes().delete_rule(record->rule); !gone)
    return std::unexpected(gone.error());
  const auto still = is_there(host, *record);
  if (!still) return std::unexpected(still.error());
  if (!*still) return UndoOutcome::restored;
  return fail(ErrorCode::io_failed,
              fmt::format("rule {} was deleted and is still there", to_string(record->rule)));
}

Result<Verification> RouteBlackhole::verify(Host& host, const Json& json) const {
  const auto record = parse_record(json);
  if (!record) return std::unexpected(record.error());
  const auto there = is_there(host, *record);
  if (!there) return std::unexpected(there.error());
  Verification out;
  if (*there) out.differences.push_back(fmt::format("rule {} is there", to_string(record->rule)));
  return out;
}

}  // namespace firedrill::agent
