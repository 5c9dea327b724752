#include "controller/runner/created.hpp"

#include <algorithm>
#include <random>

#include <fmt/format.h>

namespace firedrill {

std::string new_run_id(const std::string& experiment, UtcTime now) {
  std::string stamp = to_rfc3339(now).substr(0, 19);
  std::erase_if(stamp, [](char c) { return c == '-' || c == ':'; });
  std::replace(stamp.begin(), stamp.end(), 'T', '-');
  std::random_device random;
  return fmt::format("{}-{}-{:04x}", stamp, experiment.substr(0, 40), random() & 0xffffU);
}

Json created_data(const Experiment& experiment, const Plan& plan, const RunRequest& request) {
  Json data = {{"experiment", experiment.source},
               {"experiment_id", experiment.id},
               {"plan", to_json(plan)},
               {"sham", request.sham},
               {"responder", experiment.responder.has_value()},
               {"started_by", request.started_by},
               {"by", request.by},
               {"version", FIREDRILL_VERSION}};
  if (!request.tag.empty()) data["tag"] = request.tag;
  if (!request.session.is_null()) data["session"] = request.session;
  return data;
}

}  // namespace firedrill
