#include "agent/faults/delay_table.hpp"

#include <algorithm>
#include <charconv>
#include <sstream>

#include <fmt/format.h>

namespace firedrill::agent {
namespace {

using kernel::DmTable;
using kernel::DmTarget;
using kernel::SectorRange;

/// "7:0 2048" of a linear target.
struct Place {
  std::string device;
  std::uint64_t offset = 0;
};

Result<Place> place_of(const DmTarget& target) {
  std::istringstream words(target.params);
  Place place;
  std::string more;
  if (target.type == "linear" && words >> place.device >> place.offset && !(words >> more))
    return place;
  return fail(ErrorCode::unsupported,
              fmt::format("target '{}' cannot be carried over, only 'linear' can ('{}'); choose a "
                          "linear device above or below it",
                          target.type, to_string(target)));
}

DmTarget plain_piece(const Place& place, std::uint64_t from, std::uint64_t start,
                     std::uint64_t length) {
  return {start, length, "linear",
          fmt::format("{} {}", place.device, place.offset + (start - from))};
}

DmTarget slow_piece(const Place& place, std::uint64_t from, std::uint64_t start,
                    std::uint64_t length, const Delays& delays) {
  const std::uint64_t offset = place.offset + (start - from);
  return {start, length, "delay",
          fmt::format("{0} {1} {2} {0} {1} {3} {0} {1} {4}", place.device, offset, delays.read_ms,
                      delays.write_ms, delays.flush_ms)};
}

/// One target cut along `ranges`: the parts inside are slow, those outside stay as they are.
void cut(const DmTarget& target, const Place& place, const std::vector<SectorRange>& ranges,
         const Delays& delays, DmTable& out) {
  const std::uint64_t end = target.start + target.length;
  std::uint64_t at = target.start;
  for (const SectorRange& range : ranges) {
    const std::uint64_t from = std::max(range.start, at);
    const std::uint64_t to = std::min(range.start + range.length, end);
    if (from >= to) continue;
    if (from > at) out.push_back(plain_piece(place, target.start, at, from - at));
    out.push_back(slow_piece(place, target.start, from, to - from, delays));
    at = to;
  }
  if (at < end) out.push_back(plain_piece(place, target.start, at, end - at));
}

std::optional<Delays> delays_in(const DmTarget& target) {
  std::istringstream words(target.params);
  std::string device;
  std::uint64_t offset = 0;
  Delays delays;
  if (target.type == "delay" && words >> device >> offset >> delays.read_ms >> device >> offset >>
                                    delays.write_ms >> device >> offset >> delays.flush_ms)
    return delays;
  return std::nullopt;
}

}  // namespace

std::string to_string(const Delays& delays) {
  return fmt::format("read {} ms, write {} ms, flush {} ms", delays.read_ms, delays.write_ms,
                     delays.flush_ms);
}

std::vector<SectorRange> merge_ranges(std::vector<SectorRange> ranges) {
  std::erase_if(ranges, [](const SectorRange& range) { return range.length == 0; });
  std::ranges::sort(ranges);
  std::vector<SectorRange> out;
  for (const SectorRange& range : ranges) {
    if (out.empty() || range.start > out.back().start + out.back().length) {
      out.push_back(range);
      continue;
    }
    SectorRange& last = out.back();
    last.length = std::max(last.start + last.length, range.start + range.length) - last.start;
  }
  return out;
}

Result<DmTable> delayed_table(const DmTable& table, const std::vector<SectorRange>& ranges,
                              const Delays& delays) {
  DmTable out;
  for (const DmTarget& target : table) {
    const auto place = place_of(target);
    if (!place) return std::unexpected(place.error());
    if (ranges.empty())
      out.push_back(slow_piece(*place, target.start, target.start, target.length, delays));
    else cut(target, *place, ranges, delays, out);
  }
  const std::uint64_t end = table.empty() ? 0 : table.back().start + table.back().length;
  if (!ranges.empty() && ranges.back().start + ranges.back().length > end)
    return fail(ErrorCode::invalid_input,
                fmt::format("sectors up to {} are asked for, the device ends at {}",
                            ranges.back().start + ranges.back().length, end));
  return out;
}

std::optional<Delays> delays_of(const DmTable& live, const DmTable& table,
                                const std::vector<SectorRange>& ranges) {
  const auto slow = std::ranges::find(live, "delay", &DmTarget::type);
  if (slow == live.end()) return std::nullopt;
  const auto delays = delays_in(*slow);
  if (!delays) return std::nullopt;
  const auto expected = delayed_table(table, ranges, *delays);
  return expected && *expected == live ? delays : std::nullopt;
}

}  // namespace firedrill::agent
