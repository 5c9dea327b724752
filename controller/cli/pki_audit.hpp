// Keeps in the store who asked for which change of certificates: the log "pki", chained as runs'
// logs are, read by `firedrill audit`.
#pragma once

#include <string>
#include <string_view>

#include "controller/cli/cli.hpp"

namespace firedrill::cli {

inline constexpr std::string_view kPkiLog = "pki";
/// Kinds of its events. Both have `command`, `name`?, `role`?, … as the command was given, and
/// `by`; a failed one has `error`. A token's secret is in neither.
inline constexpr std::string_view kPkiCommand = "pki.command";
inline constexpr std::string_view kPkiFailed = "pki.failed";

/// Appends one event. @errors as Store
[[nodiscard]] Result<void> note_pki(const Context& context, std::string_view kind, Json data);

/// "pki issue db-1, role agent"; empty for another event's data.
[[nodiscard]] std::string pki_words(const Event& event);

/// Carries out what changes certificates. Who asked for what is kept first, so that nothing is
/// changed unseen; what cannot be kept is not done.
template <class Work>
auto audited(const Context& context, const Json& command, Work work) -> decltype(work()) {
  if (auto kept = note_pki(context, kPkiCommand, command); !kept)
    return with_context(kept.error(), "not done, because the audit cannot be written");
  auto done = work();
  if (done) return done;
  Json failed = command;
  failed["error"] = describe(done.error());
  if (auto kept = note_pki(context, kPkiFailed, std::move(failed)); !kept)
    done.error().what += "; and the audit cannot be written: " + kept.error().what;
  return done;
}

}  // namespace firedrill::cli
