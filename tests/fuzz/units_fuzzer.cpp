// Durations, sizes, rates, ratios and instants: what is read is written so that it reads the same.
#include <string_view>

#include "firedrill/units.hpp"
#include "tests/fuzz/must.hpp"

namespace {

using namespace firedrill;

template <class T>
void round_trip(std::string_view text, Result<T> (*parse)(std::string_view)) {
  const auto first = parse(text);
  if (!first) return must(!first.error().what.empty(), "an error has words");
  const auto second = parse(to_string(*first));
  must(second.has_value(), "what we write, we read");
  must(*second == *first, "and it is the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  round_trip<Duration>(text, &parse_duration);
  round_trip<ByteCount>(text, &parse_byte_count);
  round_trip<BitRate>(text, &parse_bit_rate);
  if (const auto ratio = parse_ratio(text))
    must(ratio->value >= 0 && ratio->value <= 1, "a ratio is a share");
  if (const auto time = parse_rfc3339(text)) {
    const auto again = parse_rfc3339(to_rfc3339(*time));
    must(again && *again == *time, "an instant is written as it was read");
  }
  return 0;
}
