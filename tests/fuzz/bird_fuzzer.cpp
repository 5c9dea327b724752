// What listens on a control socket may say anything, in any pieces.
#include <string_view>

#include "agent/kernel/bird_reply.hpp"
#include "agent/kernel/linux_bird.hpp"
#include "tests/fuzz/must.hpp"

namespace {

using namespace firedrill;
using namespace firedrill::agent::kernel;

/// Every line of every whole answer, each with its code, fed in pieces of `size` bytes.
std::string read(std::string_view bytes, std::size_t size) {
  BirdReplyReader reader;
  std::string out;
  while (!bytes.empty()) {
    const auto fed = reader.feed(bytes.substr(0, size));
    bytes.remove_prefix(std::min(size, bytes.size()));
    while (const auto reply = reader.take()) {
      must(!reply->lines.empty(), "an answer has a last line");
      for (const BirdLine& line : reply->lines) {
        must(line.code >= 0 && line.code <= 9999, "a code has four digits");
        out += std::to_string(line.code) + ":" + line.text + "\n";
      }
      const auto good = check_bird_reply(*reply, "x");
      must(good || !good.error().what.empty(), "an error has words");
      for (const BirdProtocol& one : parse_bird_protocols(*reply))
        must(one.name.find(' ') == std::string::npos, "a name is one word");
      static_cast<void>(route_is_from(*reply, "edge1"));
    }
    if (!fed) {
      must(!fed.error().what.empty(), "an error has words");
      return out + "broken";
    }
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string whole = read(text, text.size() + 1);
  must(read(text, 1) == whole, "pieces of one byte give the same");
  must(read(text, 7) == whole, "pieces of seven bytes give the same");
  for (const std::string& path : parse_control_sockets(text))
    must(path.starts_with('/') && path.ends_with(".ctl"), "a path is a path");
  return 0;
}
