#include "agent/faults/lane_rules.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "agent/faults/lane_state.hpp"

namespace firedrill::agent {
namespace {

using kernel::Filter;
using kernel::FlowMatch;
using kernel::IfIndex;
using Way = LaneRule::Way;

/// Does `wide` take every packet that `narrow` takes?
bool covers(const FlowMatch& wide, const FlowMatch& narrow) {
  return intersection(wide, narrow) == narrow;
}

bool covered(const std::vector<LaneRule>& rules, const FlowMatch& match) {
  return std::ranges::any_of(rules,
                             [&](const LaneRule& rule) { return covers(rule.match, match); });
}

/// They come in the order of their preference.
std::vector<Filter> of_lanes(const std::vector<Filter>& filters) {
  std::vector<Filter> out;
  for (const Filter& filter : filters)
    if (lane_mark(filter)) out.push_back(filter);
  return out;
}

std::unexpected<Error> conflict(const std::string& device, kernel::Side side, std::string why) {
  return fail(ErrorCode::conflict,
              fmt::format("'{}' {}: {}", device, to_string(side), std::move(why)));
}

std::vector<FlowMatch> exempted_here(const LaneTraffic& traffic) {
  std::vector<FlowMatch> out;
  for (const FlowMatch& impaired : traffic.impaired)
    for (const FlowMatch& exempt : traffic.exempted)
      if (const auto both = intersection(impaired, exempt)) out.push_back(*both);
  std::ranges::sort(out);
  const auto same = std::ranges::unique(out);
  out.erase(same.begin(), same.end());
  return out;
}

/// A packet that this lane lets through must not be impaired by another: its own pass, ahead of
/// that other's filters, would end what the other does.
Result<void> check_exempt(const FlowMatch& exempt, const std::vector<Filter>& lanes,
                          const LaneTraffic& traffic, const std::string& device) {
  std::vector<LaneRule> before;
  for (const Filter& filter : lanes) {
    const auto both = intersection(exempt, filter.match);
    if (!both || covered(before, *both)) continue;
    if (filter.redirect_to)
      return conflict(
          device, traffic.side,
          fmt::format("the lane {:08x} that is on impairs '{}', which this one must let "
                      "through: give both the same 'protect-ssh'",
                      lane_mark(filter)->token, to_string(*both)));
    before.push_back({*both, Way::pass, {}, 0});
    if (*both == exempt) break;
  }
  return {};
}

/// The rules for one impaired match; `step` is the place in `lanes` of what each stands before.
std::vector<LaneRule> rules_of(const FlowMatch& match, const std::vector<Filter>& lanes,
                               const std::vector<LaneRule>& exempt) {
  std::vector<LaneRule> out;
  bool whole = false;
  for (std::size_t i = 0; i < lanes.size() && !whole; ++i) {
    const auto both = intersection(match, lanes[i].match);
    if (!both || covered(exempt, *both) || covered(out, *both)) continue;
    const auto& target = lanes[i].redirect_to;
    out.push_back({*both, target ? Way::joint : Way::alone, target.value_or(IfIndex{}), i});
    whole = *both == match;
  }
  if (!whole) out.push_back({match, Way::alone, {}, lanes.size()});
  // What goes alone ahead of nothing but what goes alone is covered by the last of them.
  const auto last_joint = std::ranges::find(out.rbegin(), out.rend(), Way::joint, &LaneRule::way);
  if (!whole) out.erase(last_joint.base(), std::prev(out.end()));
  return out;
}

/// Numbers the steps: rules that go the same way, one after the other.
void number_steps(LaneRules& rules) {
  for (std::size_t i = 0; i < rules.rules.size(); ++i) {
    LaneRule& rule = rules.rules[i];
    const bool same =
        i > 0 && rules.rules[i - 1].way == rule.way && rules.rules[i - 1].over == rule.over;
    if (!same) ++rules.steps;
    rule.step = rules.steps - 1;
    if (rule.way != Way::joint) continue;
    if (std::ranges::find(rules.over, rule.over) == rules.over.end())
      rules.over.push_back(rule.over);
  }
}

/// What the joints stand over that take packets of that lane.
std::vector<IfIndex> joints_over(const LaneRules& rules, const std::vector<Filter>& lanes,
                                 std::uint32_t token) {
  std::vector<IfIndex> out;
  for (const LaneRule& rule : rules.rules) {
    const bool meets = std::ranges::any_of(lanes, [&](const Filter& filter) {
      return filter.redirect_to && lane_mark(filter)->token == token &&
             overlaps(rule.match, filter.match);
    });
    if (rule.way == Way::joint && meets && std::ranges::find(out, rule.over) == out.end())
      out.push_back(rule.over);
  }
  return out;
}

/// A rate holds for what goes through one ifb: packets that share one must not be parted.
Result<void> check_rates(const LaneRules& rules, LaneTraits traits,
                         const std::vector<Filter>& lanes, const LaneTraffic& traffic,
                         const std::string& device) {
  const bool alone =
      std::ranges::find(rules.rules, Way::alone, &LaneRule::way) != rules.rules.end();
  const std::size_t own = rules.over.size() + (alone ? 1 : 0);
  if (traits.rated && own > 1)
    return conflict(device, traffic.side,
                    "other lanes take some of these packets and not all: a rate cannot be shared "
                    "between them; match the same packets, or leave 'rate' out");
  for (const Filter& filter : lanes) {
    const auto mark = *lane_mark(filter);
    if (!mark.traits.rated || !filter.redirect_to) continue;
    const std::vector<IfIndex> met = joints_over(rules, lanes, mark.token);
    const bool taken = std::ranges::any_of(rules.rules, [&](const LaneRule& rule) {
      return rule.way == Way::joint && covers(rule.match, filter.match);
    });
    if (met.size() > 1 || (met.size() == 1 && !taken))
      return conflict(device, traffic.side,
                      fmt::format("the lane {:08x} that is on limits the rate of '{}': taking a "
                                  "part of it away would change that; match the same packets",
                                  mark.token, to_string(filter.match)));
  }
  return {};
}

Result<void> check_duplicates(const LaneRules& rules, LaneTraits traits,
                              const std::vector<Filter>& lanes, const LaneTraffic& traffic,
                              const std::string& device) {
  for (const LaneRule& rule : rules.rules) {
    if (rule.way != Way::joint) continue;
    for (const Filter& filter : lanes) {
      const auto mark = *lane_mark(filter);
      if (!filter.redirect_to || !overlaps(rule.match, filter.match)) continue;
      if (traits.duplicates || mark.traits.duplicates)
        return conflict(device, traffic.side,
                        fmt::format("'{}' and '{}' of the lane {:08x} that is on match the same "
                                    "packets, and one of them duplicates: this kernel lets no "
                                    "other netem stand beside one that does",
                                    to_string(rule.match), to_string(filter.match), mark.token));
    }
  }
  return {};
}

}  // namespace

Result<LaneRules> lane_rules(const LaneTraffic& traffic, LaneTraits traits,
                             const std::vector<Filter>& filters, const std::string& device) {
  const std::vector<Filter> lanes = of_lanes(filters);
  LaneRules out;
  for (const FlowMatch& exempt : exempted_here(traffic)) {
    if (auto free = check_exempt(exempt, lanes, traffic, device); !free)
      return std::unexpected(free.error());
    out.rules.push_back({exempt, Way::pass, {}, 0});
  }
  std::vector<LaneRule> impaired;
  for (const FlowMatch& match : traffic.impaired)
    std::ranges::copy(rules_of(match, lanes, out.rules), std::back_inserter(impaired));
  // Impaired matches of one lane never meet, so only the order within each counts.
  std::ranges::sort(impaired, {}, [](const LaneRule& rule) {
    return std::pair<std::size_t, const FlowMatch&>(rule.step, rule.match);
  });
  std::ranges::copy(impaired, std::back_inserter(out.rules));
  number_steps(out);
  if (out.over.size() > kMostJoints || out.rules.size() > kMostRules)
    return conflict(device, traffic.side,
                    fmt::format("too many lanes take the same packets: {} combinations and {} "
                                "filters, at most {} and {}",
                                out.over.size(), out.rules.size(), kMostJoints, kMostRules));
  if (auto good = check_duplicates(out, traits, lanes, traffic, device); !good)
    return std::unexpected(good.error());
  if (auto good = check_rates(out, traits, lanes, traffic, device); !good)
    return std::unexpected(good.error());
  return out;
}

}  // namespace firedrill::agent
