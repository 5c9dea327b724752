#include "tests/kernel/test_process.hpp"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/kernel/memory_files.hpp"

namespace firedrill::agent::test {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

/// Waits until `true_now` is; false after `longest`.
bool eventually(std::chrono::milliseconds longest, const std::function<bool()>& true_now) {
  for (const auto end = std::chrono::steady_clock::now() + longest;
       std::chrono::steady_clock::now() < end; std::this_thread::sleep_for(2ms))
    if (true_now()) return true;
  return true_now();
}

std::string content(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

void put(const std::string& path, const std::string& text) {
  std::ofstream out(path);
  out << text << std::flush;
  EXPECT_TRUE(out) << path << " <- " << text;
}

}  // namespace

TestProcess::TestProcess(const std::string& name, const std::function<void(Told&)>& body)
    : told_(static_cast<Told*>(::mmap(nullptr, sizeof(Told), PROT_READ | PROT_WRITE,
                                      MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
  pid_ = ::fork();
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_NAME, name.c_str());
    body(*told_);
    ::_exit(0);
  }
  EXPECT_TRUE(comes_past(0)) << name << " did not start";
}

TestProcess::~TestProcess() {
  kill();
  ::waitpid(pid_, nullptr, 0);
  ::munmap(told_, sizeof(Told));
}

bool TestProcess::alive() const {
  const std::string stat = content(fmt::format("/proc/{}/stat", pid_));
  const std::size_t close = stat.rfind(')');
  return close != std::string::npos && stat[close + 2] != 'Z' && stat[close + 2] != 'X';
}

bool TestProcess::goes_round(std::uint64_t more) const {
  return comes_past(told_->rounds + more - 1);
}

bool TestProcess::comes_past(std::uint64_t rounds) const {
  return eventually(20s, [&] { return told_->rounds > rounds; });
}

bool TestProcess::comes_to(char state) const {
  return eventually(5s, [&] {
    const std::string stat = content(fmt::format("/proc/{}/stat", pid_));
    const std::size_t close = stat.rfind(')');
    return close != std::string::npos && stat[close + 2] == state;
  });
}

void TestProcess::kill() const {
  ::kill(pid_, SIGKILL);
  siginfo_t gone{};
  ::waitid(P_PID, static_cast<id_t>(pid_), &gone, WEXITED | WNOWAIT);
}

std::string TestProcess::maps() const {
  std::istringstream in(content(fmt::format("/proc/{}/maps", pid_)));
  std::string out;
  for (std::string line; std::getline(in, line);)
    if (!line.ends_with("[heap]") && !line.ends_with("[stack]")) out += line + "\n";
  return out;
}

std::uint64_t TestProcess::memory(const std::string& field) const {
  std::istringstream in(content(fmt::format("/proc/{}/smaps_rollup", pid_)));
  for (std::string word; in >> word;) {
    std::uint64_t kib = 0;
    if (word == field + ":" && in >> kib) return kib * 1024;
  }
  ADD_FAILURE() << "process " << pid_ << " has no " << field;
  return 0;
}

bool in_a_process(const std::function<void()>& body) {
  const pid_t child = ::fork();
  if (child == 0) {
    body();
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
  return WIFEXITED(status);
}

TestCgroup::TestCgroup() {
  const std::string name = fmt::format("firedrill-test-{}", ::getpid());
  const std::string unified = "/sys/fs/cgroup";
  if (content(unified + "/cgroup.controllers").find("memory") != std::string::npos) {
    if (content(unified + "/cgroup.subtree_control").find("memory") == std::string::npos)
      put(unified + "/cgroup.subtree_control", "+memory");
    directory = unified + "/" + name;
  } else if (fs::exists(unified + "/memory/memory.usage_in_bytes")) {
    version1_ = true;
    directory = unified + "/memory/" + name;
  }
  std::error_code error;
  if (!directory.empty() && !fs::create_directory(directory, error)) directory.clear();
}

TestCgroup::~TestCgroup() {
  if (!directory.empty())
    EXPECT_TRUE(eventually(2s, [&] { return ::rmdir(directory.c_str()) == 0; }));
}

void TestCgroup::limit(std::uint64_t bytes) const {
  put(directory + (version1_ ? "/memory.limit_in_bytes" : "/memory.max"), std::to_string(bytes));
}

void TestCgroup::add(pid_t pid) const { put(directory + "/cgroup.procs", std::to_string(pid)); }

std::uint64_t TestCgroup::current() const {
  return kernel::MemoryFiles().cgroup(directory).value_or(kernel::CgroupMemory{}).current;
}

std::uint64_t TestCgroup::oom_kills() const {
  const auto state = kernel::MemoryFiles().cgroup(directory);
  return state ? state->oom_kills.value_or(0) : 0;
}

void MemoryLab::SetUp() {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const auto host = open_host();
  const Support support = leak().probe_support(*host);
  if (!support.supported) GTEST_SKIP() << support.reason;
}

std::unique_ptr<Host> MemoryLab::open_host(OperationObserver observer) {
  auto host = kernel::open_linux_host({.protected_peers = {}, .on_operation = std::move(observer)});
  EXPECT_TRUE(host) << describe(host.error());
  return std::move(*host);
}

Params MemoryLab::params(Json given) {
  given.emplace("rate", "64MiB");
  given.emplace("limit", "64MiB");
  auto valid = validate_params(leak().schema(), given, "");
  if (!valid) ADD_FAILURE() << describe(valid.error());
  return valid.value_or(Params{});
}

Json MemoryLab::inject(const Params& params) {
  const auto host = open_host();
  const auto record = leak().capture(*host, params);
  if (!record) {
    ADD_FAILURE() << describe(record.error());
    return {};
  }
  const auto values = leak().apply(*host, params, *record);
  if (!values) ADD_FAILURE() << describe(values.error());
  return *record;
}

void MemoryLab::undo(const Json& record) {
  for (const int round : {1, 2}) {
    const auto undone = leak().undo(*open_host(), record);
    ASSERT_TRUE(undone) << "undo " << round << ": " << describe(undone.error());
  }
  const auto verified = leak().verify(*open_host(), record);
  ASSERT_TRUE(verified) << describe(verified.error());
  EXPECT_TRUE(verified->clean()) << verified->differences.front();
}

Json MemoryLab::advance(const Params& params, const Json& record, Duration active) {
  for (Json last;;) {
    const auto values = leak().advance(*open_host(), params, record, active);
    if (!values) {
      ADD_FAILURE() << describe(values.error());
      return {{"alive", nullptr}, {"filled_bytes", 0}};
    }
    if (*values == last || !values->at("alive")) return *values;
    last = *values;
  }
}

std::uint64_t MemoryLab::grow(const Params& params, const Json& record, Duration active) {
  return advance(params, record, active).at("filled_bytes");
}

}  // namespace firedrill::agent::test
