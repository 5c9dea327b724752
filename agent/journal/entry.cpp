#include "agent/journal/entry.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace firedrill::agent {
namespace {

constexpr std::string_view kPrepared = "prepared";
constexpr std::string_view kState = "state";
constexpr std::string_view kLost = "lost";
constexpr std::string_view kForgotten = "forgotten";
constexpr std::string_view kReported = "reported";

std::unexpected<Error> not_ours(std::string_view why) {
  return fail(ErrorCode::corrupt, fmt::format("a journal record cannot be read: {}", why));
}

std::string text_of(const Json& payload, const char* key) {
  return payload.at(key).get<std::string>();
}

/// `get` converts every number, a fraction and one beyond 64 bits, too; `get_ref` takes whole ones.
std::int64_t whole_of(const Json& payload, const char* key) {
  return payload.at(key).get_ref<const std::int64_t&>();
}

Result<Transition> parse_transition(const Json& payload) {
  Transition out;
  out.id = text_of(payload, "id");
  out.run = text_of(payload, "run");
  out.fault = text_of(payload, "fault");
  const auto state = parse_injection_state(text_of(payload, "state"));
  if (!state) return std::unexpected(state.error());
  out.state = *state;
  out.at = from_micros(whole_of(payload, "at_us"));
  out.deadline = Duration{whole_of(payload, "deadline_us")};
  out.by_guardian = payload.at("guardian").get<bool>();
  out.event = text_of(payload, "event");
  out.data = payload.at("data");
  return out;
}

std::string describe_region(const journal_format::DamagedRegion& region) {
  const std::string where =
      region.from == region.to
          ? fmt::format("records are missing before byte {} of the journal", region.from)
          : fmt::format("bytes {} to {} of the journal are damaged", region.from, region.to);
  return fmt::format("{}; {}", where,
                     region.hint.empty() ? "nothing in them can be read"
                                         : fmt::format("they still say {}", region.hint));
}

}  // namespace

Json prepared_payload(const JournalEntry& entry) {
  return Json{{"type", kPrepared},
              {"id", entry.request.id},
              {"fault", entry.request.fault},
              {"request", to_json(entry.request)},
              {"record", entry.record},
              {"resources", entry.resources},
              {"boot_id", entry.boot_id},
              {"state", to_string(entry.state)},
              {"at_us", to_micros(entry.at)},
              {"deadline_us", entry.deadline.count()},
              {"apply_order", entry.apply_order},
              {"data", entry.data}};
}

Json transition_payload(const Transition& transition) {
  return Json{{"type", kState},
              {"id", transition.id},
              {"run", transition.run},
              {"fault", transition.fault},
              {"state", to_string(transition.state)},
              {"at_us", to_micros(transition.at)},
              {"deadline_us", transition.deadline.count()},
              {"guardian", transition.by_guardian},
              {"event", transition.event},
              {"data", transition.data}};
}

Json lost_payload(const LostRecord& lost) {
  return Json{{"type", kLost},
              {"id", lost.id},
              {"run", lost.run},
              {"fault", lost.fault},
              {"detail", lost.detail}};
}

Json forgotten_payload(std::string_view id, const Json& by, UtcTime at) {
  Json out{{"type", kForgotten}, {"id", id}};
  if (!by.is_null()) out["by"] = by;
  if (at != UtcTime{}) out["at_us"] = to_micros(at);
  return out;
}

Json reported_payload() { return Json{{"type", kReported}}; }

Result<void> JournalFold::apply(const Json& payload) {
  try {
    const std::string type = text_of(payload, "type");
    if (type == kPrepared) return apply_prepared(payload);
    if (type == kState) return apply_transition(payload);
    if (type == kReported) {
      unreported_.clear();
      return {};
    }
    const std::string id = text_of(payload, "id");
    if (type == kForgotten) {
      lost_.erase(id);
      std::erase_if(open_, [&](const JournalEntry& entry) { return entry.request.id == id; });
      return {};
    }
    if (type != kLost) return not_ours(fmt::format("type '{}'", type));
    note_lost({id, text_of(payload, "run"), text_of(payload, "fault"), text_of(payload, "detail")});
    return {};
  } catch (const Json::exception& error) {
    return not_ours(error.what());
  }
}

Result<void> JournalFold::apply_prepared(const Json& payload) {
  const auto request = parse_fault_request(payload.at("request"), "/request");
  if (!request) return not_ours(describe(request.error()));
  const auto state = parse_injection_state(text_of(payload, "state"));
  if (!state) return std::unexpected(state.error());
  JournalEntry entry;
  entry.request = *request;
  entry.record = payload.at("record");
  entry.resources = payload.at("resources").get<std::vector<std::string>>();
  entry.boot_id = text_of(payload, "boot_id");
  entry.state = *state;
  entry.at = from_micros(whole_of(payload, "at_us"));
  entry.deadline = Duration{whole_of(payload, "deadline_us")};
  entry.apply_order = payload.at("apply_order").get_ref<const std::uint64_t&>();
  entry.data = payload.at("data");
  applies_ = std::max(applies_, entry.apply_order);
  open_.push_back(std::move(entry));
  return {};
}

Result<void> JournalFold::apply_transition(const Json& payload) {
  const auto transition = parse_transition(payload);
  if (!transition) return std::unexpected(transition.error());
  if (transition->by_guardian && !transition->event.empty()) unreported_.push_back(*transition);
  const auto found = std::ranges::find(open_, transition->id,
                                       [](const JournalEntry& entry) { return entry.request.id; });
  const bool undone = transition->state == InjectionState::undone;
  if (found == open_.end()) {
    // Its first record, and with it the means to undo it, is gone.
    if (undone) {
      lost_.erase(transition->id);
    } else {
      note_lost({transition->id, transition->run, transition->fault,
                 fmt::format("it was {} but its undo record is lost; compare the host by hand",
                             to_string(transition->state))});
    }
    return {};
  }
  if (undone) {
    open_.erase(found);
    return {};
  }
  found->state = transition->state;
  found->at = transition->at;
  found->data = transition->data;
  if (transition->deadline != Duration{}) found->deadline = transition->deadline;
  if (transition->state == InjectionState::applying) found->apply_order = ++applies_;
  return {};
}

void JournalFold::note_lost(LostRecord lost) {
  const std::string id = lost.id;
  lost_.insert_or_assign(id, std::move(lost));
}

JournalView JournalFold::view() const {
  JournalView out;
  out.open = open_;
  for (const auto& [id, lost] : lost_) out.lost.push_back(lost);
  out.unreported = unreported_;
  return out;
}

JournalFold fold(const journal_format::Scan& scan, std::uint32_t version,
                 const JournalVersions& versions) {
  JournalFold out;
  // Damage first: a later record may say that a person has forgotten it.
  for (const journal_format::DamagedRegion& region : scan.damage)
    out.note_lost({fmt::format("journal:{}", region.from), {}, {}, describe_region(region)});
  for (const journal_format::RawRecord& record : scan.records) {
    auto json = parse_json(record.payload, "journal");
    if (json) json = versions.bring_up(std::move(*json), version);
    const auto applied = json ? out.apply(*json) : Result<void>(std::unexpected(json.error()));
    if (!applied)
      out.note_lost({fmt::format("journal:{}", record.offset), {}, {}, applied.error().what});
  }
  return out;
}

}  // namespace firedrill::agent
