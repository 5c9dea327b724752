#include "agent/kernel/linux_processes.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "agent/kernel/detached.hpp"
#include "agent/kernel/proc_files.hpp"
#include "agent/kernel/process_facts.hpp"
#include "agent/kernel/read_file.hpp"

namespace firedrill::agent::kernel {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kBatch = 1024;                     // UIO_MAXIOV
constexpr std::uint64_t kMostCode = 8ULL << 20;          // of one mapping, searched for a call
constexpr std::uint64_t kPresentOrSwapped = 3ULL << 62;  // bits 63 and 62 of a pagemap entry
/// More than others may take between the look and the write of one batch.
constexpr std::uint64_t kRoomy = (32ULL << 20) + kBatch * kPageSize;
constexpr std::uint64_t kInsideStep = 256ULL << 10;  // less than a millisecond's stop
// Near a cgroup's limit each page may wait for others to be written back or thrown out.
constexpr auto kLongestFill = std::chrono::milliseconds(500);
constexpr int kTracePower = 19;  // CAP_SYS_PTRACE
constexpr auto kInjectorLife = 3s;
constexpr auto kDeathTakes = 1s;

std::string read_trimmed(const std::string& path) {
  auto text = read_file(path);
  if (!text) return {};
  text->resize(std::min(text->find('\n'), text->size()));
  return *text;
}

/// Does MAP_FIXED_NOREPLACE refuse a place that is taken? Older kernels take it for a hint.
bool knows_no_replace() {
  void* page = ::mmap(nullptr, kPageSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return false;
  void* again =
      ::mmap(page, kPageSize, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  const bool refused = again == MAP_FAILED && errno == EEXIST;
  if (again != MAP_FAILED) ::munmap(again, kPageSize);
  ::munmap(page, kPageSize);
  return refused;
}

/// Where `code` of the process holds the bytes of a `syscall` instruction. What they belong to does
/// not matter: nothing behind them is ever run from there.
std::optional<std::uint64_t> find_syscall(pid_t pid, const Mapping& code) {
  std::vector<unsigned char> bytes(std::min(code.end - code.begin, kMostCode));
  iovec here{bytes.data(), bytes.size()};
  iovec there{reinterpret_cast<void*>(code.begin), bytes.size()};
  const ssize_t got = ::process_vm_readv(pid, &here, 1, &there, 1, 0);
  if (got < 2) return std::nullopt;
  constexpr std::array<unsigned char, 2> kInstruction{0x0f, 0x05};
  const auto end = bytes.begin() + got;
  const auto found = std::search(bytes.begin(), end, kInstruction.begin(), kInstruction.end());
  if (found == end) return std::nullopt;
  return code.begin + static_cast<std::uint64_t>(found - bytes.begin());
}

/// The kernel's own page of code has one nearly always; else the C library or the program has.
Result<std::uint64_t> find_syscall(pid_t pid, std::vector<Mapping> mappings) {
  std::ranges::partition(mappings, [](const Mapping& m) { return m.path == "[vdso]"; });
  for (const Mapping& mapping : mappings) {
    if (mapping.permissions[0] != 'r' || mapping.permissions[2] != 'x') continue;
    if (const auto at = find_syscall(pid, mapping)) return *at;
  }
  return fail(ErrorCode::unsupported,
              fmt::format("process {} has no system call instruction in readable code; use "
                          "'where': 'cgroup'",
                          pid));
}

Result<FileDescriptor> open_process(const ProcessId& process) {
  FileDescriptor fd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
  const int error = errno;
  if (auto alive = check_alive(process); !alive) return std::unexpected(alive.error());
  if (!fd.valid()) return fail_errno(error, fmt::format("pidfd of process {}", process.pid));
  return fd;
}

/// After a write into a process failed: is it on its way out? The kernel may have killed it for
/// that very page.
Result<void> failed_write(const ProcessId& process, int error) {
  for (const auto end = std::chrono::steady_clock::now() + kDeathTakes;
       std::chrono::steady_clock::now() < end; std::this_thread::sleep_for(10ms))
    if (auto alive = check_alive(process); !alive) return alive;
  return fail_errno(error, fmt::format("writing into process {}", process.pid));
}

std::unexpected<Error> cannot_map(const ProcessId& process, const Region& region, int error) {
  const std::string what =
      fmt::format("mapping {:#x}..{:#x} in process {}", region.address, region.end(), process.pid);
  if (error != ENOMEM) return fail_errno(error, what);
  return fail(ErrorCode::refused, ENOMEM,
              what + ": no memory (a limit of its address space, or too many mappings)");
}

}  // namespace

Result<NamespaceId> LinuxProcesses::namespace_id() {
  announce("processes.namespace_id");
  auto boot = read_file("/proc/sys/kernel/random/boot_id");
  if (!boot) return std::unexpected(boot.error());
  boot->resize(std::min(boot->find('\n'), boot->size()));
  struct stat status{};
  if (::stat("/proc/self/ns/pid", &status) < 0) return fail_errno(errno, "/proc/self/ns/pid");
  return NamespaceId{*boot, status.st_ino};
}

Result<ProcessFacts> LinuxProcesses::facts(pid_t pid) {
  announce("processes.facts");
  auto facts = read_process_facts(pid);
  if (facts) note_owner(*facts);
  return facts;
}

void LinuxProcesses::note_owner(ProcessFacts& facts) const {
  for (const std::string& name : owner_.processes)
    if (name == facts.name || name == facts.program)
      facts.owner_protects = fmt::format("process '{}'", name);
  if (owner_.units.empty()) return;
  const auto cgroups = read_file(fmt::format("/proc/{}/cgroup", facts.id.pid));
  for (const std::string& unit : owner_.units)
    if (cgroups && (cgroups->contains("/" + unit + "/") || cgroups->contains("/" + unit + "\n")))
      facts.owner_protects = fmt::format("unit '{}'", unit);
}

Result<std::vector<ProcessFacts>> LinuxProcesses::named(const std::string& name) {
  announce("processes.named");
  auto found = find_processes(name);
  if (found)
    for (ProcessFacts& facts : *found) note_owner(facts);
  return found;
}

Result<TracePowers> LinuxProcesses::trace_powers() {
  announce("processes.trace_powers");
  const auto status = read_file("/proc/self/status");
  if (!status) return std::unexpected(status.error());
  TracePowers powers;
  powers.may_trace = (status_mask(*status, "CapEff").value_or(0) >> kTracePower & 1) != 0;
  const std::string scope = read_trimmed("/proc/sys/kernel/yama/ptrace_scope");
  powers.yama_scope = scope.size() == 1 ? scope.front() - '0' : 0;
  powers.architecture = injection_supported();
  powers.fixed_no_replace = knows_no_replace();
  return powers;
}

Result<std::vector<Mapping>> LinuxProcesses::mappings(const ProcessId& process) {
  announce("processes.mappings");
  const auto text = read_file(fmt::format("/proc/{}/maps", process.pid));
  // A look at the identity after the reading, so that it was this process that was read.
  if (auto alive = check_alive(process); !alive) return std::unexpected(alive.error());
  if (!text) return std::unexpected(text.error());
  return parse_maps(*text);
}

Result<MemoryRoom> LinuxProcesses::room_of(const ProcessId& process) {
  announce("processes.room_of");
  const auto cgroup = files_.cgroup_of(process.pid);
  if (auto alive = check_alive(process); !alive) return std::unexpected(alive.error());
  // Without a memory controller only the host's own memory is a bound.
  if (!cgroup && cgroup.error().code == ErrorCode::unsupported)
    return files_.room("", Reserve::kept);
  if (!cgroup) return std::unexpected(cgroup.error());
  return files_.room(*cgroup, Reserve::kept);
}

Result<InjectionOutcome> LinuxProcesses::make_calls(const ProcessId& process,
                                                    std::span<const InjectedCall> calls) {
  const auto pidfd = open_process(process);
  if (!pidfd) return std::unexpected(pidfd.error());
  const auto maps = read_file(fmt::format("/proc/{}/maps", process.pid));
  if (!maps) return std::unexpected(maps.error());
  auto mappings = parse_maps(*maps);
  if (!mappings) return std::unexpected(mappings.error());
  const auto instruction = find_syscall(process.pid, std::move(*mappings));
  if (!instruction) return std::unexpected(instruction.error());
  const auto thread = choose_thread(process);
  if (!thread) return std::unexpected(thread.error());
  const auto tell = [](void* self) {
    static_cast<LinuxProcesses*>(self)->announce("processes.injecting");
  };
  return inject({process.pid, *thread, pidfd->get(), *instruction}, calls, tell, this);
}

Result<Duration> LinuxProcesses::map(const ProcessId& process, const Region& region) {
  announce("processes.map");
  constexpr auto kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
  // In one stop. DONTFORK: children would keep the pages after undo. NOHUGEPAGE: growth page by
  // page; it fails on kernels without huge pages, which need it not. Both make the mapping unlike
  // any other, so that the kernel merges it with none.
  const std::array calls{
      InjectedCall{SYS_mmap,
                   {region.address, region.length, PROT_READ | PROT_WRITE, kFlags, ~0ULL, 0}},
      InjectedCall{SYS_madvise, {region.address, region.length, MADV_DONTFORK}},
      InjectedCall{SYS_madvise, {region.address, region.length, MADV_NOHUGEPAGE}}};
  const auto outcome = make_calls(process, calls);
  if (!outcome) return std::unexpected(outcome.error());
  const std::int64_t mapped = outcome->results[0];
  if (mapped < 0) return cannot_map(process, region, static_cast<int>(-mapped));
  if (static_cast<std::uint64_t>(mapped) != region.address)
    return fail(ErrorCode::internal, fmt::format("process {} mapped {:#x} instead of {:#x}",
                                                 process.pid, mapped, region.address));
  return outcome->stopped;
}

Result<Duration> LinuxProcesses::unmap(const ProcessId& process, const Region& region) {
  announce("processes.unmap");
  const std::array calls{InjectedCall{SYS_munmap, {region.address, region.length}}};
  const auto outcome = make_calls(process, calls);
  if (!outcome) return std::unexpected(outcome.error());
  if (outcome->results[0] < 0)
    return fail_errno(static_cast<int>(-outcome->results[0]),
                      fmt::format("unmapping {:#x}..{:#x} in process {}", region.address,
                                  region.end(), process.pid));
  return outcome->stopped;
}

Result<bool> LinuxProcesses::injection_pending(const ProcessId& process) {
  announce("processes.injection_pending");
  const auto end = std::chrono::steady_clock::now() + kInjectorLife;
  while (true) {
    const auto tracer = tracer_of(process.pid);
    if (!tracer) return std::unexpected(tracer.error());
    if (*tracer == 0 || name_of(*tracer) != kInjectorName) return false;
    if (std::chrono::steady_clock::now() >= end) return true;
    std::this_thread::sleep_for(1ms);
  }
}

Result<std::uint64_t> LinuxProcesses::filled(const ProcessId& process, const Region& region) {
  announce("processes.filled");
  const std::string path = fmt::format("/proc/{}/pagemap", process.pid);
  const FileDescriptor pages(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const int error = errno;
  if (auto alive = check_alive(process); !alive) return std::unexpected(alive.error());
  if (!pages.valid()) return fail_errno(error, path);
  // Filled from the start: the first page that is neither in memory nor in swap is the end.
  std::uint64_t low = 0;
  std::uint64_t high = region.length / kPageSize;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    std::uint64_t entry = 0;
    const auto at = static_cast<off_t>((region.address / kPageSize + middle) * sizeof entry);
    const ssize_t got = ::pread(pages.get(), &entry, sizeof entry, at);
    if (got < 0) return fail_errno(errno, path);
    if (got == sizeof entry && (entry & kPresentOrSwapped) != 0) low = middle + 1;
    else high = middle;
  }
  return low * kPageSize;
}

Result<bool> LinuxProcesses::is_roomy(const ProcessId& process) {
  const auto cgroup = files_.cgroup_of(process.pid);
  const auto room = files_.room(cgroup ? *cgroup : "", Reserve::none);
  if (!room) return std::unexpected(room.error());
  return room->bytes >= kRoomy && room->mappable.value_or(kRoomy) >= kRoomy;
}

Result<std::uint64_t> LinuxProcesses::fill_inside(const ProcessId& process, const Region& part) {
  // Both let the target itself fault its pages in. getrandom is what kernels before 5.14 have: it
  // takes time for its numbers, a hundred times as much in an emulated guest.
  const std::array populate{
      InjectedCall{SYS_madvise, {part.address, part.length, MADV_POPULATE_WRITE}}};
  const auto populated = make_calls(process, populate);
  if (!populated) return std::unexpected(populated.error());
  if (populated->results[0] == 0) return part.length;
  if (populated->results[0] != -EINVAL)
    return std::unexpected(failed_write(process, static_cast<int>(-populated->results[0])).error());

  const std::array calls{InjectedCall{SYS_getrandom, {part.address, part.length, 0}}};
  const auto outcome = make_calls(process, calls);
  if (!outcome) return std::unexpected(outcome.error());
  // Less than was asked for is as good, as long as it is whole pages.
  const std::int64_t wrote = outcome->results[0];
  if (wrote >= static_cast<std::int64_t>(kPageSize))
    return static_cast<std::uint64_t>(wrote) / kPageSize * kPageSize;
  const auto failed = failed_write(process, wrote < 0 ? static_cast<int>(-wrote) : EFAULT);
  return std::unexpected(failed.error());
}

Result<std::uint64_t> LinuxProcesses::fill_outside(const ProcessId& process, const Region& part) {
  if (auto alive = check_alive(process); !alive) return std::unexpected(alive.error());
  std::array<char, kBatch> content{};
  content.fill(1);
  std::array<iovec, kBatch> places{};
  std::size_t count = 0;
  for (std::uint64_t at = part.address; count < kBatch && at < part.end(); at += kPageSize)
    places[count++] = {reinterpret_cast<void*>(at), 1};
  iovec here{content.data(), count};
  const ssize_t wrote = ::process_vm_writev(process.pid, &here, 1, places.data(), count, 0);
  const int error = errno;
  if (wrote == static_cast<ssize_t>(count)) return count * kPageSize;
  const auto failed = failed_write(process, wrote < 0 ? error : EFAULT);
  return std::unexpected(failed.error());
}

Result<void> LinuxProcesses::fill(const ProcessId& process, const Region& part) {
  announce("processes.fill");
  using Clock = std::chrono::steady_clock;
  const auto patience = Clock::now() + kLongestFill;
  for (std::uint64_t at = part.address; at < part.end() && Clock::now() < patience;) {
    const auto roomy = is_roomy(process);
    if (!roomy) return std::unexpected(roomy.error());
    const Region rest{at, part.end() - at};
    const auto filled = *roomy ? fill_outside(process, rest)
                               : fill_inside(process, {at, std::min(rest.length, kInsideStep)});
    if (!filled) return std::unexpected(filled.error());
    at += *filled;
  }
  return {};
}

}  // namespace firedrill::agent::kernel
