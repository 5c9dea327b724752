// Reads JSON that others define: strict about the types we use, silent about members we do not.
// Private to the detectors. Errors are sticky, as in ObjectReader; done() returns the first.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/detect/detection.hpp"

namespace firedrill {

class WireReader {
 public:
  WireReader(const Json& value, std::string pointer);

  [[nodiscard]] std::string text(std::string_view key);
  [[nodiscard]] std::string text_or(std::string_view key, std::string fallback);
  /// A map of texts; absent or null is empty.
  [[nodiscard]] Labels labels(std::string_view key);
  [[nodiscard]] std::vector<std::string> texts(std::string_view key);
  /// Seconds, at least 0, as Prometheus writes durations.
  [[nodiscard]] Duration seconds(std::string_view key);
  /// RFC 3339. Go's zero time (year 1) is nothing.
  [[nodiscard]] std::optional<UtcTime> time(std::string_view key, bool required);
  /// An empty array or object stands in for what is absent or of the wrong type.
  [[nodiscard]] const Json& array(std::string_view key);
  [[nodiscard]] const Json& object(std::string_view key);

  void refuse(std::string_view key, std::string what);
  [[nodiscard]] std::string at(std::string_view key) const { return pointer_join(pointer_, key); }
  [[nodiscard]] Result<void> done() const;

 private:
  [[nodiscard]] const Json* find(std::string_view key) const;

  const Json& value_;
  std::string pointer_;
  std::optional<Error> error_;
};

}  // namespace firedrill
