// What the controller says of peers: who joined, who was turned away and why. A flood of bad peers
// becomes a few lines and a number. Any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace firedrill {

class Refusals {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Write = std::function<void(std::string_view line)>;

  /// Empty `write`: nobody listens.
  explicit Refusals(Write write) : write_(std::move(write)) {}

  /// At most kMostPerSecond lines in each second that begins with one; those beyond are counted,
  /// and told with the next line.
  void note(std::string_view remote_address, std::string_view reason, Time now);
  /// What is always worth a line: a host that joined, a certificate that was signed.
  void tell(std::string_view line);

  static constexpr std::size_t kMostPerSecond = 10;

 private:
  Write write_;
  std::mutex mutex_;
  Time second_{};
  std::size_t told_ = 0, left_out_ = 0;
};

/// Words of a peer as one line of a log: control characters and bytes above ASCII become '?', and
/// what is beyond 300 bytes is cut off.
[[nodiscard]] std::string one_line(std::string_view text);

}  // namespace firedrill
