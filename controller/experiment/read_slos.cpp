// Service level objectives, operating modes and stop conditions.
#include <algorithm>
#include <array>
#include <set>
#include <span>

#include <fmt/format.h>

#include "controller/experiment/read.hpp"
#include "controller/experiment/tolerance.hpp"

namespace firedrill::format {
namespace {

using namespace std::string_view_literals;

constexpr std::array kSloPromqlKeys{"total"sv,  "bad"sv,  "good"sv,
                                    "source"sv, "poll"sv, "minimum-budget"sv};

bool asks_prometheus(const Detector& detector) {
  return detector.kind == Detector::Kind::prometheus || detector.kind == Detector::Kind::promql;
}

/// "99.9%", "0.999" or 0.999.
Result<double> read_share(const Json& json, std::string_view key, const std::string& pointer) {
  const Json& value = json[key];
  const std::string at = pointer_join(pointer, key);
  if (value.is_number()) {
    const double number = value.get<double>();
    if (number >= 0 && number <= 1) return number;
    return fail_at(at, fmt::format("{} is no share: write 0.999 or \"99.9%\"", number));
  }
  const auto ratio = parse_ratio(value.get_ref<const std::string&>());
  if (!ratio) return fail_at(at, ratio.error().what);
  return ratio->value;
}

/// The URL of the named Prometheus, or of the only one that the detectors name.
Result<std::string> prometheus_of(const Json& json, const std::string& pointer,
                                  const Experiment& experiment) {
  const std::string source = text_of(json, "source");
  std::vector<std::string_view> names;
  std::set<std::string> urls;
  for (const Detector& detector : experiment.detectors) {
    if (!asks_prometheus(detector)) continue;
    if (detector.name == source) return detector.url;
    names.emplace_back(detector.name);
    urls.insert(detector.url);
  }
  if (!source.empty())
    return fail_at(pointer_join(pointer, "source"),
                   fmt::format("there is no detector '{}' of type prometheus or promql.{}", source,
                               suggestion(source, names)));
  if (urls.size() == 1) return *urls.begin();
  if (urls.empty()) return fail_at(pointer, "whom to ask? There is no detector of type prometheus");
  return fail_at(
      pointer, fmt::format("which Prometheus? Name one of {} as 'source'", fmt::join(names, ", ")));
}

Result<void> refuse_keys(const Json& json, std::span<const std::string_view> keys,
                         std::string_view beside, const std::string& pointer) {
  for (const std::string_view key : keys)
    if (json.contains(key))
      return fail_at(pointer_join(pointer, key),
                     fmt::format("'{}' means nothing beside '{}'", key, beside));
  return {};
}

/// When every event is bad the budget burns at 1 / allowed; the margin is for rounding.
bool never_burns_above(double factor, const Slo& slo) { return factor * slo.allowed() > 1 - 1e-9; }

Result<void> read_rows(const Json& json, const std::string& pointer, Slo& out) {
  if (!json.contains("burn-rates")) {
    out.rows = default_burn_rows();
    if (out.rows.back().longer <= out.window) return {};
    return fail_at(pointer,
                   fmt::format("the usual burn rates look back {}, further than this SLO's "
                               "window: give 'burn-rates' of its own",
                               to_string(out.rows.back().longer)));
  }
  const std::string base = pointer_join(pointer, "burn-rates");
  const Json& rows = json["burn-rates"];
  if (rows.empty())
    return fail_at(base, "no row at all: leave 'burn-rates' out for the usual four");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string at = pointer_join(base, i);
    BurnRow row{.factor = number_of(rows[i], "factor", 0),
                .longer = duration_of(rows[i], "long"),
                .shorter = duration_of(rows[i], "short"),
                .severity = text_of(rows[i], "severity")};
    if (row.severity.empty()) row.severity = "page";
    if (row.shorter >= row.longer)
      return fail_at(pointer_join(at, "short"), "'short' must be shorter than 'long'");
    if (row.longer > out.window)
      return fail_at(pointer_join(at, "long"), "'long' is longer than the SLO's own window");
    if (never_burns_above(row.factor, out))
      return fail_at(pointer_join(at, "factor"),
                     fmt::format("this can never fire: when every event is bad, an objective of "
                                 "{:g} burns at {:.4g}",
                                 out.objective, 1 / out.allowed()));
    out.rows.push_back(std::move(row));
  }
  return {};
}

Result<void> read_expressions(const Json& json, const std::string& pointer,
                              const Experiment& experiment, Slo& out) {
  if (json.contains("probe")) {
    out.probe = text_of(json, "probe");
    return refuse_keys(json, kSloPromqlKeys, "probe", pointer);
  }
  if (!json.contains("total"))
    return fail_at(pointer, "an SLO needs 'total' with 'bad' or 'good', or a 'probe'");
  if (json.contains("bad") == json.contains("good"))
    return fail_at(pointer, "beside 'total' an SLO needs either 'bad' or 'good'");
  for (const std::string_view key : {"total"sv, "bad"sv, "good"sv}) {
    if (!json.contains(key)) continue;
    if (auto good = check_count_expression(text_of(json, key)); !good)
      return fail_at(pointer_join(pointer, key), good.error().what);
  }
  out.total = text_of(json, "total");
  out.bad = text_of(json, "bad");
  out.good = text_of(json, "good");
  auto url = prometheus_of(json, pointer, experiment);
  if (!url) return std::unexpected(url.error());
  out.url = std::move(*url);
  return {};
}

Result<Slo> read_slo(const std::string& name, const Json& json, const std::string& pointer,
                     const Experiment& experiment) {
  Slo out;
  out.name = name;
  out.pointer = pointer;
  const auto objective = read_share(json, "objective", pointer);
  if (!objective) return std::unexpected(objective.error());
  out.objective = *objective;
  // Beyond that, rounding would be a part of the budget.
  if (out.objective <= 0 || out.allowed() < 1e-9)
    return fail_at(pointer_join(pointer, "objective"),
                   "an objective lies between 0 and 1: all good leaves no budget, all bad is none");
  out.window = duration_of(json, "window", out.window);
  out.poll = duration_of(json, "poll", out.poll);
  if (json.contains("minimum-budget")) {
    const auto least = read_share(json, "minimum-budget", pointer);
    if (!least) return std::unexpected(least.error());
    out.minimum_budget = *least;
  }
  if (auto done = read_expressions(json, pointer, experiment, out); !done)
    return std::unexpected(done.error());
  if (auto done = read_rows(json, pointer, out); !done) return std::unexpected(done.error());
  return out;
}

Tolerance exactly(std::string_view word) {
  Tolerance out;
  out.kind = Tolerance::Kind::equal;
  out.expected = word;
  return out;
}

Result<void> read_modes(const Json& json, const std::string& pointer, OperatingMode& out) {
  const std::string at = pointer_join(pointer, "modes");
  if (json.contains("modes") && json["modes"].empty())
    return fail_at(at, "no answer means any mode: name at least what is normal");
  for (const Mode mode : {Mode::normal, Mode::degraded, Mode::floor, Mode::recovery}) {
    const std::string_view word = to_string(mode);
    if (!json.contains("modes")) {
      out.modes.emplace_back(mode, exactly(word));
      continue;
    }
    if (!json["modes"].contains(word)) continue;
    auto tolerance = parse_tolerance(json["modes"][word], pointer_join(at, word));
    if (!tolerance) return std::unexpected(tolerance.error());
    out.modes.emplace_back(mode, std::move(*tolerance));
  }
  if (!out.query.empty() && !json.contains("modes"))
    return fail_at(pointer, "a query answers with a number: say under 'modes' what it means");
  return {};
}

Result<void> read_mode_source(const Json& json, const std::string& pointer,
                              const Experiment& experiment, OperatingMode& out) {
  const std::array kWays{"query"sv, "url"sv, "probe"sv};
  if (std::ranges::count_if(kWays, [&](auto key) { return json.contains(key); }) != 1)
    return fail_at(pointer, "an operating mode is read by one of 'query', 'url' or 'probe'");
  if (!json.contains("query"))
    if (auto done = refuse_keys(json, std::array{"source"sv},
                                json.contains("url") ? "url" : "probe", pointer);
        !done)
      return done;
  if (!json.contains("url"))
    if (auto done = refuse_keys(json, std::array{"field"sv},
                                json.contains("query") ? "query" : "probe", pointer);
        !done)
      return done;
  out.query = text_of(json, "query");
  out.probe = text_of(json, "probe");
  out.url = text_of(json, "url");
  out.field = text_of(json, "field");
  if (!out.url.empty() && !out.url.starts_with("http://") && !out.url.starts_with("https://"))
    return fail_at(pointer_join(pointer, "url"), "a URL begins with http:// or https://");
  if (auto done = check_json_pointer(json, "field", pointer); !done) return done;
  if (out.query.empty()) return {};
  auto url = prometheus_of(json, pointer, experiment);
  if (!url) return std::unexpected(url.error());
  out.url = std::move(*url);
  return {};
}

Result<void> read_slo_stop(const Json& json, const std::string& pointer,
                           const Experiment& experiment, StopCondition& out) {
  if (json.contains("probe") || json.contains("tolerance"))
    return fail_at(pointer, "a stop condition is about a 'probe' or about an 'slo', not both");
  out.slo = text_of(json, "slo");
  const auto slo = std::ranges::find(experiment.slos, out.slo, &Slo::name);
  if (slo == experiment.slos.end()) {
    std::vector<std::string_view> names;
    for (const Slo& one : experiment.slos) names.emplace_back(one.name);
    return fail_at(pointer_join(pointer, "slo"),
                   fmt::format("there is no SLO '{}'.{}", out.slo, suggestion(out.slo, names)));
  }
  if (json.contains("burns-above") == json.contains("spends-above"))
    return fail_at(pointer, "an SLO stops a run by either 'burns-above' or 'spends-above'");
  if (json.contains("spends-above")) {
    if (auto done = refuse_keys(json, std::array{"over"sv}, "spends-above", pointer); !done)
      return done;
    const auto share = read_share(json, "spends-above", pointer);
    if (!share) return std::unexpected(share.error());
    out.spends_above = *share;
    return {};
  }
  out.burns_above = number_of(json, "burns-above", 0);
  if (never_burns_above(*out.burns_above, *slo))
    return fail_at(pointer_join(pointer, "burns-above"),
                   fmt::format("this can never be met: when every event is bad, '{}' burns at "
                               "{:.4g}",
                               slo->name, 1 / slo->allowed()));
  out.over = duration_of(json, "over", slo->windows().front());
  return {};
}

}  // namespace

