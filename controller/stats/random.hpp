// Random order that is the same on every machine. Pure: the seed is all it knows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace firedrill {

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers on every machine and library, which the
/// standard's distributions do not promise.
class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }

  /// 0 .. bound-1. The bias of the remainder is below 2^-40 for whatever fits in memory.
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(next() % bound); }

 private:
  std::uint64_t state_;
};

/// Fisher-Yates from the end: for i = n-1 down to 1, swap with the one at below(i + 1).
template <class T>
void shuffle(std::vector<T>& items, SplitMix64& random) {
  for (std::size_t i = items.size(); i > 1; --i) {
    const std::size_t other = random.below(i);
    T kept = std::move(items[i - 1]);
    items[i - 1] = std::move(items[other]);
    items[other] = std::move(kept);
  }
}

}  // namespace firedrill
