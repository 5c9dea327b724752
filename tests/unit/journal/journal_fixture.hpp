// A journal in a directory of its own, and what tests write into it.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "agent/journal/journal.hpp"

namespace firedrill::agent {

inline constexpr const char* kBootId = "11111111-2222-3333-4444-555555555555";

class JournalTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "journal-" + std::string(6, 'X');
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  [[nodiscard]] std::filesystem::path file() const { return directory_ / "journal"; }

  Result<Journal> open(const JournalVersions& versions = kJournalVersions) {
    lock_.reset();
    auto lock = StateLock::acquire(directory_);
    if (!lock) return std::unexpected(lock.error());
    lock_.emplace(std::move(*lock));
    return Journal::open(directory_, kBootId, *lock_, versions);
  }

  std::string bytes() const {
    std::ifstream in(file(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(std::string_view content) const {
    std::ofstream(file(), std::ios::binary | std::ios::trunc) << content;
  }

  std::filesystem::path directory_;
  std::optional<StateLock> lock_;
};

inline JournalEntry entry(const std::string& id) {
  JournalEntry out;
  out.request.id = id;
  out.request.run = "run-1";
  out.request.fault = "nic-ring";
  out.request.params = {{"device", "data0"}, {"rx", 64}};
  out.request.duration = std::chrono::minutes{5};
  out.request.lease = std::chrono::seconds{15};
  out.record = {{"ifindex", 4}, {"rx_slots", 4096}};
  out.resources = {"nic-ring:data0"};
  out.boot_id = kBootId;
  out.at = from_micros(1'700'000'000'000'000);
  return out;
}

inline Transition transition(const std::string& id, InjectionState state) {
  Transition out;
  out.id = id;
  out.run = "run-1";
  out.fault = "nic-ring";
  out.state = state;
  out.at = from_micros(1'700'000'001'000'000);
  out.deadline = std::chrono::seconds{1234};
  return out;
}

inline void inject(Journal& journal, const std::string& id) {
  ASSERT_TRUE(journal.prepare(entry(id)));
  for (const InjectionState state : {InjectionState::applying, InjectionState::active})
    ASSERT_TRUE(journal.record(transition(id, state), Durability::synced));
}

/// gone: applied and undone. kept: applied and open.
inline void write_story(Journal& journal) {
  inject(journal, "gone");
  inject(journal, "kept");
  ASSERT_TRUE(journal.record(transition("gone", InjectionState::undone), Durability::synced));
}

inline std::string without_free_space(std::string bytes) {
  bytes.resize(bytes.find_last_not_of('\0') + 1);
  return bytes;
}

}  // namespace firedrill::agent
