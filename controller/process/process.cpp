#include "controller/process/process.hpp"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "controller/process/spawn.hpp"

namespace firedrill {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kGrace = 2s;     // from SIGTERM to SIGKILL
constexpr auto kDrain = 500ms;  // a background child may hold the pipes open for ever
constexpr std::size_t kLongestLine = 64 * 1024;
constexpr std::size_t kOutputTail = 64 * 1024;

/// Cuts a stream into lines.
class LineSplitter {
 public:
  explicit LineSplitter(const std::function<void(std::string_view)>& sink) : sink_(sink) {}

  void add(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::size_t end = bytes.find('\n');
      const std::size_t take = std::min({end, bytes.size(), kLongestLine - line_.size()});
      line_.append(bytes.substr(0, take));
      bytes.remove_prefix(take);
      const bool newline = !bytes.empty() && bytes.front() == '\n';
      if (newline) bytes.remove_prefix(1);
      if (newline || line_.size() == kLongestLine) emit();
    }
  }
  void finish() {
    if (!line_.empty()) emit();
  }

 private:
  void emit() {
    if (sink_) sink_(line_);
    line_.clear();
  }
  const std::function<void(std::string_view)>& sink_;
  std::string line_;
};

}  // namespace

struct Process::State {
  State(Child started, const ProcessSpec& spec, ProcessCallbacks given)
      : child(std::move(started)),
        input(spec.stdin_text),
        hold_input(spec.hold_stdin),
        callbacks(std::move(given)),
        out_lines(callbacks.on_stdout),
        err_lines(callbacks.on_stderr) {
    if (spec.timeout > Duration{0}) time_up = Clock::now() + spec.timeout;
  }

  void run();
  void poll_once();
  void read_from(Fd& fd, LineSplitter& lines);
  void write_input();
  void begin_stop();
  void act_on_time(Clock::time_point now);
  [[nodiscard]] bool ended(Clock::time_point now) const;
  [[nodiscard]] int poll_timeout(Clock::time_point now) const;
  void reap();

  Child child;
  std::string input;
  bool hold_input = false;
  std::size_t written = 0;
  ProcessCallbacks callbacks;
  LineSplitter out_lines, err_lines;
  Fd stop_event;
  std::optional<Clock::time_point> time_up, kill_at, drain_until;
  bool exited = false, killed = false;
  ProcessExit exit;

  std::mutex mutex;
  std::condition_variable finished;
  bool done = false;
  std::thread thread;
};

/// Reads what is there; closes at the end of the stream.
void Process::State::read_from(Fd& fd, LineSplitter& lines) {
  char buffer[4096];
  const ssize_t got = ::read(fd.get(), buffer, sizeof buffer);
  if (got > 0) return lines.add({buffer, static_cast<std::size_t>(got)});
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  fd.reset();
}

/// A child that does not read its input is its own business: EPIPE just ends the writing.
void Process::State::write_input() {
  if (written < input.size()) {
    const ssize_t put = ::write(child.in.get(), input.data() + written, input.size() - written);
    if (put > 0) written += static_cast<std::size_t>(put);
    else if (errno != EAGAIN && errno != EINTR) written = input.size();
  }
  if (written >= input.size() && !hold_input) child.in.reset();
}

void Process::State::begin_stop() {
  if (kill_at) return;
  ::kill(-child.pid, SIGTERM);
  kill_at = Clock::now() + kGrace;
}

void Process::State::act_on_time(Clock::time_point now) {
  if (time_up && now >= *time_up && !exited) {
    exit.timed_out = !kill_at;
    time_up.reset();
    begin_stop();
  }
  if (kill_at && !killed && now >= *kill_at) {
    ::kill(-child.pid, SIGKILL);
    killed = true;
    if (exited && !drain_until) drain_until = now + kDrain;
  }
}

bool Process::State::ended(Clock::time_point now) const {
  if (!exited) return false;
  const bool drained = !child.out.open() && !child.err.open();
  return drained || (drain_until && now >= *drain_until);
}

int Process::State::poll_timeout(Clock::time_point now) const {
  std::optional<Clock::time_point> next;
  for (const auto& at : {exited ? std::nullopt : time_up, killed ? std::nullopt : kill_at,
                         exited ? drain_until : std::nullopt})
    if (at && (!next || *at < *next)) next = at;
  if (!next) return -1;
  // Rounded up, so that the instant has passed when poll returns.
  return static_cast<int>(
      std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(*next - now).count()));
}

