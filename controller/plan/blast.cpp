#include "controller/plan/blast.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace firedrill {
namespace {

using Hosts = std::set<std::string>;

/// One set of limits, and the file to name when it is the fleet's.
struct Limits {
  const BlastRadius& radius;
  std::string file;
};

struct Situation {
  const Plan& plan;
  std::span<const AgentView> agents;
  const FleetState& fleet;
  std::map<std::string, std::string> elsewhere;  ///< host → the other run that hurts it
};

constexpr std::string_view kRemedy =
    "name fewer hosts ('mode' and 'value' of the target), let one action start after the other "
    "ends, or wait for the other run";

std::unexpected<Error> refuse(const Limits& limits, std::string_view pointer, std::string what) {
  if (!limits.file.empty()) what += fmt::format(" (the fleet's limit, in {})", limits.file);
  return std::unexpected(Error{ErrorCode::refused, 0, std::move(what), std::string(pointer)});
}

std::map<std::string, std::string> hurt_elsewhere(const Plan& plan,
                                                  std::span<const AgentView> agents) {
  std::map<std::string, std::string> out;
  for (const AgentView& agent : agents)
    for (const rpc::InjectionStatus& injection : agent.open)
      if (injection.state != InjectionState::undone && injection.run != plan.run)
        out.emplace(agent.host, injection.run);
  return out;
}

/// The hosts that `counts`, at the instant at which they are most.
template <class Counts>
Hosts most_at_once(const Situation& now, Counts counts) {
  Hosts most;
  for (const auto& [host, run] : now.elsewhere)
    if (counts(host)) most.insert(host);
  const Hosts before = most;
  // The number grows only where an injection begins.
  for (const PlannedInjection& first : now.plan.injections) {
    Hosts at = before;
    for (const PlannedInjection& one : now.plan.injections)
      if (one.start <= first.start && first.start <= one.start + one.request.duration &&
          counts(one.host))
        at.insert(one.host);
    if (at.size() > most.size()) most = std::move(at);
  }
  return most;
}

/// "db-1, db-2 (run 20260301-…)"
std::string named(const Hosts& hosts, const Situation& now) {
  std::string out;
  for (const std::string& host : hosts) {
    out += fmt::format("{}{}", out.empty() ? "" : ", ", host);
    if (const auto other = now.elsewhere.find(host); other != now.elsewhere.end())
      out += fmt::format(" (run {})", other->second);
  }
  return out;
}

Result<void> check_hosts(const Situation& now, const Limits& limits) {
  const BlastRadius& radius = limits.radius;
  if (!radius.max_hosts && !radius.max_percent) return {};
  const Hosts hurt = most_at_once(now, [](const std::string&) { return true; });
  std::size_t most = radius.max_hosts.value_or(now.agents.size());
  std::string why = fmt::format("at most {} may be", most);
  if (radius.max_percent) {
    most = static_cast<std::size_t>(
        std::floor(static_cast<double>(now.agents.size()) * *radius.max_percent / 100));
    why = fmt::format("at most {} % of the {} connected may be, which is {}", *radius.max_percent,
                      now.agents.size(), most);
  }
  if (hurt.size() <= most) return {};
  return refuse(limits, "/blast-radius/max-hosts",
                fmt::format("{} hosts would be hurt at once: {}; {}: {}", hurt.size(),
                            named(hurt, now), why, kRemedy));
}

Result<void> check_quorum(const Situation& now, const Limits& limits, std::size_t number) {
  const QuorumGroup& group = limits.radius.quorums[number];
  Hosts members;
  for (const AgentView& agent : now.agents)
    if (std::ranges::all_of(group.tags, [&](const auto& tag) {
          const auto found = agent.tags.find(tag.first);
          return found != agent.tags.end() && found->second == tag.second;
        }))
      members.insert(agent.host);
  const Hosts hurt =
      most_at_once(now, [&](const std::string& host) { return members.contains(host); });
  const bool touched = std::ranges::any_of(
      now.plan.injections,
      [&](const PlannedInjection& injection) { return members.contains(injection.host); });
  if (!touched) return {};
  const std::string pointer = pointer_join("/blast-radius/quorum-of", number);
  const std::size_t away = group.members ? *group.members - std::min(*group.members, members.size())
                                         : now.fleet.absent.size();
  const std::size_t count =
      std::max(group.members.value_or(0), members.size()) + (group.members ? 0 : away);
  const std::size_t most = (count - 1) / 2;
  if (hurt.size() + away <= most) return {};
  std::string words;
  for (const auto& [name, value] : group.tags)
    words += fmt::format("{}{}={}", words.empty() ? "" : ", ", name, value);
  std::string missing;
  if (away > 0 && group.members) missing = fmt::format(", and {} of them are not connected", away);
  if (away > 0 && !group.members)
    missing = fmt::format(
        ", and {} not connected may be of the group ({}): say how many 'members' it has, or revoke "
        "the certificates of hosts that are no more",
        away, fmt::join(now.fleet.absent, ", "));
  return refuse(
      limits, pointer,
      fmt::format("{} of {} hosts with {} would be hurt at once: {}; for a quorum at most "
                  "{} may be missing{}: {}",
                  hurt.size(), count, words, named(hurt, now), most, missing, kRemedy));
}

Result<void> check_sharing(const Situation& now, const BlastRadius& own) {
  const BlastRadius& fleet = now.fleet.limits;
  const bool forbidden = fleet.share_hosts && !*fleet.share_hosts;
  if (own.share_hosts.value_or(false) && !forbidden) return {};
  for (const PlannedInjection& injection : now.plan.injections) {
    const auto other = now.elsewhere.find(injection.host);
    if (other == now.elsewhere.end()) continue;
    const Limits limits{forbidden ? fleet : own, forbidden ? now.fleet.file : ""};
    return refuse(limits, "/blast-radius/share-hosts",
                  fmt::format("run '{}' has a fault on {} already, and two runs on one host cannot "
                              "be told apart by what is measured: wait until it is over (`firedrill"
                              "-agent list` there shows it){}",
                              other->second, injection.host,
                              forbidden ? "" : ", or say 'share-hosts': true"));
  }
  return {};
}

}  // namespace

Result<void> check_blast_radius(const Plan& plan, const BlastRadius& own,
                                std::span<const AgentView> agents, const FleetState& fleet) {
  if (plan.sham) return {};
  const Situation now{plan, agents, fleet, hurt_elsewhere(plan, agents)};
  if (auto alone = check_sharing(now, own); !alone) return alone;
  for (const Limits& limits : {Limits{own, ""}, Limits{fleet.limits, fleet.file}}) {
    if (auto hosts = check_hosts(now, limits); !hosts) return hosts;
    for (std::size_t i = 0; i < limits.radius.quorums.size(); ++i)
      if (auto quorum = check_quorum(now, limits, i); !quorum) return quorum;
  }
  return {};
}

}  // namespace firedrill
