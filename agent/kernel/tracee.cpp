#include "agent/kernel/tracee.hpp"

#include <cerrno>

#include <unistd.h>

#include "agent/kernel/detached.hpp"

#ifdef __x86_64__

#include <csignal>
#include <ctime>

#include <elf.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

namespace firedrill::agent::kernel {
namespace {

constexpr int kSyscallStop = SIGTRAP | 0x80;  // PTRACE_O_TRACESYSGOOD
constexpr unsigned long kUserCode64 = 0x33;   // cs of 64-bit mode
constexpr long kRestartCall = 219;            // restart_syscall
constexpr long kSyscallBytes = 2;             // 0f 05
constexpr int kStopSeconds = 2;
constexpr int kMostSequences = 1000;

// What a system call leaves in rax when it is to be restarted (the kernel's include/linux/errno.h).
constexpr long kRestartSys = -512;
constexpr long kRestartNoIntr = -513;
constexpr long kRestartNoHand = -514;
constexpr long kRestartBlock = -516;

using Signals = std::uint64_t;

std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

/// ptrace with the errno it left, 0 when it went well.
int trace(__ptrace_request request, pid_t tid, unsigned long address = 0, unsigned long data = 0) {
  errno = 0;
  return ::ptrace(request, tid, address, data) < 0 ? errno : 0;
}

int get_registers(pid_t tid, user_regs_struct& registers) {
  iovec place{&registers, sizeof registers};
  return trace(PTRACE_GETREGSET, tid, NT_PRSTATUS, reinterpret_cast<unsigned long>(&place));
}

int set_registers(pid_t tid, const user_regs_struct& registers) {
  iovec place{const_cast<user_regs_struct*>(&registers), sizeof registers};
  return trace(PTRACE_SETREGSET, tid, NT_PRSTATUS, reinterpret_cast<unsigned long>(&place));
}

/// Only interrupts waitpid.
void on_alarm(int) {}

/// Keeps every signal out but the alarm, which comes after kStopSeconds and then again and again,
/// so that none falls between a look at the clock and a wait.
void arm_alarm() {
  struct sigaction action{};
  action.sa_handler = on_alarm;
  ::sigaction(SIGALRM, &action, nullptr);
  sigset_t others;
  ::sigfillset(&others);
  ::sigdelset(&others, SIGALRM);
  ::sigprocmask(SIG_SETMASK, &others, nullptr);
  const itimerval times{{0, 100'000}, {kStopSeconds, 0}};
  ::setitimer(ITIMER_REAL, &times, nullptr);
}

void block_signals() {
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
}

/// Goes before everything that is not real-time, so that on a busy host the stopped thread does not
/// wait for the scheduler to come round to us. Without the privilege it just takes longer.
void hurry() {
  sched_param priority{};
  priority.sched_priority = ::sched_get_priority_min(SCHED_FIFO);
  ::sched_setscheduler(0, SCHED_FIFO, &priority);
}

/// A thread stopped inside a restartable sequence must not be led elsewhere and back: the kernel
/// forgets the sequence, and would not restart it when it was preempted.
bool in_restartable_sequence(pid_t tid) {
  __ptrace_rseq_configuration rseq{};
  const long size = ::ptrace(PTRACE_GET_RSEQ_CONFIGURATION, tid, sizeof rseq, &rseq);
  if (size < 0 || rseq.rseq_abi_pointer == 0) return false;
  const auto word = [tid](std::uint64_t address) {
    return static_cast<std::uint64_t>(::ptrace(PTRACE_PEEKDATA, tid, address, nullptr));
  };
  errno = 0;
  const std::uint64_t sequence = word(rseq.rseq_abi_pointer + 8);  // struct rseq::rseq_cs
  if (errno != 0 || sequence == 0) return false;
  const std::uint64_t start = word(sequence + 8);    // struct rseq_cs::start_ip
  const std::uint64_t length = word(sequence + 16);  // ::post_commit_offset
  user_regs_struct registers{};
  if (errno != 0 || get_registers(tid, registers) != 0) return false;
  return registers.rip - start < length;
}

/// Waits for the stop that was asked for. Signals on their way are passed on.
TraceEnd await_stop(pid_t tid, TraceReport& report) {
  int sequences = 0;
  while (true) {
    int status = 0;
    if (::waitpid(tid, &status, __WALL) < 0) {
      if (errno == EINTR) return TraceEnd::no_stop;
      report.error = errno;
      return TraceEnd::failed;
    }
    if (!WIFSTOPPED(status)) return TraceEnd::gone;
    const bool asked_for = status >> 16 == PTRACE_EVENT_STOP;
    if (asked_for && (++sequences > kMostSequences || !in_restartable_sequence(tid)))
      return TraceEnd::done;
    // Any stop uses the request up.
    report.error = trace(PTRACE_INTERRUPT, tid);
    if (report.error == 0)
      report.error = trace(PTRACE_CONT, tid, 0, asked_for ? 0UL : WSTOPSIG(status));
    if (report.error != 0) return TraceEnd::failed;
  }
}

/// The thread is still one of the process whose identity was checked. While it is traced, its
/// number is given to nobody else.
bool is_the_one(const TraceJob& job) {
  pollfd process{job.target.pidfd, POLLIN, 0};
  return ::poll(&process, 1, 0) == 0 && ::access(job.thread_path.data(), F_OK) == 0;
}

/// Lets the thread run until it enters or leaves a system call. Signals that cannot be blocked
/// (SIGSTOP) take their course. False: it is gone.
bool run_to_syscall_stop(pid_t tid) {
  unsigned long signal = 0;
  while (true) {
    if (trace(PTRACE_SYSCALL, tid, 0, signal) != 0) return false;
    int status = 0;
    while (::waitpid(tid, &status, __WALL) < 0)
      if (errno != EINTR) return false;
    if (!WIFSTOPPED(status)) return false;
    if (WSTOPSIG(status) == kSyscallStop) return true;
    signal = status >> 16 == 0 ? static_cast<unsigned long>(WSTOPSIG(status)) : 0;
  }
}

bool make_call(const TraceJob& job, const InjectedCall& call, user_regs_struct registers,
               std::int64_t& result) {
  const pid_t tid = job.target.thread;
  registers.orig_rax = static_cast<unsigned long long>(-1);  // no restart of what was interrupted
  registers.rip = job.target.instruction;
  registers.rax = static_cast<unsigned long long>(call.number);
  registers.rdi = call.arguments[0];
  registers.rsi = call.arguments[1];
  registers.rdx = call.arguments[2];
  registers.r10 = call.arguments[3];
  registers.r8 = call.arguments[4];
  registers.r9 = call.arguments[5];
  if (set_registers(tid, registers) != 0 || !run_to_syscall_stop(tid) || !run_to_syscall_stop(tid))
    return false;
  if (get_registers(tid, registers) != 0) return false;
  result = static_cast<std::int64_t>(registers.rax);
  return true;
}

/// Makes the interrupted system call start again, as the kernel would have when nothing but the
/// stop interrupted it.
void restart_by_hand(user_regs_struct& registers) {
  const bool in_call = static_cast<long long>(registers.orig_rax) >= 0;
  const auto left = static_cast<long>(registers.rax);
  if (in_call && (left == kRestartSys || left == kRestartNoIntr || left == kRestartNoHand)) {
    registers.rax = registers.orig_rax;
    registers.rip -= kSyscallBytes;
  } else if (in_call && left == kRestartBlock) {
    registers.rax = kRestartCall;
    registers.rip -= kSyscallBytes;
  }
  registers.orig_rax = static_cast<unsigned long long>(-1);
}

/// With the thread stopped: everything that must not be left half done.
TraceEnd make_calls(const TraceJob& job, TraceReport& report) {
  const pid_t tid = job.target.thread;
  user_regs_struct registers{};
  Signals mask = 0;
  report.error = get_registers(tid, registers);
  if (report.error == 0)
    report.error =
        trace(PTRACE_GETSIGMASK, tid, sizeof mask, reinterpret_cast<unsigned long>(&mask));
  if (report.error != 0) return TraceEnd::failed;
  if (registers.cs != kUserCode64) return TraceEnd::foreign;

  const Signals all = ~Signals{0};
  report.error = trace(PTRACE_SETSIGMASK, tid, sizeof all, reinterpret_cast<unsigned long>(&all));
  if (report.error != 0) return TraceEnd::failed;
  bool alive = true;
  bool well = true;
  for (int i = 0; i < job.count && alive && well; ++i) {
    alive = make_call(job, job.calls[i], registers, report.results[i]);
    well = report.results[i] >= 0;
  }
  restart_by_hand(registers);
  const int restored = set_registers(tid, registers);
  const int unmasked =
      trace(PTRACE_SETSIGMASK, tid, sizeof mask, reinterpret_cast<unsigned long>(&mask));
  // A stopped thread refuses neither, unless it is being killed.
  return alive && restored == 0 && unmasked == 0 ? TraceEnd::done : TraceEnd::gone;
}

TraceEnd run(const TraceJob& job, TraceReport& report) {
  const pid_t tid = job.target.thread;
  arm_alarm();
  hurry();
  if (let_go()) return TraceEnd::no_stop;  // who asked is dead, and undo may have begun
  report.error = trace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD);
  if (report.error != 0) return TraceEnd::failed;
  const std::int64_t asked = now_ns();
  report.error = trace(PTRACE_INTERRUPT, tid);
  if (report.error != 0) return TraceEnd::failed;
  TraceEnd end = await_stop(tid, report);
  block_signals();
  if (end != TraceEnd::done) return end;
  end = is_the_one(job) ? make_calls(job, report) : TraceEnd::gone;
  trace(PTRACE_DETACH, tid);
  report.stopped_ns = now_ns() - asked;
  return end;
}

}  // namespace

bool trace_supported() { return true; }

void trace_and_report(const void* job) {
  ::prctl(PR_SET_NAME, kInjectorName);
  TraceReport report;
  report.end = run(*static_cast<const TraceJob*>(job), report);
  // A pipe takes this much whole; whoever does not read it any more is dead.
  static_cast<void>(!::write(kReport, &report, sizeof report));
}

}  // namespace firedrill::agent::kernel

#else  // another processor: its registers and its way to call the kernel are different

namespace firedrill::agent::kernel {

bool trace_supported() { return false; }

void trace_and_report(const void*) {
  TraceReport report;
  report.error = ENOSYS;
  static_cast<void>(!::write(kReport, &report, sizeof report));
}

}  // namespace firedrill::agent::kernel

#endif
