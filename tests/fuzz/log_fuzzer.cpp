// An exported log of any bytes: it reads or is refused with words, and the chain is judged.
#include <string_view>

#include "controller/store/chain.hpp"
#include "tests/fuzz/must.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace firedrill;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto events = parse_event_lines(text);
  if (!events) {
    must(!events.error().what.empty(), "an error has words");
    return 0;
  }
  static_cast<void>(verify_chain(*events));
  // Chained anew, it is whole; with one event changed it is not.
  std::string previous;
  std::int64_t seq = 0;
  for (Event& event : *events) {
    event.seq = ++seq;
    event.hash = previous = chain_hash(previous, event);
  }
  const ChainVerdict whole = verify_chain(*events);
  if (events->empty()) return 0;
  must(whole.state == ChainVerdict::State::whole && whole.head == previous, "a chain is whole");
  events->front().kind += "x";
  must(verify_chain(*events).broken_at == 1, "a change is found");
  return 0;
}
