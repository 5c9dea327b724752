#include "agent/faults/record.hpp"

#include <cmath>

#include <fmt/format.h>

namespace firedrill::agent {
namespace {

constexpr std::int64_t kMostSteps = 1000;  // no ramp is prepared with more

}  // namespace

void RecordReader::note(std::string_view key) {
  if (bad_key_.empty()) bad_key_ = key;
}

std::string RecordReader::text(std::string_view key) {
  const auto it = record_.find(key);
  if (it != record_.end() && it->is_string()) return it->get<std::string>();
  note(key);
  return {};
}

std::uint64_t RecordReader::number(std::string_view key, std::uint64_t max) {
  const auto it = record_.find(key);
  if (it != record_.end() && it->is_number_integer()) {
    const bool negative = it->is_number_integer() && !it->is_number_unsigned() && *it < 0;
    if (!negative && it->get<std::uint64_t>() <= max) return it->get<std::uint64_t>();
  }
  note(key);
  return 0;
}

std::vector<std::string> RecordReader::texts(std::string_view key) {
  std::vector<std::string> out;
  const auto it = record_.find(key);
  if (it == record_.end() || !it->is_array()) {
    note(key);
    return out;
  }
  for (const Json& item : *it) {
    if (item.is_string()) out.push_back(item.get<std::string>());
    else note(key);
  }
  return out;
}

std::vector<double> RecordReader::ramp_values(std::string_view parameter) {
  std::vector<double> out;
  const auto ramp = record_.find("ramp");
  if (ramp == record_.end()) return out;
  try {
    if (ramp->at("parameter").get<std::string>() != parameter) return out;
    const bool whole = ramp->at("to").is_number_integer();
    const auto from = ramp->at("from").get<double>();
    const auto to = ramp->at("to").get<double>();
    const auto steps = ramp->at("steps").get_ref<const std::int64_t&>();
    if (steps < 1 || steps > kMostSteps) {
      note("ramp");
      return out;
    }
    for (int step = 0; step < steps; ++step) {
      const double value = from + (to - from) * step / static_cast<double>(steps);
      out.push_back(whole ? std::round(value) : value);
    }
    out.push_back(to);
  } catch (const Json::exception&) {
    note("ramp");
  }
  return out;
}

kernel::NamespaceId RecordReader::namespace_id() { return {text("boot_id"), number("namespace")}; }

Result<void> RecordReader::status() const {
  if (bad_key_.empty()) return {};
  return fail(ErrorCode::corrupt,
              fmt::format("undo record of {}: '{}' is missing or wrong", fault_, bad_key_));
}

Result<RecordScope> scope_of(const kernel::NamespaceId& recorded, const kernel::NamespaceId& now) {
  if (recorded.boot != now.boot) return RecordScope::before_reboot;
  if (recorded.inode == now.inode) return RecordScope::here;
  return fail(ErrorCode::unavailable,
              fmt::format("the injection is in network namespace {}, this agent is in {}: run it "
                          "there",
                          recorded.inode, now.inode));
}

}  // namespace firedrill::agent
