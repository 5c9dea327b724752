// dm-delay and io-throttle: what one 4 KiB write with fsync, one direct read and a stream of direct
// writes cost, by form of the fault, on ext4 over device-mapper over a loop device in memory.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/fault.hpp"
#include "agent/kernel/linux_host.hpp"
#include "agent/probes/percentile.hpp"
#include "tests/bench/fault_bench.hpp"

namespace firedrill::bench {
namespace {

using agent::Fault;
using agent::Host;
using Clock = std::chrono::steady_clock;

constexpr int kOperations = 40;
constexpr std::chrono::seconds kStream{5};
constexpr std::size_t kLargestBlock = 65536;

Result<void> shell(const std::string& command) {
  if (std::system((command + " >/dev/null").c_str()) == 0) return {};
  return fail(ErrorCode::io_failed, command);
}

/// The disk, mounted; taken apart again at the end.
class Disk {
 public:
  Result<void> make() {
    return shell(fmt::format(
        "truncate -s 128M /dev/shm/{0}.img && "
        "echo 0 262144 linear $(losetup --find --show /dev/shm/{0}.img) 0 | "
        "dmsetup create --noudevsync --noudevrules {0} && dmsetup mknodes {0} && "
        "mkfs.ext4 -q -E nodiscard,lazy_itable_init=1,lazy_journal_init=1 /dev/mapper/{0} && "
        "mkdir -p {1} && mount -t ext4 /dev/mapper/{0} {1}",
        name, mount));
  }
  ~Disk() {
    (void)shell(
        fmt::format("umount {1}; rmdir {1}; dmsetup remove --noudevsync --noudevrules {0}; "
                    "losetup -j /dev/shm/{0}.img | cut -d: -f1 | xargs -r losetup -d; "
                    "rm -f /dev/shm/{0}.img",
                    name, mount));
  }
  const std::string name = fmt::format("firedrill-bench-{}", getpid());
  const std::string mount = "/run/" + name;
};

/// One fault while it lives.
class Injected {
 public:
  static Result<std::unique_ptr<Injected>> start(std::string_view name, const Json& given) {
    auto out = std::make_unique<Injected>();
    out->fault_ = agent::find_fault(name);
    auto host = agent::kernel::open_linux_host({});
    if (!host) return std::unexpected(host.error());
    out->host_ = std::move(*host);
    const auto params = validate_params(out->fault_->schema(), given, "");
    if (!params) return std::unexpected(params.error());
    auto record = out->fault_->capture(*out->host_, *params);
    if (!record) return std::unexpected(record.error());
    out->record_ = std::move(*record);
    if (auto applied = out->fault_->apply(*out->host_, *params, out->record_); !applied)
      return std::unexpected(applied.error());
    return out;
  }
  ~Injected() {
    if (!record_.is_null()) (void)fault_->undo(*host_, record_);
  }

