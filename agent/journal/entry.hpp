// What the journal's records mean: takes payloads in order, gives the injections they leave open.
// Pure: no files, no clock.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/journal/format.hpp"
#include "agent/journal/versions.hpp"
#include "firedrill/fault_request.hpp"
#include "firedrill/units.hpp"

namespace firedrill::agent {

/// One injection as the journal knows it: enough to undo it in a fresh process.
struct JournalEntry {
  FaultRequest request;
  Json record;                         ///< what Fault::capture returned
  std::vector<std::string> resources;  ///< what it holds, as Fault::exclusive_resources said
  std::string boot_id;                 ///< the boot in which it was captured
  InjectionState state = InjectionState::prepared;
  UtcTime at{};                   ///< of the latest state, by the agent's clock
  Duration deadline{};            ///< CLOCK_BOOTTIME of that boot; zero until applied
  std::uint64_t apply_order = 0;  ///< grows with each apply; zero: the kernel was never touched
  Json data = Json::object();     ///< of the latest transition: values, differences, cause, by
};

/// A change of state, and the event that tells it.
struct Transition {
  std::string id, run, fault;
  InjectionState state = InjectionState::prepared;
  UtcTime at{};
  Duration deadline{};
  bool by_guardian = false;
  std::string event;           ///< an event_kind, or empty when nobody need be told
  Json data = Json::object();  ///< that event's data
};

/// Something the journal held and cannot read any more. Never reported as healed: it stays until
/// a person has looked at the host and forgets it.
struct LostRecord {
  std::string id;          ///< the injection's when known, else "journal:OFFSET"
  std::string run, fault;  ///< empty when not known
  std::string detail;      ///< what is known, for a person
};

struct JournalView {
  std::vector<JournalEntry> open;  ///< everything that is not undone, in order of preparing
  std::vector<LostRecord> lost;
  std::vector<Transition> unreported;  ///< the guardian's outcomes that no agent has reported yet
};

[[nodiscard]] Json prepared_payload(const JournalEntry& entry);
[[nodiscard]] Json transition_payload(const Transition& transition);
[[nodiscard]] Json lost_payload(const LostRecord& lost);
[[nodiscard]] Json forgotten_payload(std::string_view id, const Json& by = nullptr,
                                     UtcTime at = {});
[[nodiscard]] Json reported_payload();

/// Folds records, in order, into a view.
class JournalFold {
 public:
  /// @errors corrupt  the payload is not one of the five above; the view is unchanged
  [[nodiscard]] Result<void> apply(const Json& payload);
  void note_lost(LostRecord lost);
  [[nodiscard]] JournalView view() const;
  [[nodiscard]] bool nothing_open() const { return open_.empty(); }

 private:
  Result<void> apply_prepared(const Json& payload);
  Result<void> apply_transition(const Json& payload);

  std::vector<JournalEntry> open_;
  std::map<std::string, LostRecord> lost_;
  std::vector<Transition> unreported_;
  std::uint64_t applies_ = 0;
};

/// Folds everything a scan of a file of `version` found; damage that no record explains already
/// becomes a LostRecord. `version` must be readable.
[[nodiscard]] JournalFold fold(const journal_format::Scan& scan, std::uint32_t version = 1,
                               const JournalVersions& versions = kJournalVersions);

}  // namespace firedrill::agent
