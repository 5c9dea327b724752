// Undo records as a damaged disk, an older program or an attacker may leave them: every fault's
// undo and verify on a host in memory. A line with the fault's name, a line of flags (a: the fault
// is on, p: what follows is laid over its genuine record), and the record or the patch as JSON.
#include <string_view>

#include "agent/fault.hpp"
#include "tests/fuzz/must.hpp"
#include "tests/support/fake_host.hpp"

namespace {

using namespace firedrill;
using namespace firedrill::agent;

/// These take nothing of the host's and put nothing back: they only remove what is theirs.
bool adds_only(const Fault& fault) {
  return fault.name() == "netem" || fault.name() == "route-blackhole" ||
         fault.name() == "memory-leak";
}

const Fault& named(std::string_view name) {
  if (const Fault* fault = find_fault(name)) return *fault;
  const auto& all = fault_registry();
  return *all[name.size() % all.size()];
}

std::string_view next_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  return line;
}

struct Case {
  const Fault& fault;
  bool applied = false;
  Json genuine, hostile;
};

void try_undo(const Case& one, test::FakeHost& host) {
  const std::string before = host.state();
  const auto verified = one.fault.verify(host, one.hostile);
  must(host.state() == before, "verify changes nothing");
  must(verified || !verified.error().what.empty(), "an error has words");
  const auto undone = one.fault.undo(host, one.hostile);
  if (!undone && undone.error().code == ErrorCode::corrupt)
    must(host.state() == before, "a record that is refused as corrupt has touched nothing");
  must(undone || !undone.error().what.empty(), "an error has words");
  if (!one.applied && adds_only(one.fault))
    must(host.state() == before, "what nobody injected is not ours to remove");
  if (!undone) return;
  const std::string after = host.state();
  if (one.fault.undo(host, one.hostile)) must(host.state() == after, "undoing again does nothing");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const Fault& fault = named(next_line(text));
  const std::string_view flags = next_line(text);
  const auto json = parse_json(text, "record");
  if (!json) return 0;
  test::FakeHost host;
  const std::string clean = host.state();
  const auto params = validate_params(fault.schema(), fault.example(), "");
  const auto genuine = fault.capture(host, *params);
  must(genuine.has_value(), "the example can be captured");
  Case one{.fault = fault, .genuine = *genuine, .hostile = *json};
  one.applied = flags.find('a') != std::string_view::npos;
  if (flags.find('p') != std::string_view::npos) {
    one.hostile = one.genuine;
    one.hostile.merge_patch(*json);
  }
  if (one.applied) must(fault.apply(host, *params, *genuine).has_value(), "it can be applied");
  try_undo(one, host);
  if (!one.applied || !adds_only(fault)) return 0;
  must(fault.undo(host, one.genuine).has_value(), "the genuine record still undoes it");
  must(host.state() == clean, "and nothing but what was ours is gone");
  return 0;
}
