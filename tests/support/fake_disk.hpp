// The disk part of the fake host; see tests/support/fake_host.hpp.
#pragma once

#include "agent/host_disk.hpp"

namespace firedrill::agent::test {

struct FakeKernel;

class FakeDisks final : public Disks {
 public:
  explicit FakeDisks(FakeKernel& state) : k_(state) {}

  /// What a person could see of it, one line an object.
  [[nodiscard]] std::string state() const { return {}; }

 private:
  [[maybe_unused]] FakeKernel& k_;
};

class FakeCgroups final : public Cgroups {
 public:
  explicit FakeCgroups(FakeKernel& state) : k_(state) {}

  /// What a person could see of it, one line an object.
  [[nodiscard]] std::string state() const { return {}; }

 private:
  [[maybe_unused]] FakeKernel& k_;
};

}  // namespace firedrill::agent::test
