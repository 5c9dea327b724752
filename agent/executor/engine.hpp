// Carries injections through their lives, for all faults alike: validates, journals, applies,
// watches, undoes, verifies. Takes calls and the passing of time; gives events. Not thread-safe and
// never waits: the Executor owns its thread, tests turn its clock.
#pragma once

#include <deque>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/executor/lifecycle.hpp"
#include "agent/executor/pulse.hpp"
#include "agent/executor/undo.hpp"
#include "agent/journal/journal.hpp"
#include "agent/policy/policy.hpp"
#include "firedrill/rpc.hpp"

namespace firedrill::agent {

using FindFault = std::function<const Fault*(std::string_view name)>;
using OnEvent = std::function<void(std::string kind, std::string run, UtcTime at, Json data)>;
using TakeSample = std::function<Result<rpc::Sample>(std::string_view probe, const Json& params)>;

/// What the engine works with. References and callbacks outlive it.
struct EngineParts {
  Host& host;
  Journal& journal;
  const Clock& clock;
  Pulse& pulse;
  Policy policy;
  std::string host_name;
  std::string boot_id;
  FindFault find_fault;
  OnEvent on_event;
  /// Makes sure that a guardian is alive; without one nothing is prepared.
  std::function<Result<void>()> ensure_guardian;
  TakeSample sample;  ///< one sample, blocking; for the moment of activation
  /// Asks for one later sample; the answer comes to cure_sampled().
  std::function<void(std::string id, CureCondition cure)> request_sample;
};

class Engine {
 public:
  explicit Engine(EngineParts parts);

  /// First of all: reports what the guardian did, undoes everything the journal has open.
  void recover();

  /// Captures and journals; the kernel is only read. Returns the undo record.
  /// @param by  who asks for it, for the journal and the event; null: nobody is named
  /// @errors invalid_input, not_found, unsupported, refused, conflict, already_exists as they
  ///         arise; unavailable  no guardian, or no room in the journal
  [[nodiscard]] Result<Json> prepare(const FaultRequest& request, const Json& by = nullptr);
  /// Sets the instant of applying; all of `ids` or none. Repeating it is harmless.
  [[nodiscard]] Result<void> commit(const std::vector<std::string>& ids, UtcTime at);
  /// Undoes (one attempt each now, retries follow in step()); no ids means all that are open.
  /// Returns what became of these, and the state of those that were named and had ended before.
  /// @errors not_found  one of the ids is unknown here;  corrupt  what would undo it is lost. The
  ///         others were undone all the same
  [[nodiscard]] Result<std::vector<rpc::InjectionStatus>> undo(const std::vector<std::string>& ids,
                                                               UndoCause cause,
                                                               const Json& by = nullptr);
  /// Nothing can go on, as `error` says: each open injection fails at `stage`, and is undone.
  void abandon(std::string_view stage, const Error& error);
  /// Drops a lost record, or an injection that cannot be undone, after a person checked the host.
  [[nodiscard]] Result<void> forget(std::string_view id, const Json& by = nullptr);
  /// The controller was heard at `heard` (CLOCK_BOOTTIME) for this run.
  void renew(const std::string& run, Duration heard);
  void cure_sampled(const std::string& id, const Result<rpc::Sample>& sample);

  /// Does everything that is due. Returns the CLOCK_BOOTTIME at which to call again.
  [[nodiscard]] Duration step();

  /// Open, recently ended and lost ones.
  [[nodiscard]] std::vector<rpc::InjectionStatus> list() const;
  [[nodiscard]] std::size_t open_count() const { return open_.size(); }

 private:
  struct Injection {
    JournalEntry entry;
    const Fault* fault = nullptr;  ///< null: this program does not know it
    Params params;                 ///< those a ramp ends at; empty after recovery
    Params ramp_start;             ///< only with a ramp
    Schedule schedule;
    UndoCause cause = UndoCause::requested;
    Json undone_by;  ///< who asked for the undo; null: it came by itself
    int failures = 0;
    std::string failure;        ///< why it failed, for status()
    bool seen_outside = false;  ///< the cure's value was outside its bounds at least once
    std::int64_t last_not_us = 0;
    std::int64_t others_undo_us = 0;          ///< when our undo of another injection last ended
    std::int64_t on_since_us = 0;             ///< since when it is on: applied, or applied again
    std::optional<rpc::Sample> first_inside;  ///< of this on period, in which none was outside
    int inside_samples = 0;
    Duration applied{};  ///< CLOCK_BOOTTIME of on_since_us
    Duration told{};     ///< CLOCK_BOOTTIME of the last event with values
    Json told_values;
  };

  [[nodiscard]] Instants now() const;
  [[nodiscard]] Injection* find(std::string_view id);
  [[nodiscard]] Result<void> check_new(const FaultRequest& request) const;
  [[nodiscard]] Result<void> check_resources(const std::vector<std::string>& resources) const;
  [[nodiscard]] Result<Injection> validate(const FaultRequest& request) const;
  [[nodiscard]] Result<void> check_support(const Fault& fault);
  [[nodiscard]] Result<void> check_cure(const FaultRequest& request) const;

  void adopt(JournalEntry entry);
  void tell_lost(const LostRecord& lost);
  void publish();
  bool act(Injection& injection, const Decision& decision);
  void apply(Injection& injection);
  void activate(Injection& injection, UtcTime started, Json values);
  void tell_failed(Injection& injection, std::string_view stage, const Error& error);
  void fail_injection(Injection& injection, std::string_view stage, const Error& error);
  void begin_undo(Injection& injection, UndoCause cause);
  // engine_course.cpp
  [[nodiscard]] Result<void> plan_course(Injection& injection) const;
  [[nodiscard]] Params params_now(const Injection& injection) const;
  void begin_on_period(Injection& injection, const Instants& applied, const Json& values);
  [[nodiscard]] Json course_data(const Injection& injection, UtcTime started, UtcTime done) const;
  void pause(Injection& injection);
  void resume(Injection& injection);
  void cannot_go_on(Injection& injection, std::string_view stage, const Error& error);
  void adjust(Injection& injection);
  void advance(Injection& injection);
  // engine_cure.cpp
  [[nodiscard]] bool may_still_worsen(const Injection& injection) const;
  void note_own_undo(const Injection& undone, UtcTime at);
  [[nodiscard]] bool cured_all_period(const Injection& injection) const;
  void declare_cured(Injection& injection, const rpc::Sample& sample);
  // engine_acts.cpp again
  void try_undo(Injection& injection);
  void undo_in_order(std::vector<Injection*> injections);
  void drop(Injection& injection, std::string_view stage, const Error& error);
  void remove_ended();
  Result<void> record(Injection& injection, Transition transition, Durability durability);
  void emit(std::string_view kind, const std::string& run, UtcTime at, Json data) const;
  [[nodiscard]] rpc::InjectionStatus status(const Injection& injection) const;
  [[nodiscard]] Transition transition_of(const Injection& injection, InjectionState state) const;

  EngineParts parts_;
  std::deque<Injection> open_;  ///< a deque: references survive additions at the end
  std::deque<rpc::InjectionStatus> ended_;
  std::set<std::string, std::less<>> supported_;  ///< faults that this host can do
};

}  // namespace firedrill::agent
