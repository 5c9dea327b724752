// Runs one world after another, each a whole game day of the real Runner with hundreds of alerts,
// and compares what its measures say of each with the truth.
//
// Of sources that push: the mean of reported TTD minus truth is at most 2 ms, and every truth lies
// within the reported bounds. Of sources that are polled: every truth lies within the bounds, and
// the bounds are at most the poll's interval and the clock's error to either side. Both with true
// clocks, and with those of agent and monitoring wrong by 5 s each, in opposite directions.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controller/pki/pki.hpp"
#include "controller/runner/runner.hpp"
#include "tests/calibration/fake_agent.hpp"
#include "tests/calibration/monitors.hpp"
#include "tests/calibration/pushers.hpp"

namespace firedrill::calibration {
namespace {

using namespace std::chrono_literals;

constexpr Duration kMostBias = 2ms;

struct Source {
  std::string name;
  int names = kTrials;  ///< how many alertnames its trials have
  int from = 0, step = 1;
  std::optional<Duration> poll{};  ///< absent: it pushes
};

std::vector<Source> sources() {
  return {{.name = "prometheus", .poll = 500ms},
          {.name = "promql", .poll = 500ms},
          {.name = "alertmanager", .poll = 500ms},
          {.name = "log", .from = 1, .step = 2, .poll = 500ms},
          {.name = "log-stamped", .step = 2, .poll = 500ms},
          {.name = "probe", .names = kProbes, .poll = 120ms},
          {.name = "am-webhook"},
          {.name = "grafana"},
          {.name = "pager"},
          {.name = "generic"},
          {.name = "person"}};
}

std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ::bind(fd, reinterpret_cast<sockaddr*>(&address), size);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  ::close(fd);
  return ntohs(address.sin_port);
}

Json detectors(const std::string& url, const std::string& log) {
  Json out{{"prometheus", {{"type", "prometheus"}, {"url", url}}},
           {"promql", {{"type", "promql"}, {"url", url}, {"query", "errors"}}},
           {"alertmanager", {{"type", "alertmanager"}, {"url", url}}},
           {"am-webhook", {{"type", "alertmanager"}, {"webhook", true}}},
           {"grafana", {{"type", "grafana"}}},
           {"pager", {{"type", "pager"}}},
           {"generic",
            {{"type", "webhook"},
             {"fields", {{"state", "/check/state"}, {"on", "bad"}, {"name", "/check/name"}}}}},
           {"person", {{"type", "person"}}}};
  for (int i = 0; i < kTrials; ++i) {
    const std::string name = trial_name(i % 2 == 0 ? "log-stamped" : "log", i);
    out[name] = {{"type", "log"}, {"from", "db-1"}, {"file", log}, {"contains", "error " + name}};
  }
  for (int i = 0; i < kProbes; ++i)
    out[trial_name("probe", i)] = {{"type", "probe"}, {"probe", fmt::format("p{}", i)}};
  return out;
}

Json experiment(const std::string& url, const std::string& log) {
  Json probes = Json::array();
  for (int i = 0; i < kProbes; ++i)
    probes.push_back(
        {{"name", fmt::format("p{}", i)},
         {"from", "db-1"},
         {"interval", "100ms"},
         {"measure", "error_ratio"},
         {"tolerance", {0, 0.001}},
         {"breach-after", 1},
         {"provider",
          {{"type", "http"}, {"url", fmt::format("{}/probe/{}", url, i)}, {"rate", 50}}}});
  return {{"title", "Calibration"},
          {"targets", {{"victim", {{"hosts", {"db-1"}}}}}},
          {"steady-state-hypothesis", {{"probes", std::move(probes)}}},
          {"method", Json::array({{{"name", "nothing"},
                                   {"target", "victim"},
                                   {"duration", "13s"},
                                   {"provider", {{"type", "fault"}, {"fault", "nothing"}}}}})},
          {"detectors", detectors(url, log)},
          {"expected-detections", Json::array({{{"name", "first"},
                                                {"source", "prometheus"},
                                                {"match", {{"alertname", "prometheus-000"}}},
                                                {"within", "30s"}}})},
          {"phases", {{"baseline", "2s"}, {"recovery", "2s"}, {"steady-for", "100ms"}}}};
}

template <class T>
T must(Result<T> result, std::string_view what) {
  if (result) return std::move(*result);
  fmt::print(stderr, "calibration: {}: {}\n", what, describe(result.error()));
  std::exit(1);
}
void must(const Result<void>& result, std::string_view what) {
  if (result) return;
  fmt::print(stderr, "calibration: {}: {}\n", what, describe(result.error()));
  std::exit(1);
}

/// The command line prints for people; the table is all that is to be read here.
class Quiet {
 public:
  Quiet() : kept_(::dup(STDOUT_FILENO)) {
    const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    std::fflush(stdout);
    ::dup2(nowhere, STDOUT_FILENO);
    ::close(nowhere);
  }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;
  ~Quiet() {
    std::fflush(stdout);
    ::dup2(kept_, STDOUT_FILENO);
    ::close(kept_);
  }

