#include "agent/policy/policy.hpp"

#include <algorithm>
#include <array>
#include <filesystem>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace firedrill::agent {
namespace {

// Parameters that mean the same in every fault that has them.
constexpr std::array<std::string_view, 2> kInterfaceParams{"device", "interface"};
constexpr std::array<std::string_view, 1> kDeviceParams{"device"};
constexpr std::array<std::string_view, 4> kPathParams{"device", "files", "path", "directory"};
constexpr std::array<std::string_view, 1> kUnitParams{"unit"};
constexpr std::array<std::string_view, 1> kCgroupParams{"cgroup"};
constexpr std::array<std::string_view, 1> kProcessParams{"process"};

std::string in_words(ParamType type, double value) {
  switch (type) {
    case ParamType::duration:
      return to_string(Duration{static_cast<std::int64_t>(value)});
    case ParamType::bytes:
      return to_string(ByteCount{static_cast<std::uint64_t>(value)});
    case ParamType::rate:
      return to_string(BitRate{static_cast<std::uint64_t>(value)});
    case ParamType::ratio:
      return to_string(Ratio{value});
    default:
      return fmt::format("{}", value);
  }
}

std::vector<Json> values_of(const Params& params, std::string_view name) {
  if (!params.has(name)) return {};
  const Json& value = params.canonical().at(std::string(name));
  if (value.is_array()) return {value.begin(), value.end()};
  return {value};
}

std::vector<std::string> texts_of(const Params& params, std::span<const std::string_view> names) {
  std::vector<std::string> out;
  for (const std::string_view name : names)
    for (const Json& value : values_of(params, name))
      if (value.is_string()) out.push_back(value.get<std::string>());
  return out;
}

/// A disk's name without the folder that it stands in.
std::string_view plain_device(std::string_view name) {
  for (const std::string_view folder : {"/dev/mapper/", "/dev/"})
    if (name.starts_with(folder)) return name.substr(folder.size());
  return name;
}

std::string plain_unit(std::string_view name) {
  return name.contains('.') ? std::string(name) : std::string(name) + ".service";
}

bool is_beneath(std::string_view path, std::string_view folder) {
  if (!path.starts_with('/')) return false;
  std::string inner = std::filesystem::path(path).lexically_normal().string();
  std::string outer = std::filesystem::path(folder).lexically_normal().string();
  for (std::string* text : {&inner, &outer})
    if (!text->ends_with('/')) *text += '/';
  return inner.starts_with(outer);
}

bool has_step(std::string_view path, std::string_view step) {
  for (const auto& part : std::filesystem::path(path))
    if (part.string() == step) return true;
  return false;
}

/// The first of `rules` that `meets` one of `values`.
template <class Meets>
std::optional<std::size_t> first_met(const std::vector<std::string>& rules,
                                     const std::vector<std::string>& values, Meets meets) {
  for (std::size_t i = 0; i < rules.size(); ++i)
    for (const std::string& value : values)
      if (meets(value, rules[i])) return i;
  return std::nullopt;
}

}  // namespace

std::unexpected<Error> Policy::refuse(std::string_view pointer, std::string why) const {
  const std::string full = where_.base + std::string(pointer);
  if (const std::size_t line = line_of(where_.source, full); line != 0)
    return std::unexpected(
        Error{ErrorCode::refused,
              0,
              fmt::format("{}: refused by {} line {} ({})", why, where_.file, line, full),
              {}});
  return fail(ErrorCode::refused,
              fmt::format("{}: refused by the built-in policy; '{}' in agent.json's policy "
                          "section changes that",
                          why, pointer.substr(1)));
}

Result<void> Policy::check_limits(const FaultRequest& request, const Params& params) const {
  const auto fault = limits_.find(request.fault);
  if (fault == limits_.end()) return {};
  for (const auto& [name, limit] : fault->second) {
    const std::string base = pointer_join(pointer_join("/limits", request.fault), name);
    for (const Json& value : values_of(params, name)) {
      if (!value.is_number()) continue;
      const auto number = value.get<double>();
      if (limit.max && number > *limit.max)
        return refuse(base + "/max", fmt::format("'{}' is {}, above {}", name,
                                                 in_words(limit.type, number), limit.max_text));
      if (limit.min && number < *limit.min)
        return refuse(base + "/min", fmt::format("'{}' is {}, below {}", name,
                                                 in_words(limit.type, number), limit.min_text));
    }
  }
  return {};
}

