// The routes part of the fake host; see tests/support/fake_host.hpp.
#pragma once

#include "agent/host_routes.hpp"

namespace firedrill::agent::test {

struct FakeKernel;

class FakeRoutes final : public Routes {
 public:
  explicit FakeRoutes(FakeKernel& state) : k_(state) {}

  /// What a person could see of it, one line an object.
  [[nodiscard]] std::string state() const { return {}; }

 private:
  [[maybe_unused]] FakeKernel& k_;
};

class FakeBird final : public Bird {
 public:
  explicit FakeBird(FakeKernel& state) : k_(state) {}

  /// What a person could see of it, one line an object.
  [[nodiscard]] std::string state() const { return {}; }

 private:
  [[maybe_unused]] FakeKernel& k_;
};

}  // namespace firedrill::agent::test
