// The bodies of tests/support/fake_memory.hpp.
#include "tests/support/fake_memory.hpp"

#include <algorithm>
#include <cerrno>

#include <fmt/format.h>

#include "agent/kernel/proc_files.hpp"
#include "tests/support/fake_host.hpp"

namespace firedrill::agent::test {

using kernel::Mapping;
using kernel::ProcessFacts;
using kernel::ProcessId;
using kernel::Region;

FakeProcesses::FakeProcesses(FakeKernel& state) : k_(state) {
  FakeProcess etcd;
  etcd.facts.id = {kEtcd, 777};
  etcd.facts.name = etcd.facts.program = "etcd";
  etcd.facts.state = 'S';
  etcd.mappings = {{0x400000, 0x900000, "r-xp", 12, "/usr/bin/etcd"},
                   {0xc000000000, 0xc000800000, "rw-p", 0, ""},
                   {0x7f0000000000, 0x7f0000200000, "r-xp", 13, "/lib/libc.so.6"},
                   {0x7ffc00000000, 0x7ffc00021000, "rw-p", 0, "[stack]"}};
  etcd.cgroup = "/sys/fs/cgroup/etcd";
  processes.emplace(kEtcd, std::move(etcd));
}

template <class Effect>
auto FakeProcesses::act(std::string_view name, Effect effect) -> decltype(effect()) {
  const bool fails = k_.enter(name);
  if (fails && !k_.fails_after) return fail_errno(EIO, fmt::format("fake {}", name));
  auto result = effect();
  if (fails) return fail_errno(EIO, fmt::format("fake {}, done all the same", name));
  return result;
}

Result<FakeProcess*> FakeProcesses::find(const ProcessId& process) {
  const auto found = processes.find(process.pid);
  if (found == processes.end() || found->second.facts.id != process)
    return fail_errno(ESRCH, fmt::format("fake process {}", process.pid));
  return &found->second;
}

std::string FakeProcesses::state() const {
  std::string out;
  for (const auto& [pid, process] : processes) {
    out += fmt::format("process {} {} in {}\n", pid, process.facts.name, process.cgroup);
    for (const Mapping& one : process.mappings)
      out += fmt::format("mapping {} {:x}-{:x} {} {}\n", pid, one.begin, one.end, one.permissions,
                         one.path);
    for (const auto& [address, bytes] : process.filled)
      out += fmt::format("filled {} {:x} {}\n", pid, address, bytes);
  }
  return out;
}

Result<kernel::NamespaceId> FakeProcesses::namespace_id() {
  return act("processes.namespace_id", [&]() -> Result<kernel::NamespaceId> { return k_.where; });
}

Result<ProcessFacts> FakeProcesses::facts(pid_t pid) {
  return act("processes.facts", [&]() -> Result<ProcessFacts> {
    const auto found = processes.find(pid);
    if (found == processes.end()) return fail_errno(ESRCH, fmt::format("fake process {}", pid));
    return found->second.facts;
  });
}

Result<std::vector<ProcessFacts>> FakeProcesses::named(const std::string& name) {
  return act("processes.named", [&]() -> Result<std::vector<ProcessFacts>> {
    std::vector<ProcessFacts> out;
    for (const auto& [pid, process] : processes)
      if (process.facts.name == name || process.facts.program == name) out.push_back(process.facts);
    return out;
  });
}

Result<kernel::TracePowers> FakeProcesses::trace_powers() {
  return act("processes.trace_powers", [&]() -> Result<kernel::TracePowers> { return powers; });
}

Result<std::vector<Mapping>> FakeProcesses::mappings(const ProcessId& process) {
  return act("processes.mappings", [&]() -> Result<std::vector<Mapping>> {
    const auto found = find(process);
    if (!found) return std::unexpected(found.error());
    return (*found)->mappings;
  });
}

Result<kernel::MemoryRoom> FakeProcesses::room_of(const ProcessId&) {
  return act("processes.room_of", [&]() -> Result<kernel::MemoryRoom> { return room; });
}

Result<Duration> FakeProcesses::map(const ProcessId& process, const Region& region) {
  return act("processes.map", [&]() -> Result<Duration> {
    const auto found = find(process);
    if (!found) return std::unexpected(found.error());
    for (const Mapping& one : (*found)->mappings)
      if (one.begin < region.end() && one.end > region.address)
        return fail_errno(EEXIST, "fake mmap");
    (*found)->mappings.push_back({region.address, region.end(), "rw-p", 0, ""});
    std::ranges::sort((*found)->mappings);
    return Duration{42};
  });
}

Result<Duration> FakeProcesses::unmap(const ProcessId& process, const Region& region) {
  return act("processes.unmap", [&]() -> Result<Duration> {
    const auto found = find(process);
    if (!found) return std::unexpected(found.error());
    std::erase_if((*found)->mappings, [&](const Mapping& one) {
      return one.begin == region.address && one.end == region.end();
    });
    (*found)->filled.erase(region.address);
    return Duration{42};
  });
}

Result<bool> FakeProcesses::injection_pending(const ProcessId&) {
  return act("processes.injection_pending", [&]() -> Result<bool> { return pending; });
}

Result<std::uint64_t> FakeProcesses::filled(const ProcessId& process, const Region& region) {
  return act("processes.filled", [&]() -> Result<std::uint64_t> {
    const auto found = find(process);
    if (!found) return std::unexpected(found.error());
    const auto bytes = (*found)->filled.find(region.address);
    return bytes == (*found)->filled.end() ? 0 : bytes->second;
  });
}

Result<void> FakeProcesses::fill(const ProcessId& process, const Region& part) {
  return act("processes.fill", [&]() -> Result<void> {
    const auto found = find(process);
    if (!found) return std::unexpected(found.error());
    const auto& mappings = (*found)->mappings;
    const auto around = std::ranges::find_if(mappings, [&](const Mapping& one) {
      return one.begin <= part.address && one.end >= part.end() && one.permissions == "rw-p";
    });
    if (around == mappings.end()) return fail_errno(EFAULT, "fake write");
    fills.push_back(part);
    (*found)->filled[around->begin] = part.end() - around->begin;
    if (!kills_when_filled) return {};
    processes.erase(process.pid);
    return fail_errno(ESRCH, "fake write");
  });
}

Result<std::string> FakeProcesses::memory_cgroup(const std::string& path) {
  return act("processes.memory_cgroup", [&]() -> Result<std::string> {
    const std::string whole = path.starts_with("/") ? path : "/sys/fs/cgroup/" + path;
    const auto found = cgroups.find(whole);
    if (found == cgroups.end()) return fail_errno(ENOENT, whole);
    if (!found->second) return fail(ErrorCode::unsupported, whole + " has no memory controller");
    return whole;
  });
}

Result<kernel::MemoryRoom> FakeProcesses::room_in(const std::string&) {
  return act("processes.room_in", [&]() -> Result<kernel::MemoryRoom> { return room; });
}

Result<std::vector<Mapping>> FakeProcesses::own_mappings() {
  return act("processes.own_mappings", [&]() -> Result<std::vector<Mapping>> {
    return std::vector<Mapping>{{0x400000, 0x500000, "r-xp", 1, "/usr/bin/firedrill-agent"}};
  });
}

Result<ProcessId> FakeProcesses::start_holder(const kernel::HolderSpec& spec) {
  return act("processes.start_holder", [&]() -> Result<ProcessId> {
    if (!cgroups.contains(spec.cgroup)) return fail_errno(ENOENT, spec.cgroup);
    FakeProcess holder;
    const pid_t pid = processes.rbegin()->first + 1;
    holder.facts.id = {pid, 900};
    holder.facts.name = spec.name;
    holder.facts.program = "firedrill-agent";
    holder.mappings = {{spec.region.address, spec.region.end(), "rw-p", 0, ""}};
    holder.cgroup = spec.cgroup;
    processes.emplace(pid, std::move(holder));
    return ProcessId{pid, 900};
  });
}

Result<void> FakeProcesses::end_holder(const ProcessId& holder) {
  return act("processes.end_holder", [&]() -> Result<void> {
    if (const auto found = find(holder); found) processes.erase(holder.pid);
    return {};
  });
}

}  // namespace firedrill::agent::test