Result<void> Policy::check_places(const Params& params) const {
  const auto by_name = first_met(protected_.devices, texts_of(params, kDeviceParams),
                                 [](std::string_view value, std::string_view rule) {
                                   return plain_device(value) == plain_device(rule);
                                 });
  if (by_name)
    return refuse(pointer_join("/protected-devices", *by_name),
                  fmt::format("device '{}' is protected", protected_.devices[*by_name]));
  const auto path = first_met(protected_.paths, texts_of(params, kPathParams), &is_beneath);
  if (path)
    return refuse(pointer_join("/protected-paths", *path),
                  fmt::format("'{}' is protected", protected_.paths[*path]));
  return {};
}

Result<void> Policy::check_protected(const Params& params) const {
  const auto equal = [](std::string_view value, std::string_view rule) { return value == rule; };
  if (const auto met = first_met(protected_.interfaces, texts_of(params, kInterfaceParams), equal))
    return refuse(pointer_join("/protected-interfaces", *met),
                  fmt::format("interface '{}' is protected", protected_.interfaces[*met]));
  if (auto places = check_places(params); !places) return places;
  auto unit = first_met(protected_.units, texts_of(params, kUnitParams),
                        [](std::string_view value, std::string_view rule) {
                          return plain_unit(value) == plain_unit(rule);
                        });
  if (!unit)
    unit = first_met(protected_.units, texts_of(params, kCgroupParams),
                     [](std::string_view value, std::string_view rule) {
                       return has_step(value, plain_unit(rule));
                     });
  if (unit)
    return refuse(pointer_join("/protected-units", *unit),
                  fmt::format("unit '{}' is protected", protected_.units[*unit]));
  if (const auto met = first_met(protected_.processes, texts_of(params, kProcessParams), equal))
    return refuse(pointer_join("/protected-processes", *met),
                  fmt::format("process '{}' is protected", protected_.processes[*met]));
  if (protected_.ssh && params.has("protect-ssh") && !params.flag("protect-ssh"))
    return refuse("/protect-ssh", "the way in by SSH is protected");
  return {};
}

Result<void> Policy::check_tags(const FaultRequest& request) const {
  for (std::size_t i = 0; i < required_tags_.size(); ++i)
    if (std::ranges::find(request.tags, required_tags_[i]) == request.tags.end())
      return refuse(pointer_join("/required-tags", i),
                    fmt::format("the experiment does not have the tag '{}'", required_tags_[i]));
  return {};
}

Result<void> Policy::check_hours(UtcTime at, Duration duration) const {
  const int closed = hours_.first_closed(at, duration, local_);
  if (closed < 0) return {};
  const int now = local_(at);
  if (!hours_.open_at(now))
    return refuse("/hours", fmt::format("it is {} on this host, and faults may run {}",
                                        minute_text(now), hours_.describe()));
  return refuse("/hours", fmt::format("it would still be on at {}, and faults may run {}",
                                      minute_text(closed), hours_.describe()));
}

Result<void> Policy::check_commander(std::string_view controller) const {
  if (controller.empty()) {
    if (commanders_.local) return {};
    return refuse("/commanders/local", "only controllers may inject on this host");
  }
  if (!commanders_.controllers ||
      std::ranges::find(*commanders_.controllers, controller) != commanders_.controllers->end())
    return {};
  return refuse("/commanders/controllers",
                fmt::format("controller '{}' may not inject on this host", controller));
}

Result<void> Policy::check(const FaultRequest& request, const Params& params, std::size_t open,
                           UtcTime at) const {
  if (const auto denied = std::ranges::find(deny_, request.fault); denied != deny_.end())
    return refuse(pointer_join("/deny", static_cast<std::size_t>(denied - deny_.begin())),
                  fmt::format("fault '{}' is denied", request.fault));
  if (allow_ && std::ranges::find(*allow_, request.fault) == allow_->end())
    return refuse("/allow", fmt::format("fault '{}' is not among those allowed", request.fault));
  if (request.duration > max_duration_)
    return refuse("/max-duration",
                  fmt::format("duration {} is longer than {}", to_string(request.duration),
                              to_string(max_duration_)));
  if (open >= max_injections_)
    return refuse(
        "/max-injections",
        fmt::format("{} injections are open already, at most {} may be", open, max_injections_));
  if (auto tagged = check_tags(request); !tagged) return tagged;
  if (auto limits = check_limits(request, params); !limits) return limits;
  if (auto whole = check_protected(params); !whole) return whole;
  return check_hours(at, request.duration);
}

}  // namespace firedrill::agent
