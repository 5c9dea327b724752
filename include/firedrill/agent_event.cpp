// What an agent may say of its host. Whoever acts on an event afterwards trusts the types of its
// members, so what is of another type is refused here; and what only the controller knows, too.
#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "firedrill/event.hpp"
#include "firedrill/rpc.hpp"

namespace firedrill::rpc {
namespace {

constexpr std::array kKinds{
    event_kind::probe_sample,     event_kind::injection_prepared, event_kind::injection_active,
    event_kind::injection_paused, event_kind::injection_resumed,  event_kind::injection_adjusted,
    event_kind::injection_failed, event_kind::injection_progress, event_kind::injection_cured,
    event_kind::injection_undone, event_kind::injection_dirty,
};

enum class MemberType { text, flag, amount, number, texts, object };

struct Member {
  std::string_view name;
  MemberType type{};
  std::string_view kind{};  ///< of the event; empty: of each that has it
};

constexpr std::array kMembers{
    Member{"injection", MemberType::text},
    Member{"host", MemberType::text},
    Member{"action", MemberType::text},
    Member{"fault", MemberType::text},
    Member{"stage", MemberType::text},
    Member{"error", MemberType::text},
    Member{"cause", MemberType::text},
    Member{"outcome", MemberType::text},
    Member{"probe", MemberType::text},
    Member{"name", MemberType::text},
    Member{"parameter", MemberType::text},
    Member{"verified", MemberType::flag},
    Member{"applied", MemberType::flag},
    Member{"rebooted", MemberType::flag},
    Member{"unknown", MemberType::flag},
    Member{"count", MemberType::amount},
    Member{"errors", MemberType::amount},
    Member{"attempt", MemberType::amount},
    Member{"step", MemberType::amount},
    Member{"steps", MemberType::amount},
    Member{"differences", MemberType::texts},
    Member{"superseded", MemberType::texts},
    Member{"values", MemberType::object},
    Member{"record", MemberType::object},
    Member{"pattern", MemberType::object},
    Member{"ramp", MemberType::object},
    Member{"by", MemberType::object},
    Member{"value", MemberType::text, event_kind::injection_adjusted},
    Member{"value", MemberType::number, event_kind::injection_cured},
};

bool is_amount(const Json& value) {
  if (value.is_number_unsigned()) return value.get<std::uint64_t>() <= std::uint64_t{kLastMicros};
  if (!value.is_number_integer()) return false;
  const auto amount = value.get<std::int64_t>();
  return amount >= 0 && amount <= kLastMicros;
}

bool is_of(const Json& value, MemberType type) {
  switch (type) {
    case MemberType::text:
      return value.is_string();
    case MemberType::flag:
      return value.is_boolean();
    case MemberType::amount:
      return is_amount(value);
    case MemberType::number:
      return value.is_number();
    case MemberType::texts:
      return value.is_array() && std::ranges::all_of(value, &Json::is_string);
    case MemberType::object:
      return value.is_object();
  }
  return false;
}

std::string_view words_for(MemberType type) {
  switch (type) {
    case MemberType::text:
      return "a string";
    case MemberType::flag:
      return "true or false";
    case MemberType::amount:
      return "a whole number from 0 to 2^60";
    case MemberType::number:
      return "a number";
    case MemberType::texts:
      return "an array of strings";
    case MemberType::object:
      return "an object";
  }
  return "of another type";
}

Result<void> check_member(std::string_view kind, const std::string& key, const Json& value) {
  MemberType type{};
  if (key.ends_with("_us")) {
    type = MemberType::amount;
  } else {
    const auto* const member = std::ranges::find_if(kMembers, [&](const Member& one) {
      return one.name == key && (one.kind.empty() || one.kind == kind);
    });
    if (member == kMembers.end()) return {};  // of a newer agent; nobody here reads it
    type = member->type;
  }
  if (is_of(value, type)) return {};
  return fail_at(pointer_join("/data", key), fmt::format("'{}' must be {}", key, words_for(type)));
}

}  // namespace

Result<AgentEvent> parse_agent_event(const Json& json) {
  ObjectReader reader(json, "");
  AgentEvent event;
  event.instance = reader.required_text("instance");
  event.number = reader.optional_integer("number", 0);
  event.run = reader.optional_text("run");
  event.at_us = reader.optional_integer("at_us", 0);
  event.kind = reader.required_text("kind");
  if (const Json* data = reader.required_object("data")) event.data = *data;
  if (auto done = reader.finish(); !done) return std::unexpected(done.error());
  if (event.number < 1) return fail_at("/number", "'number' starts at 1");
  if (!is_amount(event.at_us))
    return fail_at("/at_us", fmt::format("'at_us' must be {}", words_for(MemberType::amount)));
  if (std::ranges::find(kKinds, event.kind) == kKinds.end())
    return fail_at("/kind", fmt::format("an agent has no event '{}'.{}", event.kind,
                                        suggestion(event.kind, kKinds)));
  for (const auto& [key, value] : event.data.items())
    if (auto checked = check_member(event.kind, key, value); !checked)
      return std::unexpected(checked.error());
  return event;
}

}  // namespace firedrill::rpc
