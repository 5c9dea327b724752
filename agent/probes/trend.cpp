#include "agent/probes/trend.hpp"

namespace firedrill::agent {
namespace {

constexpr std::size_t kFewest = 3;
constexpr double kBreath = 4096;  // bytes a second

}  // namespace

void Trend::add(Duration at, double value) {
  readings_.push_back({at, value});
  while (at - readings_.front().at > span_) readings_.pop_front();
}

std::optional<double> Trend::slope_per_second() const {
  if (readings_.size() < kFewest) return std::nullopt;
  const auto count = static_cast<double>(readings_.size());
  // From the first reading on, so that large clocks and sizes lose no digits.
  const Reading& origin = readings_.front();
  const auto seconds = [&](const Reading& one) {
    return static_cast<double>((one.at - origin.at).count()) / 1e6;
  };
  double mean_time = 0;
  double mean_value = 0;
  for (const Reading& one : readings_) {
    mean_time += seconds(one) / count;
    mean_value += (one.value - origin.value) / count;
  }
  double covariance = 0;
  double variance = 0;
  for (const Reading& one : readings_) {
    const double off = seconds(one) - mean_time;
    covariance += off * (one.value - origin.value - mean_value);
    variance += off * off;
  }
  if (variance <= 0) return std::nullopt;
  return covariance / variance;
}

std::optional<double> seconds_to_exhaustion(std::optional<double> slope, double room) {
  if (!slope || *slope < kBreath) return std::nullopt;
  return room / *slope;
}

}  // namespace firedrill::agent
