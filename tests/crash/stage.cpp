#include "tests/crash/stage.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <sstream>
#include <system_error>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/guardian/pidfd.hpp"
#include "agent/journal/journal.hpp"
#include "agent/kernel/linux_host.hpp"

namespace firedrill::crash {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// A guardian that has to drain a queue or to wait for a driver takes seconds here; one that takes
/// this long is stuck.
constexpr milliseconds kLongestRecovery = 40s;
/// What the host itself does after an undo: a link that comes back, a routing session.
constexpr milliseconds kSettling = 5s;

milliseconds since(Clock::time_point begin) {
  return std::chrono::duration_cast<milliseconds>(Clock::now() - begin);
}

/// False when it is still there after `longest`.
bool ends_within(pid_t pid, milliseconds longest) {
  const int fd = ::pidfd_open(pid, 0);
  if (fd < 0) return errno == ESRCH;
  pollfd end{fd, POLLIN, 0};
  const bool ended = ::poll(&end, 1, static_cast<int>(longest.count())) > 0;
  ::close(fd);
  return ended;
}

void append_journal(const fs::path& directory, std::vector<std::string>& out) {
  const auto view = agent::read_journal(directory);
  if (!view) return out.push_back("journal: " + describe(view.error()));
  for (const agent::JournalEntry& entry : view->open)
    out.push_back(fmt::format("journal: '{}' ({}) is still {}", entry.request.id,
                              entry.request.fault, to_string(entry.state)));
  for (const agent::LostRecord& lost : view->lost)
    out.push_back(fmt::format("journal: lost '{}': {}", lost.id, lost.detail));
}

/// What may be in a state directory: after an agent that ended in good order, or after a crash.
void append_stray_files(const fs::path& directory, Pass pass, std::vector<std::string>& out) {
  constexpr std::array<std::string_view, 4> kKnown{"journal", "lock", "agent.sock", "journal.new"};
  const std::size_t allowed = pass == Pass::both_killed ? 2 : kKnown.size();
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(directory, none)) {
    const std::string name = entry.path().filename();
    const auto* end = kKnown.begin() + allowed;
    if (std::find(kKnown.begin(), end, name) == end)
      out.push_back(fmt::format("stray file {}", entry.path().string()));
  }
}

}  // namespace

Result<std::unique_ptr<Stage>> Stage::set_up(fs::path agent, fs::path directory) {
  auto host = agent::kernel::open_linux_host({});
  if (!host) return std::unexpected(host.error());
  std::unique_ptr<Stage> stage(new Stage);
  stage->host_ = std::move(*host);
  std::error_code error;
  stage->agent_ = fs::canonical(agent, error);
  if (error) return fail_errno(error.value(), fmt::format("'{}'", agent.string()));
  stage->state_ = directory / "state";
  stage->pristine_ = directory / "pristine";
  stage->log_ = directory / "log";
  fs::remove_all(directory, error);
  fs::create_directories(stage->state_, error);
  if (error) return fail_errno(error.value(), fmt::format("create '{}'", directory.string()));
  const auto made = stage->run_to_end(stage->undo_all());
  if (!made) return std::unexpected(made.error());
  if (*made != 0)
    return fail(ErrorCode::io_failed,
                fmt::format("the agent does not even start: {}", stage->last_words()));
  fs::copy(stage->state_, stage->pristine_, fs::copy_options::recursive, error);
  if (error) return fail_errno(error.value(), "copy the state directory");
  return stage;
}

Result<void> Stage::fresh() {
  std::error_code error;
  fs::remove_all(state_, error);
  fs::copy(pristine_, state_, fs::copy_options::recursive, error);
  if (error) return fail_errno(error.value(), "copy the state directory");
  std::ofstream(log_, std::ios::trunc).flush();
  return {};
}

Result<void> Stage::take_snapshot() {
  auto state = host_state(*host_, agent_);
  if (!state) return std::unexpected(state.error());
  snapshot_ = std::move(*state);
  return {};
}

Program Stage::inject(const Case& what) const {
  Program out{agent_, what.words(), log_};
  out.arguments.insert(out.arguments.end(), {"--state-directory", state_.string()});
  return out;
}

Program Stage::undo_all() const {
  return {agent_, {"undo", "--all", "--state-directory", state_.string()}, log_};
}

Result<int> Stage::run_to_end(const Program& program) const {
  const auto child = start_program(program);
  if (!child) return std::unexpected(child.error());
  if (!ends_within(*child, kLongestRecovery)) {
    ::kill(*child, SIGKILL);
    ::waitpid(*child, nullptr, 0);
    return fail(ErrorCode::timed_out,
                fmt::format("'{}' did not end within {} s", fmt::join(program.arguments, " "),
                            kLongestRecovery / 1s));
  }
  int status = 0;
  ::waitpid(*child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void Stage::kill_guardians(pid_t agent) const {
  for (const Running& each : running(agent_)) {
    if (each.parent != agent) continue;
    ::kill(each.pid, SIGKILL);
    (void)ends_within(each.pid, 2s);  // as a zombie: its parent stands still
  }
}

bool Stage::wait_until_gone(milliseconds longest) const {
  for (const auto begin = Clock::now();;) {
    const std::vector<Running> left = running(agent_);
    if (left.empty()) return true;
    const milliseconds passed = since(begin);
    if (passed >= longest || !ends_within(left.front().pid, longest - passed)) return false;
  }
}

Result<Recovery> Stage::recover(Pass pass, Clock::time_point killed) {
  Recovery out;
  if (pass == Pass::both_killed) {
    const auto code = run_to_end(undo_all());
    if (!code) out.differences.push_back("stuck: " + describe(code.error()));
    else if (*code != 0)
      out.differences.push_back(fmt::format("the next agent's undo ended with {}", *code));
  }
  if (!wait_until_gone(kLongestRecovery))
    for (const Running& each : running(agent_))
      out.differences.push_back(fmt::format("stuck: process {} ({}) is still there after {} s",
                                            each.pid, each.name, kLongestRecovery / 1s));
  out.took = since(killed);
  compare(pass, out);
  return out;
}

std::vector<std::string> Stage::changes() {
  const auto now = host_state(*host_, agent_);
  if (!now) return {"host not read: " + describe(now.error())};
  return crash::differences(snapshot_, *now);
}

void Stage::compare(Pass pass, Recovery& recovery) {
  append_journal(state_, recovery.differences);
  append_stray_files(state_, pass, recovery.differences);
  for (const auto begin = Clock::now();;) {
    const std::vector<std::string> found = changes();
    if (found.empty()) {
      if (since(begin) > 1s) recovery.took += since(begin);
      return;
    }
    if (since(begin) > kSettling) {
      recovery.differences.insert(recovery.differences.end(), found.begin(), found.end());
      return;
    }
    std::this_thread::sleep_for(20ms);
  }
}

void Stage::clean_up() {
  for (const Running& each : running(agent_)) ::kill(each.pid, SIGKILL);
  (void)wait_until_gone(2s);
  (void)run_to_end(undo_all());
  (void)wait_until_gone(kLongestRecovery);
}

std::string Stage::last_words() const {
  constexpr std::size_t kMost = 2000;
  std::ifstream in(log_);
  std::ostringstream text;
  text << in.rdbuf();
  std::string out = text.str();
  if (out.size() > kMost) out = "…" + out.substr(out.size() - kMost);
  return out;
}

}  // namespace firedrill::crash
