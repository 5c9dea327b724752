#include "tests/crash/traced.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

namespace firedrill::crash {
namespace {

constexpr std::size_t kMostBytes = 16 << 10;
constexpr std::size_t kMostPath = 256;

std::string read_bytes(pid_t process, std::uint64_t address, std::size_t size) {
  std::string out(std::min(size, kMostBytes), '\0');
  iovec here{out.data(), out.size()};
  iovec there{reinterpret_cast<void*>(address), out.size()};
  const ssize_t got = ::process_vm_readv(process, &here, 1, &there, 1, 0);
  out.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return out;
}

/// Up to the end of its page at a time: what follows may not be mapped.
std::string read_text(pid_t process, std::uint64_t address) {
  constexpr std::uint64_t kPage = 4096;
  std::string out;
  while (out.size() < kMostPath) {
    const std::string part = read_bytes(process, address, kPage - address % kPage);
    const std::size_t end = part.find('\0');
    out += part.substr(0, end);
    if (end != std::string::npos || part.empty()) break;
    address += part.size();
  }
  return out.substr(0, kMostPath);
}

/// The first part of a message; its destination does not matter.
std::string read_message(pid_t process, std::uint64_t address) {
  const std::string bytes = read_bytes(process, address, sizeof(msghdr));
  msghdr header{};
  if (bytes.size() < sizeof header) return {};
  std::memcpy(&header, bytes.data(), sizeof header);
  const std::string first =
      read_bytes(process, reinterpret_cast<std::uint64_t>(header.msg_iov), sizeof(iovec));
  iovec part{};
  if (first.size() < sizeof part) return {};
  std::memcpy(&part, first.data(), sizeof part);
  return read_bytes(process, reinterpret_cast<std::uint64_t>(part.iov_base), part.iov_len);
}

[[noreturn]] void become(const Program& program, bool traced) {
  constexpr int kFailed = 127;
  const int null = ::open("/dev/null", O_RDONLY);
  const int out = ::open(program.output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  if (null < 0 || out < 0 || ::dup2(null, 0) < 0 || ::dup2(out, 1) < 0 || ::dup2(out, 2) < 0)
    ::_exit(kFailed);
  ::close_range(3, ~0U, 0);
  if (traced && (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0 || ::raise(SIGSTOP) != 0))
    ::_exit(kFailed);
  std::vector<std::string> texts{program.file.filename().string()};
  texts.insert(texts.end(), program.arguments.begin(), program.arguments.end());
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  ::execv(program.file.c_str(), pointers.data());
  ::_exit(kFailed);
}

Result<pid_t> start(const Program& program, bool traced) {
  const pid_t child = ::fork();
  if (child < 0) return fail_errno(errno, "fork");
  if (child == 0) become(program, traced);
  return child;
}

int exit_code_of(int status) {
  constexpr int kSignalled = 128;
  return WIFEXITED(status) ? WEXITSTATUS(status) : kSignalled + WTERMSIG(status);
}

}  // namespace

Result<pid_t> start_program(const Program& program) { return start(program, false); }

Result<Traced> Traced::start(const Program& program) {
  const auto child = crash::start(program, true);
  if (!child) return std::unexpected(child.error());
  Traced traced(*child);
  int status = 0;
  if (::waitpid(*child, &status, 0) < 0 || !WIFSTOPPED(status))
    return fail(ErrorCode::io_failed, fmt::format("'{}' did not start", program.file.string()));
  constexpr auto kOptions =
      PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
  if (::ptrace(PTRACE_SETOPTIONS, *child, nullptr, kOptions) != 0 ||
      ::ptrace(PTRACE_SYSCALL, *child, nullptr, nullptr) != 0)
    return fail_errno(errno, fmt::format("trace '{}'", program.file.string()));
  traced.threads_[*child].seen = true;
  return traced;
}

Traced::Traced(Traced&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      threads_(std::move(other.threads_)),
      sockets_(std::move(other.sockets_)) {}

Traced::~Traced() {
  if (pid_ == 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, __WALL) > 0) {
  }
}

Result<Traced::End> Traced::run(const AtOperation& at_operation) {
  End end;
  while (true) {
    int status = 0;
    const pid_t thread = ::waitpid(-1, &status, __WALL);
    if (thread < 0 && errno == EINTR) continue;
    if (thread < 0) return fail_errno(errno, "wait for the traced program");
    if (!WIFSTOPPED(status)) {
      if (thread != pid_) continue;
      pid_ = 0;
      end.exit_code = exit_code_of(status);
      return end;
    }
    const auto kill = on_stop(thread, status, at_operation);
    if (!kill) return std::unexpected(kill.error());
    if (!*kill) continue;
    end.killed = true;
    ::kill(pid_, SIGKILL);
  }
}

/// Resumes the thread unless the process is to be killed: then true.
Result<bool> Traced::on_stop(pid_t thread, int status, const AtOperation& at_operation) {
  Thread& known = threads_[thread];
  const int signal = WSTOPSIG(status);
  long deliver = 0;
  if (signal == (SIGTRAP | 0x80)) {
    if (at_entry(thread, at_operation)) return true;
  } else if (status >> 16 == 0 && !(signal == SIGSTOP && !known.seen)) {
    deliver = signal;
  }
  known.seen = true;
  // One that has been killed meanwhile cannot be resumed, and need not be.
  if (::ptrace(PTRACE_SYSCALL, thread, nullptr, deliver) != 0 && errno != ESRCH)
    return fail_errno(errno, "resume the traced program");
  return false;
}

bool Traced::at_entry(pid_t thread, const AtOperation& at_operation) {
  __ptrace_syscall_info info{};
  if (::ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) <= 0) return false;
  if (info.op != PTRACE_SYSCALL_INFO_ENTRY) return false;
  std::uint64_t args[6];
  std::ranges::copy(info.entry.args, args);
  const auto number = static_cast<long>(info.entry.nr);
  const Call call = read_call(thread, number, args);
  const auto operation = operation_of(call);
  return operation && at_operation(call, *operation) == Verdict::kill;
}

Call Traced::read_call(pid_t thread, long number, const std::uint64_t* args) {
  Call call;
  call.number = number;
  std::copy_n(args, call.args.size(), call.args.begin());
  const Needs needs = needs_of(number);
  if (needs.target) {
    std::array<char, 512> target{};
    const std::string path = fmt::format("/proc/{}/fd/{}", thread, static_cast<int>(args[0]));
    const ssize_t length = ::readlink(path.c_str(), target.data(), target.size());
    if (length > 0) call.target.assign(target.data(), static_cast<std::size_t>(length));
    if (call.target.starts_with("socket:")) call.netlink = netlink_of(thread, call.target);
  }
  if (needs.path >= 0) call.path = read_text(thread, args[needs.path]);
  if (needs.bytes < 0) return call;
  const std::size_t size =
      needs.size < 0 ? needs.fixed : static_cast<std::size_t>(args[needs.size]);
  call.bytes = needs.message ? read_message(thread, args[needs.bytes])
                             : read_bytes(thread, args[needs.bytes], size);
  return call;
}

std::optional<int> Traced::netlink_of(pid_t thread, const std::string& target) {
  const auto known = sockets_.find(target);
  if (known != sockets_.end()) return known->second;
  // sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode, where Eth is the protocol.
  const std::string inode = target.substr(target.find('[') + 1);
  std::ifstream in(fmt::format("/proc/{}/net/netlink", thread));
  std::optional<int> protocol;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string word;
    std::string family;
    for (int column = 0; words >> word; ++column)
      if (column == 1) family = word;
    if (word + "]" == inode) protocol = std::atoi(family.c_str());
  }
  return sockets_[target] = protocol;
}

}  // namespace firedrill::crash
