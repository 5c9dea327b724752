#include "controller/runner/session.hpp"

#include <utility>

#include <fmt/format.h>

namespace firedrill {
namespace {

constexpr std::size_t kMostInconclusive = 3;

StudiedRun studied(FinishedRun finished, const SessionStep& step) {
  return {.run = std::move(finished.run),
          .experiment = step.experiment.id,
          .title = step.experiment.title,
          .source = step.experiment.source,
          .group = {},
          .tag = step.tag,
          .measures = std::move(finished.measures),
          .card = std::move(finished.card)};
}

/// Why the session must not go on after this run, or empty.
std::string why_stop(const StudiedRun& run, std::size_t inconclusive) {
  const std::string reason = run.card.reasons.empty() ? "" : ": " + run.card.reasons.front();
  if (!settled(run))
    return fmt::format("run {} was {}{}", run.run, to_string(run.card.verdict), reason);
  if (inconclusive >= kMostInconclusive)
    return fmt::format("{} inconclusive runs in a row; the last one: {}", inconclusive,
                       why_unusable(run));
  return {};
}

/// Quiet before a run. Gives why it did not come, or nothing.
Result<std::string> await_quiet(Runner& runner, const SessionStep& step,
                                const SessionSettings& settings) {
  const auto quiet =
      runner.wait_until_quiet(step.experiment, step.tag.session.seed, settings.quiet_limit);
  if (quiet) return std::string();
  if (runner.halted()) return std::string("halted between runs");
  if (quiet.error().code == ErrorCode::timed_out) return quiet.error().what;
  return std::unexpected(quiet.error());
}

}  // namespace

Result<SessionOutcome> run_session(Runner& runner, std::vector<StudiedRun> runs,
                                   const SessionSettings& settings, const SessionHooks& hooks) {
  SessionOutcome out{.runs = std::move(runs)};
  std::size_t inconclusive = 0;
  for (bool first = true;; first = false) {
    auto step = hooks.next(out.runs);
    if (!step) return std::unexpected(step.error());
    out.done = !step->has_value();
    if (out.done) return out;
    const SessionStep& wanted = **step;
    if (!first && runner.pause(settings.pause)) out.why = "halted between runs";
    if (out.why.empty()) {
      hooks.tell(fmt::format("{}: waiting for quiet", wanted.label));
      auto noise = await_quiet(runner, wanted, settings);
      if (!noise && out.runs.empty()) return std::unexpected(noise.error());
      out.why = noise ? std::move(*noise) : describe(noise.error());
    }
    out.halted = runner.halted();
    if (!out.why.empty()) return out;
    hooks.tell(fmt::format("{} begins", wanted.label));
    auto finished = runner.run({.experiment = &wanted.experiment,
                                .sham = wanted.sham,
                                .responder = wanted.tag.session.responder,
                                .seed = wanted.tag.session.seed,
                                .started_by = settings.started_by,
                                .tag = settings.tag,
                                .session = to_json(wanted.tag),
                                .blind = settings.blind});
    if (!finished) {
      // Agents may have gone since the last run: what was done so far still counts.
      if (out.runs.empty() && !runner.halted()) return std::unexpected(finished.error());
      out.halted = runner.halted();
      out.why = describe(finished.error());
      return out;
    }
    out.runs.push_back(studied(std::move(*finished), wanted));
    const StudiedRun& run = out.runs.back();
    inconclusive = why_unusable(run).empty() ? 0 : inconclusive + 1;
    hooks.tell(fmt::format("{} is over", wanted.label));
    out.why = why_stop(run, inconclusive);
    out.halted = run.card.verdict == Verdict::aborted;
    if (!out.why.empty()) return out;
  }
}

}  // namespace firedrill
