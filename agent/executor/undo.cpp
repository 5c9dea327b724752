#include "agent/executor/undo.hpp"

#include <algorithm>

#include "firedrill/event.hpp"

namespace firedrill::agent {
namespace {

constexpr int kQuietFailures = 3;
constexpr int kToldFailures = 6;
constexpr std::string_view kAlreadyGone = "already-gone";

std::string_view to_text(UndoOutcome outcome) {
  switch (outcome) {
    case UndoOutcome::restored:
      return "restored";
    case UndoOutcome::already_gone:
      return kAlreadyGone;
    case UndoOutcome::superseded:
      return kSuperseded;
  }
  return "restored";
}

/// Fills in what verification says. What differs because responders set it is theirs to keep.
void judge(UndoAttempt& attempt, const Result<Verification>& verified, bool superseded) {
  if (!verified) {
    attempt.call_failed = true;
    attempt.differences = {"not verified: " + describe(verified.error())};
  } else if (superseded) {
    attempt.superseded = verified->differences;
    attempt.clean = true;
  } else {
    attempt.differences = verified->differences;
    attempt.clean = verified->clean();
  }
}

void call_undo(UndoAttempt& attempt, const Fault& fault, Host& host, const Json& record) {
  const auto undone = guarded("undo", [&] { return fault.undo(host, record); });
  attempt.called = undone.has_value();
  if (undone) {
    attempt.outcome = to_text(*undone);
    return;
  }
  attempt.call_failed = true;
  attempt.differences = {"undo failed: " + describe(undone.error())};
}

}  // namespace

UndoAttempt begin_undo(const Fault& fault, Host& host, const JournalEntry& entry,
                       std::string_view boot_id, const Clock& clock) {
  UndoAttempt attempt;
  attempt.started = clock.utc();
  if (entry.apply_order == 0) {
    attempt.clean = true;
    attempt.outcome = kAlreadyGone;
  } else {
    attempt.rebooted = entry.boot_id != boot_id;
    if (attempt.rebooted) {
      const auto verified = guarded("verify", [&] { return fault.verify(host, entry.record); });
      attempt.clean = verified && verified->clean();
      attempt.outcome = kAlreadyGone;
    }
    if (!attempt.clean) call_undo(attempt, fault, host, entry.record);
  }
  attempt.done = clock.utc();
  return attempt;
}

void verify_undo(UndoAttempt& attempt, const Fault& fault, Host& host, const JournalEntry& entry,
                 const Clock& clock) {
  if (!attempt.called) return;
  judge(attempt, guarded("verify", [&] { return fault.verify(host, entry.record); }),
        attempt.outcome == kSuperseded);
  attempt.done = clock.utc();
}

UndoAttempt attempt_undo(const Fault& fault, Host& host, const JournalEntry& entry,
                         std::string_view boot_id, const Clock& clock) {
  UndoAttempt attempt = begin_undo(fault, host, entry, boot_id, clock);
  verify_undo(attempt, fault, host, entry, clock);
  return attempt;
}

void sort_for_undo(std::vector<JournalEntry>& entries) {
  std::ranges::sort(entries, std::ranges::greater{}, &JournalEntry::apply_order);
}

Json event_data(const FaultRequest& request, std::string_view host_name) {
  return Json{{"injection", request.id}, {"host", host_name}, {"fault", request.fault}};
}

Transition undo_transition(const JournalEntry& entry, const UndoAttempt& attempt, UndoCause cause,
                           std::string_view host_name, int failures) {
  const FaultRequest& request = entry.request;
  Transition out;
  out.id = request.id;
  out.run = request.run;
  out.fault = request.fault;
  out.at = attempt.done;
  out.data = event_data(request, host_name);
  out.data["cause"] = to_string(cause);
  out.data["started_us"] = to_micros(attempt.started);
  out.data["done_us"] = to_micros(attempt.done);
  out.data["outcome"] = attempt.outcome;
  out.data["applied"] = entry.apply_order != 0;
  if (attempt.rebooted) out.data["rebooted"] = true;
  out.data["verified"] = attempt.clean;
  if (attempt.clean) {
    out.state = InjectionState::undone;
    out.event = event_kind::injection_undone;
    out.data["superseded"] = attempt.superseded;
    return out;
  }
  const bool may_pass = attempt.call_failed && failures <= kQuietFailures;
  out.state = may_pass ? InjectionState::undoing : InjectionState::dirty;
  if (!may_pass && failures <= kToldFailures) out.event = event_kind::injection_dirty;
  out.data["differences"] = attempt.differences;
  out.data["attempt"] = failures;
  return out;
}

}  // namespace firedrill::agent
