#include "controller/cli/conduct.hpp"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "controller/cli/export.hpp"
#include "controller/cli/halt_on_signal.hpp"

namespace firedrill::cli {
namespace {

Duration seconds(double value) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(value));
}

/// Events whose line would tell a real run from a sham one are not told.
bool is_blind(const Event& event) {
  return event.kind.starts_with("alert.") || event.kind == event_kind::responder_output ||
         event.kind == event_kind::step_done || event.kind == event_kind::acknowledged ||
         event.kind == event_kind::agent_lost || event.kind == event_kind::detector_lost ||
         event.kind == event_kind::halt_requested;
}

}  // namespace

void add_session_options(CLI::App& command, SessionOptions& options) {
  command.add_option("file", options.file, "experiment (JSON)");
  command.add_option("--set", options.set, "key=value for the experiment's configuration");
  command.add_option("--continue", options.resume, "go on with this session, or 'last'");
  command.add_option("--tag", options.tag, "a name for sets of runs, for 'firedrill compare'");
  command.add_option("--pause", options.pause, "seconds between two runs, at the least")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
  command.add_option("--quiet-limit", options.quiet_limit, "longest wait for quiet, seconds")
      ->check(CLI::Range(1.0, 86400.0))
      ->capture_default_str();
  command.add_option("--agent-wait", options.agent_wait, "seconds to wait for agents")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  command.add_option("--format", options.format, "text, json or html")
      ->check(CLI::IsMember({"text", "json", "html"}))
      ->capture_default_str();
  command.add_flag("--no-responder", options.no_responder, "leave the runbook to people");
  command.add_flag("--quiet,-q", options.quiet, "no progress lines");
}

Result<SessionFile> read_session_file(const Session& session) {
  auto experiment = load_experiment(session.file, session.set);
  if (!experiment) return std::unexpected(experiment.error());
  std::ifstream in(session.file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  auto raw = parse_json(text.str(), session.file);
  if (!raw) return std::unexpected(raw.error());
  return SessionFile{.raw = std::move(*raw), .experiment = std::move(*experiment)};
}

Result<Begun> begin_session(const SessionOptions& options, SessionKind kind,
                            const Context& context) {
  if (options.resume.empty()) {
    if (options.file.empty())
      return fail(ErrorCode::invalid_input,
                  "name an experiment, or a session with --continue or --report");
    auto set = parse_variables(options.set);
    if (!set) return std::unexpected(set.error());
    return Begun{.session = {.id = new_session_id(kind),
                             .file = std::filesystem::absolute(options.file).string(),
                             .set = std::move(*set),
                             .seed = options.seed,
                             .responder = !options.no_responder,
                             .trials = {},
                             .sweep = {}},
                 .runs = {}};
  }
  if (!options.set.empty() || !options.file.empty())
    return fail(
        ErrorCode::invalid_input,
        "--continue goes on with the session's own experiment; leave out the file and --set");
  const auto store = Store::open(context.home / "runs.db");
  if (!store) return std::unexpected(store.error());
  auto runs = session_runs(**store, kind, options.resume);
  if (!runs) return std::unexpected(runs.error());
  Session session = runs->front().tag->session;
  return Begun{.session = std::move(session), .runs = std::move(*runs)};
}

Result<SessionOutcome> conduct(const SessionOptions& options, bool blind,
                               std::vector<StudiedRun> runs, decltype(SessionHooks::next) next,
                               Context& context) {
  HaltOnSignal::block();
  const auto begin = std::chrono::steady_clock::now();
  const auto tell = [&](std::string_view line) {
    if (options.quiet || line.empty()) return;
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    fmt::print(stderr, "{:7.1f}s  {}\n", elapsed.count(), line);
  };
  RunnerConfig config = own_config(context);
  config.agent_wait = seconds(options.agent_wait);
  auto runner = open_runner(context, config,
                            {.event =
                                 [&](const Event& event) {
                                   if (!blind || is_blind(event)) tell(progress_line(event));
                                 },
                             .progress = tell,
                             .notice = tell});
  if (!runner) return std::unexpected(with_busy_hint(runner.error(), context));
  const HaltOnSignal halt_on_signal(**runner);
  const char* user = std::getenv("USER");
  return run_session(**runner, std::move(runs),
                     {.blind = blind,
                      .tag = options.tag,
                      .started_by = user != nullptr ? user : "",
                      .pause = seconds(options.pause),
                      .quiet_limit = seconds(options.quiet_limit)},
                     {.next = std::move(next), .tell = tell});
}

Result<void> keep_report(const Context& context, const std::string& id, const std::string& html,
                         const Json& json) {
  const std::filesystem::path folder = context.home / "sessions" / id;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail_errno(error.value(), folder.string());
  if (auto done = write_file(folder / "report.html", html); !done) return done;
  if (auto done = write_file(folder / "report.json", json.dump(2) + "\n"); !done) return done;
  fmt::print(stderr, "report:  {}\n", (folder / "report.html").string());
  return {};
}

int say_end(const SessionOutcome& outcome, const std::string& id, std::string_view command) {
  if (outcome.done) return 0;
  fmt::print(stderr, "firedrill: the session ended early: {}\n", outcome.why);
  fmt::print(stderr, "go on:   firedrill {} --continue {}\n", command, id);
  return exit_code(outcome.halted ? Verdict::aborted : Verdict::inconclusive);
}

}  // namespace firedrill::cli
