// The controller's REST API: what people, scripts and Alertmanager may say while a run goes on.
// Answers at once from a copy of the run's state; passes words on to the runner's thread.
#pragma once

#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "controller/detect/webhooks.hpp"
#include "controller/fleet/fleet.hpp"
#include "controller/runner/loop.hpp"

namespace firedrill {

/// The run as others may see it. Empty run: none goes on.
struct RunBoard {
  std::string run, title, phase;
  Json injections = Json::array();  ///< id, host, fault, action, stage
  std::set<std::string> steps{};
  std::vector<Detector> webhooks{};  ///< the detectors that post here
  bool finished = false;
};

/// Thread-safe holder of the board.
class SharedBoard {
 public:
  void set(RunBoard board);
  [[nodiscard]] RunBoard get() const;

 private:
  mutable std::mutex mutex_;
  RunBoard board_;
};

/// What the API passes on; each is called on the fleet's thread and must only post.
struct ApiActions {
  /// `by` is whom we saw, whatever they call themselves: event.hpp.
  std::function<void(std::string who, std::string reason, Json by)> halt;
  std::function<void(std::string_view kind, std::string who, Json data, Moment when)> word;
  /// A person noticed: data holds alertname (may be empty), text and by.
  std::function<void(std::string who, Json data, Moment when)> noticed;
  std::function<void(std::string detector, std::vector<AlertNotice> notices, UtcTime received)>
      notified;
  std::function<std::vector<AgentInfo>()> agents;
  std::function<void()> yield = {};  ///< gives the port to another command; empty: it is needed
};

/// Routes, all below /api/v1: GET agents, GET run, POST halt, POST steps/ID/done, POST ack,
/// POST detected, POST notes, POST controller/yield (role operator); POST webhooks/NAME (bearer
/// token), where NAME is a detector of the experiment that goes on, or a type (alertmanager,
/// grafana, pager): then it is the first detector of that type.
///
/// Whoever says something may add when it was said (said_us, by the controller's clock, which GET
/// run tells as now_us) and how well that is known (error_us); else it counts from when it arrived.
/// 401 without the right, 404 unknown, 409 no run goes on, 400 with a JSON pointer for bad bodies.
[[nodiscard]] HttpResponse handle_api(const HttpRequest& request, const SharedBoard& board,
                                      const ApiActions& actions);

[[nodiscard]] Json to_json(const AgentInfo& agent);

}  // namespace firedrill
