#include "controller/process/spawn.hpp"

// Boost.Process 1.81 forgets to include these three, so they come first.
// clang-format off
#include <boost/optional.hpp>
#include <boost/type_traits/decay.hpp>
#include <boost/type_traits/is_convertible.hpp>
// clang-format on

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include <boost/asio/io_context.hpp>
#include <boost/process/v2/posix/default_launcher.hpp>
#include <boost/process/v2/process.hpp>
#include <fcntl.h>
#include <fmt/core.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

namespace firedrill {
namespace {

namespace fs = std::filesystem;
namespace process = boost::process::v2;

/// What the child reports through the error pipe when it cannot become the program.
struct ExecFailure {
  enum class Stage : int { directory, streams, exec } stage;
  int error;
};

struct Pipe {
  Fd read, write;
};

/// Everything the child needs, made before the fork: after it only async-signal-safe calls are
/// allowed, because other threads may hold the allocator's locks.
struct Prepared {
  std::string program;
  std::vector<std::string> environment;
  std::vector<char*> envp;
};

/// Both ends close-on-exec and above the standard streams, so that dup2 always makes a copy.
Result<Pipe> make_pipe() {
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) < 0) return fail_errno(errno, "pipe");
  Pipe pipe{Fd{ends[0]}, Fd{ends[1]}};
  for (Fd* end : {&pipe.read, &pipe.write}) {
    if (end->get() > STDERR_FILENO) continue;
    Fd moved{::fcntl(end->get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1)};
    if (!moved.open()) return fail_errno(errno, "fcntl F_DUPFD_CLOEXEC");
    *end = std::move(moved);
  }
  return pipe;
}

Result<void> set_nonblocking(const Fd& fd) {
  if (::fcntl(fd.get(), F_SETFL, O_NONBLOCK) < 0) return fail_errno(errno, "fcntl O_NONBLOCK");
  return {};
}

bool is_runnable(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         ::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0;
}

Result<std::string> find_in_path(const ProcessSpec& spec) {
  const auto own = spec.environment.find("PATH");
  const char* inherited = std::getenv("PATH");
  const std::string path = own != spec.environment.end() ? own->second
                           : inherited != nullptr        ? inherited
                                                         : "/usr/bin:/bin";
  for (std::size_t from = 0; from <= path.size();) {
    const std::size_t to = std::min(path.find(':', from), path.size());
    const std::string directory = path.substr(from, to - from);
    const std::string candidate = directory + "/" + spec.path;
    if (!directory.empty() && is_runnable(candidate)) return candidate;
    from = to + 1;
  }
  return fail(ErrorCode::not_found, ENOENT,
              fmt::format("program '{}' is in no directory of PATH ({}); install it or give its "
                          "path, e.g. './{}'",
                          spec.path, path, spec.path));
}

/// The file to run, after saying clearly what is wrong with it: exec's own errno cannot tell a
/// missing program from a missing interpreter.
Result<std::string> find_program(const ProcessSpec& spec) {
  if (spec.path.empty()) return fail(ErrorCode::invalid_input, "the program's path is empty");
  if (spec.path.find('/') == std::string::npos) return find_in_path(spec);
  fs::path path = spec.path;
  if (path.is_relative() && !spec.working_directory.empty())
    path = fs::path(spec.working_directory) / path;
  struct stat status{};
  if (::stat(path.c_str(), &status) < 0)
    return fail_errno(errno, fmt::format("program '{}'", path.string()));
  if (!S_ISREG(status.st_mode))
    return fail(ErrorCode::invalid_input,
                fmt::format("'{}' is not a file, so it cannot be run", path.string()));
  if (::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) < 0)
    return fail(
        ErrorCode::permission_denied, errno,
        fmt::format("'{}' may not be executed; run: chmod +x {}", path.string(), path.string()));
  // The child changes its directory first, so a relative path has to be made absolute now.
  std::error_code error;
  const fs::path absolute = fs::absolute(path, error);
  if (error) return fail_errno(error.value(), fmt::format("path '{}'", path.string()));
  return absolute.string();
}

Result<Prepared> prepare(const ProcessSpec& spec) {
  auto program = find_program(spec);
  if (!program) return std::unexpected(program.error());
  Prepared prepared{.program = std::move(*program), .environment = {}, .envp = {}};
  for (const std::string& argument : spec.arguments)
    if (argument.find('\0') != std::string::npos)
      return fail(ErrorCode::invalid_input, "an argument holds a NUL byte");
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::string name{text.substr(0, text.find('='))};
    if (!spec.environment.contains(name)) prepared.environment.emplace_back(text);
  }
  for (const auto& [name, value] : spec.environment) {
    if (name.empty() || (name + value).find('\0') != std::string::npos ||
        name.find('=') != std::string::npos)
      return fail(ErrorCode::invalid_input, fmt::format("bad environment name '{}'", name));
    prepared.environment.push_back(name + "=" + value);
  }
  for (std::string& entry : prepared.environment) prepared.envp.push_back(entry.data());
  prepared.envp.push_back(nullptr);
  return prepared;
}

/// What the launcher asks for in the child, between fork and exec: async-signal-safe calls only.
class BecomeProgram {
 public:
  BecomeProgram(const char* directory, std::array<int, 3> streams, int error_pipe)
      : directory_(directory), streams_(streams), error_pipe_(error_pipe) {}

