// The netem qdisc's options: what we ask for, and the bytes the kernel takes and gives.
// Pure: bytes in, values out; no socket. libnl's own netem calls lack loss models, 64-bit times
// and rates, and leave out what is zero, which the kernel reads as "keep the old value".
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "firedrill/result.hpp"
#include "firedrill/units.hpp"

namespace firedrill::agent::kernel {

/// A probability as netem holds it: share × (2³² − 1).
struct Probability {
  std::uint32_t value = 0;
  auto operator<=>(const Probability&) const = default;
};
/// Rounds to the nearest of netem's 2³² steps. `share` in 0..1; else it is a bug and aborts.
[[nodiscard]] Probability probability_of(Ratio share);
[[nodiscard]] Ratio share_of(Probability probability);

/// The Gilbert-Elliott chain (tc-netem(8), "loss gemodel"): a good and a bad state.
struct GilbertElliott {
  Probability to_bad;     ///< p
  Probability to_good;    ///< r
  Probability loss_bad;   ///< 1-h: loss while bad
  Probability loss_good;  ///< 1-k: loss while good
  auto operator<=>(const GilbertElliott&) const = default;
};

/// Everything netem can be asked for here. All zero but `limit`: lets every packet through at once.
struct NetemSpec {
  std::uint32_t limit = 100'000;  ///< packets; a full queue drops, and tells senders (ENOBUFS)
  Duration delay{};               ///< 0 .. 60 s
  Duration jitter{};              ///< 0 .. 2 s: the kernel computes it in 32 bits of nanoseconds
  Probability delay_correlation;
  Probability loss;
  Probability loss_correlation;
  std::optional<GilbertElliott> gilbert_elliott;  ///< replaces `loss`
  Probability duplicate;
  Probability corrupt;
  Probability reorder;
  std::uint32_t gap = 0;         ///< with reorder: every gap-th packet is a candidate
  std::uint64_t rate_bytes = 0;  ///< per second; 0: unlimited
  auto operator<=>(const NetemSpec&) const = default;
};

/// TCA_OPTIONS' payload: struct tc_netem_qopt, then every attribute, zeros included, so that a
/// change leaves nothing of an older setting behind [kernel-facts §1].
[[nodiscard]] std::vector<std::byte> encode_netem(const NetemSpec& spec);

/// Reads what the kernel dumped.
/// @errors corrupt      too short, or an attribute of the wrong size
///         unsupported  settings that encode_netem never writes (a state-machine loss model)
[[nodiscard]] Result<NetemSpec> parse_netem(std::span<const std::byte> options);

/// One line as a person should read it: "delay 100ms loss 5% limit 100000".
[[nodiscard]] std::string to_string(const NetemSpec& spec);

}  // namespace firedrill::agent::kernel
