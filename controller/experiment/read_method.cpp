// Targets, probes and actions.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "controller/experiment/read.hpp"
#include "controller/experiment/tolerance.hpp"

namespace firedrill::format {
namespace {

constexpr Duration kProcessTimeout{30'000'000};

struct ModeName {
  std::string_view name;
  TargetMode mode;
};
constexpr std::array kModeNames{ModeName{"one", TargetMode::one}, ModeName{"all", TargetMode::all},
                                ModeName{"fixed", TargetMode::fixed},
                                ModeName{"fixed-percent", TargetMode::fixed_percent},
                                ModeName{"random-max-percent", TargetMode::random_max_percent}};

bool is_percentage(TargetMode mode) {
  return mode == TargetMode::fixed_percent || mode == TargetMode::random_max_percent;
}

/// A count or a percentage: 2, "2", 50, "50" or "50%".
Result<double> read_value(const Json& value, TargetMode mode, const std::string& pointer) {
  double number = 0;
  if (value.is_number()) {
    number = value.get<double>();
  } else {
    std::string_view text = value.get_ref<const std::string&>();
    if (is_percentage(mode) && text.ends_with('%')) text.remove_suffix(1);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size())
      return fail_at(pointer, fmt::format("'{}' is not a {}", value.get<std::string>(),
                                          is_percentage(mode) ? "percentage" : "count"));
  }
  if (is_percentage(mode) && number > 0 && number <= 100) return number;
  if (!is_percentage(mode) && number >= 1 && number <= 1e6 && number == std::floor(number))
    return number;
  return fail_at(pointer, is_percentage(mode) ? "a percentage is above 0 and at most 100"
                                              : "a count is a whole number from 1 on");
}

Result<Target> read_target(const std::string& name, const Json& json, const std::string& pointer) {
  Target out;
  out.name = name;
  out.hosts = texts_of(json, "hosts");
  out.tags = labels_of(json, "tags");
  const std::string mode = text_of(json, "mode");
  for (const ModeName& known : kModeNames)
    if (known.name == mode) out.mode = known.mode;
  if (out.hosts.empty() && out.tags.empty())
    return fail_at(pointer, "a target needs 'hosts' or 'tags'");
  const auto value = json.find("value");
  const bool wants = out.mode != TargetMode::one && out.mode != TargetMode::all;
  if (wants != (value != json.end()))
    return fail_at(pointer, wants ? fmt::format("mode '{}' needs a 'value'", mode)
                                  : "'value' has no meaning in modes 'one' and 'all'");
  if (!wants) return out;
  auto number = read_value(*value, out.mode, pointer_join(pointer, "value"));
  if (!number) return std::unexpected(number.error());
  out.value = *number;
  return out;
}

/// Chaos Toolkit allows one string; quoting is a shell's affair, so it is refused here.
Result<std::vector<std::string>> read_arguments(const Json& provider, const std::string& pointer) {
  const auto found = provider.find("arguments");
  if (found == provider.end() || found->is_array()) return texts_of(provider, "arguments");
  const auto& text = found->get_ref<const std::string&>();
  if (text.find_first_of("'\"\\") != std::string::npos)
    return fail_at(pointer_join(pointer, "arguments"), "write arguments with quotes as a list");
  std::vector<std::string> out;
  for (std::size_t at = 0; (at = text.find_first_not_of(" \t", at)) != std::string::npos;) {
    const std::size_t end = std::min<std::size_t>(text.find_first_of(" \t", at), text.size());
    out.push_back(text.substr(at, end - at));
    at = end;
  }
  return out;
}

Result<ProbeSpec> read_probe(const Json& json, const std::string& pointer) {
  const Json& provider = json["provider"];
  const Json& tolerance = json["tolerance"];
  ProbeSpec out;
  out.name = text_of(json, "name");
  out.kind = text_of(provider, "type");
  out.pointer = pointer;
  out.from = text_of(json, "from");
  out.unit = text_of(json, "unit");
  out.interval = duration_of(json, "interval", out.interval);
  out.breach_after = static_cast<int>(number_of(json, "breach-after", out.breach_after));
  auto read = parse_tolerance(tolerance, pointer_join(pointer, "tolerance"));
  if (!read) return std::unexpected(read.error());
  out.tolerance = std::move(*read);
  out.measure = text_of(json, "measure");
  if (out.measure.empty()) out.measure = tolerance_target(tolerance);
  if (out.kind != "process") {
    out.arguments = provider;
    out.arguments.erase("type");
    return out;
  }
  const bool looks_at_text =
      out.tolerance.kind == Tolerance::Kind::regex || !out.tolerance.json_path.empty();
  if (out.measure.empty()) out.measure = looks_at_text ? "stdout" : "exit_code";
  if (out.measure != "stdout" && out.measure != "exit_code")
    return fail_at(pointer, "a process gives 'exit_code' or 'stdout' to measure");
  auto arguments = read_arguments(provider, pointer_join(pointer, "provider"));
  if (!arguments) return std::unexpected(arguments.error());
  out.arguments = {{"path", text_of(provider, "path")},
                   {"arguments", std::move(*arguments)},
                   {"timeout", to_string(duration_of(provider, "timeout", kProcessTimeout))}};
  return out;
}

/// What an agent reads alike: one reader for both.
template <class T>
Result<void> read_part(const Json& json, const std::string& pointer, std::string_view key,
                       Result<T> (*parse)(const Json&, std::string_view), std::optional<T>& out) {
  const auto part = json.find(key);
  if (part == json.end()) return {};
  auto read = parse(*part, pointer_join(pointer, key));
  if (!read) return std::unexpected(read.error());
  out = std::move(*read);
  return {};
}

Result<FaultAction> read_fault(const Json& json, const std::string& pointer) {
  const Json& provider = json["provider"];
  FaultAction out;
  out.name = text_of(json, "name");
  out.target = text_of(json, "target");
  out.fault = text_of(provider, "fault");
  out.arguments = object_of(provider, "arguments");
  out.duration = duration_of(json, "duration");
  out.start_after = text_of(json, "start-after");
  out.pause_before = duration_of(object_of(json, "pauses"), "before");
  out.pause_after = duration_of(object_of(json, "pauses"), "after");
  out.lease = optional_duration(json, "lease");
  out.pointer = pointer;
  if (auto read = read_part(json, pointer, "cured-by", &parse_cure_condition, out.cured_by); !read)
    return std::unexpected(read.error());
  if (auto read = read_part(json, pointer, "pattern", &parse_pattern, out.pattern); !read)
    return std::unexpected(read.error());
  if (out.cured_by && out.pattern)
    if (auto fits = check_cure_pace(*out.cured_by, *out.pattern, pointer_join(pointer, "cured-by"));
        !fits)
      return std::unexpected(fits.error());
  if (auto read = read_part(json, pointer, "ramp", &parse_ramp, out.ramp); !read)
    return std::unexpected(read.error());
  return out;
}

Result<ProcessAction> read_process(const Json& json, const std::string& pointer) {
  const Json& provider = json["provider"];
  ProcessAction out;
  out.name = text_of(json, "name");
  out.path = text_of(provider, "path");
  auto arguments = read_arguments(provider, pointer_join(pointer, "provider"));
  if (!arguments) return std::unexpected(arguments.error());
  out.arguments = std::move(*arguments);
  out.timeout = duration_of(provider, "timeout", kProcessTimeout);
  if (out.timeout == Duration{})
    return fail_at(pointer_join(pointer, "provider"), "'timeout' must be above 0");
  out.start_after = text_of(json, "start-after");
  out.pause_before = duration_of(object_of(json, "pauses"), "before");
  out.pause_after = duration_of(object_of(json, "pauses"), "after");
  out.pointer = pointer;
  return out;
}

}  // namespace