  template <class Launcher>
  boost::system::error_code on_exec_setup(Launcher&, const process::filesystem::path&,
                                          const char* const*&) {
    ::setpgid(0, 0);
    // Handlers are gone after exec, but ignored signals (SIGPIPE here) and the mask would stay.
    for (int signal = 1; signal < NSIG; ++signal) ::signal(signal, SIG_DFL);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    for (int target = 0; target < 3; ++target)
      if (::dup2(streams_[static_cast<std::size_t>(target)], target) < 0)
        give_up(ExecFailure::Stage::streams, errno);
    if (directory_ != nullptr && ::chdir(directory_) < 0)
      give_up(ExecFailure::Stage::directory, errno);
    // Other libraries open files without close-on-exec; none of them is the child's business.
    ::syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC);
    return {};
  }

  // The launcher looks for the first form and calls the second.
  template <class Launcher>
  void on_exec_error(Launcher&, const boost::system::error_code& error,
                     const process::filesystem::path&, const char* const*&,
                     const boost::system::error_code&) {
    give_up(ExecFailure::Stage::exec, error.value());
  }
  template <class Launcher>
  void on_exec_error(Launcher&, const process::filesystem::path&, const char* const*&,
                     const boost::system::error_code& error) {
    give_up(ExecFailure::Stage::exec, error.value());
  }

 private:
  [[noreturn]] void give_up(ExecFailure::Stage stage, int error) const {
    const ExecFailure failure{stage, error};
    [[maybe_unused]] const ssize_t told = ::write(error_pipe_, &failure, sizeof failure);
    ::_exit(127);
  }

  const char* directory_;
  std::array<int, 3> streams_;
  int error_pipe_;
};

/// Forks and executes by Boost.Process; gives the child's number, which nobody has reaped.
Result<pid_t> launch(const ProcessSpec& spec, const Prepared& prepared, BecomeProgram become,
                     int error_pipe) {
  boost::asio::io_context io;
  process::posix::default_launcher launcher;
  launcher.env = prepared.envp.data();
  launcher.fd_whitelist.push_back(error_pipe);
  boost::system::error_code error;
  try {
    auto child = launcher(io.get_executor(), error, process::filesystem::path(prepared.program),
                          spec.arguments, become);
    if (launcher.pid > 0 && child.is_open()) child.detach();  // its destructor would kill it
  } catch (const std::exception& thrown) {
    return fail(ErrorCode::io_failed,
                fmt::format("starting '{}': {}", prepared.program, thrown.what()));
  }
  if (launcher.pid <= 0)
    return fail_errno(error.value(), fmt::format("fork for '{}'", prepared.program));
  return launcher.pid;
}

std::unexpected<Error> explain(const ExecFailure& failure, const ProcessSpec& spec,
                               const std::string& program) {
  if (failure.stage == ExecFailure::Stage::directory)
    return fail_errno(failure.error, fmt::format("working directory '{}'", spec.working_directory));
  if (failure.stage == ExecFailure::Stage::streams) return fail_errno(failure.error, "dup2");
  if (failure.error == ENOENT)
    return fail(
        ErrorCode::not_found, ENOENT,
        fmt::format("'{}' exists, but the interpreter its first line names does not", program));
  if (failure.error == ENOEXEC)
    return fail(ErrorCode::invalid_input, ENOEXEC,
                fmt::format("'{}' is no program the kernel can run; a script needs a first line "
                            "such as #!/bin/sh",
                            program));
  return fail_errno(failure.error, fmt::format("exec of '{}'", program));
}

/// What the child reported, or nothing: then exec closed the pipe and the program runs.
std::optional<ExecFailure> read_failure(const Fd& pipe) {
  ExecFailure failure{};
  ssize_t got = -1;
  do got = ::read(pipe.get(), &failure, sizeof failure);
  while (got < 0 && errno == EINTR);
  if (got == static_cast<ssize_t>(sizeof failure)) return failure;
  return std::nullopt;
}

}  // namespace

Result<Child> spawn(const ProcessSpec& spec) {
  auto prepared = prepare(spec);
  if (!prepared) return std::unexpected(prepared.error());
  Pipe pipes[4];  // stdin, stdout, stderr, exec failure
  for (Pipe& pipe : pipes) {
    auto made = make_pipe();
    if (!made) return std::unexpected(made.error());
    pipe = std::move(*made);
  }
  Child child;
  child.in = std::move(pipes[0].write);
  child.out = std::move(pipes[1].read);
  child.err = std::move(pipes[2].read);
  for (const Fd* fd : {&child.in, &child.out, &child.err})
    if (auto set = set_nonblocking(*fd); !set) return std::unexpected(set.error());

  const char* directory = spec.working_directory.empty() ? nullptr : spec.working_directory.c_str();
  const auto pid = launch(
      spec, *prepared,
      BecomeProgram(directory, {pipes[0].read.get(), pipes[1].write.get(), pipes[2].write.get()},
                    pipes[3].write.get()),
      pipes[3].write.get());
  if (!pid) return std::unexpected(pid.error());
  child.pid = *pid;

  // Also here: a stop right after the return must find the group, whoever ran first.
  ::setpgid(child.pid, child.pid);
  pipes[3].write.reset();
  const std::optional<ExecFailure> failure = read_failure(pipes[3].read);
  if (failure) {
    ::waitpid(child.pid, nullptr, 0);
    return explain(*failure, spec, prepared->program);
  }
  child.pidfd = Fd{static_cast<int>(::syscall(SYS_pidfd_open, child.pid, 0))};
  if (!child.pidfd.open()) {
    const int error = errno;
    ::kill(-child.pid, SIGKILL);
    ::waitpid(child.pid, nullptr, 0);
    return fail_errno(error, "pidfd_open");
  }
  return child;
}

}  // namespace firedrill