void Process::State::poll_once() {
  const bool writing = written < input.size();  // what is only held open is not looked at
  pollfd fds[] = {{writing ? child.in.get() : -1, POLLOUT, 0},
                  {child.out.get(), POLLIN, 0},
                  {child.err.get(), POLLIN, 0},
                  {exited ? -1 : child.pidfd.get(), POLLIN, 0},
                  {stop_event.get(), POLLIN, 0}};
  if (::poll(fds, std::size(fds), poll_timeout(Clock::now())) < 0) return;  // EINTR: again
  if (fds[0].revents != 0) write_input();
  if (fds[1].revents != 0) read_from(child.out, out_lines);
  if (fds[2].revents != 0) read_from(child.err, err_lines);
  if (fds[3].revents != 0) {
    exited = true;
    // While stopping, the rest of the group keeps its grace before the SIGKILL.
    if (!kill_at || killed) drain_until = Clock::now() + kDrain;
  }
  if (fds[4].revents != 0) {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = ::read(stop_event.get(), &count, sizeof count);
    if (!exited) exit.stopped = !kill_at;
    begin_stop();
  }
}

/// The leader stays a zombie until here, so its group's number cannot have been given away.
void Process::State::reap() {
  if (kill_at) ::kill(-child.pid, SIGKILL);
  int status = 0;
  while (::waitpid(child.pid, &status, 0) < 0 && errno == EINTR) continue;
  if (WIFSIGNALED(status)) {
    exit.signal = WTERMSIG(status);
    exit.code = 128 + exit.signal;
  } else {
    exit.code = WEXITSTATUS(status);
  }
}

void Process::State::run() {
  // Signals are main's; SIGPIPE from a child that closed its input must not end the program.
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
  write_input();
  for (Clock::time_point now = Clock::now(); !ended(now); now = Clock::now()) {
    act_on_time(now);
    poll_once();
  }
  reap();
  out_lines.finish();
  err_lines.finish();
  if (callbacks.on_exit) callbacks.on_exit(exit);
  const std::lock_guard lock(mutex);
  done = true;
  finished.notify_all();
}

Process::Process(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<Process>> Process::start(const ProcessSpec& spec,
                                                ProcessCallbacks callbacks) {
  if (spec.timeout < Duration{0}) return fail(ErrorCode::invalid_input, "a negative time-out");
  Fd stop_event{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (!stop_event.open()) return fail_errno(errno, "eventfd");
  auto child = spawn(spec);
  if (!child) return std::unexpected(child.error());
  auto state = std::make_unique<State>(std::move(*child), spec, std::move(callbacks));
  state->stop_event = std::move(stop_event);
  state->thread = std::thread([raw = state.get()] { raw->run(); });
  return std::unique_ptr<Process>(new Process(std::move(state)));
}

Process::~Process() {
  stop();
  state_->thread.join();
}

void Process::stop() noexcept {
  const std::uint64_t one = 1;
  const std::lock_guard lock(state_->mutex);
  if (state_->done) return;
  [[maybe_unused]] const ssize_t told = ::write(state_->stop_event.get(), &one, sizeof one);
}

void Process::terminate() noexcept {
  // By the handle, which cannot come to mean another process; the thread closes it only at its end.
  const std::lock_guard lock(state_->mutex);
  if (state_->done) return;
  ::syscall(SYS_pidfd_send_signal, state_->child.pidfd.get(), SIGTERM, nullptr, 0U);
}

ProcessExit Process::wait() {
  std::unique_lock lock(state_->mutex);
  state_->finished.wait(lock, [this] { return state_->done; });
  return state_->exit;
}

pid_t Process::pid() const { return state_->child.pid; }

Result<ProcessResult> run_to_end(const ProcessSpec& spec) {
  ProcessResult result;
  // Both callbacks run on the process's one thread, and wait() orders them before the return.
  const auto keep = [&result](std::string_view line) {
    result.output.append(line).push_back('\n');
    if (result.output.size() > 2 * kOutputTail)
      result.output.erase(0, result.output.size() - kOutputTail);
  };
  auto process = Process::start(spec, {.on_stdout = keep, .on_stderr = keep, .on_exit = {}});
  if (!process) return std::unexpected(process.error());
  const ProcessExit exit = (*process)->wait();
  if (result.output.size() > kOutputTail)
    result.output.erase(0, result.output.size() - kOutputTail);
  result.exit_code = exit.code;
  result.signal = exit.signal;
  result.timed_out = exit.timed_out;
  return result;
}

}  // namespace firedrill
