// The policy in plain words.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "agent/policy/policy.hpp"

namespace firedrill::agent {
namespace {

std::string quoted(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += fmt::format("{}'{}'", out.empty() ? "" : ", ", name);
  return out;
}

std::string bounds(std::string_view fault, std::string_view name, const ParamLimit& limit) {
  std::string out = fmt::format("{}: '{}' must be", fault, name);
  if (limit.min) out += " at least " + limit.min_text;
  if (limit.min && limit.max) out += " and";
  if (limit.max) out += " at most " + limit.max_text;
  return out + ".";
}

constexpr std::string_view kAlways[] = {
    "The connection to the controller, ARP and IPv6 neighbour discovery always pass.",
    "PID 1, kernel threads, SSH servers and Firedrill itself are never touched.",
    "The disks of the root file system, swap space and Firedrill's own files are never delayed.",
    "Anybody who may speak to the agent may stop faults, at any time.",
};

}  // namespace

std::vector<PolicyRule> Policy::rules() const {
  std::vector<PolicyRule> own;
  std::vector<PolicyRule> built_in;
  const auto add = [&](std::string_view key, std::string text) {
    const std::string pointer = where_.base + std::string(key);
    const std::size_t line = key.empty() ? 0 : line_of(where_.source, pointer);
    if (line == 0) built_in.push_back({{}, 0, std::move(text)});
    else own.push_back({pointer, line, std::move(text)});
  };
  add("/max-duration", fmt::format("No fault may last longer than {}.", to_string(max_duration_)));
  add("/max-injections", fmt::format("At most {} faults may be on at once.", max_injections_));
  add("/allow", !allow_ ? "Every fault may be used."
                : allow_->empty()
                    ? "No fault may be used."
                    : fmt::format("Only these faults may be used: {}.", fmt::join(*allow_, ", ")));
  if (!deny_.empty())
    add("/deny", fmt::format("These faults may not be used: {}.", fmt::join(deny_, ", ")));
  for (const auto& [fault, params] : limits_)
    for (const auto& [name, limit] : params)
      add(pointer_join(pointer_join("/limits", fault), name), bounds(fault, name, limit));
  const auto guard = [&](std::string_view key, std::string_view what,
                         const std::vector<std::string>& names) {
    if (!names.empty()) add(key, fmt::format("No fault may touch {} {}.", what, quoted(names)));
  };
  guard("/protected-interfaces", "network interfaces", protected_.interfaces);
  guard("/protected-devices", "the disks", protected_.devices);
  guard("/protected-units", "the units", protected_.units);
  guard("/protected-processes", "the processes", protected_.processes);
  guard("/protected-paths", "what is beneath, or the disks of,", protected_.paths);
  if (!protected_.ports.empty())
    add("/protected-ports", fmt::format("Packets of this host's TCP ports {} always pass.",
                                        fmt::join(protected_.ports, ", ")));
  add("/protect-ssh", protected_.ssh
                          ? "Packets of this host's SSH server always pass."
                          : "A fault may say that it impairs this host's SSH server too.");
  add("/hours", hours_.any_time()
                    ? std::string("Faults may run at any time.")
                    : fmt::format("Faults may run {}, local time of this host, and must end "
                                  "within.",
                                  hours_.describe()));
  if (!required_tags_.empty())
    add("/required-tags",
        fmt::format("Only experiments that have the tags {} may run.", quoted(required_tags_)));
  add("/commanders/controllers",
      !commanders_.controllers ? "Every controller that the authority certified may inject."
      : commanders_.controllers->empty()
          ? "No controller may inject."
          : fmt::format("Only the controllers {} may inject.", quoted(*commanders_.controllers)));
  add("/commanders/local", commanders_.local ? "Root on this host may inject."
                                             : "Root on this host may not inject by the agent.");
  for (const std::string_view text : kAlways) add("", std::string(text));
  own.insert(own.end(), built_in.begin(), built_in.end());
  return own;
}

}  // namespace firedrill::agent
