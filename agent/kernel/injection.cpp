#include "agent/kernel/injection.hpp"

#include <cerrno>

#include <fmt/format.h>

#include "agent/kernel/detached.hpp"
#include "agent/kernel/proc_files.hpp"
#include "agent/kernel/read_file.hpp"
#include "agent/kernel/tracee.hpp"

namespace firedrill::agent::kernel {
namespace {

constexpr int kPatienceMs = 7000;  // 2 s for the stop and 5 s for the calls

/// "state S in futex_wait_queue": what a thread is at, for whoever has to find out why it takes
/// long.
std::string doing(const InjectionTarget& target) {
  const std::string place = fmt::format("/proc/{}/task/{}", target.pid, target.thread);
  const auto text = read_file(place + "/stat");
  const auto stat = text ? parse_stat(*text) : std::unexpected(text.error());
  const auto where = read_file(place + "/wchan");
  if (!stat) return "gone by now";
  return fmt::format("state {} in {}", stat->state, where && *where != "0" ? *where : "user mode");
}

Result<InjectionOutcome> outcome_of(const TraceReport& report, const InjectionTarget& target) {
  const std::string who = fmt::format("thread {} of process {}", target.thread, target.pid);
  switch (report.end) {
    case TraceEnd::done: {
      InjectionOutcome outcome{report.results, Duration{report.stopped_ns / 1000}};
      return outcome;
    }
    case TraceEnd::gone:
      return fail(ErrorCode::not_found, ESRCH, who + " is gone");
    case TraceEnd::foreign:
      return fail(ErrorCode::refused, who +
                                          " is in 32-bit mode: only 64-bit code can be made to "
                                          "call; use 'where': 'cgroup'");
    case TraceEnd::no_stop:
      return fail(ErrorCode::timed_out,
                  who +
                      " did not stop within 2 s (uninterruptible sleep?): nothing was done; try "
                      "again later");
    case TraceEnd::failed:
      break;
  }
  if (report.error == ESRCH) return fail(ErrorCode::not_found, ESRCH, who + " is gone");
  if (report.error == EPERM)
    return fail(ErrorCode::permission_denied, EPERM,
                who + " cannot be traced: another tracer has it, or a security module forbids it");
  return fail_errno(report.error, "tracing " + who);
}

}  // namespace

bool injection_supported() { return trace_supported(); }

Result<InjectionOutcome> inject(const InjectionTarget& target, std::span<const InjectedCall> calls,
                                void (*started)(void*), void* context) {
  if (calls.size() > kMostCalls) return fail(ErrorCode::internal, "too many calls to inject");
  TraceJob job;
  job.target = target;
  job.target.pidfd = kHanded;
  for (const InjectedCall& call : calls) job.calls[job.count++] = call;
  const auto place = fmt::format_to_n(job.thread_path.data(), job.thread_path.size() - 1,
                                      "/proc/{}/task/{}", target.pid, target.thread);
  *place.out = '\0';

  const auto helper = start_detached(trace_and_report, &job, std::array{target.pidfd});
  if (!helper) return std::unexpected(helper.error());
  if (started != nullptr) started(context);
  TraceReport report;
  if (auto heard = read_report(*helper, &report, sizeof report, kPatienceMs); !heard) {
    if (heard.error().code == ErrorCode::timed_out)
      return fail(ErrorCode::timed_out,
                  fmt::format("thread {} of process {} ({}) has not made its calls within 7 s: the "
                              "helper goes on by itself; look again later",
                              target.thread, target.pid, doing(target)));
    return with_context(heard.error(), fmt::format("injecting into process {}", target.pid));
  }
  bury_ended();
  return outcome_of(report, target);
}

}  // namespace firedrill::agent::kernel
