#include "agent/kernel/process_facts.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include <elf.h>
#include <fmt/format.h>
#include <unistd.h>

#include "agent/kernel/proc_files.hpp"
#include "agent/kernel/read_file.hpp"

namespace firedrill::agent::kernel {
namespace {

namespace fs = std::filesystem;

constexpr int kLooks = 11;
constexpr std::chrono::milliseconds kBetweenLooks{20};
#ifdef __x86_64__
constexpr Elf64_Half kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr Elf64_Half kMachine = EM_AARCH64;
#else
constexpr Elf64_Half kMachine = EM_NONE;
#endif

/// The names of a directory's entries that are numbers, in order. Empty when it is gone.
std::vector<pid_t> numbers_in(const std::string& directory) {
  std::vector<pid_t> out;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    const std::string name = at->path().filename();
    pid_t number = 0;
    const auto [last, wrong] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (wrong == std::errc{} && last == name.data() + name.size()) out.push_back(number);
  }
  std::ranges::sort(out);
  return out;
}

std::string program_of(pid_t pid) {
  std::error_code error;
  std::string path = fs::read_symlink(fmt::format("/proc/{}/exe", pid), error).string();
  constexpr std::string_view kDeleted = " (deleted)";
  if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
  return fs::path(path).filename();
}

bool is_native(pid_t pid) {
  Elf64_Ehdr head{};
  std::ifstream in(fmt::format("/proc/{}/exe", pid), std::ios::binary);
  if (!in.read(reinterpret_cast<char*>(&head), sizeof head)) return false;
  return std::memcmp(head.e_ident, ELFMAG, SELFMAG) == 0 && head.e_ident[EI_CLASS] == ELFCLASS64 &&
         head.e_machine == kMachine;
}

Result<ProcessStat> read_stat(pid_t pid) {
  const auto text = read_file(fmt::format("/proc/{}/stat", pid));
  // A process may go between opening and reading.
  if (!text && text.error().sys_errno == ESRCH) return fail_errno(ESRCH, "/proc/PID/stat");
  if (!text) return std::unexpected(text.error());
  return parse_stat(*text);
}

bool is_dead(char state) { return state == 'Z' || state == 'X'; }

std::unexpected<Error> no_such(pid_t pid) {
  return fail(ErrorCode::not_found, ESRCH, fmt::format("there is no process {}", pid));
}

struct ThreadLook {
  pid_t thread = 0;
  ThreadRest rest = ThreadRest::unstoppable;
  char state = 'D';
};

/// The thread that minds a stop least; of equals the one with the highest number, because the first
/// one so often is the one that serves.
ThreadLook look_at_threads(pid_t pid) {
  ThreadLook best;
  for (const pid_t thread : numbers_in(fmt::format("/proc/{}/task", pid))) {
    const std::string place = fmt::format("/proc/{}/task/{}", pid, thread);
    const auto stat = read_file(place + "/stat");
    const auto parsed = stat ? parse_stat(*stat) : fail(ErrorCode::not_found, place);
    if (!parsed || is_dead(parsed->state)) continue;
    const auto call = read_file(place + "/syscall");
    const ThreadRest rest = thread_rest(parsed->state, call ? *call : "");
    if (best.thread == 0 || rest <= best.rest) best = {thread, rest, parsed->state};
  }
  return best;
}

ThreadLook look_patiently(pid_t pid) {
  ThreadLook look = look_at_threads(pid);
  for (int i = 1; i < kLooks && look.rest == ThreadRest::unstoppable; ++i) {
    std::this_thread::sleep_for(kBetweenLooks);
    look = look_at_threads(pid);
  }
  return look;
}

/// What differs from thread to thread: filters and tracers.
void read_threads(ProcessFacts& facts) {
  for (const pid_t thread : numbers_in(fmt::format("/proc/{}/task", facts.id.pid))) {
    const auto status = read_file(fmt::format("/proc/{}/task/{}/status", facts.id.pid, thread));
    if (!status) continue;
    if (status_number(*status, "Seccomp").value_or(0) != 0) facts.seccomp = true;
    const auto tracer = status_number(*status, "TracerPid").value_or(0);
    if (tracer != 0) facts.tracer = static_cast<pid_t>(tracer);
  }
  if (facts.tracer != 0) facts.tracer_name = name_of(facts.tracer);
}

}  // namespace

