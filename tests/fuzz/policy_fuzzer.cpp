// A policy section of any bytes: it reads or is refused with words and a place; what reads answers
// every question, and says its rules.
#include <string_view>

#include "agent/policy/policy.hpp"
#include "tests/fuzz/must.hpp"

namespace {

using namespace firedrill;

constexpr ParamSpec kParams[] = {
    {.name = "device", .type = ParamType::text, .choices = {}, .default_text = {}, .help = {}},
    {.name = "loss", .type = ParamType::ratio, .choices = {}, .default_text = {}, .help = {}},
    {.name = "delay", .type = ParamType::duration, .choices = {}, .default_text = {}, .help = {}},
    {.name = "unit", .type = ParamType::text, .choices = {}, .default_text = {}, .help = {}},
};
constexpr agent::FaultTable kFaults[] = {{"netem", kParams}, {"nic-ring", kParams}};

/// The question is the same each time; the policy is what varies.
Params question() {
  const auto params = validate_params(
      std::span<const ParamSpec>(kParams),
      {{"device", "/srv/db"}, {"loss", "5%"}, {"delay", "10ms"}, {"unit", "etcd.service"}}, "");
  must(params.has_value(), "the question is well put");
  return *params;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto json = parse_json(text, "fuzz");
  if (!json) return 0;
  auto policy = agent::Policy::parse(*json, "", "fuzz", text, kFaults);
  if (!policy) {
    must(!policy.error().what.empty(), "an error has words");
    must(policy.error().code == ErrorCode::invalid_input, "a wrong policy is wrong input");
    return 0;
  }
  must(!policy->rules().empty(), "a policy has rules");
  for (const agent::PolicyRule& rule : policy->rules()) {
    must(!rule.text.empty(), "a rule has words");
    must((rule.line == 0) == rule.pointer.empty(), "a rule of the file has its place");
  }
  static const Params kQuestion = question();
  FaultRequest request;
  request.fault = "netem";
  request.duration = std::chrono::minutes(5);
  for (const UtcTime at : {UtcTime{}, UtcTime{std::chrono::hours(81)}})
    if (const auto answer = policy->check(request, kQuestion, 0, at); !answer)
      must(answer.error().code == ErrorCode::refused, "a refusal is called so");
  static_cast<void>(policy->check_commander("controller"));
  return 0;
}
