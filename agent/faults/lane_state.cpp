#include "agent/faults/lane_state.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>

#include <fmt/format.h>

#include "agent/kernel/filter_options.hpp"

namespace firedrill::agent {
namespace {

using kernel::Filter;
using kernel::Link;
using kernel::Qdisc;
using kernel::Side;

constexpr std::string_view kCookieStart = "fdrl";
constexpr std::uint32_t kClsactParent = 0xFFFFFFF1;  // TC_H_CLSACT

bool foreign(const Filter& filter) { return !lane_mark(filter); }

std::string filter_line(Side side, const Filter& filter) {
  return fmt::format("{} filter pref {} protocol {:#06x} chain {} {} handle {:#x} {}",
                     to_string(side), filter.pref, filter.protocol, filter.chain, filter.kind,
                     filter.handle, filter.content);
}

}  // namespace

std::uint32_t lane_handle(std::uint32_t token) {
  // 0 and ffff mean something else to the kernel.
  const std::uint32_t major = token & 0xFFFF;
  return (major == 0 || major == 0xFFFF ? 0x5100 : major) << 16;
}

std::uint32_t lane_group(std::uint32_t token) {
  // Positive for the kernel, which keeps it signed, and far from what people number by hand.
  return (token & 0x3FFF'FFFF) | 0x4000'0000;
}

std::string lane_ifb_name(std::uint32_t token, char role) {
  return fmt::format("fd{:08x}{}", token, role);
}

kernel::MacAddress lane_ifb_address(std::uint32_t token, char role) {
  // Locally administered (bit 1 of the first byte), and different for each role.
  const auto byte = [token](int shift) { return static_cast<std::uint8_t>(token >> shift); };
  return {0x02, static_cast<std::uint8_t>(role), byte(24), byte(16), byte(8), byte(0)};
}

char lane_role(Side side) { return side == Side::egress ? 'e' : 'i'; }

char joint_role(Side side, std::size_t number) {
  return static_cast<char>((side == Side::egress ? 'A' : 'Q') + static_cast<char>(number));
}

bool is_lane_ifb(const Link& link, std::uint32_t token, char role) {
  return link.kind == "ifb" && link.name == lane_ifb_name(token, role) &&
         link.address == lane_ifb_address(token, role);
}

std::optional<LaneIfb> lane_ifb(const Link& link) {
  std::uint32_t token = 0;
  const std::string& name = link.name;
  if (name.size() != 11) return std::nullopt;
  const auto [end, error] = std::from_chars(name.data() + 2, name.data() + 10, token, 16);
  if (error != std::errc{} || end != name.data() + 10) return std::nullopt;
  if (!is_lane_ifb(link, token, name.back())) return std::nullopt;
  return LaneIfb{token, name.back()};
}

Result<std::vector<LaneNetem>> lane_netems(Network& network, kernel::IfIndex ifb) {
  constexpr std::uint32_t kRoot = 0xFFFFFFFF;  // TC_H_ROOT
  const auto qdiscs = network.qdiscs(ifb);
  if (!qdiscs) return std::unexpected(qdiscs.error());
  std::vector<LaneNetem> out;
  for (std::uint32_t parent = kRoot; out.size() <= qdiscs->size();) {
    const auto found = std::ranges::find_if(*qdiscs, [&](const Qdisc& qdisc) {
      return qdisc.parent == parent && qdisc.kind == "netem";
    });
    if (found == qdiscs->end()) break;
    const auto spec = kernel::parse_netem(found->options);
    if (!spec) return std::unexpected(spec.error());
    out.push_back({found->handle, *spec});
    parent = found->handle | 1;
  }
  return out;
}

bool is_neutral(kernel::NetemSpec spec) {
  spec.limit = kernel::NetemSpec{}.limit;
  spec.gap = 0;
  return spec == kernel::NetemSpec{};
}

std::string lane_cookie(std::uint32_t token, ClsactOwner owner, LaneTraits traits) {
  return fmt::format("{}{:08x}{}{}", kCookieStart, token, owner == ClsactOwner::host ? 'h' : 'f',
                     (traits.duplicates ? 1 : 0) + (traits.rated ? 2 : 0));
}

std::optional<LaneMark> lane_mark(const Filter& filter) {
  const std::string_view cookie = filter.cookie;
  if (filter.kind != "flower" || !cookie.starts_with(kCookieStart)) return std::nullopt;
  // One that an older agent left has no traits.
  if (cookie.size() != kCookieStart.size() + 9 && cookie.size() != kCookieStart.size() + 10)
    return std::nullopt;
  LaneMark mark;
  const char* first = cookie.data() + kCookieStart.size();
  const auto [end, error] = std::from_chars(first, first + 8, mark.token, 16);
  if (error != std::errc{} || end != first + 8) return std::nullopt;
  mark.owner = *end == 'h' ? ClsactOwner::host : ClsactOwner::firedrill;
  const int traits = cookie.size() > kCookieStart.size() + 9 ? cookie.back() - '0' : 0;
  mark.traits = {.duplicates = (traits & 1) != 0, .rated = (traits & 2) != 0};
  return mark;
}

std::string TrafficControl::ingress_kind() const {
  const auto found = std::ranges::find(qdiscs, kClsactParent, &Qdisc::parent);
  return found == qdiscs.end() ? std::string{} : found->kind;
}

bool TrafficControl::has_foreign_filters() const {
  return std::ranges::any_of(egress, foreign) || std::ranges::any_of(ingress, foreign);
}

bool TrafficControl::has_lane_filters() const {
  return !std::ranges::all_of(egress, foreign) || !std::ranges::all_of(ingress, foreign);
}

Result<TrafficControl> read_traffic_control(Network& network, kernel::IfIndex link) {
  TrafficControl state;
  auto qdiscs = network.qdiscs(link);
  if (!qdiscs) return std::unexpected(qdiscs.error());
  state.qdiscs = std::move(*qdiscs);
  auto classes = network.classes(link);
  if (!classes) return std::unexpected(classes.error());
  state.classes = std::move(*classes);
  for (const Side side : {Side::egress, Side::ingress}) {
    auto filters = network.filters(link, side);
    if (!filters) return std::unexpected(filters.error());
    (side == Side::egress ? state.egress : state.ingress) = std::move(*filters);
  }
  return state;
}

ClsactOwner clsact_owner(const TrafficControl& state) {
  if (state.ingress_kind().empty()) return ClsactOwner::firedrill;
  for (const Side side : {Side::egress, Side::ingress})
    for (const Filter& filter : state.filters(side))
      if (const auto mark = lane_mark(filter)) return mark->owner;
  return ClsactOwner::host;
}

std::vector<std::string> host_lines(const TrafficControl& state, ClsactOwner owner) {
  std::vector<std::string> lines = state.classes;
  for (const Qdisc& qdisc : state.qdiscs) {
    const bool ours = qdisc.parent == kClsactParent && owner == ClsactOwner::firedrill;
    if (ours && !state.has_foreign_filters()) continue;
    lines.push_back(fmt::format("qdisc {} {:x} parent {:x} {}", qdisc.kind, qdisc.handle,
                                qdisc.parent,
                                kernel::comparable_options(qdisc.kind, qdisc.options)));
  }
  for (const Side side : {Side::egress, Side::ingress})
    for (const Filter& filter : state.filters(side))
      if (foreign(filter)) lines.push_back(filter_line(side, filter));
  std::ranges::sort(lines);
  return lines;
}

std::vector<std::string> differing_lines(const std::vector<std::string>& before,
                                         const std::vector<std::string>& now) {
  std::vector<std::string> gone;
  std::vector<std::string> fresh;
  std::ranges::set_difference(before, now, std::back_inserter(gone));
  std::ranges::set_difference(now, before, std::back_inserter(fresh));
  std::vector<std::string> out;
  for (const std::string& line : gone) out.push_back("gone: " + line);
  for (const std::string& line : fresh) out.push_back("new: " + line);
  return out;
}

}  // namespace firedrill::agent
