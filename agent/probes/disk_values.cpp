#include "agent/probes/disk_values.hpp"

#include <charconv>

namespace firedrill::agent {
namespace {

constexpr double kSector = 512;
constexpr unsigned kErrorLevel = 3;  // KERN_ERR; smaller is worse

/// Mean time of `count` operations, when there were any.
void put_await(Values& values, const char* name, double milliseconds, double count) {
  if (count > 0) values[name] = milliseconds / count;
}

}  // namespace

Values disk_values(const std::optional<kernel::BlockCounters>& before,
                   const kernel::BlockCounters& now, std::optional<Duration> elapsed) {
  Values values{{"in_flight", static_cast<double>(now.in_flight)}};
  if (!before || !elapsed || elapsed->count() <= 0) return values;
  const double seconds = static_cast<double>(elapsed->count()) / 1e6;
  const auto reads = moved(before->reads, now.reads);
  const auto writes = moved(before->writes, now.writes);
  const auto read_ms = moved(before->read_ms, now.read_ms);
  const auto write_ms = moved(before->write_ms, now.write_ms);
  const auto read_sectors = moved(before->read_sectors, now.read_sectors);
  const auto write_sectors = moved(before->write_sectors, now.write_sectors);
  const auto busy_ms = moved(before->busy_ms, now.busy_ms);
  if (!reads || !writes || !read_ms || !write_ms || !read_sectors || !write_sectors || !busy_ms)
    return values;
  put_await(values, "read_await_ms", *read_ms, *reads);
  put_await(values, "write_await_ms", *write_ms, *writes);
  put_await(values, "await_ms", *read_ms + *write_ms, *reads + *writes);
  values["util_pct"] = *busy_ms / (seconds * 1000) * 100;
  values["read_per_s"] = *reads / seconds;
  values["write_per_s"] = *writes / seconds;
  values["read_bytes_per_s"] = *read_sectors * kSector / seconds;
  values["write_bytes_per_s"] = *write_sectors * kSector / seconds;
  return values;
}

bool is_kernel_error(std::string_view record, std::string_view wanted) {
  unsigned priority = 0;
  const auto [end, error] = std::from_chars(record.begin(), record.end(), priority);
  if (error != std::errc{} || end == record.end() || *end != ',') return false;
  const std::size_t semicolon = record.find(';');
  if (semicolon == std::string_view::npos) return false;
  const bool from_kernel = priority >> 3 == 0;  // else a program wrote it
  return from_kernel && (priority & 7) <= kErrorLevel &&
         record.substr(semicolon + 1).find(wanted) != std::string_view::npos;
}

}  // namespace firedrill::agent
