// netem_bench [ROUNDS]: building and removing one lane, in process against executed tc and ip.
// Both ways in one run, alternating, on a veth pair in a network namespace of its own. Each round
// checks that either way left the same netem and the same filter, else the run fails. Prints JSON;
// times are medians. Needs root, ifb and netem: exit status 77 without.
#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/fault.hpp"
#include "agent/kernel/linux_host.hpp"

namespace firedrill::agent {
namespace {

constexpr int kCannotRun = 77;
constexpr int kDefaultRounds = 100;

[[noreturn]] void die(std::string_view what) {
  fmt::print(stderr, "netem_bench: {}\n", what);
  std::exit(1);
}

/// fork and exec, as a tool that shells out does for each step, but without the shell.
void execute(const std::vector<std::string>& words, const std::string& input = {}) {
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  int pipe_ends[2];
  if (pipe2(pipe_ends, O_CLOEXEC) < 0) die("pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[0], STDIN_FILENO);
  pid_t child = 0;
  const int error = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) die(words[0] + ": cannot be executed");
  const bool written =
      write(pipe_ends[1], input.data(), input.size()) == static_cast<ssize_t>(input.size());
  close(pipe_ends[0]);
  close(pipe_ends[1]);
  int status = 0;
  if (!written || waitpid(child, &status, 0) != child || status != 0)
    die(fmt::format("{} {} failed", words[0], words[1]));
}

const std::vector<std::string> kAddFilter{
    "filter", "add",    "dev",    "bench0",    "egress",   "pref",   "20738",    "protocol",
    "ip",     "flower", "dst_ip", "10.77.0.2", "ip_proto", "udp",    "dst_port", "5001",
    "action", "mirred", "egress", "redirect",  "dev",      "fdbench"};
const std::vector<std::string> kAddNetem{"qdisc", "add",   "dev",   "fdbench", "root",  "handle",
                                         "5100:", "netem", "delay", "10ms",    "limit", "100000"};
const std::vector<std::string> kAddClsact{"qdisc", "add", "dev", "bench0", "clsact"};
const std::vector<std::string> kDeleteClsact{"qdisc", "del", "dev", "bench0", "clsact"};

void tc(const std::vector<std::string>& words) {
  std::vector<std::string> command{"tc"};
  command.insert(command.end(), words.begin(), words.end());
  execute(command);
}

std::string line_of(const std::vector<std::string>& words) {
  std::string line;
  for (const std::string& word : words) line += word + " ";
  return line + "\n";
}

void build_by_commands() {
  execute({"ip", "link", "add", "fdbench", "up", "type", "ifb"});
  tc(kAddNetem);
  tc(kAddClsact);
  tc(kAddFilter);
}

/// The fewest programs: tc takes its three steps in one batch.
void build_by_batch() {
  execute({"ip", "link", "add", "fdbench", "up", "type", "ifb"});
  execute({"tc", "-batch", "-"}, line_of(kAddNetem) + line_of(kAddClsact) + line_of(kAddFilter));
}

void remove_by_commands() {
  tc(kDeleteClsact);
  execute({"ip", "link", "del", "fdbench"});
}

/// What the kernel has now, as text: netem of the one ifb, and the filter that leads there.
std::string work_done(Host& host) {
  const auto links = host.network().links();
  if (!links) die(describe(links.error()));
  std::string out;
  for (const kernel::Link& link : *links) {
    if (link.name == "bench0") {
      const auto filters = host.network().filters(link.index, kernel::Side::egress);
      if (!filters || filters->size() != 1) die("not exactly one filter");
      out += to_string(filters->front().match) + (filters->front().redirect_to ? " > " : " ? ");
    }
    if (link.kind != "ifb" || !link.up) continue;
    const auto qdiscs = host.network().qdiscs(link.index);
    if (!qdiscs || qdiscs->empty()) die("the ifb has no qdisc");
    const auto spec = kernel::parse_netem(qdiscs->front().options);
    out += spec ? to_string(*spec) : describe(spec.error());
  }
  return out;
}

/// Where the time of the last round in process went: milliseconds from each operation's beginning
/// to the next one's, in order.
class Stopwatch {
 public:
  void restart() {
    steps_.clear();
    mark("reading");
  }
  void mark(std::string_view operation) {
    steps_.emplace_back(operation, std::chrono::steady_clock::now());
  }
  [[nodiscard]] Json steps() {
    mark("end");
    Json out = Json::array();
    for (std::size_t i = 0; i + 1 < steps_.size(); ++i) {
      const std::chrono::duration<double, std::milli> took =
          steps_[i + 1].second - steps_[i].second;
      out.push_back({{"operation", steps_[i].first}, {"ms", took.count()}});
    }
    return out;
  }

