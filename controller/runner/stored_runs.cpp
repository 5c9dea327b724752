#include "controller/runner/stored_runs.hpp"

#include <algorithm>
#include <random>
#include <set>

#include <fmt/format.h>

#include "controller/runner/loop.hpp"
#include "controller/runner/runner.hpp"

namespace firedrill {
namespace {

constexpr std::size_t kAllRuns = 1'000'000;

std::string_view word_of(SessionKind kind) {
  return kind == SessionKind::trials ? "trials" : "sweep";
}

/// What the first event of each run says it belongs to; oldest run first.
struct Belongs {
  std::string run, group, session;
};

Result<std::vector<Belongs>> read_belongings(Store& store) {
  const auto rows = store.runs(kAllRuns);
  if (!rows) return std::unexpected(rows.error());
  std::vector<Belongs> out;
  for (const RunRow& row : *rows) {
    const auto first = store.events(row.id, 0, 1);
    if (!first) return std::unexpected(first.error());
    Belongs one{.run = row.id, .group = {}, .session = {}};
    if (!first->empty()) {
      const Json& data = first->front().data;
      const Json session = data.value("session", Json::object());
      if (data.contains("tag") && data["tag"].is_string())
        one.group = data["tag"].get<std::string>();
      if (session.is_object() && session.contains("id") && session["id"].is_string())
        one.session = session["id"].get<std::string>();
    }
    out.push_back(std::move(one));
  }
  std::ranges::reverse(out);
  return out;
}

Result<std::vector<StudiedRun>> study_all(Store& store, const std::vector<std::string>& runs) {
  std::vector<StudiedRun> out;
  for (const std::string& run : runs) {
    const auto events = store.events(run);
    if (!events) return std::unexpected(events.error());
    auto studied = study(*events);
    if (!studied) return with_context(studied.error(), "run " + run);
    out.push_back(std::move(*studied));
  }
  return out;
}

std::vector<std::string> runs_where(const std::vector<Belongs>& all, std::string Belongs::* field,
                                    const std::string& value) {
  std::vector<std::string> out;
  for (const Belongs& one : all)
    if (one.*field == value) out.push_back(one.run);
  return out;
}

/// The one session whose id begins with `name`; empty when there is none.
Result<std::string> find_session(const std::vector<Belongs>& all, const std::string& name) {
  std::set<std::string> found;
  for (const Belongs& one : all) {
    if (one.session == name) return name;
    if (!one.session.empty() && one.session.starts_with(name)) found.insert(one.session);
  }
  if (found.size() > 1)
    return fail(ErrorCode::conflict,
                fmt::format("several sessions start with '{}': {}", name, fmt::join(found, ", ")));
  return found.empty() ? std::string() : *found.begin();
}

}  // namespace

std::string new_session_id(SessionKind kind) {
  std::string stamp = to_rfc3339(utc_now()).substr(0, 19);
  std::erase_if(stamp, [](char c) { return c == '-' || c == ':'; });
  std::ranges::replace(stamp, 'T', '-');
  std::random_device random;
  return fmt::format("{}-{}-{:04x}", word_of(kind), stamp, random() & 0xffffU);
}

Result<std::vector<StudiedRun>> session_runs(Store& store, SessionKind kind,
                                             const std::string& name) {
  const auto all = read_belongings(store);
  if (!all) return std::unexpected(all.error());
  const std::string prefix = fmt::format("{}-", word_of(kind));
  std::string id;
  if (name == "last") {
    for (const Belongs& one : *all)
      if (one.session.starts_with(prefix)) id = one.session;
  } else {
    auto found = find_session(*all, name);
    if (!found) return std::unexpected(found.error());
    id = std::move(*found);
  }
  if (!id.starts_with(prefix))
    return fail(ErrorCode::not_found,
                name == "last"
                    ? fmt::format("the store holds no {} yet", word_of(kind))
                    : fmt::format("no {} session starts with '{}'", word_of(kind), name));
  return study_all(store, runs_where(*all, &Belongs::session, id));
}

Result<RunGroup> named_runs(Store& store, const std::string& name) {
  if (name.empty()) return fail(ErrorCode::invalid_input, "a run's name is empty; try 'last'");
  const auto all = read_belongings(store);
  if (!all) return std::unexpected(all.error());
  std::vector<std::string> runs = runs_where(*all, &Belongs::group, name);
  if (runs.empty()) {
    const auto session = find_session(*all, name);
    if (!session) return std::unexpected(session.error());
    if (!session->empty()) runs = runs_where(*all, &Belongs::session, *session);
  }
  if (runs.empty()) {
    const auto row = store.find_run(name);
    if (!row) {
      if (row.error().code != ErrorCode::not_found) return std::unexpected(row.error());
      return fail(
          ErrorCode::not_found,
          fmt::format("'{}' is no tag, no session and no run; 'firedrill runs' lists them", name));
    }
    runs.push_back(row->id);
  }
  auto studied = study_all(store, runs);
  if (!studied) return std::unexpected(studied.error());
  return RunGroup{.name = name, .runs = std::move(*studied)};
}

Result<FinishedRun> recompute(Store& store, const std::string& run) {
  auto events = store.events(run);
  if (!events) return std::unexpected(events.error());
  auto measures = measure(*events);
  if (!measures) return std::unexpected(measures.error());
  Scorecard card = score(*measures);
  return FinishedRun{run, std::move(*events), std::move(*measures), std::move(card)};
}

}  // namespace firedrill
