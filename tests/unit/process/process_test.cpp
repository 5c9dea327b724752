// Processes as users meet them: scripts that fail, hang, leave children or cannot be started.
#include "controller/process/process.hpp"

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

namespace firedrill {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
namespace fs = std::filesystem;
using namespace std::chrono_literals;

class ProcessTest : public testing::Test {
 protected:
  ProcessTest() {
    std::string pattern = (fs::temp_directory_path() / "firedrill-process-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
  }
  ~ProcessTest() override { fs::remove_all(directory_); }

  std::string script(const std::string& name, const std::string& text, mode_t mode = 0755) {
    const fs::path path = directory_ / name;
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    return path.string();
  }
  static ProcessSpec shell(const std::string& text) {
    return {.path = "/bin/sh", .arguments = {"-c", text}};
  }
  static bool gone(pid_t pid) {
    for (int attempt = 0; attempt < 1000; ++attempt) {
      if (::kill(pid, 0) < 0 && errno == ESRCH) return true;
      // A zombie that init has not reaped yet runs no more.
      std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
      std::string id, comm, state;
      if (stat >> id >> comm >> state && state == "Z") return true;
      std::this_thread::sleep_for(10ms);
    }
    return false;
  }

  fs::path directory_;
};

TEST_F(ProcessTest, GivesLinesOfBothStreamsThenTheExitCode) {
  std::vector<std::string> out, err;
  std::vector<int> codes;
  auto process =
      Process::start(shell("echo one; echo two; printf three; echo bad >&2; exit 7"),
                     {.on_stdout = [&](std::string_view line) { out.emplace_back(line); },
                      .on_stderr = [&](std::string_view line) { err.emplace_back(line); },
                      .on_exit = [&](const ProcessExit& exit) { codes.push_back(exit.code); }});
  ASSERT_TRUE(process) << process.error().what;
  EXPECT_EQ((*process)->wait().code, 7);
  EXPECT_THAT(out, ElementsAre("one", "two", "three"));
  EXPECT_THAT(err, ElementsAre("bad"));
  EXPECT_THAT(codes, ElementsAre(7));
}

TEST_F(ProcessTest, PassesArgumentsEnvironmentDirectoryAndStdin) {
  script("say.sh", "#!/bin/sh\nread line\necho \"$1|$WHO|$(pwd)|$line\"\n");
  const auto result = run_to_end({.path = "./say.sh",
                                  .arguments = {"a b; echo $x"},
                                  .environment = {{"WHO", "me"}},
                                  .working_directory = directory_.string(),
                                  .stdin_text = "hello\n"});
  ASSERT_TRUE(result) << result.error().what;
  EXPECT_EQ(result->output, "a b; echo $x|me|" + fs::canonical(directory_).string() + "|hello\n");
}

TEST_F(ProcessTest, LargeInputAndOutputDoNotBlockEachOther) {
  ProcessSpec spec = shell("cat");
  for (int line = 0; line < 40'000; ++line) spec.stdin_text += std::to_string(line) + "\n";
  const auto result = run_to_end(spec);
  ASSERT_TRUE(result) << result.error().what;
  EXPECT_EQ(result->output, spec.stdin_text.substr(spec.stdin_text.size() - 64 * 1024));
}

TEST_F(ProcessTest, ChildThatIgnoresItsInputDoesNotHurtUs) {
  ProcessSpec spec = shell("exec <&-; exit 3");
  spec.stdin_text.assign(1 << 20, 'x');
  const auto result = run_to_end(spec);
  ASSERT_TRUE(result) << result.error().what;
  EXPECT_EQ(result->exit_code, 3);
}

TEST_F(ProcessTest, SignalIsReportedAsSuch) {
  const auto result = run_to_end(shell("kill -KILL $$"));
  ASSERT_TRUE(result) << result.error().what;
  EXPECT_EQ(result->signal, SIGKILL);
  EXPECT_EQ(result->exit_code, 128 + SIGKILL);
}

TEST_F(ProcessTest, TimeoutKillsTheWholeGroupEvenWhenItIgnoresSigterm) {
  std::mutex mutex;
  std::vector<pid_t> pids;
  auto process = Process::start(
      {.path = "/bin/sh",
       .arguments = {"-c",
                     "trap '' TERM; sleep 1000 & echo $!; echo $$; while :; do sleep 1; done"},
       .timeout = 100ms},
      {.on_stdout =
           [&](std::string_view line) {
             const std::lock_guard lock(mutex);
             pids.push_back(std::stoi(std::string(line)));
           },
       .on_stderr = {},
       .on_exit = {}});
  ASSERT_TRUE(process) << process.error().what;
  const ProcessExit exit = (*process)->wait();
  EXPECT_TRUE(exit.timed_out);
  EXPECT_FALSE(exit.stopped);
  EXPECT_EQ(exit.signal, SIGKILL);
  for (const pid_t pid : pids) EXPECT_TRUE(gone(pid)) << pid;
}

TEST_F(ProcessTest, StopEndsItAndMayBeRepeated) {
  auto process = Process::start(shell("sleep 1000; echo never"), {});
  ASSERT_TRUE(process) << process.error().what;
  (*process)->stop();
  (*process)->stop();
  const ProcessExit exit = (*process)->wait();
  EXPECT_TRUE(exit.stopped);
  EXPECT_EQ(exit.signal, SIGTERM);
  (*process)->stop();
}

TEST_F(ProcessTest, DestructionEndsIt) {
  pid_t pid = 0;
  {
    auto process = Process::start(shell("sleep 1000"), {});
    ASSERT_TRUE(process) << process.error().what;
    pid = (*process)->pid();
    EXPECT_EQ(::getpgid(pid), pid) << "it must lead a group of its own";
  }
  EXPECT_TRUE(gone(pid));
}

TEST_F(ProcessTest, BackgroundChildThatKeepsThePipesDoesNotDelayTheExit) {
  std::string child;
  auto process = Process::start(
      shell("sleep 1000 & echo $!; exit 4"),
      {.on_stdout = [&](std::string_view line) { child = line; }, .on_stderr = {}, .on_exit = {}});
  ASSERT_TRUE(process) << process.error().what;
  EXPECT_EQ((*process)->wait().code, 4);
  ASSERT_FALSE(child.empty());
  EXPECT_EQ(::kill(std::stoi(child), SIGKILL), 0) << "what a script left running is left alone";
}

TEST_F(ProcessTest, ChildGetsNoFileOfOursAndNoBlockedOrIgnoredSignal) {
  const int leak = ::open("/dev/null", O_RDONLY);  // no close-on-exec, as libraries do it
  const auto old = ::signal(SIGPIPE, SIG_IGN);
  const auto result = run_to_end(
      shell("ls /proc/self/fd | tr '\\n' ' '; grep -E 'SigBlk|SigIgn' /proc/self/status"));
  ::signal(SIGPIPE, old);
  ::close(leak);
  ASSERT_TRUE(result) << result.error().what;
  // 3 is the directory that ls itself reads.
  EXPECT_EQ(result->output, "0 1 2 3 SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_F(ProcessTest, SaysWhatIsWrongWithAProgramThatCannotStart) {
  const auto error = [](const ProcessSpec& spec) {
    const auto process = Process::start(spec, {});
    return process ? Error{.code = ErrorCode::internal, .what = "it started", .pointer = {}}
                   : process.error();
  };
  const Error missing = error({.path = (directory_ / "nothing").string()});
  EXPECT_EQ(missing.code, ErrorCode::not_found);
  EXPECT_THAT(missing.what, HasSubstr("nothing"));

  const Error plain = error({.path = script("plain.sh", "#!/bin/sh\n", 0644)});
  EXPECT_EQ(plain.code, ErrorCode::permission_denied);
  EXPECT_THAT(plain.what, HasSubstr("chmod +x"));

  const Error interpreter = error({.path = script("odd.sh", "#!/no/such/interpreter\n")});
  EXPECT_EQ(interpreter.code, ErrorCode::not_found);
  EXPECT_THAT(interpreter.what, HasSubstr("interpreter"));

  const Error text = error({.path = script("text", "just words\n")});
  EXPECT_THAT(text.what, HasSubstr("#!/bin/sh"));

  EXPECT_THAT(error({.path = "no-such-program-anywhere"}).what, HasSubstr("PATH"));
  EXPECT_THAT(error({.path = directory_.string()}).what, HasSubstr("not a file"));

  ProcessSpec lost = shell("true");
  lost.working_directory = (directory_ / "missing").string();
  EXPECT_THAT(error(lost).what, HasSubstr("working directory"));

  ProcessSpec odd = shell("true");
  odd.environment = {{"A=B", "c"}};
  EXPECT_EQ(error(odd).code, ErrorCode::invalid_input);
}

TEST_F(ProcessTest, FindsProgramsInThePathItIsGiven) {
  script("firedrill-path-test", "#!/bin/sh\necho found\n");
  const auto result = run_to_end(
      {.path = "firedrill-path-test", .environment = {{"PATH", "/bin:" + directory_.string()}}});
  ASSERT_TRUE(result) << result.error().what;
  EXPECT_EQ(result->output, "found\n");
}

TEST_F(ProcessTest, HeldInputEndsOnlyWithUs) {
  ProcessSpec spec = shell("read line; echo \"$line\"; read next || echo end; sleep 600");
  spec.stdin_text = "first\n";
  spec.hold_stdin = true;
  std::mutex mutex;
  std::vector<std::string> lines;
  std::atomic<int> count = 0;
  auto process = Process::start(spec, {.on_stdout = [&](std::string_view line) {
                                  const std::scoped_lock lock(mutex);
                                  lines.emplace_back(line);
                                  ++count;
                                }});
  ASSERT_TRUE(process) << process.error().what;
  while (count == 0) std::this_thread::sleep_for(1ms);
  (*process)->stop();
  (*process)->wait();
  EXPECT_THAT(lines, ElementsAre("first")) << "its second read was still waiting";
}

TEST_F(ProcessTest, TerminateLeavesTheProgramItsTime) {
  ProcessSpec spec =
      shell("trap 'echo ending; exit 7' TERM; echo ready; while :; do sleep 0.01; done");
  std::atomic<bool> ready = false;
  auto process = Process::start(spec, {.on_stdout = [&](std::string_view line) {
                                  if (line == "ready") ready = true;
                                }});
  ASSERT_TRUE(process) << process.error().what;
  while (!ready) std::this_thread::sleep_for(1ms);
  (*process)->terminate();
  const ProcessExit exit = (*process)->wait();
  EXPECT_EQ(exit.code, 7);
  EXPECT_FALSE(exit.stopped);
  (*process)->terminate();  // after the end: nothing
}

}  // namespace
}  // namespace firedrill
