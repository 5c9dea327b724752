#include "controller/plan/one_host.hpp"

#include <fmt/format.h>

namespace firedrill {

Result<std::map<std::string, std::string>> tags_of_targets(const Experiment& experiment) {
  std::map<std::string, std::string> out;
  std::map<std::string, std::string> wanted_by;
  for (const auto& [target, spec] : experiment.targets)
    for (const auto& [key, value] : spec.tags) {
      const auto [place, fresh] = out.emplace(key, value);
      if (fresh) wanted_by[key] = target;
      if (place->second == value) continue;
      return fail_at(pointer_join(pointer_join(pointer_join("/targets", target), "tags"), key),
                     fmt::format("target '{}' wants {}={} and target '{}' wants {}={}, and a local "
                                 "run has one host; say what it is with --tags",
                                 wanted_by[key], key, place->second, target, key, value));
    }
  return out;
}

Result<void> check_only_host(const Experiment& experiment, const std::string& name) {
  for (const auto& [target, spec] : experiment.targets)
    for (std::size_t i = 0; i < spec.hosts.size(); ++i)
      if (spec.hosts[i] != name)
        return fail_at(
            pointer_join(pointer_join(pointer_join("/targets", target), "hosts"), i),
            fmt::format("host '{}' is not this one, '{}', which a local run is for; choose hosts "
                        "by tags, or run it here as that host with --name {}",
                        spec.hosts[i], name, spec.hosts[i]));
  return {};
}

}  // namespace firedrill
