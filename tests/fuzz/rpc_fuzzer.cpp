// What a peer may send: a message and everything that travels in one.
#include <string_view>

#include "firedrill/event.hpp"
#include "firedrill/rpc.hpp"
#include "tests/fuzz/must.hpp"

namespace {

using namespace firedrill;

/// What was understood is written out and understood the same again.
template <class Parse>
void round_trip(const Json& json, Parse parse) {
  const auto first = parse(json);
  if (!first) return must(!first.error().what.empty(), "an error has words");
  const Json written = to_json(*first);
  const auto second = parse(written);
  must(second.has_value(), "what we write, we read");
  must(to_json(*second) == written, "and it is the same");
}

void read_payload(const Json& json) {
  round_trip(json, rpc::parse_hello);
  round_trip(json, rpc::parse_agent_event);
  round_trip(json, rpc::parse_probe_request);
  round_trip(json, rpc::parse_sample);
  round_trip(json, rpc::parse_injection_status);
  round_trip(json, parse_event);
  round_trip(json, [](const Json& one) { return parse_fault_request(one, ""); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto message = rpc::decode(text);
  if (!message) {
    must(!message.error().what.empty(), "an error has words");
    return 0;
  }
  const std::string written =
      std::visit([](const auto& one) { return rpc::encode(one); }, *message);
  must(rpc::decode(written).has_value(), "what we write, we read");
  if (const auto* request = std::get_if<rpc::Request>(&*message)) read_payload(request->params);
  const auto* response = std::get_if<rpc::Response>(&*message);
  if (response != nullptr && response->result) read_payload(*response->result);
  return 0;
}
