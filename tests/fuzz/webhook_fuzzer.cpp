// What anyone who holds the webhook's token may post, to any kind of detector.
#include <algorithm>
#include <string_view>

#include "controller/detect/webhooks.hpp"
#include "tests/fuzz/must.hpp"

namespace {

using namespace firedrill;

void check(std::string_view text, const Detector& detector) {
  const auto notices = parse_webhook(text, detector);
  if (!notices) return must(!notices.error().what.empty(), "an error has words");
  for (const AlertNotice& notice : *notices) {
    must(!notice.fingerprint.empty() || detector.kind == Detector::Kind::pager,
         "every notice can be told from the others");
    const Detection detection = to_detection(notice, UtcTime{}, MonitorClock{{}, Duration{1}});
    must(detection.at <= UtcTime{}, "nothing is heard of before it is told");
    static_cast<void>(detection.data.dump(-1, ' ', false, Json::error_handler_t::replace));
  }
  const auto again = parse_webhook(text, detector);
  must(again && again->size() == notices->size(), "the same body gives the same notices");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Detector detector;
  detector.name = detector.alert = "fuzz";
  for (const auto kind : {Detector::Kind::alertmanager, Detector::Kind::grafana,
                          Detector::Kind::pager, Detector::Kind::webhook}) {
    detector.kind = kind;
    check(text, detector);
  }
  detector.fields = {.state = "/state",
                     .on = {"on", "1"},
                     .name = "/check/0/name",
                     .id = "/id",
                     .at = "/at",
                     .severity = "/severity"};
  check(text, detector);
  return 0;
}
