#include "agent/kernel/attributes.hpp"

#include <linux/netlink.h>

namespace firedrill::agent::kernel {

void AttributeWriter::put_bytes(std::uint16_t type, std::span<const std::byte> payload) {
  const nlattr header{static_cast<std::uint16_t>(NLA_HDRLEN + payload.size()), type};
  append_plain(bytes_, header);
  bytes_.insert(bytes_.end(), payload.begin(), payload.end());
  bytes_.resize(NLA_ALIGN(bytes_.size()));
}

void AttributeWriter::put_text(std::uint16_t type, std::string_view text) {
  Bytes payload(text.size() + 1);
  std::memcpy(payload.data(), text.data(), text.size());
  put_bytes(type, payload);
}

void AttributeWriter::put_nest(std::uint16_t type, const AttributeWriter& inner) {
  put_bytes(type | NLA_F_NESTED, inner.bytes());
}

Result<AttributeTable> AttributeTable::parse(std::span<const std::byte> bytes) {
  AttributeTable table;
  while (!bytes.empty()) {
    nlattr header;
    if (bytes.size() < sizeof header) {
      // The kernel pads the end of a nest to four bytes; anything longer is damage.
      if (bytes.size() < NLA_ALIGNTO) break;
      return fail(ErrorCode::corrupt, "netlink attribute is cut short");
    }
    std::memcpy(&header, bytes.data(), sizeof header);
    if (header.nla_len < sizeof header || header.nla_len > bytes.size())
      return fail(ErrorCode::corrupt, "netlink attribute has an impossible length");
    const auto type = static_cast<std::uint16_t>(header.nla_type & NLA_TYPE_MASK);
    table.entries_.push_back({type, bytes.subspan(NLA_HDRLEN, header.nla_len - NLA_HDRLEN)});
    bytes = bytes.subspan(std::min<std::size_t>(NLA_ALIGN(header.nla_len), bytes.size()));
  }
  return table;
}

std::optional<std::span<const std::byte>> AttributeTable::find(std::uint16_t type) const {
  for (auto entry = entries_.rbegin(); entry != entries_.rend(); ++entry)
    if (entry->type == type) return entry->payload;
  return std::nullopt;
}

std::string_view AttributeTable::text(std::uint16_t type) const {
  const auto payload = find(type);
  if (!payload) return {};
  const auto* first = reinterpret_cast<const char*>(payload->data());
  return {first, strnlen(first, payload->size())};
}

Result<AttributeTable> AttributeTable::nest(std::uint16_t type) const {
  const auto payload = find(type);
  if (!payload) return AttributeTable{};
  return parse(*payload);
}

}  // namespace firedrill::agent::kernel
