// The bytes of the journal file: takes and gives strings, opens nothing. Little-endian throughout.
//
//   header, 128 bytes:  "FDJRNL\r\n"  u32 version  u32 crc  u64 capacity  36 bytes boot_id  zeros
//   record, 24 bytes:   u32 magic  u32 length  u32 crc  u32 zero  u64 sequence  then `length` bytes
//
// Records start at multiples of 8 and their payload is padded with spaces to one, so that the CRC
// covers every byte of them. The file is as long as `capacity` from the start and zero after the
// last record: a byte that is neither part of a sound record nor zero is damage, wherever it is.
// Magic, version and the header's CRC stay where they are in every version; versions.hpp says how
// an older file is read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "firedrill/result.hpp"

namespace firedrill::agent::journal_format {

inline constexpr std::size_t kHeaderBytes = 128;
inline constexpr std::size_t kRecordHeaderBytes = 24;
inline constexpr std::size_t kMaxPayloadBytes = 128 << 10;

struct FileHeader {
  std::uint64_t capacity = 0;  ///< bytes of the whole file
  std::string boot_id;         ///< of the boot in which the file was made
  std::uint32_t version = 1;   ///< of the payloads; which ones this program reads: versions.hpp
};

/// A sound record; `payload` points into the bytes that were scanned.
struct RawRecord {
  std::size_t offset = 0;
  std::uint64_t sequence = 0;  ///< 1, 2, 3 … within the file
  std::string_view payload;
};

/// Bytes [from, to) that are no record. `hint` is what can still be read in them, or empty.
struct DamagedRegion {
  std::size_t from = 0;
  std::size_t to = 0;
  std::string hint;
};

struct Scan {
  std::vector<RawRecord> records;
  std::vector<DamagedRegion> damage;
  std::size_t end = kHeaderBytes;  ///< where the next record goes: past records and damage alike
  std::uint64_t next_sequence = 1;
};

[[nodiscard]] std::string encode_header(const FileHeader& header);
/// Of any version. @errors corrupt  the header does not read back as what was written
[[nodiscard]] Result<FileHeader> decode_header(std::string_view bytes);

/// `payload` must not be longer than kMaxPayloadBytes.
[[nodiscard]] std::string encode_record(std::uint64_t sequence, std::string_view payload);

/// Finds every sound record after the header, skipping damage. Never fails and never reads past
/// `bytes`; a gap in the sequence is reported as a damaged region of no length.
[[nodiscard]] Scan scan(std::string_view bytes);

}  // namespace firedrill::agent::journal_format
