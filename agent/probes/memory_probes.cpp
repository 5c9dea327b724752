// process-memory, cgroup-memory and pressure: what the kernel says about memory on this host, read
// through agent/kernel/memory_files.hpp.
#include <array>

#include <fmt/format.h>

#include "agent/kernel/memory_files.hpp"
#include "agent/kernel/process_facts.hpp"
#include "agent/probes/kinds.hpp"
#include "agent/probes/paced_session.hpp"
#include "agent/probes/trend.hpp"

namespace firedrill::agent {
namespace {

using kernel::CgroupMemory;
using kernel::MemoryFiles;
using kernel::ProcessId;

constexpr Duration kTrendSpan{60'000'000};

constexpr std::array kProcessParams{
    ParamSpec{.name = "process",
              .choices = {},
              .default_text = {},
              .help = "the one process of that name; a restarted one is followed"},
    ParamSpec{.name = "pid",
              .type = ParamType::integer,
              .min = 1,
              .max = 4194304,
              .choices = {},
              .default_text = {},
              .help = "the process, instead of 'process'"},
    ParamSpec{.name = "pss",
              .type = ParamType::flag,
              .choices = {},
              .default_text = "false",
              .help = "the proportional set size too: walks all of the process's pages"}};

constexpr std::array kCgroupParams{ParamSpec{.name = "cgroup",
                                             .required = true,
                                             .choices = {},
                                             .default_text = {},
                                             .help = "its path, e.g. system.slice/etcd.service"}};

/// The one process that the parameters mean now.
Result<ProcessId> find_process(const Params& params) {
  if (params.has("pid")) return kernel::read_process_id(static_cast<pid_t>(params.integer("pid")));
  const std::string name = params.text("process");
  const auto found = kernel::find_process_ids(name);
  if (!found) return std::unexpected(found.error());
  if (found->size() == 1) return found->front();
  if (found->empty())
    return fail(ErrorCode::not_found, fmt::format("no process is called '{}'", name));
  std::string list;
  for (const ProcessId& one : *found) list += fmt::format(" {}", one.pid);
  return fail_at(
      "/process",
      fmt::format("several processes are called '{}': give one of them as 'pid':{}", name, list));
}

/// Size and trend of one process, or of one after the other under one name.
class ProcessMemoryReader {
 public:
  ProcessMemoryReader(Params params, ProcessId process)
      : params_(std::move(params)), process_(process) {}

  Result<Values> operator()(std::optional<Duration> elapsed) {
    clock_ += elapsed.value_or(Duration{0});
    if (!kernel::check_alive(process_) && params_.has("process")) {
      const auto again = find_process(params_);
      if (!again) return std::unexpected(again.error());
      process_ = *again;
      trend_.clear();
    }
    const auto memory = files_.process(process_.pid);
    if (auto alive = kernel::check_alive(process_); !alive) return std::unexpected(alive.error());
    if (!memory) return std::unexpected(memory.error());
    const auto resident = static_cast<double>(memory->resident);
    trend_.add(clock_, resident);
    Values values{{"rss_bytes", resident}, {"swap_bytes", static_cast<double>(memory->swapped)}};
    const auto slope = trend_.slope_per_second();
    if (slope) values["rss_slope_bytes_per_s"] = *slope;
    add_room(values, slope);
    if (params_.flag("pss"))
      if (const auto bytes = files_.proportional(process_.pid))
        values["pss_bytes"] = static_cast<double>(*bytes);
    return values;
  }

 private:
  void add_room(Values& values, std::optional<double> slope) const {
    const auto cgroup = files_.cgroup_of(process_.pid);
    const auto room = files_.room(cgroup ? *cgroup : "", kernel::Reserve::none);
    if (!room) return;
    values["limit_bytes"] = static_cast<double>(room->max);
    if (const auto seconds = seconds_to_exhaustion(slope, static_cast<double>(room->bytes)))
      values["seconds_to_exhaustion"] = *seconds;
  }

  Params params_;
  ProcessId process_;
  MemoryFiles files_;
  Trend trend_{kTrendSpan};
  Duration clock_{0};
};

class ProcessMemoryProbe final : public Probe {
 public:
  std::string_view name() const override { return "process-memory"; }
  std::string_view summary() const override {
    return "size of a process, how fast it grows, and when memory runs out";
  }
  std::span<const ParamSpec> schema() const override { return kProcessParams; }
  std::vector<std::string_view> values() const override {
    return {"rss_bytes",   "pss_bytes",
            "swap_bytes",  "rss_slope_bytes_per_s",
            "limit_bytes", "seconds_to_exhaustion"};
  }
  Json example() const override { return {{"process", "etcd"}}; }
  Support probe_support() const override { return {.supported = true, .reason = {}}; }

