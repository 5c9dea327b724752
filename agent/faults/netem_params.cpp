#include "agent/faults/netem_params.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>
#include <netinet/in.h>

namespace firedrill::agent {
namespace {

using kernel::FlowMatch;
using kernel::IpPrefix;
using kernel::Probability;
using kernel::Side;

constexpr double kMicros = 1.0;
constexpr double kSecond = 1e6 * kMicros;
constexpr double kPacketBits = 8.0 * 1500;  // an Ethernet frame's payload

constexpr std::array<std::string_view, 3> kDirections{"egress", "ingress", "both"};
constexpr std::array<std::string_view, 3> kProtocols{"tcp", "udp", "icmp"};
constexpr std::array<std::string_view, 2> kLossModels{"random", "gilbert-elliott"};

ParamSpec ratio(std::string_view name, std::string_view help) {
  return {.name = name,
          .type = ParamType::ratio,
          .min = 0,
          .max = 1,
          .choices = {},
          .default_text = {},
          .help = help};
}

ParamSpec duration(std::string_view name, double max, std::string_view help) {
  return {.name = name,
          .type = ParamType::duration,
          .min = kMicros,
          .max = max,
          .choices = {},
          .default_text = {},
          .help = help};
}

ParamSpec ramping(ParamSpec spec) {
  spec.ramps = true;
  return spec;
}

ParamSpec list(std::string_view name, ParamType type, double max, std::string_view help) {
  return {.name = name,
          .type = type,
          .min = max > 0 ? 1.0 : 0.0,
          .max = max,
          .choices = {},
          .default_text = {},
          .help = help,
          .list = true};
}

ParamSpec choice(std::string_view name, std::span<const std::string_view> choices,
                 std::string_view fallback, std::string_view help) {
  return {.name = name,
          .type = ParamType::choice,
          .choices = choices,
          .default_text = fallback,
          .help = help};
}

ParamSpec integer(std::string_view name, double max, std::string_view fallback,
                  std::string_view help) {
  return {.name = name,
          .type = ParamType::integer,
          .min = 1,
          .max = max,
          .choices = {},
          .default_text = fallback,
          .help = help};
}

Ratio ratio_or_zero(const Params& params, std::string_view name) {
  return params.has(name) ? params.ratio(name) : Ratio{};
}

Duration duration_or_zero(const Params& params, std::string_view name) {
  return params.has(name) ? params.duration(name) : Duration{};
}

Probability probability(const Params& params, std::string_view name) {
  return kernel::probability_of(ratio_or_zero(params, name));
}

bool gilbert_elliott(const Params& params) { return params.text("loss-model") == kLossModels[1]; }

Result<void> check_loss(const Params& params) {
  constexpr std::array<std::string_view, 4> kModelNumbers{"gemodel-p", "gemodel-r", "gemodel-1-h",
                                                          "gemodel-1-k"};
  if (!gilbert_elliott(params)) {
    for (const std::string_view name : kModelNumbers)
      if (params.has(name))
        return fail_at(fmt::format("/{}", name), "needs \"loss-model\": \"gilbert-elliott\"");
    if (params.has("loss-correlation") && ratio_or_zero(params, "loss").value == 0)
      return fail_at("/loss-correlation", "needs 'loss'");
    return {};
  }
  if (params.has("loss"))
    return fail_at("/loss", "with the Gilbert-Elliott model, loss follows from gemodel-…");
  if (params.has("loss-correlation"))
    return fail_at("/loss-correlation", "only random loss has a correlation");
  for (const std::string_view name : {"gemodel-p", "gemodel-r"})
    if (ratio_or_zero(params, name).value == 0)
      return fail_at("/loss-model", fmt::format("gilbert-elliott needs '{}' above 0", name));
  const bool good_loses = ratio_or_zero(params, "gemodel-1-k").value > 0;
  const bool bad_loses = !params.has("gemodel-1-h") || params.ratio("gemodel-1-h").value > 0;
  if (!good_loses && !bad_loses) return fail_at("/gemodel-1-h", "no state loses anything");
  return {};
}

Result<void> check_delay(const Params& params) {
  const Duration delay = duration_or_zero(params, "delay");
  const Duration jitter = duration_or_zero(params, "jitter");
  if (jitter > delay)
    return fail_at("/jitter", "must not exceed 'delay': a packet cannot leave before it came");
  if (params.has("delay-correlation") && jitter.count() == 0)
    return fail_at("/delay-correlation", "needs 'jitter': nothing varies without it");
  if (params.has("reorder") && delay.count() == 0)
    return fail_at("/reorder", "needs 'delay': a packet overtakes by not waiting");
  if (params.has("gap") && ratio_or_zero(params, "reorder").value == 0)
    return fail_at("/gap", "needs 'reorder'");
  return {};
}

Result<void> check_queue(const Params& params) {
  if (!params.has("rate")) return {};
  const std::uint64_t bits = params.rate("rate").bits_per_second;
  if (bits % 8 != 0) return fail_at("/rate", "must be whole bytes per second");
  const Duration longest = duration_or_zero(params, "delay") + duration_or_zero(params, "jitter");
  const double waiting =
      static_cast<double>(bits) / kPacketBits * static_cast<double>(longest.count()) / kSecond;
  if (static_cast<double>(params.integer("limit")) < waiting)
    return fail_at("/limit", fmt::format("{} packets are on their way at this rate and delay: a "
                                         "shorter queue would drop them",
                                         std::ceil(waiting)));
  return {};
}

Result<void> check_ports(const Params& params) {
  bool has_ports = false;
  for (const std::string_view name : {"source-port", "destination-port"}) {
    if (!params.has(name)) continue;
    has_ports = true;
    if (params.integers(name).empty())
      return fail_at(fmt::format("/{}", name), "is empty: leave it out for any");
  }
  if (!has_ports) return {};
  if (params.has("protocol") && params.text("protocol") != "icmp") return {};
  return fail_at("/protocol", "ports need protocol tcp or udp");
}

Result<std::vector<IpPrefix>> prefixes(const Params& params, std::string_view name) {
  std::vector<IpPrefix> out;
  if (!params.has(name)) return out;
  const std::vector<std::string> texts = params.texts(name);
  // An empty list, most likely a target that matched no host, must not come to mean everyone.
  if (texts.empty()) return fail_at(fmt::format("/{}", name), "is empty: leave it out for any");
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto prefix = kernel::parse_ip_prefix(texts[i]);
    if (!prefix) return fail_at(fmt::format("/{}/{}", name, i), prefix.error().what);
    for (const IpPrefix& other : out)
      if (overlaps(other, *prefix))
        return fail_at(fmt::format("/{}/{}", name, i),
                       fmt::format("'{}' overlaps another of the list", texts[i]));
    out.push_back(*prefix);
  }
  return out;
}

/// The list's members of one family, as choices for a match: "any" when the list is empty, nothing
/// when it has none of the family.
std::vector<std::optional<IpPrefix>> of_family(const std::vector<IpPrefix>& list, bool v6) {
  if (list.empty()) return {std::nullopt};
  std::vector<std::optional<IpPrefix>> out;
  for (const IpPrefix& prefix : list)
    if (prefix.address.v6 == v6) out.emplace_back(prefix);
  return out;
}

std::vector<std::optional<std::uint16_t>> ports(const Params& params, std::string_view name) {
  if (!params.has(name)) return {std::nullopt};
  std::vector<std::optional<std::uint16_t>> out;
  for (const std::int64_t port : params.integers(name)) {
    const auto value = static_cast<std::uint16_t>(port);  // 1..65535 by the table
    if (std::ranges::find(out, std::optional(value)) == out.end()) out.emplace_back(value);
  }
  return out;
}

std::optional<std::uint8_t> protocol(const Params& params, bool v6) {
  if (!params.has("protocol")) return std::nullopt;
  const std::string name = params.text("protocol");
  if (name == "tcp") return IPPROTO_TCP;
  if (name == "udp") return IPPROTO_UDP;
  if (v6) return IPPROTO_ICMPV6;
  return IPPROTO_ICMP;
}

}  // namespace

