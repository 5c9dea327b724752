#include "controller/cli/export.hpp"

#include <cerrno>
#include <fstream>

#include <fmt/format.h>

#include "controller/report/report.hpp"

namespace firedrill::cli {
namespace {

const Event* created_event(const FinishedRun& run) {
  for (const Event& event : run.events)
    if (event.kind == event_kind::run_created) return &event;
  return nullptr;
}

}  // namespace

Result<void> write_file(const std::filesystem::path& path, const std::string& text) {
  const std::filesystem::path beside = path.string() + ".new";
  {
    errno = 0;
    std::ofstream out(beside, std::ios::binary | std::ios::trunc);
    out << text;
    out.flush();
    if (!out) return fail_errno(errno != 0 ? errno : EIO, beside.string());
  }
  std::error_code error;
  std::filesystem::rename(beside, path, error);
  if (error) return fail_errno(error.value(), path.string());
  return {};
}

Result<Experiment> experiment_of(const FinishedRun& run) {
  const Event* created = created_event(run);
  if (created == nullptr)
    return fail(ErrorCode::corrupt, fmt::format("run {} has no run.created event", run.run));
  return parse_experiment(created->data.value("experiment", Json::object()),
                          created->data.value("experiment_id", run.run), {});
}

Result<void> export_run(const FinishedRun& run, const Experiment& experiment,
                        const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail_errno(error.value(), folder.string());
  const Event* created = created_event(run);
  std::string lines;
  for (const Event& event : run.events)
    lines += to_json(event).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  const std::pair<std::string_view, std::string> files[] = {
      {"experiment.json", experiment.source.dump(2) + "\n"},
      {"plan.json",
       (created ? created->data.value("plan", Json::object()) : Json()).dump(2) + "\n"},
      {"events.jsonl", std::move(lines)},
      {"report.json", json_report(run.measures, run.card, experiment).dump(2) + "\n"},
      {"junit.xml", junit_report(run.measures, run.card, experiment)},
      {"report.html", html_report(run.measures, run.card, experiment, run.events)}};
  for (const auto& [name, text] : files)
    if (auto written = write_file(folder / name, text); !written) return written;
  return {};
}

}  // namespace firedrill::cli
