// An experiment file of any bytes: it parses or is refused with words; what parses, parses again.
#include <string_view>

#include "controller/experiment/experiment.hpp"
#include "tests/fuzz/must.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace firedrill;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto json = parse_json(text, "fuzz");
  if (!json) {
    must(!json.error().what.empty(), "an error has words");
    return 0;
  }
  const auto first = parse_experiment(*json, "fuzz", ".");
  if (!first) {
    must(!first.error().what.empty(), "an error has words");
    must(first.error().code != ErrorCode::internal, "a wrong file is not a bug of ours");
    return 0;
  }
  const auto second = parse_experiment(first->source, "fuzz", ".");
  must(second.has_value(), "the source of an experiment parses");
  must(second->source == first->source, "and is its own source");
  for (const ProbeSpec& probe : first->probes)
    for (const Json& value : {Json(1), Json("text"), Json(nullptr), Json("{\"a\": [1]}")})
      static_cast<void>(tolerates(probe.tolerance, value));
  for (const OperatingMode& mode : first->operating_modes)
    for (const Json& value : {Json(1), Json("normal"), Json(nullptr)})
      must(!to_string(mode_of(mode, value)).empty(), "every answer has a mode, if an unknown one");
  for (const Slo& slo : first->slos) {
    must(slo.allowed() > 0 && slo.allowed() < 1, "an objective leaves a budget");
    must(!slo.rows.empty() && slo.windows().back() <= slo.window, "rows look back into the window");
    for (const std::string& expression : {slo.total, slo.bad, slo.good})
      must(!count_expression(expression, slo.window).contains("$window"), "the window is a number");
  }
  return 0;
}
