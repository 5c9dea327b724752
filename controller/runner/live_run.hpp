// One run as it happens: carries out the machine's commands and tells it what came of them. Lives
// on the runner's thread; other threads reach it by Loop::post only. Decides nothing itself.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "controller/machine/machine.hpp"
#include "controller/process/process.hpp"
#include "controller/runner/event_log.hpp"
#include "controller/runner/loop.hpp"
#include "controller/runner/preflight.hpp"
#include "controller/runner/sample_watch.hpp"
#include "controller/runner/slo_run.hpp"

namespace firedrill {

class Poller;
class SampleTracker;
struct Detection;
struct AlertNotice;
struct MonitorClock;

/// What responders' scripts find in their environment, besides FIREDRILL_RUN.
using Environment = std::map<std::string, std::string>;

class LiveRun {
 public:
  LiveRun(const Experiment& experiment, Plan plan, Fleet& fleet, Loop& loop, EventLog& log,
          Environment environment);
  ~LiveRun();
  LiveRun(const LiveRun&) = delete;
  LiveRun& operator=(const LiveRun&) = delete;

  /// Feeds the machine; carries out what it wants.
  void feed(const machine::Input& input);
  /// Sends a Tick when one is due; gives how long the loop may sleep.
  Duration tick();
  [[nodiscard]] bool finished() const { return state_.phase == machine::Phase::finished; }
  [[nodiscard]] const machine::State& state() const { return state_; }
  [[nodiscard]] const Plan& plan() const { return plan_; }

  // What happened elsewhere, on the runner's thread.
  /// What the plan gives to the host that tells it: is_own().
  void on_agent_event(Event event, const ClockEstimate& clock);
  void on_agent_connected(const AgentInfo& agent);
  void on_agent_lost(const std::string& host, const std::string& reason);
  void on_detection(const std::string& detector, const Detection& detection);
  void on_webhook(const std::string& detector, const AlertNotice& notice, UtcTime received);
  void on_word(std::string_view kind, const std::string& who, Json data,
               const Moment& when);                                        ///< step, ack, note
  void on_noticed(const std::string& who, Json data, const Moment& when);  ///< a person detects

 private:
  void execute(const machine::Command& command);
  [[nodiscard]] SloSinks slo_sinks();
  void say(std::string_view kind, Json data);
  void say(Event event);
  void note(const Result<void>& stored);
  void log_agent_event(Event event);
  void follow_injection(const std::string& kind, const Json& data);
  void on_sample(const Json& data, Duration clock_error);
  void check_steady_after();
  void start_detectors();
  void start_detector_probes(const std::string& host);
  void on_detector_sample(const Json& data, Duration clock_error, Duration clock_offset);
  void follow_probe_detectors(const SampleSeen& sample, Duration clock_error);
  [[nodiscard]] std::optional<MonitorClock> clock_of(const Detector& detector) const;
  [[nodiscard]] SampleTracker& sample_tracker(const Detector& detector, const std::string& host);
  void maybe_alert(const std::string& detector, const std::string& kind, const Json& data);
  void ask(const std::string& host, std::string_view method, Json params,
           std::function<void(Result<Json>)> then);
  void start_preflight();
  void start_watching();
  void start_process_probe(const PlannedProbe& probe);
  void stop_watching();
  void check_baseline();
  void judge_baseline();
  void tell_baseline(bool met, std::optional<Duration> wait);
  void prepare(const std::vector<std::string>& injections);
  void commit(const machine::command::Commit& command);
  void undo(const machine::command::Undo& command);
  void start_responder(const Json& alert);
  void start_process(const machine::command::StartProcess& command);
  void finish(const machine::command::Finish& command);
  void renew_leases(UtcTime now);
  /// Posts `work` to the runner's thread, unless this run is over by then.
  std::function<void(std::function<void()>)> poster();

  const Experiment& experiment_;
  Plan plan_;
  Fleet& fleet_;
  Loop& loop_;
  EventLog& log_;
  Environment environment_;
  const RunClock clock_;  ///< of every instant that the machine is told, or asks for
  machine::State state_;
  SampleWatch watch_;
  UtcTime baseline_from_{};
  std::optional<UtcTime> baseline_asked_;  ///< by clock_, and not judged yet
  bool baseline_waits_ = false;            ///< and it was told
  UtcTime undo_before_{};  ///< the latest instant at which something of ours was still on
  bool awaiting_steady_ = false, steady_told_ = false, alert_told_ = false, store_failed_ = false;
  UtcTime next_renewal_{};
  std::map<std::string, std::unique_ptr<Poller>> pollers_;          ///< by detector
  std::map<std::string, std::unique_ptr<SampleTracker>> trackers_;  ///< by detector and host
  std::unique_ptr<Process> responder_;
  std::map<std::string, std::unique_ptr<Process>> processes_;
  std::jthread preflight_;
  std::vector<machine::Input> inputs_;  ///< fed while a step's commands are being carried out
  bool feeding_ = false;
  std::map<std::string, bool> expected_on_;  ///< expected alerts that are on, by detector and name
  std::vector<std::jthread> process_probes_;
  /// Outlives this object in posted work, which asks it whether there is still a run.
  std::shared_ptr<std::atomic<bool>> alive_ = std::make_shared<std::atomic<bool>>(true);
  SloRun slos_;  ///< last: its lookers end before what they report to
};

}  // namespace firedrill
