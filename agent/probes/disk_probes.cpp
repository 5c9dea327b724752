// fsync, disk and kernel-log: how a disk feels, what the kernel counts of it, and whether the
// kernel complains.
#include <array>
#include <cerrno>
#include <memory>

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include "agent/kernel/block_devices.hpp"
#include "agent/probes/disk_values.hpp"
#include "agent/probes/fsync_transport.hpp"
#include "agent/probes/kinds.hpp"

namespace firedrill::agent {
namespace {

constexpr const char* kKernelLog = "/dev/kmsg";

constexpr std::array kFsyncParams{
    ParamSpec{.name = "path",
              .required = true,
              .choices = {},
              .default_text = {},
              .help = "a directory on the disk, e.g. its mount point"},
    ParamSpec{.name = "timeout",
              .type = ParamType::duration,
              .min = kMinTimeoutUs,
              .max = kMaxTimeoutUs,
              .choices = {},
              .default_text = "5s",
              .help = kTimeoutHelp},
    ParamSpec{.name = "rate",
              .type = ParamType::integer,
              .min = 1,
              .max = kMaxRate,
              .choices = {},
              .default_text = "2",
              .help = kRateHelp}};

constexpr std::array kDiskParams{ParamSpec{.name = "device",
                                           .required = true,
                                           .choices = {},
                                           .default_text = {},
                                           .help = "name, /dev path or mount point"}};

constexpr std::array kLogParams{ParamSpec{
    .name = "text", .choices = {}, .default_text = {}, .help = "only lines that hold this"}};

class FsyncProbe final : public Probe {
 public:
  std::string_view name() const override { return "fsync"; }
  std::string_view summary() const override { return "time to write 4 KiB and sync them"; }
  std::span<const ParamSpec> schema() const override { return kFsyncParams; }
  std::vector<std::string_view> values() const override { return operation_values(); }
  Json example() const override { return {{"path", "/var/lib/etcd"}}; }
  Support probe_support() const override { return {.supported = true, .reason = {}}; }

  Result<std::unique_ptr<ProbeSession>> open(const Params& params) const override {
    auto transport = make_fsync_transport(params.text("path"));
    if (!transport) return std::unexpected(transport.error());
    return std::make_unique<OpenLoopSession>(
        std::move(*transport),
        Pace{.per_second = params.integer("rate"), .timeout = params.duration("timeout")});
  }
};

class DiskProbe final : public Probe {
 public:
  std::string_view name() const override { return "disk"; }
  std::string_view summary() const override { return "waiting times and load of a disk"; }
  std::span<const ParamSpec> schema() const override { return kDiskParams; }
  std::vector<std::string_view> values() const override {
    return {"await_ms",    "read_await_ms",    "write_await_ms",    "util_pct", "read_per_s",
            "write_per_s", "read_bytes_per_s", "write_bytes_per_s", "in_flight"};
  }
  Json example() const override { return {{"device", "/var/lib/etcd"}}; }
  Support probe_support() const override { return {.supported = true, .reason = {}}; }

  Result<std::unique_ptr<ProbeSession>> open(const Params& params) const override {
    const auto device = kernel::find_block_device(params.text("device"));
    if (!device) return std::unexpected(device.error());
    auto read = [number = device->number, before = std::optional<kernel::BlockCounters>()](
                    std::optional<Duration> elapsed) mutable -> Result<Values> {
      const auto now = kernel::read_block_counters(number);
      if (!now) return std::unexpected(now.error());
      Values values = disk_values(before, *now, elapsed);
      before = *now;
      return values;
    };
    auto session = std::make_unique<PacedSession>(std::move(read));
    if (auto taken = session->take_baseline(); !taken) return std::unexpected(taken.error());
    return session;
  }
};

/// The kernel's log from the moment it was opened.
class KernelLog {
 public:
  explicit KernelLog(std::string wanted) : wanted_(std::move(wanted)) {}
  KernelLog(const KernelLog&) = delete;
  KernelLog& operator=(const KernelLog&) = delete;
  ~KernelLog() {
    if (fd_ >= 0) ::close(fd_);
  }

  Result<void> open() {
    fd_ = ::open(kKernelLog, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd_ < 0 || ::lseek(fd_, 0, SEEK_END) < 0) return fail_errno(errno, kKernelLog);
    return {};
  }

  /// Errors since it was opened.
  Result<double> errors() {
    std::array<char, 8192> record;  // the kernel's own limit of one record
    while (true) {
      const ssize_t size = ::read(fd_, record.data(), record.size());
      const int error = errno;
      if (size < 0 && error == EAGAIN) return errors_;
      if (size < 0 && (error == EPIPE || error == EINTR)) continue;  // EPIPE: some were overwritten
      if (size < 0) return fail_errno(error, kKernelLog);
      if (is_kernel_error({record.data(), static_cast<std::size_t>(size)}, wanted_)) ++errors_;
    }
  }

 private:
  std::string wanted_;
  int fd_ = -1;
  double errors_ = 0;
};

class KernelLogProbe final : public Probe {
 public:
  std::string_view name() const override { return "kernel-log"; }
  std::string_view summary() const override { return "errors in the kernel's log from now on"; }
  std::span<const ParamSpec> schema() const override { return kLogParams; }
  std::vector<std::string_view> values() const override { return {"errors"}; }
  Json example() const override { return {{"text", "EXT4-fs"}}; }
  Support probe_support() const override {
    if (auto opened = KernelLog("").open(); !opened)
      return {.supported = false, .reason = opened.error().what};
    return {.supported = true, .reason = {}};
  }

  Result<std::unique_ptr<ProbeSession>> open(const Params& params) const override {
    auto log = std::make_shared<KernelLog>(params.has("text") ? params.text("text") : "");
    if (auto opened = log->open(); !opened) return std::unexpected(opened.error());
    auto read = [log](std::optional<Duration>) -> Result<Values> {
      const auto errors = log->errors();
      if (!errors) return std::unexpected(errors.error());
      return Values{{"errors", *errors}};
    };
    return std::make_unique<PacedSession>(std::move(read));
  }
};

}  // namespace

std::unique_ptr<Probe> make_fsync_probe() { return std::make_unique<FsyncProbe>(); }
std::unique_ptr<Probe> make_disk_probe() { return std::make_unique<DiskProbe>(); }
std::unique_ptr<Probe> make_kernel_log_probe() { return std::make_unique<KernelLogProbe>(); }

}  // namespace firedrill::agent
