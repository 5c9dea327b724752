#include "agent/faults/nic_ring.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include <fmt/format.h>

#include "agent/faults/control_link.hpp"
#include "agent/faults/links.hpp"
#include "agent/faults/record.hpp"
#include "agent/host.hpp"

namespace firedrill::agent {
namespace {

using kernel::RingSizes;

constexpr std::uint32_t kUsualLeast = 64;
constexpr std::array<std::uint32_t, 4> kRoundings{8, 16, 32, 64};

constexpr std::array kSchema{
    ParamSpec{.name = "device",
              .required = true,
              .choices = {},
              .default_text = {},
              .help = "network interface"},
    ParamSpec{.name = "rx",
              .type = ParamType::integer,
              .min = 1,
              .max = 65536,
              .choices = {},
              .default_text = {},
              .help = "receive slots",
              .ramps = true},
    ParamSpec{.name = "tx",
              .type = ParamType::integer,
              .min = 1,
              .max = 65536,
              .choices = {},
              .default_text = {},
              .help = "transmit slots",
              .ramps = true},
    ParamSpec{.name = "allow-control-link",
              .type = ParamType::flag,
              .choices = {},
              .default_text = "false",
              .help = "even on the interface that leads to the controller"},
};

/// One ring: how it is called, what it was, what was asked for.
struct Ring {
  std::string_view name;
  std::uint32_t before = 0;
  std::uint32_t asked = 0;
  std::uint32_t RingSizes::* now = nullptr;
  std::uint32_t wanted = 0;   ///< what to set now
  std::vector<double> steps;  ///< what a ramp may have set on its way to `asked`
};

struct RingRecord {
  kernel::NamespaceId where;
  std::string device;
  kernel::IfIndex index;
  std::vector<Ring> rings;  ///< those that were asked for
};

Result<RingRecord> parse_record(const Json& json) {
  RecordReader reader(json, "nic-ring");
  RingRecord record;
  record.where = reader.namespace_id();
  record.device = reader.text("device");
  record.index = {reader.number32("ifindex")};
  if (reader.has("asked_rx"))
    record.rings.push_back({"rx", reader.number32("rx_slots"), reader.number32("asked_rx"),
                            &RingSizes::rx, 0, reader.ramp_values("rx")});
  if (reader.has("asked_tx"))
    record.rings.push_back({"tx", reader.number32("tx_slots"), reader.number32("asked_tx"),
                            &RingSizes::tx, 0, reader.ramp_values("tx")});
  // A record that asks for no ring has lost what it asked for: reading it again says so.
  if (record.rings.empty()) static_cast<void>(reader.number32("asked_rx"));
  if (auto status = reader.status(); !status) return std::unexpected(status.error());
  return record;
}

/// Narrower than may_be_kept_for(), for the many steps of a ramp: else whatever responders set
/// between two of them would count as ours.
bool may_be_kept_for_step(std::uint32_t kept, std::uint32_t asked) {
  if (kept == asked || kept == std::bit_ceil(asked)) return true;
  return std::ranges::any_of(kRoundings, [&](std::uint32_t multiple) {
    return kept == (asked + multiple - 1) / multiple * multiple;
  });
}

/// May we have brought about that the ring has `slots`?
bool is_ours(const Ring& ring, std::uint32_t slots) {
  return may_be_kept_for(slots, ring.asked) ||
         std::ranges::any_of(ring.steps, [slots](double step) {
           return may_be_kept_for_step(slots, static_cast<std::uint32_t>(step));
         });
}

/// The record with what `params` ask for: on the way of a ramp another value than at its end.
RingRecord asking_for(RingRecord record, const Params& params) {
  for (Ring& ring : record.rings)
    if (params.has(ring.name)) ring.wanted = static_cast<std::uint32_t>(params.integer(ring.name));
  return record;
}

/// Refuses sizes the driver would not take as they are, and a change that changes nothing.
Result<void> check_sizes(const Params& params, const RingSizes& ring, const std::string& device) {
  bool changes = false;
  for (const auto& [name, now, max] :
       {std::tuple("rx", ring.rx, ring.rx_max), std::tuple("tx", ring.tx, ring.tx_max)}) {
    if (!params.has(name)) continue;
    const std::int64_t asked = params.integer(name);
    if (asked > max)
      return fail_at(fmt::format("/{}", name),
                     fmt::format("'{}' has at most {} {} slots, not {}", device, max, name, asked));
    changes = changes || asked != now;
  }
  if (changes) return {};
  return fail_at("", fmt::format("'{}' has these ring sizes already (rx {}, tx {})", device,
                                 ring.rx, ring.tx));
}

Result<void> check_control_link(Host& host, const Params& params, kernel::IfIndex index) {
  if (params.flag("allow-control-link")) return {};
  const auto peer = peer_behind(host, index);
  if (!peer) return std::unexpected(peer.error());
  if (!*peer) return {};
  return fail(ErrorCode::refused,
              fmt::format("'{}' leads to the controller ({} port {}) and the change may take it "
                          "down for seconds; 'allow-control-link' permits it",
                          params.text("device"), to_string((*peer)->address), (*peer)->port));
}

/// Sets what `rings` say by `value`, and reads back.
Result<RingSizes> set_and_read(Host& host, const RingRecord& record, std::span<const Ring> rings,
                               std::uint32_t Ring::* value) {
  std::optional<std::uint32_t> rx;
  std::optional<std::uint32_t> tx;
  for (const Ring& ring : rings) (ring.name == "rx" ? rx : tx) = ring.*value;
  if (auto set = host.ethtool().set_ring(record.index, rx, tx); !set)
    return std::unexpected(set.error());
  return host.ethtool().ring(record.index);
}

/// The interface of the record, none when it is gone or was never in this boot.
Result<std::optional<kernel::Link>> recorded_link(Host& host, const RingRecord& record) {
  const auto where = host.network().namespace_id();
  if (!where) return std::unexpected(where.error());
  const auto scope = scope_of(record.where, *where);
  if (!scope) return std::unexpected(scope.error());
  if (*scope == RecordScope::before_reboot) return std::nullopt;
  return find_link(host.network(), record.index);
}

/// A driver that rounds back to what was there has injected nothing, whatever it returned.
Result<void> check_changed(const RingRecord& record, const RingSizes& kept) {
  for (const Ring& ring : record.rings)
    if (ring.wanted != ring.before && ring.wanted == ring.asked && kept.*(ring.now) == ring.before)
      return fail(ErrorCode::unsupported,
                  fmt::format("asked '{}' for {} {} slots, its driver stayed at {}", record.device,
                              ring.asked, ring.name, ring.before));
  return {};
}

/// Puts the old sizes back after a driver kept something nobody would recognise as ours.
std::unexpected<Error> refuse_rounding(Host& host, const RingRecord& record, const Ring& ring,
                                       std::uint32_t kept) {
  const auto restored = set_and_read(host, record, record.rings, &Ring::before);
  return fail(
      ErrorCode::unsupported,
      fmt::format("asked '{}' for {} {} slots, its driver kept {}; {}", record.device, ring.wanted,
                  ring.name, kept, restored ? "put back" : describe(restored.error())));
}

/// Sets what is wanted, and gives what the driver kept and whether the link flapped.
Result<Json> set_rings(Host& host, const RingRecord& record) {
  const auto before = recorded_link(host, record);
  if (!before) return std::unexpected(before.error());
  if (!*before || (*before)->name != record.device)
    return fail(ErrorCode::not_found, fmt::format("interface '{}' ({}) is not what it was",
                                                  record.device, record.index.value));
  const auto kept = set_and_read(host, record, record.rings, &Ring::wanted);
  if (!kept) return std::unexpected(kept.error());
  for (const Ring& ring : record.rings)
    if (!is_ours(ring, (*kept).*(ring.now)))
      return refuse_rounding(host, record, ring, (*kept).*(ring.now));
  if (auto changed = check_changed(record, *kept); !changed)
    return std::unexpected(changed.error());
  // A driver that takes the link down says so at once; it comes back seconds later.
  const auto after = find_link(host.network(), record.index);
  if (!after) return std::unexpected(after.error());
  if (!*after) return fail(ErrorCode::not_found, "the interface vanished");
  return Json{{"device", record.device},
              {"rx_slots", kept->rx},
              {"tx_slots", kept->tx},
              {"carrier", (*after)->carrier},
              {"carrier_changes_before", (*before)->carrier_changes},
              {"carrier_changes_after", (*after)->carrier_changes}};
}

}  // namespace

bool may_be_kept_for(std::uint32_t kept, std::uint32_t asked) {
  return kept >= asked && kept <= std::max(kUsualLeast, std::bit_ceil(asked));
}

std::string_view NicRing::summary() const {
  return "Shrinks a network card's rings, so that bursts of packets are dropped in silence";
}

std::span<const ParamSpec> NicRing::schema() const { return kSchema; }

Json NicRing::example() const { return Json{{"device", "eth0"}, {"rx", 64}}; }

Support NicRing::probe_support(Host& host) const {
  const auto links = host.network().links();
  if (!links) return {false, links.error().what};
  std::string able;
  std::string refusal = "there is no interface";
  for (const kernel::Link& link : *links) {
    const auto ring = host.ethtool().ring(link.index);
    if (ring && (ring->rx_max != 0 || ring->tx_max != 0))
      able += fmt::format("{}{} (rx {} of {}, tx {} of {})", able.empty() ? "" : ", ", link.name,
                          ring->rx, ring->rx_max, ring->tx, ring->tx_max);
    else if (!ring) refusal = fmt::format("'{}': {}", link.name, ring.error().what);
  }
  if (able.empty())
    return {false, "no interface here has ring sizes (virtual ones have none); " + refusal};
  return {true, able};
}

Result<void> NicRing::check(const Params& params) const {
  if (params.has("rx") || params.has("tx")) return {};
  return fail_at("", "give 'rx', 'tx' or both");
}

std::vector<std::string> NicRing::exclusive_resources(const Params& params) const {
  return {"nic-ring:" + params.text("device")};
}

Result<Json> NicRing::capture(Host& host, const Params& params) const {
  const std::string device = params.text("device");
  const auto where = host.network().namespace_id();
  if (!where) return std::unexpected(where.error());
  const auto link = find_link(host.network(), device);
  if (!link) return std::unexpected(link.error());
  const auto ring = host.ethtool().ring(link->index);
  if (!ring && ring.error().code == ErrorCode::unsupported)
    return fail(ErrorCode::unsupported, ring.error().sys_errno,
                fmt::format("the driver of '{}' has no ring sizes", device));
  if (!ring) return std::unexpected(ring.error());
  if (auto sizes = check_sizes(params, *ring, device); !sizes)
    return std::unexpected(sizes.error());
  if (auto allowed = check_control_link(host, params, link->index); !allowed)
    return std::unexpected(allowed.error());
  Json record{{"boot_id", where->boot},       {"namespace", where->inode},   {"device", device},
              {"ifindex", link->index.value}, {"rx_slots", ring->rx},        {"tx_slots", ring->tx},
              {"rx_slots_max", ring->rx_max}, {"tx_slots_max", ring->tx_max}};
  for (const char* name : {"rx", "tx"})
    if (params.has(name)) record[fmt::format("asked_{}", name)] = params.integer(name);
  return record;
}

Result<Json> NicRing::apply(Host& host, const Params& params, const Json& json) const {
  const auto record = parse_record(json);
  if (!record) return std::unexpected(record.error());
  return set_rings(host, asking_for(*record, params));
}

Result<Json> NicRing::adjust(Host& host, const Params& params, const Json& json) const {
  const auto record = parse_record(json);
  if (!record) return std::unexpected(record.error());
  const auto now = host.ethtool().ring(record->index);
  if (!now) return std::unexpected(now.error());
  for (const Ring& ring : record->rings)
    if (!is_ours(ring, (*now).*(ring.now)))
      return fail(ErrorCode::conflict, fmt::format("'{}': somebody set {} to {} slots meanwhile",
                                                   record->device, ring.name, (*now).*(ring.now)));
  return set_rings(host, asking_for(*record, params));
}

Result<UndoOutcome> NicRing::undo(Host& host, const Json& json) const {
  const auto record = parse_record(json);
  if (!record) return std::unexpected(record.error());
  const auto link = recorded_link(host, *record);
  if (!link) return std::unexpected(link.error());
  if (!*link) return UndoOutcome::already_gone;
  const auto now = host.ethtool().ring(record->index);
  if (!now) return std::unexpected(now.error());

  std::vector<Ring> ours;
  bool superseded = false;
  for (const Ring& ring : record->rings) {
    const std::uint32_t slots = (*now).*(ring.now);
    if (slots == ring.before) continue;
    if (is_ours(ring, slots)) ours.push_back(ring);
    else superseded = true;
  }
  if (!ours.empty()) {
    const auto back = set_and_read(host, *record, ours, &Ring::before);
    if (!back) return std::unexpected(back.error());
    for (const Ring& ring : ours)
      if ((*back).*(ring.now) != ring.before)
        return fail(ErrorCode::io_failed,
                    fmt::format("'{}': set {} to {} slots, the driver kept {}", record->device,
                                ring.name, ring.before, (*back).*(ring.now)));
  }
  if (superseded) return UndoOutcome::superseded;
  return ours.empty() ? UndoOutcome::already_gone : UndoOutcome::restored;
}

Result<Verification> NicRing::verify(Host& host, const Json& json) const {
  const auto record = parse_record(json);
  if (!record) return std::unexpected(record.error());
  const auto link = recorded_link(host, *record);
  if (!link) return std::unexpected(link.error());
  if (!*link) return Verification{};  // its rings went with it, or with the boot
  const auto now = host.ethtool().ring(record->index);
  if (!now) return std::unexpected(now.error());
  Verification out;
  for (const Ring& ring : record->rings)
    if ((*now).*(ring.now) != ring.before)
      out.differences.push_back(fmt::format("'{}': {} ring has {} slots, had {}", record->device,
                                            ring.name, (*now).*(ring.now), ring.before));
  return out;
}

}  // namespace firedrill::agent