 private:
  int kept_;
};

struct World {
  Ledger ledger;
  Measures measures;
  double seconds = 0;
};

void run_world(const std::filesystem::path& folder, Skewed agent_clock, Skewed monitor_clock,
               World& world) {
  const UtcTime began = true_now();
  const auto home = folder / "home", log = folder / "service.log";
  must(pki::init(home / "pki"), "certificates");
  must(pki::issue(home / "pki", "db-1", pki::kRoleAgent, folder / "agent"), "certificates");
  std::fclose(std::fopen(log.c_str(), "w"));
  Monitors monitors(world.ledger, monitor_clock);
  const Experiment read =
      must(parse_experiment(experiment(monitors.url(), log), "calibration", folder), "experiment");
  const std::uint16_t port = free_port();
  const Quiet quiet;
  auto runner =
      must(Runner::open({.address = "127.0.0.1", .port = port, .home = home, .program = {}}, {}),
           "controller");
  const FakeAgent agent(world.ledger, agent_clock, port, folder / "agent");
  std::jthread begin([&] { monitors.begin(world.ledger.injected()); });
  const Pushers pushers(world.ledger, {home, log, port, monitor_clock, agent_clock});
  FinishedRun finished =
      must(runner->run({.experiment = &read, .started_by = "calibration"}), "run");
  world.ledger.note_injection(true_now());  // lets the threads end when nothing was injected
  for (const std::string& reason : finished.card.reasons)
    if (!finished.measures.points.injected) fmt::print(stderr, "calibration: {}\n", reason);
  world.measures = std::move(finished.measures);
  world.seconds = std::chrono::duration<double>(true_now() - began).count();
}

struct Row {
  int trials = 0, missed = 0, outside = 0;
  std::vector<double> errors, widths;  ///< ms; width: half of the bounds
};

std::string name_of(const AlertSpan& span) {
  const auto trial = span.labels.find("trial");
  return trial == span.labels.end() ? span.alertname : trial->get<std::string>();
}

double ms(Duration duration) { return static_cast<double>(duration.count()) / 1000; }

/// The span that a truth belongs to: the one that fired nearest to it.
const AlertSpan* span_of(const std::vector<const AlertSpan*>& spans, UtcTime truth) {
  const AlertSpan* nearest = nullptr;
  for (const AlertSpan* span : spans)
    if (span->fired && (nearest == nullptr || std::chrono::abs(span->fired->at - truth) <
                                                  std::chrono::abs(nearest->fired->at - truth)))
      nearest = span;
  return nearest;
}

Row evaluate(const Source& source, const World& world) {
  Row row;
  std::map<std::string, std::vector<const AlertSpan*>> spans;
  for (const AlertSpan& span : world.measures.alerts) spans[name_of(span)].push_back(&span);
  const Instant injected = world.measures.points.injected.value_or(Instant{});
  const UtcTime true_injection = world.ledger.injected();
  for (int i = source.from; i < source.names; i += source.step) {
    const std::string name = trial_name(source.name, i);
    for (const UtcTime truth : world.ledger.of(name)) {
      ++row.trials;
      const AlertSpan* span = span_of(spans[name], truth);
      if (span == nullptr) {
        ++row.missed;
        continue;
      }
      const Duration true_ttd = truth - true_injection;
      const Duration low = span->fired->earliest() - injected.latest();
      const Duration high = span->fired->latest() - injected.earliest();
      row.errors.push_back(ms(span->fired->at - injected.at - true_ttd));
      row.widths.push_back(ms(high - low) / 2);
      if (true_ttd < low || true_ttd > high) ++row.outside;
    }
  }
  return row;
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

double spread(const std::vector<double>& values) {
  const double middle = mean(values);
  double sum = 0;
  for (const double value : values) sum += (value - middle) * (value - middle);
  return values.empty() ? 0 : std::sqrt(sum / static_cast<double>(values.size()));
}

/// How badly the clocks that a polled source's bounds rest on were known.
Duration clock_error(const Source& source, const World& world) {
  Duration error{0};
  for (const ClockSpan& clock : world.measures.clocks)
    if (clock.name == source.name || clock.name == "db-1") error += clock.error;
  return error;
}

bool judge(const Source& source, const Row& row, const World& world) {
  const double widest = row.widths.empty() ? 0 : std::ranges::max(row.widths);
  bool good = row.missed == 0 && row.outside == 0 && row.trials > 0;
  if (!source.poll) good = good && std::fabs(mean(row.errors)) <= ms(kMostBias);
  else good = good && widest <= ms(*source.poll + clock_error(source, world));
  fmt::print("{:<13} {:<6} {:>6} {:>10.2f} {:>10.2f} {:>12.1f} {:>8} {:>7}  {}\n", source.name,
             source.poll ? "polled" : "pushes", row.trials, mean(row.errors), spread(row.errors),
             widest, row.outside, row.missed, good ? "ok" : "NOT GOOD");
  return good;
}

bool report(const World& world, std::string_view title) {
  fmt::print("\n{} ({:.0f} s)\n{:<13} {:<6} {:>6} {:>10} {:>10} {:>12} {:>8} {:>7}\n", title,
             world.seconds, "source", "", "trials", "bias ms", "spread ms", "widest ± ms",
             "outside", "missed");
  bool good = world.measures.points.injected.has_value();
  for (const Source& source : sources())
    good = judge(source, evaluate(source, world), world) && good;
  for (const ClockSpan& clock : world.measures.clocks)
    fmt::print("clock of {}: {:+.3f} ms, known to ± {:.3f} ms\n", clock.name, ms(clock.offset),
               ms(clock.error));
  return good;
}

}  // namespace
}  // namespace firedrill::calibration

int main() {
  using namespace firedrill::calibration;
  using namespace std::chrono_literals;
  curl_global_init(CURL_GLOBAL_DEFAULT);
  std::string folder = std::filesystem::temp_directory_path() / "firedrill-calibration-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return 1;
  bool good = true;
  for (const auto& [title, agent, monitor] :
       {std::tuple{"true clocks", 0s, 0s},
        {"agent's clock 5 s ahead, monitoring's 5 s behind", 5s, -5s}}) {
    World world;
    const auto own = std::filesystem::path(folder) / (agent == 0s ? "true" : "skewed");
    std::filesystem::create_directories(own);
    run_world(own, {agent}, {monitor}, world);
    good = report(world, title) && good;
  }
  std::filesystem::remove_all(folder);
  fmt::print("{}\n", good ? "calibration: good" : "calibration: NOT GOOD");
  return good ? 0 : 1;
}
