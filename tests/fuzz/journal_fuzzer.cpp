// The journal's file: as any bytes at all, and as sound records that say anything at all.
#include <string>
#include <string_view>

#include "agent/journal/entry.hpp"
#include "tests/fuzz/must.hpp"

namespace {

using namespace firedrill;
using namespace firedrill::agent;
namespace format = journal_format;

void read_anything(std::string_view bytes) {
  if (const auto header = format::decode_header(bytes))
    must(format::decode_header(format::encode_header(*header)).has_value(), "it can be written");
  const format::Scan scan = format::scan(bytes);
  std::size_t at = 0;
  for (const format::RawRecord& record : scan.records) {
    must(record.offset >= at, "records come in order and do not overlap");
    at = record.offset + format::kRecordHeaderBytes + record.payload.size();
    must(at <= bytes.size(), "and lie within the file");
  }
  for (const format::DamagedRegion& region : scan.damage)
    must(region.from <= region.to && region.to <= bytes.size(), "damage lies within the file");
  must(scan.end >= at && scan.end >= format::kHeaderBytes, "the next record overwrites none");
  const JournalView view = fold(scan).view();
  must(scan.damage.empty() || !view.lost.empty(), "damage is never passed over");
}

/// What a new file would be given (Journal::rebuild) says the same as the old one.
void write_anew(const JournalView& view) {
  JournalFold anew;
  for (const LostRecord& lost : view.lost)
    must(anew.apply(lost_payload(lost)).has_value(), "a loss can be written down");
  for (const Transition& transition : view.unreported)
    must(anew.apply(transition_payload(transition)).has_value(), "and an outcome");
  for (const JournalEntry& entry : view.open)
    must(anew.apply(prepared_payload(entry)).has_value(), "and what is open");
  const JournalView again = anew.view();
  must(again.open.size() == view.open.size(), "nothing open is forgotten");
  must(again.lost.size() >= view.lost.size(), "and nothing lost");
}

/// Each line is the payload of one sound record.
void read_records(std::string_view lines) {
  std::string bytes(format::kHeaderBytes, '\0');
  std::uint64_t sequence = 0;
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(lines.size(), line.size() + 1));
    bytes += format::encode_record(++sequence, line);
  }
  const format::Scan scan = format::scan(bytes);
  must(scan.damage.empty() && scan.records.size() == sequence, "what we write, we read");
  write_anew(fold(scan).view());
  if (sequence == 0) return;
  bytes[format::kHeaderBytes + sequence * 37 % (bytes.size() - format::kHeaderBytes)] ^= 4;
  must(!format::scan(bytes).damage.empty(), "a flipped bit is noticed");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  read_anything(text);
  read_anything(std::string(format::kHeaderBytes, '\0') + std::string(text));
  read_records(text);
  return 0;
}
