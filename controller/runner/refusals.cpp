#include "controller/runner/refusals.hpp"

#include <utility>

#include <fmt/format.h>

namespace firedrill {

std::string one_line(std::string_view text) {
  constexpr std::size_t kMost = 300;
  std::string line{text.substr(0, kMost)};
  for (char& c : line)
    if (c < ' ' || c == '\x7f') c = '?';  // char is signed: bytes above ASCII are below ' ' too
  if (text.size() > kMost) line += "...";
  return line;
}

void Refusals::note(std::string_view remote_address, std::string_view reason, Time now) {
  if (!write_) return;
  std::size_t left_out = 0;
  {
    const std::scoped_lock lock{mutex_};
    if (now - second_ >= std::chrono::seconds{1}) {
      second_ = now;
      told_ = 0;
    }
    if (++told_ > kMostPerSecond) {
      ++left_out_;
      return;
    }
    left_out = std::exchange(left_out_, 0);
  }
  if (left_out > 0) write_(fmt::format("refused {} more peers, too many to name", left_out));
  write_(fmt::format("refused {}: {}", remote_address.empty() ? "a peer" : remote_address,
                     one_line(reason)));
}

void Refusals::tell(std::string_view line) {
  if (write_) write_(one_line(line));
}

}  // namespace firedrill
