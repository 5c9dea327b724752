// Cgroups as the memory faults see them, and the holder: a process of ours that only holds memory.
// The rest of LinuxProcesses is in linux_processes.cpp.
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/kernel/detached.hpp"
#include "agent/kernel/linux_processes.hpp"
#include "agent/kernel/proc_files.hpp"
#include "agent/kernel/process_facts.hpp"
#include "agent/kernel/read_file.hpp"

namespace firedrill::agent::kernel {
namespace {

constexpr int kReadyMs = 5000;
constexpr int kDeathMs = 2000;
constexpr std::string_view kFirstToDie = "1000";  // oom_score_adj
constexpr int kCgroupProcs = kHanded;

enum class HolderStep : std::uint8_t { ready, score, cgroup, map };

struct HolderJob {
  std::array<char, 16> name{};
  Region region;
};

struct HolderReport {
  HolderStep step = HolderStep::ready;
  int error = 0;
  pid_t pid = 0;
};

/// Everything before the name is known to whoever started it. Signal-safe calls only.
HolderReport prepare(const HolderJob& job) {
  ::prctl(PR_SET_NAME, job.name.data());
  const int score = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (score < 0 || ::write(score, kFirstToDie.data(), kFirstToDie.size()) < 0)
    return {HolderStep::score, errno, 0};
  ::close(score);
  if (::write(kCgroupProcs, "0", 1) < 0) return {HolderStep::cgroup, errno, 0};
  void* place =
      ::mmap(reinterpret_cast<void*>(job.region.address), job.region.length, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  if (place == MAP_FAILED) return {HolderStep::map, errno, 0};
  ::madvise(place, job.region.length, MADV_NOHUGEPAGE);  // without huge pages it need not work
  return {HolderStep::ready, 0, ::getpid()};
}

/// A DetachedBody. Lives until it is killed: by undo, by the OOM killer, or with its cgroup.
void hold(const void* job) {
  const HolderReport report = prepare(*static_cast<const HolderJob*>(job));
  if (::write(kReport, &report, sizeof report) < 0 || report.step != HolderStep::ready) return;
  char go = 0;
  // End of file: who started it died, and may not know its name.
  if (::read(kLeash, &go, 1) != 1) return;
  ::close_range(kReport, ~0U, 0);
  while (true) ::pause();
}

std::unexpected<Error> refusal(const HolderReport& report, const HolderSpec& spec) {
  switch (report.step) {
    case HolderStep::score:
      return fail_errno(report.error, "oom_score_adj of the helper");
    case HolderStep::map:
      return fail_errno(report.error, "mapping memory in the helper");
    case HolderStep::cgroup:
    case HolderStep::ready:
      break;
  }
  if (report.error == EBUSY)
    return fail(ErrorCode::refused, EBUSY,
                fmt::format("cgroup '{}' hands its controllers on to cgroups below it and takes no "
                            "process of its own: name one of those",
                            spec.cgroup));
  return fail_errno(report.error, fmt::format("moving the helper into '{}'", spec.cgroup));
}

}  // namespace

Result<std::string> LinuxProcesses::memory_cgroup(const std::string& path) {
  announce("processes.memory_cgroup");
  return files_.cgroup_at(path);
}

Result<MemoryRoom> LinuxProcesses::room_in(const std::string& cgroup) {
  announce("processes.room_in");
  return files_.room(cgroup, Reserve::kept);
}

Result<std::vector<Mapping>> LinuxProcesses::own_mappings() {
  announce("processes.own_mappings");
  const auto text = read_file("/proc/self/maps");
  if (!text) return std::unexpected(text.error());
  return parse_maps(*text);
}

Result<ProcessId> LinuxProcesses::start_holder(const HolderSpec& spec) {
  announce("processes.start_holder");
  HolderJob job;
  if (spec.name.size() >= job.name.size())
    return fail(ErrorCode::internal, "the helper's name is too long");
  std::memcpy(job.name.data(), spec.name.data(), spec.name.size());
  job.region = spec.region;
  const std::string procs = spec.cgroup + "/cgroup.procs";
  const FileDescriptor cgroup(::open(procs.c_str(), O_WRONLY | O_CLOEXEC));
  if (!cgroup.valid()) return fail_errno(errno, procs);
  const auto helper = start_detached(hold, &job, std::array{cgroup.get()});
  if (!helper) return std::unexpected(helper.error());
  HolderReport report;
  if (auto heard = read_report(*helper, &report, sizeof report, kReadyMs); !heard)
    return with_context(heard.error(), "memory helper");
  if (report.step != HolderStep::ready) return refusal(report, spec);
  announce("processes.holding");
  const auto holder = read_process_id(report.pid);
  if (!holder) return with_context(holder.error(), "memory helper");
  if (::write(helper->leash.get(), "", 1) != 1) return fail_errno(errno, "memory helper");
  return *holder;
}

Result<void> LinuxProcesses::end_holder(const ProcessId& holder) {
  announce("processes.end_holder");
  const FileDescriptor pidfd(static_cast<int>(::syscall(SYS_pidfd_open, holder.pid, 0)));
  const int error = errno;
  if (auto alive = check_alive(holder); !alive) return {};
  if (!pidfd.valid()) return fail_errno(error, "pidfd of the helper");
  if (::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0) < 0 && errno != ESRCH)
    return fail_errno(errno, "killing the helper");
  pollfd gone{pidfd.get(), POLLIN, 0};
  if (::poll(&gone, 1, kDeathMs) == 1) {
    bury_ended();
    return {};
  }
  return fail(ErrorCode::timed_out,
              fmt::format("helper process {} was killed and is still there", holder.pid));
}

}  // namespace firedrill::agent::kernel
