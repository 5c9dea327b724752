// The memory part of the fake host; see tests/support/fake_host.hpp.
#pragma once

#include "agent/host_memory.hpp"

namespace firedrill::agent::test {

struct FakeKernel;

class FakeProcesses final : public Processes {
 public:
  explicit FakeProcesses(FakeKernel& state) : k_(state) {}

  /// What a person could see of it, one line an object.
  [[nodiscard]] std::string state() const { return {}; }

 private:
  [[maybe_unused]] FakeKernel& k_;
};

}  // namespace firedrill::agent::test
