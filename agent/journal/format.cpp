#include "agent/journal/format.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>

#include <fmt/format.h>

#include "agent/journal/crc32.hpp"

namespace firedrill::agent::journal_format {
namespace {

static_assert(std::endian::native == std::endian::little, "the file is read as it lies in memory");

constexpr std::string_view kMagic = "FDJRNL\r\n";
constexpr std::uint32_t kRecordMagic = 0x4a524446;  // "FDRJ"
constexpr std::size_t kAlign = 8;
constexpr std::size_t kBootIdBytes = 36;
constexpr std::size_t kVersionAt = 8;
constexpr std::size_t kCrcAt = 12;
constexpr std::size_t kCapacityAt = 16;
constexpr std::size_t kBootIdAt = 24;

template <class T>
void put(std::string& out, std::size_t at, T value) {
  std::memcpy(out.data() + at, &value, sizeof value);
}

template <class T>
T get(std::string_view bytes, std::size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

/// The CRC of a record covers its length, sequence and payload.
std::uint32_t record_crc(std::string_view record) {
  const std::uint32_t head = crc32(record.substr(4, 4));
  return crc32(record.substr(12), head);
}

std::optional<RawRecord> record_at(std::string_view bytes, std::size_t at) {
  if (bytes.size() - at < kRecordHeaderBytes) return std::nullopt;
  if (get<std::uint32_t>(bytes, at) != kRecordMagic) return std::nullopt;
  const std::size_t length = get<std::uint32_t>(bytes, at + 4);
  if (length > kMaxPayloadBytes || length % kAlign != 0) return std::nullopt;
  if (length > bytes.size() - at - kRecordHeaderBytes) return std::nullopt;
  const std::string_view whole = bytes.substr(at, kRecordHeaderBytes + length);
  if (record_crc(whole) != get<std::uint32_t>(bytes, at + 8)) return std::nullopt;
  return RawRecord{at, get<std::uint64_t>(bytes, at + 16), whole.substr(kRecordHeaderBytes)};
}

/// What a person can still use of damaged bytes: the words `"id":"…"` and `"fault":"…"` in them.
std::string hint_in(std::string_view bytes) {
  std::string hint;
  for (const std::string_view key : {"\"id\":\"", "\"fault\":\""}) {
    const std::size_t found = bytes.find(key);
    if (found == std::string_view::npos) continue;
    const std::string_view rest = bytes.substr(found + key.size(), 65);
    const std::size_t quote = rest.find('"');
    if (quote == std::string_view::npos) continue;
    const std::string_view word = rest.substr(0, quote);
    const auto plain = [](char c) { return c > ' ' && c < 127 && c != '\\'; };
    if (!word.empty() && std::ranges::all_of(word, plain))
      hint +=
          fmt::format("{}{} '{}'", hint.empty() ? "" : ", ", key.substr(1, key.size() - 4), word);
  }
  return hint;
}

std::size_t align_up(std::size_t value) { return (value + kAlign - 1) / kAlign * kAlign; }

/// The first sound record at or after `from`, or the end of the bytes.
std::size_t next_sound_record(std::string_view bytes, std::size_t from) {
  for (std::size_t at = from; at < bytes.size(); at += kAlign)
    if (record_at(bytes, at)) return at;
  return bytes.size();
}

}  // namespace

std::string encode_header(const FileHeader& header) {
  std::string out(kHeaderBytes, '\0');
  std::ranges::copy(kMagic, out.begin());
  put(out, kVersionAt, header.version);
  put(out, kCapacityAt, header.capacity);
  std::ranges::copy(std::string_view(header.boot_id).substr(0, kBootIdBytes),
                    out.begin() + kBootIdAt);
  put(out, kCrcAt, crc32(out));  // computed while the field itself is zero
  return out;
}

Result<FileHeader> decode_header(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes || !bytes.starts_with(kMagic))
    return fail(ErrorCode::corrupt, "the journal's header is not one of ours");
  std::string copy(bytes.substr(0, kHeaderBytes));
  const auto crc = get<std::uint32_t>(copy, kCrcAt);
  put<std::uint32_t>(copy, kCrcAt, 0);
  if (crc32(copy) != crc) return fail(ErrorCode::corrupt, "the journal's header fails its check");
  FileHeader header;
  header.version = get<std::uint32_t>(copy, kVersionAt);
  header.capacity = get<std::uint64_t>(copy, kCapacityAt);
  header.boot_id = copy.substr(kBootIdAt, kBootIdBytes).c_str();
  return header;
}

std::string encode_record(std::uint64_t sequence, std::string_view payload) {
  std::string out(kRecordHeaderBytes, '\0');
  out += payload;
  out.resize(kRecordHeaderBytes + align_up(payload.size()), ' ');
  put(out, 0, kRecordMagic);
  put(out, 4, static_cast<std::uint32_t>(out.size() - kRecordHeaderBytes));
  put(out, 16, sequence);
  put(out, 8, record_crc(out));
  return out;
}

Scan scan(std::string_view bytes) {
  Scan out;
  // An unaligned tail can hold no record and is free space of a file that was cut.
  std::size_t last_used = bytes.size();
  while (last_used > kHeaderBytes && bytes[last_used - 1] == '\0') --last_used;
  const std::size_t used = std::min(align_up(last_used), bytes.size());
  std::size_t at = kHeaderBytes;
  bool after_damage = false;
  while (at < used) {
    const auto record = record_at(bytes, at);
    if (!record) {
      const std::size_t to = std::min(next_sound_record(bytes, at + kAlign), used);
      out.damage.push_back({at, to, hint_in(bytes.substr(at, to - at))});
      at = to;
      after_damage = true;
      continue;
    }
    if (!after_damage && record->sequence != out.next_sequence) out.damage.push_back({at, at, {}});
    after_damage = false;
    out.records.push_back(*record);
    out.next_sequence = record->sequence + 1;
    at += kRecordHeaderBytes + record->payload.size();
  }
  out.end = align_up(std::max(at, kHeaderBytes));
  return out;
}

}  // namespace firedrill::agent::journal_format
