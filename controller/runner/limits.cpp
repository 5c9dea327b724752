#include "controller/runner/limits.hpp"

#include <algorithm>
#include <condition_variable>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>

#include "controller/runner/live_parts.hpp"

namespace firedrill {
namespace {

using namespace std::chrono_literals;

constexpr std::uintmax_t kLargestFile = 1 << 20;

/// Answers that come in on the fleet's thread; outlives whoever stopped waiting for them.
struct Answers {
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t missing = 0;
  std::map<std::string, std::vector<rpc::InjectionStatus>> open;
};

/// What is on each host, as its agent says now.
std::map<std::string, std::vector<rpc::InjectionStatus>> ask_all(
    Fleet& fleet, const std::vector<AgentView>& views) {
  const auto answers = std::make_shared<Answers>();
  answers->missing = views.size();
  for (const AgentView& view : views)
    fleet.call(view.host, rpc::method::list, Json::object(), 2s,
               [answers, host = view.host](const Result<Json>& answer) {
                 const std::scoped_lock lock(answers->mutex);
                 if (answer) answers->open[host] = statuses_of(*answer);
                 --answers->missing;
                 answers->changed.notify_all();
               });
  std::unique_lock lock(answers->mutex);
  answers->changed.wait_for(lock, 3s, [&] { return answers->missing == 0; });
  return answers->open;
}

}  // namespace

Result<BlastRadius> load_fleet_limits(const std::filesystem::path& home) {
  const std::filesystem::path path = home / "fleet.json";
  std::error_code error;
  if (!std::filesystem::exists(path, error) && !error) return BlastRadius{};
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) return fail_errno(error.value(), path.string());
  if (size > kLargestFile)
    return fail(ErrorCode::invalid_input, path.string() + ": larger than 1 MiB");
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in) return fail(ErrorCode::io_failed, path.string() + ": cannot be read");
  return parse_fleet_limits(text, path.string());
}

Result<void> hold_plan_to_limits(const Plan& plan, const Experiment& experiment, Fleet& fleet,
                                 const std::filesystem::path& home,
                                 const std::set<std::string>& issued) {
  auto limits = load_fleet_limits(home);
  if (!limits) return std::unexpected(limits.error());
  std::vector<AgentView> views = agent_views(fleet.agents());
  for (auto& [host, open] : ask_all(fleet, views))
    if (const auto view = std::ranges::find(views, host, &AgentView::host); view != views.end())
      view->open = std::move(open);
  FleetState state{std::move(*limits), (home / "fleet.json").string(), {}};
  for (const std::string& host : issued)
    if (std::ranges::find(views, host, &AgentView::host) == views.end())
      state.absent.push_back(host);
  return check_blast_radius(plan, experiment.blast_radius, views, state);
}

}  // namespace firedrill
