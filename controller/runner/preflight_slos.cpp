// Preflight of what an experiment promises about its error budgets, and of the target's own mode.
#include <algorithm>

#include <fmt/format.h>

#include "controller/runner/preflight.hpp"
#include "controller/runner/slo_run.hpp"

namespace firedrill {
namespace {

using namespace std::chrono_literals;

constexpr Duration kTimeout = 10s;

std::string percent(double share) { return fmt::format("{:.4g} %", 100 * share); }

std::string what_is_left(const Slo& slo, const BadOfTotal& counted, double left, Duration covered) {
  std::string out = fmt::format(
      "{} of the error budget of {} is left: {:.0f} of {:.0f} events were "
      "bad, and {} may be",
      percent(left), to_string(slo.window), counted.bad, counted.total, percent(slo.allowed()));
  // A hundredth is as well as it is known.
  if (covered < slo.window - slo.window / 50)
    out += fmt::format("; only {} of the window are known, the rest counts as good",
                       to_string(std::chrono::floor<std::chrono::seconds>(covered)));
  return out;
}

Result<Check> ask_budget(const Slo& slo, PrometheusClient& client) {
  Check check{.check = "budget " + slo.name, .ok = false, .detail = {}};
  const auto answer = client.count(count_query(slo, slo.window));
  if (!answer) return std::unexpected(answer.error());
  const auto counted = bad_of(slo, *answer);
  if (!counted) return std::unexpected(counted.error());
  if (!*counted || (*counted)->total <= 0) {
    check.detail = fmt::format(
        "Prometheus counted no events in {}, so that nobody could tell what the exercise costs: "
        "check the expression '{}', and whether anything sends",
        to_string(slo.window), slo.total);
    return check;
  }
  const auto covered = client.covered(count_expression(slo.total, 5min), slo.window);
  if (!covered) return std::unexpected(covered.error());
  check.measured = {{"slo", slo.name},
                    {"window_us", slo.window.count()},
                    {"bad", (*counted)->bad},
                    {"total", (*counted)->total},
                    {"covered_us", covered->count()}};
  const auto expected = expected_total((*counted)->total, *covered, slo.window);
  const auto spent =
      expected ? budget_spent((*counted)->bad, *expected, slo.objective) : std::optional<double>{};
  if (!spent) {
    check.detail = fmt::format(
        "its events are too few or too old to say what is left of the budget "
        "of {}: wait until some came",
        to_string(slo.window));
    return check;
  }
  check.ok = 1 - *spent >= slo.minimum_budget;
  check.detail = what_is_left(slo, **counted, 1 - *spent, *covered);
  if (!check.ok)
    check.detail += fmt::format(
        "; the experiment wants {} before it spends more: wait until old "
        "failures leave the window, or lower {}/minimum-budget",
        percent(slo.minimum_budget), slo.pointer);
  return check;
}

Check check_budget(const Slo& slo) {
  Check check{.check = "budget " + slo.name, .ok = true, .detail = {}};
  if (!slo.probe.empty()) {
    check.detail = fmt::format("not known: probe '{}' only measures from now on", slo.probe);
    return check;
  }
  auto client = PrometheusClient::create(slo.url, kTimeout);
  Result<Check> asked =
      client ? ask_budget(slo, **client) : Result<Check>(std::unexpected(client.error()));
  if (asked) return std::move(*asked);
  check.ok = false;
  check.detail = fmt::format("{}: {}", slo.url, describe(asked.error()));
  return check;
}

Check check_mode(const OperatingMode& mode) {
  Check check{.check = "mode " + mode.name, .ok = false, .detail = {}};
  auto client = PrometheusClient::create(mode.url, kTimeout);
  if (!client) {
    check.detail = describe(client.error());
    return check;
  }
  const ModeLook look = look_at_mode(mode, **client);
  if (!look.answer) {
    check.detail = look.error;
    return check;
  }
  const Mode now = mode_of(mode, *look.answer);
  check.ok = now != Mode::unknown;
  check.detail = check.ok ? fmt::format("{} ({})", to_string(now), answer_words(*look.answer))
                          : fmt::format("the answer '{}' means no mode: name it in {}/modes",
                                        answer_words(*look.answer), mode.pointer);
  return check;
}

}  // namespace

void check_slos(const Experiment& experiment, std::vector<Check>& checks) {
  for (const Slo& slo : experiment.slos) checks.push_back(check_budget(slo));
  for (const OperatingMode& mode : experiment.operating_modes)
    if (mode.probe.empty()) checks.push_back(check_mode(mode));
}

}  // namespace firedrill
