// Which versions of the journal this program reads, and how an older one becomes the present one.
//
// To change what payloads mean: append a step to `kSteps` that turns a payload of the last version
// into one of the next, and a test with a file that the last release wrote. Older steps stay for as
// long as files of their version may lie on some host. A file is brought up to date when an agent
// first opens it: read by the steps, written anew beside it, renamed over it; the old one is kept
// as `journal.vN`. A newer file is refused, and left as it is.
#pragma once

#include <cstdint>
#include <span>

#include "firedrill/json.hpp"

namespace firedrill::agent {

/// Turns one payload into what the next version says for it. Pure.
/// @errors corrupt  it cannot be understood: it then counts as a lost record
using VersionStep = Result<Json> (*)(Json payload);

struct JournalVersions {
  std::uint32_t oldest = 1;            ///< the first that can be read
  std::span<const VersionStep> steps;  ///< steps[i] goes from oldest + i to the next

  /// The one that is written.
  [[nodiscard]] constexpr std::uint32_t current() const {
    return oldest + static_cast<std::uint32_t>(steps.size());
  }
  [[nodiscard]] constexpr bool readable(std::uint32_t version) const {
    return version >= oldest && version <= current();
  }
  /// `version` must be readable.
  [[nodiscard]] Result<Json> bring_up(Json payload, std::uint32_t version) const {
    Result<Json> out(std::move(payload));
    for (std::size_t i = version - oldest; out && i < steps.size(); ++i)
      out = steps[i](std::move(*out));
    return out;
  }
};

/// There has been one version so far, so there is no step.
inline constexpr JournalVersions kJournalVersions{};

}  // namespace firedrill::agent