  Result<std::unique_ptr<ProbeSession>> open(const Params& params) const override {
    if (params.has("pid") == params.has("process"))
      return fail_at("", "give one of 'process' and 'pid'");
    const auto process = find_process(params);
    if (!process) return std::unexpected(process.error());
    auto session = std::make_unique<PacedSession>(ProcessMemoryReader(params, *process));
    if (auto taken = session->take_baseline(); !taken) return std::unexpected(taken.error());
    return session;
  }
};

void add_moved(Values& values, const char* name, const std::optional<std::uint64_t>& before,
               const std::optional<std::uint64_t>& now) {
  if (!before || !now) return;
  if (const auto count = moved(*before, *now)) values[name] = *count;
}

class CgroupMemoryProbe final : public Probe {
 public:
  explicit CgroupMemoryProbe(std::string root) : root_(std::move(root)) {}
  std::string_view name() const override { return "cgroup-memory"; }
  std::string_view summary() const override {
    return "memory of a cgroup, its OOM kills and its pressure";
  }
  std::span<const ParamSpec> schema() const override { return kCgroupParams; }
  std::vector<std::string_view> values() const override {
    return {"current_bytes", "max_bytes", "oom_kills",  "oom",
            "high",          "refaults",  "some_avg10", "full_avg10"};
  }
  Json example() const override { return {{"cgroup", "system.slice/etcd.service"}}; }
  Support probe_support() const override {
    const auto top = MemoryFiles(root_).cgroup_of(1);
    if (!top) return {.supported = false, .reason = top.error().what};
    return {.supported = true, .reason = {}};
  }

  Result<std::unique_ptr<ProbeSession>> open(const Params& params) const override {
    const MemoryFiles files(root_);
    auto directory = files.cgroup_at(params.text("cgroup"));
    if (!directory) return std::unexpected(directory.error());
    auto read = [files, directory = std::move(*directory),
                 before = CgroupMemory{}](std::optional<Duration>) mutable -> Result<Values> {
      const auto now = files.cgroup(directory);
      if (!now) return std::unexpected(now.error());
      Values values{{"current_bytes", static_cast<double>(now->current)}};
      if (now->max) values["max_bytes"] = static_cast<double>(*now->max);
      add_moved(values, "oom_kills", before.oom_kills, now->oom_kills);
      add_moved(values, "oom", before.oom, now->oom);
      add_moved(values, "high", before.high_events, now->high_events);
      add_moved(values, "refaults", before.refaults, now->refaults);
      if (const auto pressure = files.cgroup_pressure(directory)) {
        values["some_avg10"] = pressure->some_avg10;
        if (pressure->full_avg10) values["full_avg10"] = *pressure->full_avg10;
      }
      before = *now;
      return values;
    };
    auto session = std::make_unique<PacedSession>(std::move(read));
    if (auto taken = session->take_baseline(); !taken) return std::unexpected(taken.error());
    return session;
  }

 private:
  std::string root_;
};

class PressureProbe final : public Probe {
 public:
  explicit PressureProbe(std::string root) : root_(std::move(root)) {}
  std::string_view name() const override { return "pressure"; }
  std::string_view summary() const override {
    return "share of time in which tasks of this host waited for CPU, memory or I/O (PSI)";
  }
  std::span<const ParamSpec> schema() const override { return {}; }
  std::vector<std::string_view> values() const override {
    return {"cpu_some_avg10",    "cpu_full_avg10", "memory_some_avg10",
            "memory_full_avg10", "io_some_avg10",  "io_full_avg10"};
  }
  Json example() const override { return Json::object(); }
  Support probe_support() const override {
    const auto memory = MemoryFiles(root_).pressure("memory");
    if (!memory) return {.supported = false, .reason = memory.error().what};
    return {.supported = true, .reason = {}};
  }

  Result<std::unique_ptr<ProbeSession>> open(const Params&) const override {
    auto read = [files = MemoryFiles(root_)](std::optional<Duration>) -> Result<Values> {
      Values values;
      for (const char* resource : {"cpu", "memory", "io"}) {
        const auto pressure = files.pressure(resource);
        if (!pressure) return std::unexpected(pressure.error());
        values[fmt::format("{}_some_avg10", resource)] = pressure->some_avg10;
        if (pressure->full_avg10)
          values[fmt::format("{}_full_avg10", resource)] = *pressure->full_avg10;
      }
      return values;
    };
    if (auto first = read(std::nullopt); !first) return std::unexpected(first.error());
    return std::make_unique<PacedSession>(std::move(read));
  }

 private:
  std::string root_;
};

}  // namespace

std::unique_ptr<Probe> make_process_memory_probe() {
  return std::make_unique<ProcessMemoryProbe>();
}
std::unique_ptr<Probe> make_cgroup_memory_probe(std::string root) {
  return std::make_unique<CgroupMemoryProbe>(std::move(root));
}
std::unique_ptr<Probe> make_pressure_probe(std::string root) {
  return std::make_unique<PressureProbe>(std::move(root));
}

}  // namespace firedrill::agent
