// What BIRD says on its control socket: lines with codes, put together from whatever pieces the
// socket gives. Pure; opens nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "firedrill/result.hpp"

namespace firedrill::agent::kernel {

struct BirdLine {
  int code = 0;
  std::string text;
};
/// One whole answer, its last line included.
struct BirdReply {
  std::vector<BirdLine> lines;
  /// The first line of that code; null when there is none.
  [[nodiscard]] const BirdLine* find(int code) const;
};

/// Takes bytes as they come and gives answers: "NNNN-text" goes on, " text" goes on with the same
/// code, "NNNN text" is the last line, "+text" is a log message that belongs to no answer.
class BirdReplyReader {
 public:
  /// No line of BIRD's is longer; more is not BIRD, or damage.
  static constexpr std::size_t kLongestLine = std::size_t{64} << 10;
  static constexpr std::size_t kLongestReply = std::size_t{8} << 20;

  /// @errors corrupt  this is not what BIRD says; the reader is of no more use
  [[nodiscard]] Result<void> feed(std::string_view bytes);
  /// The answer, once it is whole; then the next one begins.
  [[nodiscard]] std::optional<BirdReply> take();

 private:
  [[nodiscard]] Result<void> take_line(std::string_view line);

  std::string partial_;
  std::size_t size_ = 0;
  BirdReply current_;
  std::vector<BirdReply> whole_;
};

/// An error of BIRD's own (8000 and up), or its refusal (0016), in words with the remedy.
[[nodiscard]] Result<void> check_bird_reply(const BirdReply& reply, std::string_view command);

/// One protocol as `show protocols all` tells of it.
struct BirdProtocol {
  std::string name;
  std::string kind;   ///< "BGP", "Static", …
  std::string state;  ///< "up", "start", "down", …
  std::string since;
  std::string info;     ///< "Established", …
  std::string message;  ///< what the last `disable` or `enable` gave with it
  bool has_routes = false;
  std::uint64_t imported = 0;  ///< summed over its channels
  std::uint64_t exported = 0;
  std::uint64_t preferred = 0;
};
/// Of an answer to `show protocols` or `show protocols all`. Lines that are not understood are
/// passed over.
[[nodiscard]] std::vector<BirdProtocol> parse_bird_protocols(const BirdReply& reply);
/// Does the answer to `show route for ADDRESS primary` name `protocol` as where the route is from?
[[nodiscard]] bool route_is_from(const BirdReply& reply, std::string_view protocol);

}  // namespace firedrill::agent::kernel
