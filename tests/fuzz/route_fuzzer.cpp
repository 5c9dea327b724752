// Route and rule messages, as a kernel or an undo record may give them.
#include "agent/kernel/route_message.hpp"
#include "agent/kernel/route_watch.hpp"
#include "tests/fuzz/must.hpp"

namespace {

using namespace firedrill;
using namespace firedrill::agent::kernel;

void read_route(std::span<const std::byte> bytes) {
  const auto route = parse_route(bytes);
  if (!route) return must(!route.error().what.empty(), "an error has words");
  must(!to_string(*route, {}).empty(), "a route can be told of");
  const auto again = parse_route(route->message);
  must(again.has_value(), "what is kept of a route is a route");
  must(again->message == route->message, "and keeping it again changes nothing");
  must(same_place(*again, *route), "it is in the same place");
  must(again->type == route->type && again->protocol == route->protocol, "and of the same kind");
}

void read_rule(std::span<const std::byte> bytes) {
  const auto rule = parse_rule(bytes);
  if (!rule) return must(!rule.error().what.empty(), "an error has words");
  must(!to_string(*rule).empty(), "a rule can be told of");
  if (rule->action == RuleAction::other || rule->more) return;
  must(parse_rule(rule_message(*rule)) == *rule, "what we write, we read");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  read_route(bytes);
  read_rule(bytes);
  parse_route_changes(bytes, [](const RouteWatch::Change& change) {
    must(!to_string(change.route, {}).empty(), "a change can be told of");
  });
  return 0;
}
