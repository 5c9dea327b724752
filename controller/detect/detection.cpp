#include "controller/detect/detection.hpp"

#include <cstdint>
#include <string_view>

#include <fmt/core.h>

namespace firedrill {
namespace {

constexpr std::uint64_t kFnvBasis = 14695981039346656037ULL;
constexpr std::uint64_t kFnvPrime = 1099511628211ULL;
constexpr std::string_view kSeparator = "\xff";

std::uint64_t fnv(std::uint64_t hash, std::string_view text) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * kFnvPrime;
  return hash;
}

}  // namespace

std::string label_fingerprint(const Labels& labels) {
  std::uint64_t hash = kFnvBasis;
  for (const auto& [name, value] : labels)
    for (const std::string_view part :
         {std::string_view(name), kSeparator, std::string_view(value), kSeparator})
      hash = fnv(hash, part);
  return fmt::format("{:016x}", hash);
}

}  // namespace firedrill
