// The options of clsact filters as bytes: our own flower filters both ways, others' for comparison.
// Pure: bytes in, values out; no socket.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/kernel/types.hpp"
#include "firedrill/result.hpp"

namespace firedrill::agent::kernel {

/// TCA_OPTIONS' payload of a flower filter with one action: a redirect to the egress of
/// `redirect_to`, or pass. The action carries `cookie` (at most 16 bytes; more is a bug and
/// aborts). Never offloaded to the NIC: the ifb is software.
[[nodiscard]] std::vector<std::byte> encode_flower(const Filter& filter);

/// Fills match, redirect_to, cookie and content of `filter` (whose kind and protocol are set) from
/// what the kernel dumped. A kind not known here gives only its first action's cookie-less rest:
/// content stays empty, so that such filters are compared by kind, pref and handle.
/// @errors corrupt
[[nodiscard]] Result<void> parse_filter_options(std::span<const std::byte> options, Filter& filter);

/// Options of a qdisc or class without what counts or ages, in hexadecimal.
[[nodiscard]] std::string comparable_options(std::string_view kind,
                                             std::span<const std::byte> options);

}  // namespace firedrill::agent::kernel
