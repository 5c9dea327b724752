#include "agent/kernel/disk_types.hpp"

#include <algorithm>
#include <charconv>
#include <sstream>

#include <fmt/format.h>

namespace firedrill::agent::kernel {
namespace {

template <class Number>
bool parse_whole(std::string_view text, Number& out) {
  const auto [end, error] = std::from_chars(text.begin(), text.end(), out);
  return error == std::errc{} && end == text.end();
}

constexpr std::string_view kKeys[] = {"rbps", "wbps", "riops", "wiops"};

std::string_view key_of(IoLimit which) { return kKeys[static_cast<std::size_t>(which)]; }

}  // namespace

std::string to_string(DeviceNumber number) {
  return fmt::format("{}:{}", number.major, number.minor);
}

Result<DeviceNumber> parse_device_number(std::string_view text) {
  while (text.ends_with('\n')) text.remove_suffix(1);
  DeviceNumber number;
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos || !parse_whole(text.substr(0, colon), number.major) ||
      !parse_whole(text.substr(colon + 1), number.minor))
    return fail(ErrorCode::corrupt, fmt::format("'{}' is no device number", text));
  return number;
}

std::string to_string(const DmTarget& target) {
  return fmt::format("{} {} {} {}", target.start, target.length, target.type, target.params);
}

Result<DmTarget> parse_dm_target(std::string_view line) {
  DmTarget target;
  std::string_view words[3];
  std::string_view rest = line;
  for (std::string_view& word : words) {
    const std::size_t space = std::min(rest.find(' '), rest.size());
    word = rest.substr(0, space);
    rest.remove_prefix(std::min(space + 1, rest.size()));
  }
  if (!parse_whole(words[0], target.start) || !parse_whole(words[1], target.length) ||
      words[2].empty())
    return fail(ErrorCode::corrupt, fmt::format("'{}' is no line of a device-mapper table", line));
  target.type = words[2];
  target.params = rest;
  return target;
}

std::optional<std::uint64_t>& IoLimits::at(IoLimit which) {
  switch (which) {
    case IoLimit::read_bytes:
      return read_bytes;
    case IoLimit::write_bytes:
      return write_bytes;
    case IoLimit::read_operations:
      return read_operations;
    case IoLimit::write_operations:
      break;
  }
  return write_operations;
}

const std::optional<std::uint64_t>& IoLimits::at(IoLimit which) const {
  return const_cast<IoLimits*>(this)->at(which);
}

std::string to_string(const IoLimits& limits) {
  return to_string(limits, {std::begin(kIoLimits), std::end(kIoLimits)});
}

std::string to_string(const IoLimits& limits, const std::vector<IoLimit>& which) {
  std::string out;
  for (const IoLimit one : which) {
    const auto& value = limits.at(one);
    out += fmt::format("{}{}={}", out.empty() ? "" : " ", key_of(one),
                       value ? std::to_string(*value) : "max");
  }
  return out;
}

Result<IoLimits> parse_io_max(std::string_view file, DeviceNumber device) {
  IoLimits limits;
  std::istringstream lines{std::string(file)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    if (!(words >> word) || word != to_string(device)) continue;
    while (words >> word) {
      const std::size_t equals = std::min(word.find('='), word.size());
      const auto* key = std::ranges::find(kKeys, std::string_view(word).substr(0, equals));
      if (key == std::end(kKeys)) continue;  // a newer kernel's
      const std::string value = word.substr(std::min(equals + 1, word.size()));
      if (value == "max") continue;
      std::uint64_t number = 0;
      if (!parse_whole(std::string_view(value), number))
        return fail(ErrorCode::corrupt, fmt::format("io.max: '{}' is no number", word));
      limits.at(kIoLimits[key - std::begin(kKeys)]) = number;
    }
  }
  return limits;
}

}  // namespace firedrill::agent::kernel
