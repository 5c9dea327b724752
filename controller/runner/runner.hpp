// The runner: a controller for the length of one command. Owns the fleet, the store and the loop;
// turns an experiment into a finished log, and the log into measures and scores.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "controller/fleet/fleet.hpp"
#include "controller/plan/plan.hpp"
#include "controller/score/score.hpp"
#include "controller/store/store.hpp"

namespace firedrill {

struct RunnerConfig {
  std::string address = "0.0.0.0";
  std::uint16_t port = 7443;
  std::filesystem::path home;       ///< holds pki/ and runs.db; responders call back by it
  std::filesystem::path store{};    ///< holds runs.db, when that is not home
  std::filesystem::path program;    ///< this program, for responders that call back
  Duration agent_wait{20'000'000};  ///< how long to wait for the agents a plan needs
};

struct Observers {
  std::function<void(const Event&)> event;         ///< each event, once it is stored
  std::function<void(std::string_view)> progress;  ///< what is being waited for
  /// Hosts that join, certificates that are signed, peers that are turned away. Any thread.
  std::function<void(std::string_view)> notice = {};
  /// Another command of this machine asks for the port. Absent: it is not given. Any thread.
  std::function<void()> yield = {};
};

struct RunRequest {
  const Experiment* experiment = nullptr;
  bool sham = false;
  bool responder = true;
  std::uint64_t seed = 0;
  std::string started_by;
  Json by = Json::object();  ///< whom this program saw at its terminal: event.hpp
  std::string tag{};         ///< for `compare`; kept in run.created
  Json session{};            ///< to_json(SessionTag), or null: the run stands alone
  bool blind = false;  ///< the API tells nobody what is injected, nor in which phase the run is
};

struct FinishedRun {
  std::string run;
  std::vector<Event> events;
  Measures measures;
  Scorecard card;
};

class Runner {
 public:
  /// Listens and opens the store. @errors conflict: another controller has the port
  [[nodiscard]] static Result<std::unique_ptr<Runner>> open(RunnerConfig config,
                                                            Observers observers);
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  /// Waits for agents and plans. Every agent that was issued a certificate is waited for, so that
  /// choices by tag do not depend on who connects first; whoever is missing at the end is left out.
  /// Then holds the plan to what may be hurt at once.
  [[nodiscard]] Result<Plan> plan(const Experiment& experiment, const PlanOptions& options);
  /// Runs to the end and blocks. The calling thread is the runner's thread.
  /// @errors of planning and of the store before the run exists; afterwards the verdict tells
  [[nodiscard]] Result<FinishedRun> run(const RunRequest& request);
  /// Waits until the experiment could begin: agents and monitoring answer, every steady-state
  /// probe is within its tolerance and no expected alert is on, all without a break for as long as
  /// the experiment wants quiet before a fault.
  /// @errors timed_out after `limit`, with what was not quiet; unavailable when halted meanwhile
  [[nodiscard]] Result<void> wait_until_quiet(const Experiment& experiment, std::uint64_t seed,
                                              Duration limit);
  /// Waits, unless halted. Gives whether it was halted.
  [[nodiscard]] bool pause(Duration span);
  /// Was a halt asked for while no run went on?
  [[nodiscard]] bool halted() const;
  /// Who is there after at most `wait`.
  [[nodiscard]] std::vector<AgentInfo> agents(Duration wait);
  /// Does what is due for agents between runs, for at most `span`.
  void idle(Duration span);
  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] Store& store();
  /// Stops the run that goes on, or the one about to begin. Safe from any thread.
  void halt(std::string who, std::string reason);

 private:
  struct State;
  explicit Runner(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Measures and scores of a stored run, recomputed from its log alone.
[[nodiscard]] Result<FinishedRun> recompute(Store& store, const std::string& run);

}  // namespace firedrill
