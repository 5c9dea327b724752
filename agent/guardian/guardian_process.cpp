#include "agent/guardian/guardian_process.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include <fcntl.h>
#include <link.h>
#include <sched.h>
#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/mman.h>
#include <unistd.h>

#include "agent/guardian/guardian.hpp"
#include "agent/guardian/guardian_link.hpp"
#include "agent/kernel/linux_host.hpp"
#include "agent/kernel/own_cgroup.hpp"

namespace firedrill::agent {
namespace {

/// Libraries that undoing runs through; the rest of what the agent links stays on the disk.
constexpr std::array<std::string_view, 10> kNeeded{
    "libc.so", "libstdc++", "libgcc_s", "libm.so",      "libnl",
    "libfmt",  "libspdlog", "ld-linux", "libdevmapper", "libsystemd"};

int populate(dl_phdr_info* object, std::size_t /*size*/, void* /*unused*/) {
  const std::string_view path = object->dlpi_name;
  const bool ours = path.empty();  // the program itself
  const bool needed = ours || std::ranges::any_of(kNeeded, [&](std::string_view name) {
                        return path.find(name) != std::string_view::npos;
                      });
  if (!needed) return 0;
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const auto& segment = object->dlpi_phdr[i];
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
    const std::uintptr_t from = (object->dlpi_addr + segment.p_vaddr) / page * page;
    const std::uintptr_t to = object->dlpi_addr + segment.p_vaddr + segment.p_memsz;
    ::madvise(reinterpret_cast<void*>(from), to - from, MADV_POPULATE_READ);
  }
  return 0;
}

/// Each of these may be refused (no root, an old kernel); guarding is worth it without them.
void shield_process() {
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE}) ::signal(signal, SIG_IGN);
  kernel::load_libraries_of_faults();
  // The disk that holds our own program may be the one that is suspended when we are needed.
  ::mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
  ::dl_iterate_phdr(&populate, nullptr);
  // It sleeps until it is needed and then has milliseconds of work, which no load may put off.
  sched_param priority{};
  priority.sched_priority = 1;
  ::sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &priority);
  const int fd = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  [[maybe_unused]] const ssize_t written = ::write(fd, "-1000", 5);
  ::close(fd);
}

}  // namespace

int run_guardian_process(const GuardianArguments& arguments, Host& host,
                         const FindFault& find_fault) {
  shield_process();
  const auto log = std::make_shared<spdlog::logger>(
      "guardian", std::make_shared<spdlog::sinks::stderr_sink_st>());
  log->set_pattern("firedrill-guardian[%P] %l: %v");
  const auto boot_id = read_boot_id();
  void* page = ::mmap(nullptr, sizeof(Pulse), PROT_READ, MAP_SHARED, kGuardianPulseFd, 0);
  if (page == MAP_FAILED || !boot_id || ::fcntl(kGuardianAgentFd, F_GETFD) < 0) {
    log->error("started without an agent; it is started by `firedrill-agent`, not by hand");
    return 2;
  }
  ::fcntl(kGuardianAgentFd, F_SETFD, FD_CLOEXEC);
  ::fcntl(kGuardianPulseFd, F_SETFD, FD_CLOEXEC);
  // Whatever befalls the agent's cgroup (a limit, a kill, its service's end) must not befall this.
  auto own_cgroup = kernel::OwnCgroup::enter(kGuardianCgroup);
  if (!own_cgroup)
    log->info("no cgroup of its own, so it shares the agent's: {}", describe(own_cgroup.error()));
  [[maybe_unused]] const ssize_t told = ::write(kGuardianReadyFd, "R", 1);
  ::close(kGuardianReadyFd);

  GuardianOptions options;
  options.agent = arguments.agent;
  options.agent_pidfd = kGuardianAgentFd;
  options.pulse = static_cast<const Pulse*>(page);
  const SystemClock clock;
  const auto on_note = [&](GuardianNote kind, const std::string& text) {
    const auto level = kind == GuardianNote::information ? spdlog::level::info
                       : kind == GuardianNote::warning   ? spdlog::level::warn
                                                         : spdlog::level::err;
    log->log(level, "{}", text);
  };
  const RecoveryParts parts{.state_directory = arguments.state_directory,
                            .host_name = arguments.host_name,
                            .host = host,
                            .find_fault = find_fault,
                            .clock = clock,
                            .boot_id = *boot_id,
                            .on_note = on_note};
  guard(options, parts);
  return 0;
}

}  // namespace firedrill::agent
