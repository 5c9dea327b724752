#include "controller/study/compare.hpp"

namespace firedrill {
namespace {

Json or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

Json share_json(const stats::Proportion& share) {
  return {{"events", share.events}, {"count", share.count}};
}

Json time_json(const TimeChange& change) {
  Json out = {{"key", change.key},
              {"name", change.name},
              {"before", to_json(change.before)},
              {"after", to_json(change.after)},
              {"change_s", or_null(change.change)},
              {"change_low_s", or_null(change.low)},
              {"change_high_s", or_null(change.high)},
              {"log_rank", nullptr}};
  if (change.test)
    out["log_rank"] = {
        {"chi_square", change.test->chi_square},      {"p", change.test->p},
        {"observed_before", change.test->observed_a}, {"expected_before", change.test->expected_a},
        {"observed_after", change.test->observed_b},  {"expected_after", change.test->expected_b}};
  return out;
}

}  // namespace

Json to_json(const Comparison& comparison) {
  Json times = Json::array(), shares = Json::array(), steps = Json::array();
  Json segments = Json::array(), gates = Json::array();
  for (const TimeChange& change : comparison.times) times.push_back(time_json(change));
  for (const ShareChange& share : comparison.shares)
    shares.push_back({{"key", share.key},
                      {"before", share_json(share.before)},
                      {"after", share_json(share.after)},
                      {"change", or_null(share.change)},
                      {"low", share.bounds.low},
                      {"high", share.bounds.high}});
  for (const StepChange& step : comparison.steps)
    steps.push_back({{"id", step.id},
                     {"on_time_before", share_json(step.on_time_before)},
                     {"on_time_after", share_json(step.on_time_after)},
                     {"median_before_s", or_null(step.before.median.value)},
                     {"median_after_s", or_null(step.after.median.value)},
                     {"change_s", or_null(step.change)}});
  for (const SegmentChange& segment : comparison.segments)
    segments.push_back({{"from", segment.from},
                        {"to", segment.to},
                        {"cause", segment.cause},
                        {"count_before", segment.count_before},
                        {"count_after", segment.count_after},
                        {"before_s", or_null(segment.before)},
                        {"after_s", or_null(segment.after)},
                        {"change_s", or_null(segment.change)}});
  for (const GateResult& gate : comparison.gates)
    gates.push_back(
        {{"gate", gate.gate.text}, {"verdict", to_string(gate.verdict)}, {"words", gate.words}});
  return {{"before", comparison.before_name},
          {"after", comparison.after_name},
          {"before_count", comparison.before_count},
          {"after_count", comparison.after_count},
          {"verdict", to_string(comparison.verdict)},
          {"exit_code", exit_code(comparison.verdict)},
          {"cause", comparison.cause},
          {"gates", std::move(gates)},
          {"times", std::move(times)},
          {"shares", std::move(shares)},
          {"steps", std::move(steps)},
          {"segments", std::move(segments)},
          {"left_out", comparison.left_out},
          {"notes", comparison.notes}};
}

}  // namespace firedrill
