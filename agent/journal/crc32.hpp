// CRC-32 (IEEE 802.3, as zlib computes it) over bytes; takes bytes, gives a number, keeps nothing.
#pragma once

#include <cstdint>
#include <string_view>

namespace firedrill::agent {

/// CRC-32 of `bytes`, continuing from `previous` (0 to start). crc32("123456789") is 0xcbf43926.
[[nodiscard]] std::uint32_t crc32(std::string_view bytes, std::uint32_t previous = 0);

}  // namespace firedrill::agent