 private:
  std::vector<std::pair<std::string, std::chrono::steady_clock::time_point>> steps_;
};

double median(std::vector<double>& samples) {
  std::ranges::sort(samples);
  return samples[samples.size() / 2];
}

/// One way to build and remove, and what each took.
struct Way {
  std::function<void()> build;
  std::function<void()> remove;
  std::vector<double> apply_ms;
  std::vector<double> undo_ms;

  void round(Host& host, std::string& expected) {
    const auto start = std::chrono::steady_clock::now();
    build();
    const auto built = std::chrono::steady_clock::now();
    const std::string done = work_done(host);
    if (expected.empty()) expected = done;
    if (done != expected) die(fmt::format("different work: '{}' and '{}'", expected, done));
    const auto resumed = std::chrono::steady_clock::now();
    remove();
    using Milliseconds = std::chrono::duration<double, std::milli>;
    apply_ms.push_back(Milliseconds(built - start).count());
    undo_ms.push_back(Milliseconds(std::chrono::steady_clock::now() - resumed).count());
  }
};

int bench(int rounds) {
  if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0) {
    fmt::print(stderr, "netem_bench: needs root\n");
    return kCannotRun;
  }
  Stopwatch watch;
  auto host = kernel::open_linux_host(
      {.protected_peers = {},
       .on_operation = [&watch](std::string_view name) { watch.mark(name); }});
  if (!host) die(describe(host.error()));
  const Fault& netem = *find_fault("netem");
  if (const Support support = netem.probe_support(**host); !support.supported) {
    fmt::print(stderr, "netem_bench: {}\n", support.reason);
    return kCannotRun;
  }
  execute({"ip", "link", "add", "bench0", "type", "veth", "peer", "name", "bench1"});
  const auto params = validate_params(netem.schema(),
                                      {{"device", "bench0"},
                                       {"destination", "10.77.0.2"},
                                       {"protocol", "udp"},
                                       {"destination-port", 5001},
                                       {"delay", "10ms"}},
                                      "");
  if (!params) die(describe(params.error()));
  Json record;
  Json building;
  Json removing;
  const auto build_lane = [&] {
    watch.restart();
    const auto captured = netem.capture(**host, *params);
    if (!captured) die(describe(captured.error()));
    record = *captured;
    if (const auto on = netem.apply(**host, *params, record); !on) die(describe(on.error()));
    building = watch.steps();
  };
  const auto remove_lane = [&] {
    watch.restart();
    if (const auto off = netem.undo(**host, record); !off) die(describe(off.error()));
    removing = watch.steps();
  };
  Way in_process{build_lane, remove_lane, {}, {}};
  Way commands{build_by_commands, remove_by_commands, {}, {}};
  Way batch{build_by_batch, remove_by_commands, {}, {}};
  std::string expected;
  for (int i = 0; i < rounds; ++i)
    for (Way* way : {&in_process, &commands, &batch}) way->round(**host, expected);
  const auto step = [](std::vector<double>& ours, std::vector<double>& theirs,
                       std::vector<double>& batched) {
    const double lane = median(ours);
    return Json{{"in_process_p50_ms", lane},
                {"commands_p50_ms", median(theirs)},
                {"commands_ratio", median(theirs) / lane},
                {"batch_p50_ms", median(batched)},
                {"batch_ratio", median(batched) / lane}};
  };
  const Json result{{"benchmark", "netem-lane-build-and-remove"},
                    {"rounds", rounds},
                    {"work", expected},
                    {"apply", step(in_process.apply_ms, commands.apply_ms, batch.apply_ms)},
                    {"undo", step(in_process.undo_ms, commands.undo_ms, batch.undo_ms)},
                    {"last_build", building},
                    {"last_removal", removing}};
  fmt::print("{}\n", result.dump(2));
  return 0;
}

}  // namespace
}  // namespace firedrill::agent

int main(int argc, char** argv) {
  int rounds = firedrill::agent::kDefaultRounds;
  if (argc > 1) {
    const std::string_view text = argv[1];
    const auto [end, error] = std::from_chars(text.begin(), text.end(), rounds);
    if (error != std::errc{} || end != text.end() || rounds < 1) {
      fmt::print(stderr, "usage: netem_bench [ROUNDS]\n");
      return 2;
    }
  }
  return firedrill::agent::bench(rounds);
}
