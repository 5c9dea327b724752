// How much may be hurt at once: as an experiment bounds itself, and as a fleet's owner bounds all.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firedrill/result.hpp"

namespace firedrill {

/// Hosts that decide together, and of which more than half must stay whole.
struct QuorumGroup {
  std::map<std::string, std::string> tags;  ///< of its members, all equal
  /// How many members it has. None: as many as are connected, and every host that has a certificate
  /// and is away counts as a member that is lost, for nobody can say that it is none.
  std::optional<std::size_t> members;
};

struct BlastRadius {
  /// At once. Of hosts that are connected when it is a percentage, rounded down.
  std::optional<std::size_t> max_hosts;
  std::optional<double> max_percent;
  std::vector<QuorumGroup> quorums;
  /// May a host be hurt by two runs at once? None: not said, which means no.
  std::optional<bool> share_hosts;

  [[nodiscard]] bool empty() const {
    return !max_hosts && !max_percent && quorums.empty() && !share_hosts;
  }
};

/// The file that the fleet's owner keeps, fleet.json in the controller's home:
/// ```
/// {"blast-radius": {"max-hosts": "20%", "quorum-of": [{"tags": {"role": "db"}, "members": 3}],
///  "share-hosts": false}}
/// ```
/// Read strictly. @param name  of the file, for errors
[[nodiscard]] Result<BlastRadius> parse_fleet_limits(std::string_view text, std::string_view name);

}  // namespace firedrill