Result<void> read_slos(const Json& document, Experiment& out) {
  for (const auto& [name, json] : object_of(document, "slos").items()) {
    auto slo = read_slo(name, json, pointer_join("/slos", name), out);
    if (!slo) return std::unexpected(slo.error());
    out.slos.push_back(std::move(*slo));
  }
  return {};
}

Result<void> read_operating_modes(const Json& document, Experiment& out) {
  for (const auto& [name, json] : object_of(document, "operating-modes").items()) {
    OperatingMode mode;
    mode.name = name;
    mode.pointer = pointer_join("/operating-modes", name);
    mode.poll = duration_of(json, "poll", mode.poll);
    mode.flapping_within = duration_of(json, "flapping-within", mode.flapping_within);
    if (auto done = read_mode_source(json, mode.pointer, out, mode); !done) return done;
    if (auto done = read_modes(json, mode.pointer, mode); !done) return done;
    out.operating_modes.push_back(std::move(mode));
  }
  return {};
}

Result<void> read_stop_conditions(const Json& document, Experiment& out) {
  const Json& list = list_of(document, "stop-conditions");
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string at = pointer_join("/stop-conditions", i);
    StopCondition stop;
    stop.name = text_of(list[i], "name");
    stop.for_time = duration_of(list[i], "for");
    if (list[i].contains("slo")) {
      if (auto done = read_slo_stop(list[i], at, out, stop); !done) return done;
      out.stop_conditions.push_back(std::move(stop));
      continue;
    }
    for (const std::string_view key : {"probe"sv, "tolerance"sv})
      if (!list[i].contains(key))
        return fail_at(at,
                       fmt::format("'{}' is missing in a stop condition; or name an 'slo'", key));
    for (const std::string_view key : {"burns-above"sv, "over"sv, "spends-above"sv})
      if (list[i].contains(key))
        return fail_at(pointer_join(at, key), fmt::format("'{}' is of an 'slo'", key));
    stop.probe = text_of(list[i], "probe");
    auto tolerance = parse_tolerance(list[i]["tolerance"], pointer_join(at, "tolerance"));
    if (!tolerance) return std::unexpected(tolerance.error());
    stop.tolerance = std::move(*tolerance);
    out.stop_conditions.push_back(std::move(stop));
  }
  return {};
}

}  // namespace firedrill::format
