#include "tests/crash/operation.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/dm-ioctl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

namespace firedrill::crash {
namespace {

/// Reads, waits, and changes to the process itself: gone with it.
constexpr long kHarmless[] = {
    // reading and waiting
    SYS_read, SYS_pread64, SYS_readv, SYS_preadv, SYS_close, SYS_close_range, SYS_stat, SYS_fstat,
    SYS_lstat, SYS_newfstatat, SYS_statx, SYS_statfs, SYS_fstatfs, SYS_lseek, SYS_access,
    SYS_faccessat, SYS_faccessat2, SYS_readlink, SYS_readlinkat, SYS_getdents, SYS_getdents64,
    SYS_getcwd, SYS_getxattr, SYS_lgetxattr, SYS_fgetxattr, SYS_listxattr, SYS_poll, SYS_ppoll,
    SYS_select, SYS_pselect6, SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_wait, SYS_epoll_pwait,
    SYS_epoll_pwait2, SYS_nanosleep, SYS_clock_nanosleep, SYS_restart_syscall, SYS_pause, SYS_wait4,
    SYS_waitid, SYS_futex, SYS_flock, SYS_fcntl, SYS_inotify_init1, SYS_inotify_add_watch,
    SYS_inotify_rm_watch, SYS_process_vm_readv, SYS_recvfrom, SYS_recvmsg, SYS_recvmmsg, SYS_accept,
    SYS_accept4, SYS_shutdown,
    // memory, threads, signals and descriptors of its own
    SYS_mmap, SYS_munmap, SYS_mprotect, SYS_mremap, SYS_brk, SYS_madvise, SYS_mincore, SYS_mlock,
    SYS_mlock2, SYS_mlockall, SYS_munlock, SYS_munlockall, SYS_memfd_create, SYS_membarrier,
    SYS_rseq, SYS_set_robust_list, SYS_set_tid_address, SYS_arch_prctl, SYS_prctl, SYS_rt_sigaction,
    SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigtimedwait, SYS_rt_sigsuspend, SYS_rt_sigpending,
    SYS_sigaltstack, SYS_tgkill, SYS_tkill, SYS_gettid, SYS_getpid, SYS_getppid, SYS_getuid,
    SYS_geteuid, SYS_getgid, SYS_getegid, SYS_getresuid, SYS_getresgid, SYS_getpgid, SYS_getpgrp,
    SYS_getsid, SYS_setsid, SYS_getgroups, SYS_capget, SYS_umask, SYS_chdir, SYS_sched_yield,
    SYS_sched_getaffinity, SYS_sched_setaffinity, SYS_sched_getparam, SYS_sched_getscheduler,
    SYS_getpriority, SYS_getrlimit, SYS_getrusage, SYS_times, SYS_sysinfo, SYS_uname, SYS_getrandom,
    SYS_gettimeofday, SYS_time, SYS_clock_gettime, SYS_clock_getres, SYS_timerfd_create,
    SYS_timerfd_settime, SYS_timerfd_gettime, SYS_timer_create, SYS_timer_settime, SYS_timer_delete,
    SYS_alarm, SYS_setitimer, SYS_eventfd2, SYS_pipe, SYS_pipe2, SYS_dup, SYS_dup2, SYS_dup3,
    SYS_socket, SYS_socketpair, SYS_setsockopt, SYS_getsockopt, SYS_getsockname, SYS_getpeername,
    SYS_listen, SYS_pidfd_open, SYS_execve, SYS_exit, SYS_exit_group};

struct Name {
  long number;
  std::string_view name;
};
constexpr Name kNames[] = {{SYS_write, "write"},
                           {SYS_pwrite64, "pwrite64"},
                           {SYS_writev, "writev"},
                           {SYS_pwritev, "pwritev"},
                           {SYS_sendto, "send"},
                           {SYS_sendmsg, "sendmsg"},
                           {SYS_sendmmsg, "sendmmsg"},
                           {SYS_connect, "connect"},
                           {SYS_bind, "bind"},
                           {SYS_ioctl, "ioctl"},
                           {SYS_fsync, "fsync"},
                           {SYS_fdatasync, "fdatasync"},
                           {SYS_fallocate, "fallocate"},
                           {SYS_ftruncate, "ftruncate"},
                           {SYS_truncate, "truncate"},
                           {SYS_open, "open"},
                           {SYS_openat, "openat"},
                           {SYS_creat, "creat"},
                           {SYS_rename, "rename"},
                           {SYS_renameat, "renameat"},
                           {SYS_renameat2, "renameat2"},
                           {SYS_unlink, "unlink"},
                           {SYS_unlinkat, "unlinkat"},
                           {SYS_link, "link"},
                           {SYS_linkat, "linkat"},
                           {SYS_symlink, "symlink"},
                           {SYS_mkdir, "mkdir"},
                           {SYS_mkdirat, "mkdirat"},
                           {SYS_rmdir, "rmdir"},
                           {SYS_chmod, "chmod"},
                           {SYS_fchmod, "fchmod"},
                           {SYS_fchmodat, "fchmodat"},
                           {SYS_setxattr, "setxattr"},
                           {SYS_fsetxattr, "fsetxattr"},
                           {SYS_removexattr, "removexattr"},
                           {SYS_fremovexattr, "fremovexattr"},
                           {SYS_mount, "mount"},
                           {SYS_umount2, "umount2"},
                           {SYS_kill, "kill"},
                           {SYS_pidfd_send_signal, "pidfd_send_signal"},
                           {SYS_process_vm_writev, "process_vm_writev"},
                           {SYS_ptrace, "ptrace"},
                           {SYS_clone, "clone"},
                           {SYS_clone3, "clone3"},
                           {SYS_fork, "fork"},
                           {SYS_vfork, "vfork"},
                           {SYS_bpf, "bpf"},
                           {SYS_setns, "setns"},
                           {SYS_unshare, "unshare"},
                           {SYS_prlimit64, "prlimit64"},
                           {SYS_sched_setscheduler, "sched_setscheduler"},
                           {SYS_sync, "sync"},
                           {SYS_syncfs, "syncfs"}};

std::string name_of(long number) {
  const auto* found = std::ranges::find(kNames, number, &Name::number);
  return found == std::end(kNames) ? fmt::format("system call {}", number)
                                   : std::string(found->name);
}

template <class Plain>
std::optional<Plain> read_plain(std::string_view bytes) {
  if (bytes.size() < sizeof(Plain)) return std::nullopt;
  Plain out;
  std::memcpy(&out, bytes.data(), sizeof out);
  return out;
}

std::string routing_name(std::uint16_t type) {
  constexpr std::array<std::string_view, 4> kVerbs{"new", "delete", "get", "set"};
  constexpr std::array<std::string_view, 9> kObjects{
      "link", "address", "route", "neighbour", "rule", "qdisc", "class", "filter", "action"};
  const std::size_t object = (type - RTM_BASE) / kVerbs.size();
  const std::string_view verb = kVerbs[(type - RTM_BASE) % kVerbs.size()];
  if (object < kObjects.size()) return fmt::format("netlink {} {}", verb, kObjects[object]);
  return fmt::format("netlink {} (type {})", verb, type);
}

std::optional<std::string> netlink_operation(int protocol, std::string_view bytes) {
  const auto header = read_plain<nlmsghdr>(bytes);
  if (!header) return fmt::format("netlink of protocol {}", protocol);
  const std::uint16_t type = header->nlmsg_type;
  if (protocol == NETLINK_ROUTE && type >= RTM_BASE) {
    constexpr std::uint16_t kGet = 2;
    if ((type - RTM_BASE) % 4 == kGet) return std::nullopt;
    return routing_name(type);
  }
  // Of another family's types only the asking for a family is known to change nothing.
  if (protocol == NETLINK_GENERIC) {
    if (type == NLMSG_MIN_TYPE) return std::nullopt;
    const auto command = read_plain<std::uint8_t>(bytes.substr(sizeof(nlmsghdr)));
    return fmt::format("generic netlink, family {} command {}", type, command.value_or(0));
  }
  return fmt::format("netlink of protocol {}, type {:#x}", protocol, type);
}

/// Device-mapper's are marked as both reading and writing, whatever they do.
bool only_reads(std::uint64_t request) {
  constexpr std::array<std::uint64_t, 7> kReadingDeviceMapper{
      DM_VERSION_CMD,      DM_LIST_DEVICES_CMD,  DM_DEV_STATUS_CMD,        DM_TABLE_DEPS_CMD,
      DM_TABLE_STATUS_CMD, DM_LIST_VERSIONS_CMD, DM_GET_TARGET_VERSION_CMD};
  constexpr std::array<std::uint64_t, 4> kOthers{0x5401, 0x541b, 0x5413,
                                                 0xc020660b};  // terminal, size, extents
  if (_IOC_TYPE(request) == DM_IOCTL)
    return std::ranges::find(kReadingDeviceMapper, _IOC_NR(request)) != kReadingDeviceMapper.end();
  return _IOC_DIR(request) == _IOC_READ || std::ranges::find(kOthers, request) != kOthers.end();
}

std::string ioctl_name(const Call& call) {
  const std::uint64_t request = call.args[1];
  if (request == DM_TABLE_LOAD) return "device-mapper load table";
  if (request == DM_TABLE_CLEAR) return "device-mapper clear table";
  if (request == DM_DEV_SUSPEND)
    if (const auto header = read_plain<dm_ioctl>(call.bytes))
      return fmt::format("device-mapper {}",
                         (header->flags & DM_SUSPEND_FLAG) != 0 ? "suspend" : "resume");
  return fmt::format("ioctl {:#x} {}", request, call.target);
}

/// A pipe leads to another process; events, timers and memory files of ours lead nowhere.
bool leads_outside(const Call& call) {
  if (call.args[0] == 1 || call.args[0] == 2) return false;  // what it tells people
  const std::string_view target = call.target;
  for (const std::string_view nowhere : {"anon_inode:", "/memfd:", "/dev/null", "/dev/pts/"})
    if (target.starts_with(nowhere)) return false;
  return true;
}

std::optional<std::string> address_operation(const Call& call) {
  const auto address = read_plain<sockaddr_un>(call.bytes + std::string(sizeof(sockaddr_un), '\0'));
  if (address->sun_family == AF_NETLINK) return std::nullopt;
  if (address->sun_family != AF_UNIX) return name_of(call.number);
  const std::string_view path(address->sun_path,
                              ::strnlen(address->sun_path, sizeof address->sun_path));
  return fmt::format("{} {}", name_of(call.number), path);
}

bool is_thread(const Call& call) {
  const auto flags = call.number == SYS_clone3 ? read_plain<std::uint64_t>(call.bytes)
                                               : std::optional(call.args[0]);
  return flags && (*flags & CLONE_THREAD) != 0;
}

std::optional<std::string> open_operation(const Call& call) {
  const std::uint64_t flags = call.args[call.number == SYS_openat ? 2 : 1];
  if ((flags & (O_CREAT | O_TRUNC)) == 0) return std::nullopt;
  if (call.path.starts_with("/dev/null")) return std::nullopt;
  return fmt::format("{} {}", name_of(call.number), call.path);
}

constexpr std::string_view kPrepared = R"("type":"prepared")";
constexpr std::string_view kActive = R"("state":"active")";

/// Journal records tell their state; a person who debugs wants to see it.
std::string_view journal_word(const Call& call) {
  if (!call.target.ends_with("/journal")) return {};
  if (call.bytes.contains(kPrepared)) return "prepared";
  for (const std::string_view word : {"applying", "active", "undoing", "undone", "dirty"})
    if (call.bytes.contains(fmt::format(R"("state":"{}")", word))) return word;
  return {};
}

}  // namespace

Needs needs_of(long number) {
  switch (number) {
    case SYS_write:
    case SYS_pwrite64:
    case SYS_sendto:
      return {.target = true, .bytes = 1, .size = 2};
    case SYS_sendmsg:
      return {.target = true, .bytes = 1, .message = true};
    case SYS_connect:
    case SYS_bind:
      return {.bytes = 1, .size = 2};
    case SYS_writev:
    case SYS_pwritev:
    case SYS_fsync:
    case SYS_fdatasync:
    case SYS_fallocate:
    case SYS_ftruncate:
    case SYS_fchmod:
    case SYS_fsetxattr:
    case SYS_fremovexattr:
      return {.target = true};
    case SYS_ioctl:  // its argument may be a number: then nothing is read
      return {.target = true, .bytes = 2, .fixed = sizeof(dm_ioctl)};
    case SYS_clone3:
      return {.bytes = 0, .fixed = sizeof(std::uint64_t)};
    case SYS_openat:
    case SYS_mkdirat:
    case SYS_unlinkat:
    case SYS_fchmodat:
      return {.path = 1};
    case SYS_open:
    case SYS_creat:
    case SYS_mkdir:
    case SYS_rmdir:
    case SYS_unlink:
    case SYS_rename:
    case SYS_link:
    case SYS_chmod:
    case SYS_setxattr:
    case SYS_removexattr:
    case SYS_mount:
    case SYS_umount2:
      return {.path = 0};
    default:
      return {};
  }
}

std::optional<std::string> operation_of(const Call& call) {
  if (std::ranges::find(kHarmless, call.number) != std::end(kHarmless)) return std::nullopt;
  if (call.netlink) return netlink_operation(*call.netlink, call.bytes);
  switch (call.number) {
    case SYS_connect:
    case SYS_bind:
      return address_operation(call);
    case SYS_open:
    case SYS_openat:
      return open_operation(call);
    case SYS_clone:
    case SYS_clone3:
      if (is_thread(call)) return std::nullopt;
      break;
    case SYS_prlimit64:
      if (call.args[0] == 0 || call.args[2] == 0) return std::nullopt;
      break;
    case SYS_ioctl:
      if (only_reads(call.args[1])) return std::nullopt;
      return ioctl_name(call);
    default:
      break;
  }
  if (needs_of(call.number).target && !leads_outside(call)) return std::nullopt;
  std::string out = name_of(call.number);
  // Sockets and pipes have a number that is another each time.
  const std::string target =
      call.target.starts_with('/') ? call.target : call.target.substr(0, call.target.find(':'));
  for (const std::string& object : {target, call.path})
    if (!object.empty()) out += " " + object;
  if (const auto word = journal_word(call); !word.empty()) out += fmt::format(" {}", word);
  return out;
}

std::string_view to_string(Phase phase) {
  switch (phase) {
    case Phase::before:
      return "before";
    case Phase::apply:
      return "apply";
    case Phase::undo:
      return "undo";
    case Phase::recovery:
      return "recovery";
  }
  return "recovery";
}

std::optional<Phase> parse_phase(std::string_view text) {
  for (const Phase phase : {Phase::before, Phase::apply, Phase::undo, Phase::recovery})
    if (text == to_string(phase)) return phase;
  return std::nullopt;
}

std::string to_string(const Point& point) {
  return fmt::format("{}:{}", to_string(point.phase), point.ordinal);
}

std::optional<Point> parse_point(std::string_view text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  const auto phase = parse_phase(text.substr(0, colon));
  if (!phase || colon == text.size()) return std::nullopt;
  const std::string_view number = text.substr(colon + 1);
  Point out{*phase, 0};
  const auto read = std::from_chars(number.data(), number.data() + number.size(), out.ordinal);
  if (read.ec != std::errc{} || read.ptr != number.data() + number.size() || out.ordinal < 1)
    return std::nullopt;
  return out;
}

Point PointCounter::next(const Call& call) {
  const bool to_journal = call.target.ends_with("/journal");
  if (was_activated_ && now_.phase == Phase::apply) now_ = {Phase::undo, 0};
  if (now_.phase == Phase::before && to_journal && call.bytes.contains(kPrepared))
    now_ = {Phase::apply, 0};
  if (to_journal && call.bytes.contains(kActive)) was_activated_ = true;
  ++now_.ordinal;
  return now_;
}

}  // namespace firedrill::crash