std::span<const ParamSpec> netem_schema() {
  constexpr auto kText = ParamType::text;
  static const std::array kSchema{
      ParamSpec{.name = "device",
                .required = true,
                .choices = {},
                .default_text = {},
                .help = "network interface"},
      choice("direction", kDirections, "egress", "which way the packets go"),
      list("destination", kText, 0, "only packets to these addresses or blocks"),
      list("source", kText, 0, "only packets from these addresses or blocks"),
      choice("protocol", kProtocols, {}, "only this protocol"),
      list("destination-port", ParamType::integer, 65535, "only to these ports; never fragments"),
      list("source-port", ParamType::integer, 65535, "only from these ports; never fragments"),
      ramping(ratio("loss",
                    "share of packets dropped (of a TCP sender's batches up to 64 KiB, as one)")),
      ratio("loss-correlation", "how much a packet's fate follows the one before"),
      choice("loss-model", kLossModels, "random", "gilbert-elliott loses in bursts"),
      ratio("gemodel-p", "chance to go from the good to the bad state, per packet"),
      ratio("gemodel-r", "chance to go back to the good state, per packet"),
      ratio("gemodel-1-h", "loss while bad; 100% unless given"),
      ratio("gemodel-1-k", "loss while good; 0% unless given"),
      ramping(duration("delay", 60 * kSecond, "added to each packet, one way")),
      ramping(duration("jitter", 2 * kSecond, "delay varies by so much, evenly; reorders packets")),
      ratio("delay-correlation", "how much a packet's delay follows the one before"),
      ramping(ratio("duplicate", "share of packets sent twice")),
      ramping(ratio("corrupt", "share of packets with one bit flipped")),
      ramping(ratio("reorder", "share of packets that skip the delay")),
      integer("gap", 1'000'000, {},
              "with reorder: only each so many-th packet skips; 1 unless given"),
      ParamSpec{.name = "rate",
                .type = ParamType::rate,
                .min = 8'000,
                .max = 1e12,
                .choices = {},
                .default_text = {},
                .help = "no faster than this",
                .ramps = true},
      integer("limit", 10'000'000, "100000", "packets that can wait; more are dropped"),
      ParamSpec{.name = "protect-ssh",
                .type = ParamType::flag,
                .choices = {},
                .default_text = "true",
                .help = "let this host's SSH server through, wherever it listens"}};
  return kSchema;
}

