// What a detector has to say, as values ready to become events, and the clock it was said on.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "firedrill/event.hpp"

namespace firedrill {

using Labels = std::map<std::string, std::string>;

/// One event in the making: `kind` and `data` as event.hpp documents them. `at` is on the
/// controller's clock; the true instant is within at ± uncertainty.
struct Detection {
  std::string kind;
  UtcTime at{};
  Duration uncertainty{};
  Json data = Json::object();
};

/// The monitoring server's clock minus the controller's: the truth is within offset ± error.
struct MonitorClock {
  Duration offset{};
  Duration error{};
};

/// Names a set of labels: 64-bit FNV-1a over the sorted names and values, each followed by 0xff,
/// as 16 hex digits. This is Alertmanager's own fingerprint (prometheus/common
/// model/signature.go), so that one alert has one name in every source that sees the same labels.
[[nodiscard]] std::string label_fingerprint(const Labels& labels);

}  // namespace firedrill
