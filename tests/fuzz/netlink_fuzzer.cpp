// What a kernel may answer: attributes, and the options of qdiscs and filters. The first byte says
// of which kind a filter claims to be.
#include <array>
#include <span>

#include "agent/kernel/attributes.hpp"
#include "agent/kernel/filter_options.hpp"
#include "agent/kernel/netem.hpp"
#include "tests/fuzz/must.hpp"

namespace {

using namespace firedrill;
using namespace firedrill::agent::kernel;

void read_attributes(std::span<const std::byte> bytes, int depth = 0) {
  const auto table = AttributeTable::parse(bytes);
  if (!table) return must(!table.error().what.empty(), "an error has words");
  for (const AttributeTable::Entry& entry : table->entries()) {
    must(entry.payload.empty() ||
             (entry.payload.data() >= bytes.data() &&
              entry.payload.data() + entry.payload.size() <= bytes.data() + bytes.size()),
         "an attribute lies within its message");
    must(table->text(entry.type).size() <= bytes.size(), "and so does its text");
    [[maybe_unused]] const auto number = table->get<std::uint64_t>(entry.type);
    if (depth < 3) read_attributes(entry.payload, depth + 1);
  }
}

void read_netem(std::span<const std::byte> bytes) {
  const auto spec = parse_netem(bytes);
  if (!spec) return must(!spec.error().what.empty(), "an error has words");
  must(!to_string(*spec).empty(), "settings can be told of");
}

void read_filter(std::string_view kind, std::span<const std::byte> bytes) {
  Filter filter;
  filter.kind = kind;
  filter.protocol = 0x0800;
  const auto read = parse_filter_options(bytes, filter);
  if (!read) return must(!read.error().what.empty(), "an error has words");
  must(filter.cookie.size() <= 16, "a cookie is no longer than the kernel keeps");
  [[maybe_unused]] const std::string told = to_string(filter.match);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  static constexpr std::array<std::string_view, 6> kKinds{"flower", "matchall", "u32",
                                                          "fw",     "bpf",      ""};
  const auto bytes = std::as_bytes(std::span(data + 1, size - 1));
  read_attributes(bytes);
  read_netem(bytes);
  read_filter(kKinds[data[0] % kKinds.size()], bytes);
  [[maybe_unused]] const std::string compared =
      comparable_options(data[0] % 2 == 0 ? "fq_codel" : "netem", bytes);
  return 0;
}
