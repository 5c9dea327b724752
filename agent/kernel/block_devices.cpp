#include "agent/kernel/block_devices.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <sstream>

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "agent/kernel/read_file.hpp"

namespace firedrill::agent::kernel {
namespace {

namespace fs = std::filesystem;

DeviceNumber number_of(dev_t device) { return {major(device), minor(device)}; }

std::string sysfs_of(DeviceNumber number) { return "/sys/dev/block/" + to_string(number); }

/// The file's first line, or empty when there is no such file.
std::string attribute(const std::string& path) {
  std::string text = read_file(path).value_or("");
  text.resize(std::min(text.find('\n'), text.size()));
  return text;
}

std::optional<DeviceNumber> number_in(const std::string& directory) {
  const auto number = parse_device_number(attribute(directory + "/dev"));
  return number ? std::optional(*number) : std::nullopt;
}

std::vector<std::string> entries_of(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error))
    names.push_back(entry.path().string());
  return names;
}

std::optional<DeviceNumber> find_mapper_name(std::string_view name) {
  for (const std::string& directory : entries_of("/sys/block"))
    if (attribute(directory + "/dm/name") == name) return number_in(directory);
  return std::nullopt;
}

/// A name as people give it to a device: its node need not exist, where there is no udevd.
std::optional<DeviceNumber> find_name(const std::string& text) {
  std::string_view name = text;
  const bool mapper = name.starts_with("/dev/mapper/");
  if (mapper) name.remove_prefix(std::string_view("/dev/mapper/").size());
  else if (name.starts_with("/dev/")) name.remove_prefix(std::string_view("/dev/").size());
  if (name.empty() || name.find('/') != std::string_view::npos) return std::nullopt;
  if (const auto number = find_mapper_name(name)) return number;
  return mapper ? std::nullopt : number_in(fmt::format("/sys/class/block/{}", name));
}

void collect_layers(DeviceNumber number, std::vector<DeviceNumber>& out) {
  if (std::ranges::find(out, number) != out.end()) return;
  out.push_back(number);
  const std::string directory = sysfs_of(number);
  if (const auto device = block_device(number); device && device->whole != number)
    collect_layers(device->whole, out);
  for (const std::string& lower : entries_of(directory + "/slaves"))
    if (const auto below = number_in(lower)) collect_layers(*below, out);
  const std::string file = attribute(directory + "/loop/backing_file");
  if (file.empty()) return;
  if (const auto below = device_below_path(file)) collect_layers(*below, out);
}

}  // namespace

Result<BlockDevice> block_device(DeviceNumber number) {
  std::error_code error;
  const fs::path directory = fs::canonical(sysfs_of(number), error);
  if (error) return fail(ErrorCode::not_found, "there is no block device " + to_string(number));
  BlockDevice device;
  device.number = device.whole = number;
  device.name = directory.filename().string();
  device.mapper_name = attribute(directory / "dm/name");
  device.mapper_uuid = attribute(directory / "dm/uuid");
  if (fs::exists(directory / "partition", error))
    device.whole = number_in(directory.parent_path().string()).value_or(number);
  return device;
}

std::string mount_source(std::string_view text, DeviceNumber number) {
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    // "36 35 98:0 /root /point options [optional…] - type source options"
    std::istringstream words(line);
    std::string id, parent, device, word;
    if (!(words >> id >> parent >> device) || device != to_string(number)) continue;
    while (words >> word && word != "-") {
    }
    std::string type, source;
    if (words >> type >> source) return source;
  }
  return {};
}

Result<DeviceNumber> device_below_path(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) < 0) return fail_errno(errno, path);
  const DeviceNumber number = number_of(status.st_dev);
  if (number.major != 0) return number;
  const auto mounts = read_file("/proc/self/mountinfo");
  if (!mounts) return std::unexpected(mounts.error());
  const std::string source = mount_source(*mounts, number);
  if (source.starts_with("/") && ::stat(source.c_str(), &status) == 0 && S_ISBLK(status.st_mode))
    return number_of(status.st_rdev);
  return fail(ErrorCode::unsupported,
              fmt::format("the file system of '{}' ({}) is on no block device", path,
                          source.empty() ? "unknown" : source));
}

Result<BlockDevice> find_block_device(const std::string& text) {
  struct stat status{};
  const bool there = text.starts_with('/') && ::stat(text.c_str(), &status) == 0;
  if (there && S_ISBLK(status.st_mode)) return block_device(number_of(status.st_rdev));
  if (const auto number = find_name(text)) return block_device(*number);
  if (!there)
    return fail(ErrorCode::not_found,
                fmt::format("'{}' is no device, no name of device-mapper and no path here", text));
  const auto number = device_below_path(text);
  if (!number) return std::unexpected(number.error());
  return block_device(*number);
}

std::vector<DeviceNumber> layers_below(DeviceNumber number) {
  std::vector<DeviceNumber> out;
  collect_layers(number, out);
  return out;
}

Result<BlockDevice> lowest_device(DeviceNumber number) {
  while (true) {
    const auto device = block_device(number);
    if (!device) return device;
    if (device->whole != number) {
      number = device->whole;
      continue;
    }
    const auto lower = entries_of(sysfs_of(number) + "/slaves");
    const auto below = lower.size() == 1 ? number_in(lower.front()) : std::nullopt;
    if (!below) return device;
    number = *below;
  }
}

std::vector<std::string> swap_places() {
  std::vector<std::string> places;
  std::istringstream lines(read_file("/proc/swaps").value_or(""));
  std::string line;
  std::getline(lines, line);  // the heads of the columns
  while (std::getline(lines, line)) {
    line.resize(std::min(line.find_first_of(" \t"), line.size()));
    if (!line.empty()) places.push_back(line);
  }
  return places;
}

Result<BlockCounters> parse_block_counters(std::string_view text) {
  std::istringstream words{std::string(text)};
  BlockCounters counters;
  std::uint64_t merged = 0;
  if (words >> counters.reads >> merged >> counters.read_sectors >> counters.read_ms >>
      counters.writes >> merged >> counters.write_sectors >> counters.write_ms >>
      counters.in_flight >> counters.busy_ms)
    return counters;
  return fail(ErrorCode::corrupt, fmt::format("'{}' are no counters of a block device", text));
}

Result<BlockCounters> read_block_counters(DeviceNumber number) {
  const auto text = read_file(sysfs_of(number) + "/stat");
  if (!text) return std::unexpected(text.error());
  return parse_block_counters(*text);
}

}  // namespace firedrill::agent::kernel
