// Chooses hosts by name, tags and mode.
#include "controller/plan/targets.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "controller/stats/random.hpp"

namespace firedrill {
namespace {

/// FNV-1a, so that two targets of one experiment do not draw the same numbers.
std::uint64_t hash_name(std::string_view name) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  return hash;
}

bool has_tags(const AgentView& agent, const Target& target) {
  return std::ranges::all_of(target.tags, [&](const auto& tag) {
    const auto found = agent.tags.find(tag.first);
    return found != agent.tags.end() && found->second == tag.second;
  });
}

std::string words_of(const Target& target) {
  std::string out =
      target.hosts.empty() ? "" : fmt::format("hosts {}", fmt::join(target.hosts, ", "));
  for (const auto& [key, value] : target.tags)
    out += fmt::format("{}{}={}", out.empty() ? "" : ", ", key, value);
  return out;
}

/// How many of `all` hosts the mode takes; an error rather than fewer than asked.
Result<std::size_t> how_many(const Target& target, std::size_t all, SplitMix64& random,
                             const std::string& pointer) {
  if (target.mode == TargetMode::all) return all;
  if (target.mode == TargetMode::one) return 1;
  if (target.mode == TargetMode::fixed) {
    const auto wanted = static_cast<std::size_t>(target.value);
    if (wanted <= all) return wanted;
    return fail_at(pointer,
                   fmt::format("target '{}' wants {} hosts, and {} fit", target.name, wanted, all));
  }
  // The small addition undoes the binary rounding of, say, 70 % of 10.
  const auto share =
      static_cast<std::size_t>(std::floor(static_cast<double>(all) * target.value / 100.0 + 1e-9));
  if (share == 0)
    return fail_at(pointer, fmt::format("target '{}': {}% of {} hosts is no whole host; raise the "
                                        "percentage or use mode 'one'",
                                        target.name, target.value, all));
  return target.mode == TargetMode::fixed_percent ? share : 1 + random.below(share);
}

}  // namespace

const AgentView* find_agent(std::span<const AgentView> agents, std::string_view host) {
  const auto found = std::ranges::find(agents, host, &AgentView::host);
  return found == agents.end() ? nullptr : &*found;
}

std::string host_suggestion(std::string_view host, std::span<const AgentView> agents) {
  std::vector<std::string_view> names;
  for (const AgentView& agent : agents) names.emplace_back(agent.host);
  std::ranges::sort(names);
  return suggestion(host, names);
}

Result<std::vector<std::string>> resolve_target(const Target& target,
                                                std::span<const AgentView> agents,
                                                std::uint64_t seed) {
  const std::string pointer = pointer_join("/targets", target.name);
  for (std::size_t i = 0; i < target.hosts.size(); ++i)
    if (find_agent(agents, target.hosts[i]) == nullptr)
      return std::unexpected(Error{ErrorCode::not_found, 0,
                                   fmt::format("host '{}' is not connected.{}", target.hosts[i],
                                               host_suggestion(target.hosts[i], agents)),
                                   pointer_join(pointer + "/hosts", i)});
  std::vector<std::string> hosts;
  for (const AgentView& agent : agents) {
    const bool named =
        target.hosts.empty() || std::ranges::find(target.hosts, agent.host) != target.hosts.end();
    if (named && has_tags(agent, target)) hosts.push_back(agent.host);
  }
  std::ranges::sort(hosts);
  if (hosts.empty())
    return fail_at(pointer, fmt::format("target '{}' ({}) fits none of the {} connected hosts",
                                        target.name, words_of(target), agents.size()));
  SplitMix64 random(seed ^ hash_name(target.name));
  shuffle(hosts, random);
  const auto count = how_many(target, hosts.size(), random, pointer);
  if (!count) return std::unexpected(count.error());
  hosts.resize(*count);
  std::ranges::sort(hosts);
  return hosts;
}

}  // namespace firedrill
