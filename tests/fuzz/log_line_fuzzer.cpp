// Lines of logs, which anyone whom a service listens to may write; and the expressions that a
// controller sends to an agent.
#include <string_view>

#include "agent/probes/log_lines.hpp"
#include "tests/fuzz/must.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace firedrill;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const UtcTime now = from_micros(1'772'366'400'000'000);
  if (const auto stamp = agent::stamp_of(text, now))
    must(stamp->unit >= Duration{1} && stamp->unit <= Duration{1'000'000}, "a unit is 1us to 1s");
  const std::size_t cut = text.find('\n');
  if (cut == std::string_view::npos) return 0;
  const auto matcher = agent::LineMatcher::of_regex(std::string(text.substr(0, cut)));
  if (matcher) static_cast<void>(matcher->matches(text.substr(cut + 1).substr(0, 4096)));
  return 0;
}