Result<void> check_netem_rules(const Params& params) {
  for (const auto check : {check_loss, check_delay, check_queue, check_ports})
    if (auto checked = check(params); !checked) return checked;
  for (const Side side : netem_sides(params)) {
    const auto matches = netem_matches(params, side);
    if (!matches) return std::unexpected(matches.error());
  }
  return {};
}

Result<void> check_netem(const Params& params) {
  if (auto checked = check_netem_rules(params); !checked) return checked;
  kernel::NetemSpec nothing;
  nothing.limit = static_cast<std::uint32_t>(params.integer("limit"));
  kernel::NetemSpec asked = netem_spec(params);
  asked.gap = 0;
  if (asked == nothing)
    return fail_at("", "impairs nothing: give loss, delay, duplicate, corrupt or rate above zero");
  return {};
}

kernel::NetemSpec netem_spec(const Params& params) {
  kernel::NetemSpec spec;
  spec.limit = static_cast<std::uint32_t>(params.integer("limit"));
  spec.delay = duration_or_zero(params, "delay");
  spec.jitter = duration_or_zero(params, "jitter");
  spec.delay_correlation = probability(params, "delay-correlation");
  spec.loss = probability(params, "loss");
  spec.loss_correlation = probability(params, "loss-correlation");
  if (gilbert_elliott(params)) {
    kernel::GilbertElliott model;
    model.to_bad = probability(params, "gemodel-p");
    model.to_good = probability(params, "gemodel-r");
    model.loss_bad = params.has("gemodel-1-h") ? probability(params, "gemodel-1-h")
                                               : kernel::probability_of(Ratio{1.0});
    model.loss_good = probability(params, "gemodel-1-k");
    spec.gilbert_elliott = model;
  }
  spec.duplicate = probability(params, "duplicate");
  spec.corrupt = probability(params, "corrupt");
  spec.reorder = probability(params, "reorder");
  // Without a gap the kernel never reorders.
  if (spec.reorder.value != 0)
    spec.gap = params.has("gap") ? static_cast<std::uint32_t>(params.integer("gap")) : 1;
  if (params.has("rate")) spec.rate_bytes = params.rate("rate").bits_per_second / 8;
  return spec;
}

std::vector<Side> netem_sides(const Params& params) {
  const std::string direction = params.text("direction");
  if (direction == "egress") return {Side::egress};
  if (direction == "ingress") return {Side::ingress};
  return {Side::egress, Side::ingress};
}

Result<std::vector<FlowMatch>> netem_matches(const Params& params, Side side) {
  const bool answers = side == Side::ingress && params.text("direction") == "both";
  const auto sources = prefixes(params, answers ? "destination" : "source");
  if (!sources) return std::unexpected(sources.error());
  const auto destinations = prefixes(params, answers ? "source" : "destination");
  if (!destinations) return std::unexpected(destinations.error());
  const auto source_ports = ports(params, answers ? "destination-port" : "source-port");
  const auto destination_ports = ports(params, answers ? "source-port" : "destination-port");

  std::vector<FlowMatch> out;
  for (const bool v6 : {false, true})
    for (const auto& source : of_family(*sources, v6))
      for (const auto& destination : of_family(*destinations, v6))
        for (const auto& source_port : source_ports)
          for (const auto& destination_port : destination_ports)
            out.push_back({v6, source, destination, protocol(params, v6), source_port,
                           destination_port, std::nullopt});
  if (out.empty())
    return fail_at("/destination", "'source' and 'destination' have no address family in common");
  if (out.size() > kMaxMatches)
    return fail_at("/destination", fmt::format("{} combinations of addresses and ports; at most {}",
                                               out.size(), kMaxMatches));
  return out;
}

}  // namespace firedrill::agent
