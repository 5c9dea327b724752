#include "controller/detect/event_counter.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace firedrill {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kLabel = "firedrill_counts";

/// Gives the one series of `expression` a label, so that several can come in one answer.
std::string named(std::string_view name, std::string_view expression) {
  return fmt::format(R"(label_replace({}, "{}", "{}", "", ""))", expression, kLabel, name);
}

std::string range_of(Duration duration) {
  return fmt::format("{}ms", std::max<std::int64_t>(1, duration.count() / 1000));
}

}  // namespace

std::string url_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) out += c;
    else out += fmt::format("%{:02X}", byte);
  }
  return out;
}

Result<std::unique_ptr<PrometheusClient>> PrometheusClient::create(std::string url,
                                                                   Duration timeout) {
  auto client = HttpClient::create({.timeout = timeout});
  if (!client) return std::unexpected(client.error());
  while (url.ends_with('/')) url.pop_back();
  return std::unique_ptr<PrometheusClient>(
      new PrometheusClient(std::move(url), std::move(*client)));
}

Result<HttpAnswer> PrometheusClient::page(const std::string& url) { return get_ok(*client_, url); }

Result<QueryAnswer> PrometheusClient::query(std::string_view expression) {
  // Its words on a bad expression come with status 400, so any status is read.
  const auto answer =
      client_->get(fmt::format("{}/api/v1/query?query={}", url_, url_encoded(expression)));
  if (!answer) return std::unexpected(answer.error());
  if (answer->status != 200 && answer->status != 400 && answer->status != 422)
    return fail(answer->status == 401 || answer->status == 403 ? ErrorCode::permission_denied
                                                               : ErrorCode::unavailable,
                fmt::format("{} answers with HTTP status {}", url_, answer->status));
  auto parsed = parse_prometheus_query(answer->body);
  if (!parsed) return with_context(parsed.error(), url_);
  return parsed;
}

Result<EventCount> PrometheusClient::count(const CountQuery& wanted) {
  std::string expression = named("total", wanted.total);
  if (!wanted.bad.empty()) expression += " or " + named("bad", wanted.bad);
  if (!wanted.good.empty()) expression += " or " + named("good", wanted.good);
  EventCount out;
  out.asked = std::chrono::floor<Duration>(std::chrono::system_clock::now());
  const auto answer = query(expression);
  if (!answer) return std::unexpected(answer.error());
  out.answered = std::chrono::floor<Duration>(std::chrono::system_clock::now());
  for (std::size_t i = 0; i < answer->series.size() && i < answer->values.size(); ++i) {
    const auto name = answer->series[i].find(std::string(kLabel));
    const double value = answer->values[i];
    if (name == answer->series[i].end()) continue;
    if (!std::isfinite(value) || value < 0)
      return fail(ErrorCode::invalid_input,
                  fmt::format("'{}' counts {} events", name->second, value));
    if (name->second == "total") out.total = value;
    if (name->second == "bad") out.bad = value;
    if (name->second == "good") out.good = value;
  }
  return out;
}

Result<Duration> PrometheusClient::covered(const std::string& expression, Duration window) {
  constexpr int kSteps = 100;
  constexpr int kLevels = 4;  // from 30 days to seconds
  Duration span = window, known{};
  for (int level = 0; level < kLevels; ++level) {
    const Duration step = std::max<Duration>(span / kSteps, 1s);
    const auto answer = query(
        fmt::format("count_over_time(({})[{}:{}])", expression, range_of(span), range_of(step)));
    if (!answer) return std::unexpected(answer.error());
    const double steps = answer->first.value_or(0);
    if (!std::isfinite(steps) || steps < 0 || steps > 2 * kSteps)
      return fail(ErrorCode::invalid_input,
                  fmt::format("Prometheus counts {} values in {} steps", steps, kSteps));
    known = std::max(known, std::min(span, step * static_cast<std::int64_t>(steps)));
    if (steps >= 3 || step <= Duration{1s}) break;
    span = 3 * step;  // it is younger than that, or has long stopped: look closer
  }
  return known;
}

}  // namespace firedrill
