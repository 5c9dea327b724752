// What people write after --vary, --fail-on and --fail-under, and the session's tag that a log
// holds.
#include <cmath>
#include <string_view>

#include "controller/score/floors.hpp"
#include "controller/study/gates.hpp"
#include "controller/study/session.hpp"
#include "controller/study/vary.hpp"
#include "tests/fuzz/must.hpp"

namespace {

using namespace firedrill;

void fuzz_vary(std::string_view text) {
  const auto vary = parse_vary(text);
  if (!vary) return must(!vary.error().what.empty(), "an error has words");
  double last = -1;
  for (const double value : log_grid(*vary, 12)) {
    must(std::isfinite(value) && value > 0, "every step is a number above zero");
    must(strength(*vary, value) > last, "every step is stronger than the one before");
    must(!value_text(*vary, value).empty(), "every step has words");
    last = strength(*vary, value);
  }
}

void fuzz_tag(std::string_view text) {
  const auto json = parse_json(text, "tag");
  if (!json) return;
  const auto tag = parse_session_tag(*json);
  if (!tag) return;
  const auto again = parse_session_tag(to_json(*tag));
  must(again && to_json(*again) == to_json(*tag), "a tag reads back as it was written");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  fuzz_vary(text);
  if (const auto gate = parse_gate(text)) must(gate->limit >= 0, "a gate's limit has no sign");
  if (const auto floor = parse_floor(text))
    must(floor->least >= 0 && floor->least <= 100, "a floor is a score");
  fuzz_tag(text);
  return 0;
}
