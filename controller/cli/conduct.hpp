// How trials and sweeps are conducted: begun or continued, run, ended, kept.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controller/cli/cli.hpp"
#include "controller/runner/session.hpp"
#include "controller/runner/stored_runs.hpp"

namespace firedrill::cli {

/// What trials and sweep share on the command line.
struct SessionOptions {
  std::string file, resume, report, tag, format = "text";
  std::vector<std::string> set;
  std::uint64_t seed = 1;
  bool no_responder = false, quiet = false;
  double agent_wait = 20, pause = 0, quiet_limit = 600;
};
void add_session_options(CLI::App& command, SessionOptions& options);

/// The experiment of a session as its file is now, refused when that is not what its runs had.
struct SessionFile {
  Json raw;  ///< before substitution
  Experiment experiment;
};
[[nodiscard]] Result<SessionFile> read_session_file(const Session& session);

/// Opens the controller, runs the session to its end and gives what came of it. Ctrl-C halts. With
/// `blind`, the terminal tells nothing that a sham run would not.
[[nodiscard]] Result<SessionOutcome> conduct(const SessionOptions& options, bool blind,
                                             std::vector<StudiedRun> runs,
                                             decltype(SessionHooks::next) next, Context& context);

/// Writes report.html and report.json below HOME/sessions/ID and says where.
[[nodiscard]] Result<void> keep_report(const Context& context, const std::string& id,
                                       const std::string& html, const Json& json);

/// A new session, or the one to be continued with its runs.
struct Begun {
  Session session;
  std::vector<StudiedRun> runs;
};
[[nodiscard]] Result<Begun> begin_session(const SessionOptions& options, SessionKind kind,
                                          const Context& context);

/// 0 done, 3 halted, 2 ended early otherwise; after saying why on standard error.
[[nodiscard]] int say_end(const SessionOutcome& outcome, const std::string& id,
                          std::string_view command);

}  // namespace firedrill::cli
