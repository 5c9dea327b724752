// The fleet owner's file, of any bytes: it reads or is refused with words.
#include <string_view>

#include "controller/experiment/blast_radius.hpp"
#include "tests/fuzz/must.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace firedrill;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto limits = parse_fleet_limits(text, "fuzz");
  if (!limits) {
    must(!limits.error().what.empty(), "an error has words");
    must(limits.error().code == ErrorCode::invalid_input, "a wrong file is wrong input");
    return 0;
  }
  if (limits->max_percent)
    must(*limits->max_percent >= 0 && *limits->max_percent <= 100, "a percentage is one");
  for (const QuorumGroup& group : limits->quorums) {
    must(!group.tags.empty(), "a group is named");
    must(!group.members || *group.members > 0, "a group has members");
  }
  return 0;
}
