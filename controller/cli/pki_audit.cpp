#include "controller/cli/pki_audit.hpp"

#include <chrono>
#include <utility>

#include "controller/store/store.hpp"

namespace firedrill::cli {

Result<void> note_pki(const Context& context, std::string_view kind, Json data) {
  const auto store = Store::open(context.home / "runs.db");
  if (!store) return std::unexpected(store.error());
  const UtcTime now =
      std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
  const std::string log(kPkiLog);
  if (auto there = (*store)->ensure_log(log, "Certificates", now); !there) return there;
  Json by = local_commander();
  Event event;
  event.run = log;
  event.at = now;
  event.source = "person:" + commander_name(by);
  event.kind = kind;
  event.data = std::move(data);
  event.data["by"] = std::move(by);
  if (auto stored = (*store)->append(std::move(event)); !stored)
    return std::unexpected(stored.error());
  return {};
}

std::string pki_words(const Event& event) {
  if (event.kind != kPkiCommand && event.kind != kPkiFailed) return {};
  const auto text = [&](std::string_view key) {
    const auto found = event.data.find(key);
    return found != event.data.end() && found->is_string() ? found->get<std::string>()
                                                           : std::string();
  };
  std::string words = "pki " + text("command");
  if (const std::string name = text("name"); !name.empty()) words += " " + name;
  for (const std::string_view key : {"role", "host", "reason", "tags", "ttl", "lifetime", "out"})
    if (const std::string value = text(key); !value.empty())
      words += ", " + std::string(key) + " " + value;
  if (event.kind == kPkiFailed) words += " failed: " + text("error");
  return words;
}

}  // namespace firedrill::cli