Result<void> read_targets(const Json& document, Experiment& out) {
  for (const auto& [name, json] : object_of(document, "targets").items()) {
    auto target = read_target(name, json, pointer_join("/targets", name));
    if (!target) return std::unexpected(target.error());
    out.targets.emplace(name, std::move(*target));
  }
  return {};
}

Result<void> read_hypothesis(const Json& document, Experiment& out) {
  const Json& hypothesis = object_of(document, "steady-state-hypothesis");
  out.hypothesis_title = text_of(hypothesis, "title");
  const Json& probes = list_of(hypothesis, "probes");
  for (std::size_t i = 0; i < probes.size(); ++i) {
    auto probe = read_probe(probes[i], pointer_join("/steady-state-hypothesis/probes", i));
    if (!probe) return std::unexpected(probe.error());
    out.probes.push_back(std::move(*probe));
  }
  return {};
}

Result<void> read_method(const Json& document, Experiment& out) {
  const Json& method = list_of(document, "method");
  // Chaos Toolkit runs process actions one after another, save those in the background.
  std::string previous;
  for (std::size_t i = 0; i < method.size(); ++i) {
    const Json& item = method[i];
    const std::string pointer = pointer_join("/method", i);
    if (item.contains("ref")) continue;  // measured all along; check_links knows its name
    if (text_of(item["provider"], "type") == "fault") {
      auto fault = read_fault(item, pointer);
      if (!fault) return std::unexpected(fault.error());
      out.faults.push_back(std::move(*fault));
      continue;
    }
    auto process = read_process(item, pointer);
    if (!process) return std::unexpected(process.error());
    if (process->start_after.empty()) process->start_after = previous;
    if (!flag_of(item, "background")) previous = process->name;
    out.processes.push_back(std::move(*process));
  }
  if (out.faults.empty() && out.processes.empty())
    return fail_at("/method", "the method does nothing; name at least one action");
  const Json& rollbacks = list_of(document, "rollbacks");
  for (std::size_t i = 0; i < rollbacks.size(); ++i) {
    auto process = read_process(rollbacks[i], pointer_join("/rollbacks", i));
    if (!process) return std::unexpected(process.error());
    if (!process->start_after.empty())
      return fail_at(pointer_join("/rollbacks", i), "rollbacks run in the order of the file");
    out.rollbacks.push_back(std::move(*process));
  }
  return {};
}

}  // namespace firedrill::format
