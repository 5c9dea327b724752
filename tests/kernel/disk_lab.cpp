#include "tests/kernel/disk_lab.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

namespace firedrill::agent::test {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

SyncingWriter::SyncingWriter(std::string path)
    : path_(std::move(path)), thread_([this] { run(); }) {}

void SyncingWriter::stop() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void SyncingWriter::run() {
  const Descriptor file(open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  char block[4096] = {};
  while (!stop_ && error_.empty()) {
    const auto start = Clock::now();
    const off_t place = (writes_ % 64) * static_cast<off_t>(sizeof block);
    if (pwrite(file.get(), block, sizeof block, place) != sizeof block || fsync(file.get()) < 0)
      error_ = std::strerror(errno);
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start);
    if (took > longest_.load()) longest_ = took;
    ++writes_;
  }
}

bool SyncingWriter::wait_for(int more) const {
  const int wanted = writes_ + more;
  const auto deadline = Clock::now() + std::chrono::minutes(1);
  while (writes_ < wanted && Clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return writes_ >= wanted;
}

void DiskLab::SetUp() {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  const auto host = open_host();
  ASSERT_TRUE(host);
  const Support support = find_fault("dm-delay")->probe_support(*host);
  if (!support.supported) GTEST_SKIP() << support.reason;
  name_ = fmt::format("firedrill-test-{}", getpid());
  image_ = "/dev/shm/" + name_ + ".img";
  mount_ = "/run/" + name_;
  run("truncate -s 64M " + image_);
  loop_ = run("losetup --find --show " + image_);
  while (loop_.ends_with('\n')) loop_.pop_back();
  // Two pieces, so that a conversion has something to keep apart.
  run(
      fmt::format("printf '0 65536 linear {0} 0\\n65536 65536 linear {0} 65536\\n' | "
                  "dmsetup create --noudevsync --noudevrules {1} && dmsetup mknodes {1}",
                  loop_, name_));
  run(
      fmt::format("mkfs.ext4 -q -E nodiscard,lazy_itable_init=1,lazy_journal_init=1 -J size=4 "
                  "/dev/mapper/{0} && mkdir -p {1} && mount -t ext4 /dev/mapper/{0} {1}",
                  name_, mount_));
}

void DiskLab::TearDown() {
  if (mount_.empty()) return;
  run("umount " + mount_ + " && rmdir " + mount_);
  run("e2fsck -fn /dev/mapper/" + name_);
  run("dmsetup remove --noudevsync --noudevrules " + name_ + " && losetup -d " + loop_ + " && rm " +
      image_);
}

std::unique_ptr<Host> DiskLab::open_host(OperationObserver observer) {
  kernel::LinuxHostOptions options;
  options.on_operation = std::move(observer);
  auto host = kernel::open_linux_host(options);
  if (host) return std::move(*host);
  ADD_FAILURE() << describe(host.error());
  return nullptr;
}

Params DiskLab::params(const Fault& fault, const Json& given) {
  auto valid = validate_params(fault.schema(), given, "");
  if (!valid) {
    ADD_FAILURE() << describe(valid.error());
    return {};
  }
  if (auto checked = fault.check(*valid); !checked) ADD_FAILURE() << describe(checked.error());
  return *valid;
}

void DiskLab::undo(const Fault& fault, const Json& record, UndoOutcome expected) {
  const auto host = open_host();
  const auto undone = fault.undo(*host, record);
  ASSERT_TRUE(undone) << describe(undone.error());
  EXPECT_EQ(*undone, expected);
  EXPECT_EQ(fault.undo(*host, record), UndoOutcome::already_gone);
  const auto verified = fault.verify(*host, record);
  ASSERT_TRUE(verified) << describe(verified.error());
  for (const std::string& difference : verified->differences) ADD_FAILURE() << difference;
}

std::string DiskLab::table() const {
  return run("dmsetup table " + name_) +
         run("dmsetup info -c --noheadings -o suspended,tables_loaded,readonly " + name_);
}

}  // namespace firedrill::agent::test
