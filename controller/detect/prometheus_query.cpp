// Prometheus' answers to queries and its list of targets.
#include <charconv>
#include <cmath>

#include <fmt/core.h>

#include "controller/detect/prometheus_alerts.hpp"
#include "controller/detect/promql.hpp"
#include "controller/detect/wire_reader.hpp"

namespace firedrill {
namespace {

constexpr std::size_t kMostSeries = 1000;
constexpr double kLatestSecond = 4e9;

/// [1700000000.123, "1.5"]: an instant in seconds and a value as text, which may be NaN or Inf.
Result<void> read_value(const Json& json, const std::string& pointer, QueryAnswer& out,
                        double& value) {
  const bool pair =
      json.is_array() && json.size() == 2 && json[0].is_number() && json[1].is_string();
  if (!pair) return fail_at(pointer, "a value is an instant and a number as text");
  const double at = json[0].get<double>();
  if (!(at >= 0 && at <= kLatestSecond)) return fail_at(pointer, "this instant cannot be");
  out.asked_at = from_micros(std::llround(at * 1e6));
  const auto& text = json[1].get_ref<const std::string&>();
  const char* from = text.data() + (text.starts_with('+') ? 1 : 0);
  const auto [end, error] = std::from_chars(from, text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size())
    return fail_at(pointer, fmt::format("'{}' is no number", text));
  if (!out.first) out.first = value;
  return {};
}

Result<void> read_vector(const Json& result, QueryAnswer& out) {
  if (result.size() > kMostSeries)
    return fail_at("/data/result",
                   fmt::format("more than {} series: sum them up in the query", kMostSeries));
  for (std::size_t i = 0; i < result.size(); ++i) {
    const std::string pointer = pointer_join("/data/result", i);
    WireReader element(result[i], pointer);
    Labels labels = element.labels("metric");
    const Json& sample = element.array("value");
    if (auto done = element.done(); !done) return done;
    double value = 0;
    if (auto read = read_value(sample, pointer_join(pointer, "value"), out, value); !read)
      return read;
    labels.erase("__name__");
    out.series.push_back(std::move(labels));
    out.values.push_back(value);
  }
  return {};
}

}  // namespace

Result<QueryAnswer> parse_prometheus_query(std::string_view body) {
  const auto data = prometheus_data(body, "Prometheus' answer");
  if (!data) return std::unexpected(data.error());
  WireReader reader(*data, "/data");
  const std::string type = reader.text("resultType");
  const Json& result = reader.array("result");
  if (type != "vector" && type != "scalar")
    reader.refuse("resultType", fmt::format("a {} cannot be on or off: ask for a vector or a "
                                            "scalar",
                                            type));
  if (auto done = reader.done(); !done) return std::unexpected(done.error());
  QueryAnswer out;
  if (type == "vector") {
    if (auto read = read_vector(result, out); !read) return std::unexpected(read.error());
    return out;
  }
  double value = 0;
  if (auto read = read_value(result, "/data/result", out, value); !read)
    return std::unexpected(read.error());
  if (value != 0) out.series.emplace_back();
  return out;
}

Result<std::vector<ScrapeTarget>> parse_prometheus_targets(std::string_view body) {
  const auto data = prometheus_data(body, "Prometheus' targets");
  if (!data) return std::unexpected(data.error());
  WireReader reader(*data, "/data");
  const Json& active = reader.array("activeTargets");
  if (auto done = reader.done(); !done) return std::unexpected(done.error());
  std::vector<ScrapeTarget> targets;
  for (std::size_t i = 0; i < active.size(); ++i) {
    WireReader one(active[i], pointer_join("/data/activeTargets", i));
    const Labels labels = one.labels("labels");
    ScrapeTarget target;
    if (const auto job = labels.find("job"); job != labels.end()) target.job = job->second;
    if (const auto name = labels.find("instance"); name != labels.end())
      target.instance = name->second;
    target.last_scrape = one.time("lastScrape", false);
    // Prometheus says it since 2.27; before, the interval is not known.
    if (const auto every = parse_prometheus_duration(one.text_or("scrapeInterval", "0s")); every)
      target.interval = *every;
    if (auto done = one.done(); !done) return std::unexpected(done.error());
    targets.push_back(std::move(target));
  }
  return targets;
}

}  // namespace firedrill