std::string name_of(pid_t pid) {
  auto text = read_file(fmt::format("/proc/{}/comm", pid));
  if (!text) return {};
  if (text->ends_with('\n')) text->pop_back();
  return *text;
}

Result<ProcessFacts> read_process_facts(pid_t pid) {
  const auto stat = read_stat(pid);
  if (!stat && stat.error().code == ErrorCode::not_found) return no_such(pid);
  if (!stat) return std::unexpected(stat.error());
  if (is_dead(stat->state)) return no_such(pid);
  ProcessFacts facts;
  facts.id = stat->id;
  facts.name = stat->name;
  facts.kernel_thread = stat->kernel_thread;
  facts.ours = pid == ::getpid();
  facts.state = stat->state;
  if (facts.kernel_thread) return facts;
  const auto status = read_file(fmt::format("/proc/{}/status", pid));
  if (!status) return no_such(pid);
  facts.program = program_of(pid);
  facts.native = is_native(pid);
  facts.state = look_patiently(pid).state;
  facts.locked = status_number(*status, "VmLck").value_or(0);
  facts.mapped = status_number(*status, "VmSize").value_or(0);
  facts.data = status_number(*status, "VmData").value_or(0);
  if (const auto limits = read_file(fmt::format("/proc/{}/limits", pid))) {
    facts.address_limit = soft_limit(*limits, "Max address space");
    facts.data_limit = soft_limit(*limits, "Max data size");
  }
  read_threads(facts);
  return facts;
}

Result<ProcessId> read_process_id(pid_t pid) {
  const auto stat = read_stat(pid);
  if (!stat && stat.error().code == ErrorCode::not_found) return no_such(pid);
  if (!stat) return std::unexpected(stat.error());
  if (is_dead(stat->state)) return no_such(pid);
  return stat->id;
}

Result<std::vector<ProcessId>> find_process_ids(const std::string& name) {
  const std::vector<pid_t> all = numbers_in("/proc");
  if (all.empty()) return fail(ErrorCode::unavailable, "/proc lists no process: is it mounted?");
  std::vector<ProcessId> found;
  for (const pid_t pid : all) {
    const auto stat = read_stat(pid);
    if (!stat || is_dead(stat->state)) continue;
    if (stat->name == name || program_of(pid) == name) found.push_back(stat->id);
  }
  return found;
}

Result<std::vector<ProcessFacts>> find_processes(const std::string& name) {
  const auto ids = find_process_ids(name);
  if (!ids) return std::unexpected(ids.error());
  std::vector<ProcessFacts> found;
  for (const ProcessId& id : *ids)
    if (auto facts = read_process_facts(id.pid)) found.push_back(std::move(*facts));
  return found;
}

Result<void> check_alive(const ProcessId& process) {
  const auto now = read_process_id(process.pid);
  if (!now) return std::unexpected(now.error());
  if (now->start_time == process.start_time) return {};
  return fail(ErrorCode::not_found, ESRCH,
              fmt::format("process {} is gone; another has its number by now", process.pid));
}

Result<pid_t> choose_thread(const ProcessId& process) {
  const ThreadLook look = look_patiently(process.pid);
  if (look.thread == 0) return no_such(process.pid);
  if (look.rest != ThreadRest::unstoppable) return look.thread;
  return fail(ErrorCode::timed_out,
              fmt::format("process {} is in uninterruptible sleep (state D): its disk or file "
                          "server does not answer; try again later",
                          process.pid));
}

Result<pid_t> tracer_of(pid_t pid) {
  ProcessFacts facts;
  facts.id.pid = pid;
  read_threads(facts);
  return facts.tracer;
}

}  // namespace firedrill::agent::kernel
