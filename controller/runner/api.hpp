// The controller's REST API: what people, scripts and Alertmanager may say while a run goes on.
// Answers at once from a copy of the run's state; passes words on to the runner's thread.
#pragma once

#include <functional>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "controller/detect/alertmanager_webhook.hpp"
#include "controller/fleet/fleet.hpp"

namespace firedrill {

/// The run as others may see it. Empty run: none goes on.
struct RunBoard {
  std::string run, title, phase;
  Json injections = Json::array();  ///< id, host, fault, action, stage
  std::set<std::string> steps{};
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
  std::function<void(std::string_view kind, std::string who, Json data)> word;
  std::function<void(std::vector<AlertNotice> notices, UtcTime received)> notified;
  std::function<std::vector<AgentInfo>()> agents;
  std::function<void()> yield = {};  ///< gives the port to another command; empty: it is needed
};

/// Routes, all below /api/v1: GET agents, GET run, POST halt, POST steps/ID/done, POST ack,
/// POST notes, POST controller/yield (role operator); POST webhooks/alertmanager (bearer token).
/// 401 without the right, 404 unknown, 409 no run goes on, 400 with a JSON pointer for bad bodies.
[[nodiscard]] HttpResponse handle_api(const HttpRequest& request, const SharedBoard& board,
                                      const ApiActions& actions);

[[nodiscard]] Json to_json(const AgentInfo& agent);

}  // namespace firedrill
