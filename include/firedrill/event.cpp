#include "firedrill/event.hpp"

namespace firedrill {

Json to_json(const Event& event) {
  Json out{{"seq", event.seq},           {"run", event.run},
           {"at", to_rfc3339(event.at)}, {"uncertainty_us", event.uncertainty.count()},
           {"source", event.source},     {"kind", event.kind},
           {"data", event.data}};
  if (!event.hash.empty()) out["hash"] = event.hash;
  return out;
}

Result<Event> parse_event(const Json& json) {
  ObjectReader reader(json, "");
  Event event;
  event.seq = reader.optional_integer("seq", 0);
  event.run = reader.required_text("run");
  const std::string at = reader.required_text("at");
  event.uncertainty = Duration{reader.optional_integer("uncertainty_us", 0)};
  event.source = reader.required_text("source");
  event.kind = reader.required_text("kind");
  if (const Json* data = reader.required_object("data")) event.data = *data;
  event.hash = reader.optional_text("hash");
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  const auto time = parse_rfc3339(at);
  if (!time) return fail_at("/at", time.error().what);
  event.at = *time;
  return event;
}

}  // namespace firedrill
