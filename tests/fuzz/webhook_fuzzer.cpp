// What anyone who holds the webhook's token may post.
#include <string_view>

#include "controller/detect/alertmanager_webhook.hpp"
#include "tests/fuzz/must.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace firedrill;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto notices = parse_alertmanager_webhook(text);
  if (!notices) {
    must(!notices.error().what.empty(), "an error has words");
    return 0;
  }
  for (const AlertNotice& notice : *notices) {
    must(!notice.fingerprint.empty(), "every notice can be told from the others");
    static_cast<void>(to_detection(notice, UtcTime{}));
  }
  const auto again = parse_alertmanager_webhook(text);
  must(again && again->size() == notices->size(), "the same body gives the same notices");
  return 0;
}
