// Lays actions out in the order in which they wait for each other.
#include "controller/plan/timeline.hpp"

namespace firedrill {
namespace {

struct Waiting {
  std::string name, after;
  Duration pause_before{}, length{}, pause_after{};
};

std::vector<Waiting> all_actions(const Experiment& experiment) {
  std::vector<Waiting> out;
  for (const FaultAction& a : experiment.faults)
    out.push_back({a.name, a.start_after, a.pause_before, a.duration, a.pause_after});
  for (const ProcessAction& a : experiment.processes)
    out.push_back({a.name, a.start_after, a.pause_before, a.timeout, a.pause_after});
  return out;
}

}  // namespace

Result<std::map<std::string, Span>> lay_out(const Experiment& experiment) {
  std::map<std::string, Span> spans;
  std::vector<Waiting> left = all_actions(experiment);
  while (!left.empty()) {
    const std::size_t before = left.size();
    std::erase_if(left, [&spans](const Waiting& action) {
      const auto previous = spans.find(action.after);
      if (!action.after.empty() && previous == spans.end()) return false;
      const Duration free = action.after.empty() ? Duration{} : previous->second.end;
      const Duration start = free + action.pause_before;
      spans[action.name] = {start, start + action.length + action.pause_after};
      return true;
    });
    if (left.size() == before)
      return fail(ErrorCode::internal, "action '" + left.front().name + "' can never start");
  }
  return spans;
}

}  // namespace firedrill
