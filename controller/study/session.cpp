#include "controller/study/session.hpp"

#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace firedrill {
namespace {

constexpr std::size_t kMostTrials = 10'000;
constexpr std::size_t kMostSteps = 1'000;

/// A whole number within bounds; anything else is the reader's error.
std::size_t whole(ObjectReader& reader, std::string_view key, std::size_t least, std::size_t most) {
  const std::int64_t value = reader.optional_integer(key, -1);
  if (value >= static_cast<std::int64_t>(least) && value <= static_cast<std::int64_t>(most))
    return static_cast<std::size_t>(value);
  reader.note_error({ErrorCode::invalid_input, 0,
                     fmt::format("a whole number from {} to {}", least, most), reader.at(key)});
  return least;
}

double within(ObjectReader& reader, std::string_view key, double least, double most) {
  const double value = reader.optional_number(key, std::nan(""));
  if (value >= least && value <= most) return value;
  reader.note_error({ErrorCode::invalid_input, 0,
                     fmt::format("a number from {} to {}", least, most), reader.at(key)});
  return least;
}

Result<TrialsPlan> parse_trials(const Json& json, const std::string& pointer) {
  ObjectReader reader(json, pointer);
  const TrialsPlan plan{.count = whole(reader, "count", 1, kMostTrials),
                        .sham_ratio = within(reader, "sham_ratio", 0, 1)};
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  return plan;
}

Result<SweepPlan> parse_sweep(const Json& json, const std::string& pointer) {
  ObjectReader reader(json, pointer);
  SweepPlan plan{.vary = reader.required_text("vary"),
                 .steps = whole(reader, "steps", 2, kMostSteps),
                 .precision = {}};
  if (reader.member("precision") != nullptr)
    plan.precision = within(reader, "precision", 0.001, 10);
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  return plan;
}

Result<Variables> parse_set(const Json* json, const std::string& pointer) {
  Variables set;
  if (json == nullptr) return set;
  for (const auto& [key, value] : json->items()) {
    if (!value.is_string()) return fail_at(pointer_join(pointer, key), "a text");
    set[key] = value.get<std::string>();
  }
  return set;
}

Result<void> parse_plans(const Json* trials, const Json* sweep, Session& session) {
  if ((trials == nullptr) == (sweep == nullptr))
    return fail_at("/session", "a session has either 'trials' or 'sweep'");
  if (trials != nullptr) {
    auto plan = parse_trials(*trials, "/session/trials");
    if (!plan) return std::unexpected(plan.error());
    session.trials = *plan;
  } else {
    auto plan = parse_sweep(*sweep, "/session/sweep");
    if (!plan) return std::unexpected(plan.error());
    session.sweep = std::move(*plan);
  }
  return {};
}

}  // namespace

Json to_json(const SessionTag& tag) {
  const Session& session = tag.session;
  Json out = {{"id", session.id},
              {"file", session.file},
              {"set", Json::object()},
              {"seed", std::to_string(session.seed)},
              {"responder", session.responder}};
  for (const auto& [key, value] : session.set) out["set"][key] = value;
  if (session.trials) {
    out["index"] = tag.index;
    out["trials"] = {{"count", session.trials->count}, {"sham_ratio", session.trials->sham_ratio}};
  }
  if (session.sweep) {
    out["value"] = tag.value;
    out["sweep"] = {{"vary", session.sweep->vary}, {"steps", session.sweep->steps}};
    if (session.sweep->precision) out["sweep"]["precision"] = *session.sweep->precision;
  }
  return out;
}

Result<SessionTag> parse_session_tag(const Json& json) {
  if (!json.is_object()) return fail_at("/session", "an object");
  ObjectReader reader(json, "/session");
  SessionTag tag;
  tag.session.id = reader.required_text("id");
  tag.session.file = reader.optional_text("file");
  tag.session.responder = reader.optional_flag("responder", true);
  const std::string seed = reader.optional_text("seed", "1");
  const Json* set = reader.optional_object("set");
  const Json* trials = reader.optional_object("trials");
  const Json* sweep = reader.optional_object("sweep");
  if (trials != nullptr) tag.index = whole(reader, "index", 0, kMostTrials);
  if (sweep != nullptr) tag.value = within(reader, "value", 0, 1e18);
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  // A seed uses all 64 bits, more than a JSON number keeps in every reader: it is a text.
  const auto [end, code] =
      std::from_chars(seed.data(), seed.data() + seed.size(), tag.session.seed);
  if (code != std::errc{} || end != seed.data() + seed.size())
    return fail_at("/session/seed", "a whole number of 64 bits, as text");
  auto variables = parse_set(set, "/session/set");
  if (!variables) return std::unexpected(variables.error());
  tag.session.set = std::move(*variables);
  if (auto done = parse_plans(trials, sweep, tag.session); !done)
    return std::unexpected(done.error());
  return tag;
}

Result<std::optional<SessionTag>> session_tag_of(const Event& created) {
  const auto found = created.data.find("session");
  if (found == created.data.end()) return std::nullopt;
  auto tag = parse_session_tag(*found);
  if (!tag)
    return fail(ErrorCode::corrupt,
                fmt::format("run {}: its session: {}", created.run, describe(tag.error())));
  return std::move(*tag);
}

Result<StudiedRun> study(std::span<const Event> events) {
  const auto experiment = experiment_of(events);
  if (!experiment) return std::unexpected(experiment.error());
  auto measures = measure(events, *experiment);
  if (!measures) return std::unexpected(measures.error());
  StudiedRun run{.run = measures->run,
                 .experiment = experiment->id,
                 .title = experiment->title,
                 .source = experiment->source,
                 .group = {},
                 .tag = {},
                 .measures = std::move(*measures),
                 .card = {}};
  run.card = score(run.measures);
  for (const Event& event : events) {
    if (event.kind != event_kind::run_created) continue;
    auto tag = session_tag_of(event);
    if (!tag) return std::unexpected(tag.error());
    run.tag = std::move(*tag);
    if (const auto group = event.data.find("tag"); group != event.data.end() && group->is_string())
      run.group = group->get<std::string>();
  }
  return run;
}

bool settled(const StudiedRun& run) {
  return run.measures.finished && run.card.verdict != Verdict::aborted &&
         run.card.verdict != Verdict::error;
}

std::string why_unusable(const StudiedRun& run) {
  const Measures& measures = run.measures;
  if (!measures.finished) return "the log ends before the run was finished";
  if (!measures.halted_by.empty()) return "stopped by " + measures.halted_by;
  if (!measures.errors.empty()) return measures.errors.front();
  if (!measures.doubts.empty()) return measures.doubts.front();
  return {};
}

}  // namespace firedrill