 private:
  const Fault* fault_ = nullptr;
  std::unique_ptr<Host> host_;
  Json record_;
};

class File {
 public:
  File(const std::string& path, int flags) : fd_(open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  int fd_;
};

struct Percentiles {
  double p50 = 0;
  double p99 = 0;
};

Result<Percentiles> time_operations(const std::function<bool(int)>& operation) {
  std::vector<Duration> took;
  for (int i = 0; i < kOperations; ++i) {
    const auto start = Clock::now();
    if (!operation(i)) return fail_errno(errno, "operation on the disk");
    took.push_back(std::chrono::duration_cast<Duration>(Clock::now() - start));
  }
  const auto values = agent::latency_values(std::move(took));
  return Percentiles{values.at("p50_ms"), values.at("p99_ms")};
}

Result<Percentiles> time_fsync(const std::string& path) {
  const File file(path, O_WRONLY | O_CREAT);
  static const char block[4096] = {};
  return time_operations([&](int i) {
    return pwrite(file.fd_, block, sizeof block, static_cast<off_t>(i % 16) * 4096) == 4096 &&
           fsync(file.fd_) == 0;
  });
}

Result<Percentiles> time_read(const std::string& path) {
  const File file(path, O_RDONLY | O_DIRECT);
  alignas(4096) static char block[4096];
  return time_operations([&](int i) {
    return pread(file.fd_, block, sizeof block, static_cast<off_t>(i % 16) * 4096) == 4096;
  });
}

using Timer = Result<Percentiles> (*)(const std::string&);

/// Both percentiles of `timer` on `path`, without and with the fault.
Result<void> add_latencies(std::vector<Row>& rows, const std::string& asked, const Json& fault,
                           const std::string& what, Timer timer, const std::string& path) {
  const auto without = timer(path);
  if (!without) return std::unexpected(without.error());
  const auto injected = Injected::start("dm-delay", fault);
  if (!injected) return std::unexpected(injected.error());
  const auto with = timer(path);
  if (!with) return std::unexpected(with.error());
  rows.push_back({"dm-delay", asked, what + " p50", without->p50, with->p50, "ms"});
  rows.push_back({"dm-delay", asked, what + " p99", without->p99, with->p99, "ms"});
  return {};
}

/// What a process in `cgroup` achieves in kStream, in units of `block` bytes per second.
Result<double> stream_rate(const std::string& cgroup, const std::string& path, std::size_t block,
                           int flags) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return fail_errno(errno, "pipe");
  const pid_t child = fork();
  if (child == 0) {
    const File procs(cgroup + "/cgroup.procs", O_WRONLY);
    if (write(procs.fd_, "0", 1) != 1) _exit(1);
    const File file(path, O_WRONLY | O_CREAT | flags);
    alignas(4096) static char data[kLargestBlock];
    const bool syncs = (flags & O_DIRECT) == 0;
    const auto start = Clock::now();
    double done = 0;
    while (Clock::now() - start < kStream) {
      const auto place = static_cast<off_t>(static_cast<std::size_t>(done) % 64 * block);
      if (pwrite(file.fd_, data, block, place) != static_cast<ssize_t>(block)) _exit(1);
      if (syncs && fsync(file.fd_) < 0) _exit(1);
      ++done;
    }
    done /= std::chrono::duration<double>(Clock::now() - start).count();
    _exit(write(ends[1], &done, sizeof done) == sizeof done ? 0 : 1);
  }
  close(ends[1]);
  double rate = 0;
  const bool read_it = read(ends[0], &rate, sizeof rate) == sizeof rate;
  close(ends[0]);
  waitpid(child, nullptr, 0);
  if (read_it) return rate;
  return fail(ErrorCode::io_failed, "the writer in the cgroup failed");
}

struct Stream {
  std::string asked;
  Json limits;
  std::string measured;
  std::size_t block;
  int flags;
  double scale;  ///< from blocks per second to `unit`
  std::string unit;
};

}  // namespace

Result<std::vector<Row>> measure_dm_delay() {
  Disk disk;
  if (auto made = disk.make(); !made) return std::unexpected(made.error());
  const std::string wal = disk.mount + "/wal";
  const std::string other = disk.mount + "/other";
  for (const std::string& path : {wal, other})
    if (auto written = time_fsync(path); !written) return std::unexpected(written.error());
  const struct {
    std::string asked;
    Json delays;
    std::string what;
    Timer timer;
    std::string path;
  } forms[] = {
      {"write 100ms", {{"write", "100ms"}}, "fsync", &time_fsync, wal},
      {"write 100ms, flush 100ms",
       {{"write", "100ms"}, {"flush", "100ms"}},
       "fsync",
       &time_fsync,
       wal},
      {"flush 100ms", {{"flush", "100ms"}}, "fsync", &time_fsync, wal},
      {"read 100ms", {{"read", "100ms"}}, "fsync", &time_fsync, wal},
      {"read 100ms", {{"read", "100ms"}}, "direct read", &time_read, wal},
      {"write 100ms, one file",
       {{"write", "100ms"}, {"files", wal}},
       "its fsync",
       &time_fsync,
       wal},
      {"write 100ms, one file",
       {{"write", "100ms"}, {"files", wal}},
       "fsync of its neighbour",
       &time_fsync,
       other},
  };
  std::vector<Row> rows;
  for (const auto& form : forms) {
    Json fault = form.delays;
    fault["device"] = disk.name;
    if (auto added = add_latencies(rows, form.asked, fault, form.what, form.timer, form.path);
        !added)
      return std::unexpected(added.error());
  }
  return rows;
}

Result<std::vector<Row>> measure_io_throttle() {
  Disk disk;
  if (auto made = disk.make(); !made) return std::unexpected(made.error());
  const std::string cgroup = "/sys/fs/cgroup/" + disk.name;
  if (auto made = shell("echo +io >/sys/fs/cgroup/cgroup.subtree_control && mkdir " + cgroup);
      !made)
    return std::unexpected(made.error());
  const auto remove = [&]() noexcept { rmdir(cgroup.c_str()); };
  const Rollback removed(remove);
  const Stream streams[] = {
      {"write-rate 1MiB",
       {{"write-rate", "1MiB"}},
       "direct writes of 64 KiB",
       65536,
       O_DIRECT,
       65536.0 / (1 << 20),
       "MiB/s"},
      {"write-rate 1MiB",
       {{"write-rate", "1MiB"}},
       "64 KiB written and synced",
       65536,
       0,
       65536.0 / (1 << 20),
       "MiB/s"},
      {"write-iops 20", {{"write-iops", 20}}, "direct writes of 4 KiB", 4096, O_DIRECT, 1, "1/s"},
      {"write-iops 20", {{"write-iops", 20}}, "4 KiB written and synced", 4096, 0, 1, "1/s"},
  };
  std::vector<Row> rows;
  for (const Stream& stream : streams) {
    const std::string path = disk.mount + "/stream";
    const auto without = stream_rate(cgroup, path, stream.block, stream.flags);
    if (!without) return std::unexpected(without.error());
    Json fault = stream.limits;
    fault["device"] = disk.mount;
    fault["cgroup"] = disk.name;
    const auto injected = Injected::start("io-throttle", fault);
    if (!injected) return std::unexpected(injected.error());
    const auto with = stream_rate(cgroup, path, stream.block, stream.flags);
    if (!with) return std::unexpected(with.error());
    rows.push_back({"io-throttle", stream.asked, stream.measured, *without * stream.scale,
                    *with * stream.scale, stream.unit});
  }
  return rows;
}

}  // namespace firedrill::bench
