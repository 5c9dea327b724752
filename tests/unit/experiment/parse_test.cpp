#include <chrono>

#include <gmock/gmock.h>

#include "tests/unit/experiment/documents.hpp"

namespace firedrill {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

TEST(Parse, ReadsEveryPart) {
  const auto got = parse(whole_document());
  ASSERT_TRUE(got) << describe(got.error());
  EXPECT_EQ(got->id, "test");
  EXPECT_EQ(got->targets.at("victim").mode, TargetMode::one);
  EXPECT_EQ(got->targets.at("client").mode, TargetMode::all);
  ASSERT_EQ(got->probes.size(), 2U);
  EXPECT_EQ(got->probes[0].interval, 2s);
  EXPECT_EQ(got->probes[0].breach_after, 3);
  EXPECT_EQ(got->probes[0].tolerance.high, 150);
  EXPECT_EQ(got->probes[0].arguments,
            Json::parse(R"({"endpoints": ["http://10.0.0.7:2379"], "rate": 20})"));
  EXPECT_EQ(got->probes[1].measure, "stdout");
  EXPECT_EQ(got->probes[1].arguments["arguments"], Json::parse(R"(["--of", "db"])"));
  EXPECT_EQ(got->probes[1].arguments["timeout"], "5s");
  EXPECT_EQ(got->expected[0].within, 30s);
  EXPECT_EQ(got->stop_conditions[0].for_time, 5s);
  EXPECT_EQ(got->injects[0].at, 20s);
  EXPECT_EQ(got->objectives.ttd, Duration(2min));
  EXPECT_FALSE(got->objectives.ttr);
  EXPECT_EQ(got->phases.steady_for, 4s);
  EXPECT_TRUE(got->run_rollbacks);
}

TEST(Parse, ReadsActions) {
  const auto got = parse(whole_document());
  ASSERT_TRUE(got) << describe(got.error());
  ASSERT_EQ(got->faults.size(), 2U);
  const FaultAction& drop = got->faults[0];
  EXPECT_EQ(drop.arguments["loss"], "5%");
  EXPECT_EQ(drop.duration, 60s);
  EXPECT_EQ(drop.pause_before, 2s);
  EXPECT_EQ(drop.pause_after, 1s);
  EXPECT_EQ(drop.lease, Duration(20s));
  ASSERT_TRUE(drop.cured_by);
  EXPECT_EQ(drop.cured_by->min, 512);
  EXPECT_EQ(drop.pattern, (Pattern{10s, 5s}));
  EXPECT_EQ(drop.ramp, (Ramp{"loss", "0%", 30s, 6}));
  EXPECT_EQ(drop.pointer, "/method/0");
  EXPECT_EQ(got->faults[1].duration, 30s);
  EXPECT_FALSE(got->faults[1].pattern || got->faults[1].ramp);
  EXPECT_EQ(got->faults[1].start_after, "drop");
  EXPECT_EQ(got->faults[1].pointer, "/method/2");
}

TEST(Parse, PatternAndRampAreReadStrictly) {
  const std::pair<Json, std::string> cases[] = {
      {changed("/method/0/pattern/off", nullptr), "/method/0/pattern"},
      {changed("/method/0/pattern/off", "50ms"), "/method/0/pattern/off"},
      {changed("/method/0/pattern/of", "5s"), "/method/0/pattern/of"},
      {changed("/method/0/pattern/on", "500ms"), "/method/0/cured-by/interval"},
      {changed("/method/0/ramp/parameter", nullptr), "/method/0/ramp"},
      {changed("/method/0/ramp/from", 0.5), "/method/0/ramp/from"},
      {changed("/method/0/ramp/over", "25h"), "/method/0/ramp/over"},
      {changed("/method/0/ramp/steps", 301), "/method/0/ramp/steps"},
      {changed("/method/0/ramp/step", 3), "/method/0/ramp/step"},
      {changed("/method/3/ramp", Json::object()), "/method/3/ramp"}};
  for (const auto& [document, pointer] : cases) {
    const auto refused = parse(document);
    ASSERT_FALSE(refused) << pointer;
    EXPECT_EQ(refused.error().pointer, pointer) << refused.error().what;
  }
}

TEST(Parse, ProcessActionsWaitForEachOtherUnlessInTheBackground) {
  auto got = parse(whole_document());
  ASSERT_TRUE(got) << describe(got.error());
  EXPECT_EQ(got->processes[0].start_after, "");
  EXPECT_EQ(got->processes[1].start_after, "load");
  got = parse(changed("/method/3/background", true));
  ASSERT_TRUE(got) << describe(got.error());
  EXPECT_EQ(got->processes[1].start_after, "");
}

TEST(Parse, ReadsRunbook) {
  const auto got = parse(whole_document());
  ASSERT_TRUE(got) << describe(got.error());
  ASSERT_EQ(got->steps.size(), 3U);
  EXPECT_EQ(got->steps[0].verify.kind, StepVerification::Kind::attested);
  EXPECT_EQ(got->steps[1].verify.kind, StepVerification::Kind::probe);
  EXPECT_THAT(got->steps[1].after, ElementsAre("look"));
  EXPECT_EQ(got->steps[2].verify.kind, StepVerification::Kind::ack);
  EXPECT_THAT(got->steps[2].after, ElementsAre("look", "mend"));
}

TEST(Parse, SourceParsesToTheSameAgain) {
  const auto first = parse(whole_document(), {{"loss", "10%"}});
  ASSERT_TRUE(first) << describe(first.error());
  const auto second = parse(first->source);
  ASSERT_TRUE(second) << describe(second.error());
  EXPECT_EQ(second->source, first->source);
  EXPECT_EQ(second->faults[0].arguments["loss"], "10%");
}

TEST(Parse, SecretsStayOutOfTheLog) {
  Json document = whole_document();
  document["secrets"] = {{"api", {{"token", {{"type", "env"}, {"key", "SOME_TOKEN"}}}}}};
  const auto got = parse(document);
  ASSERT_TRUE(got) << describe(got.error());
  EXPECT_FALSE(got->source.contains("secrets"));
  document["secrets"]["api"]["token"] = "hunter2";
  EXPECT_FALSE(parse(document));
}

TEST(Parse, RollbacksCanBeTurnedOff) {
  const auto got = parse(changed("/runtime", {{"rollbacks", {{"strategy", "never"}}}}));
  ASSERT_TRUE(got) << describe(got.error());
  EXPECT_FALSE(got->run_rollbacks);
}

struct Refusal {
  const char* pointer;  ///< what is changed
  Json value;           ///< to this; null removes it
  const char* at;       ///< where the error points
  const char* says;
};

class Refused : public testing::TestWithParam<Refusal> {};

TEST_P(Refused, WithPointerAndWords) {
  const auto got = parse(changed(GetParam().pointer, GetParam().value));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().pointer, GetParam().at) << got.error().what;
  EXPECT_THAT(got.error().what, testing::HasSubstr(GetParam().says));
  EXPECT_EQ(got.error().code, ErrorCode::invalid_input);
}

INSTANTIATE_TEST_SUITE_P(
    Keys, Refused,
    testing::Values(
        Refusal{"/titel", "x", "/titel", "Did you mean 'title'?"},
        Refusal{"/title", nullptr, "", "'title' is missing"},
        Refusal{"/method/0/duraton", "1m", "/method/0/duraton", "Did you mean 'duration'?"},
        Refusal{"/method/0/duration", nullptr, "/method/0", "'duration' is missing"},
        Refusal{"/method/0/duration", 60, "/method/0/duration", "with its unit"},
        Refusal{"/method/0/duration", "0s", "/method/0/duration", "must be 1ms to"},
        Refusal{"/method/0/duration", "8d", "/method/0/duration", "must be 1ms to"},
        Refusal{"/method/3/target", "victim", "/method/3/target", "unknown key"},
        Refusal{"/method/0/provider/type", "falt", "/method/0/provider/type", "'fault'"},
        Refusal{"/targets/victim/mode", "on", "/targets/victim/mode", "Did you mean 'one'?"},
        Refusal{"/targets/victim/value", 2, "/targets/victim", "no meaning"},
        Refusal{"/targets/victim/tags", nullptr, "/targets/victim", "'hosts' or 'tags'"},
        Refusal{"/phases/baseline", "15", "/phases/baseline", "not a duration"},
        Refusal{"/runbook/steps/0/wihtin", "1s", "/runbook/steps/0/wihtin", "'within'"},
        Refusal{"/runbook/steps/1/verify/measure", nullptr, "/runbook/steps/1/verify", "measure"},
        Refusal{"/objectives/slo", 1.0, "/objectives/slo", "between 0 and 1"},
        Refusal{"/expected-detections/0/match", Json::object(), "/expected-detections/0/match",
                "every alert"},
        Refusal{"/detectors/prom/url", nullptr, "/detectors/prom", "needs 'url'"},
        Refusal{"/contributions", {{"speed", "huge"}}, "/contributions/speed", "high"},
        Refusal{"/phases",
                {{"baseline", "10s"}, {"baseline-within", "9s"}},
                "/phases/baseline-within",
                "shorter than 'baseline'"},
        Refusal{"/phases", {{"recovery", "1s"}, {"steady-for", "2s"}}, "/phases", "longer"},
        Refusal{"/steady-state-hypothesis/probes/0/tolerance",
                {5, 1},
                "/steady-state-hypothesis/probes/0/tolerance",
                "swap"},
        Refusal{"/method/0/cured-by/min", nullptr, "/method/0/cured-by", "'min' or 'max'"}));

INSTANTIATE_TEST_SUITE_P(
    Links, Refused,
    testing::Values(
        Refusal{"/method/0/target", "victm", "/method/0/target", "Did you mean 'victim'?"},
        Refusal{"/method/2/start-after", "dorp", "/method/2/start-after", "Did you mean 'drop'?"},
        Refusal{"/method/0/start-after", "cut", "/method/0/start-after", "waits for itself"},
        Refusal{"/method/0/start-after", "drop", "/method/0/start-after", "waits for itself"},
        Refusal{"/method/2/name", "drop", "/method/2/name", "two of the action 'drop'"},
        Refusal{"/method/1/ref", "write-p9", "/method/1/ref", "Did you mean 'write-p99'?"},
        Refusal{"/runbook/steps/1/after", "lok", "/runbook/steps/1/after", "Did you mean 'look'?"},
        Refusal{"/runbook/steps/0/after", "say", "/runbook/steps/0/after", "waits for itself"},
        Refusal{"/runbook/steps/2/id", "look", "/runbook/steps/2/name", "two of the step"},
        Refusal{"/runbook/steps/1/verify/target", "vctim", "/runbook/steps/1/verify/target",
                "'victim'"},
        Refusal{"/expected-detections/0/source", "pram", "/expected-detections/0/source", "'prom'"},
        Refusal{"/expected-detections/0/for-action", "load", "/expected-detections/0/for-action",
                "no fault action"},
        Refusal{"/stop-conditions/0/probe", "write", "/stop-conditions/0/probe", "no probe"},
        Refusal{"/steady-state-hypothesis/probes/1/name", "write-p99",
                "/steady-state-hypothesis/probes/1", "two of the probe"}));

INSTANTIATE_TEST_SUITE_P(
    ChaosToolkit, Refused,
    testing::Values(
        Refusal{"/controls", Json::array(), "/controls", "not supported"},
        Refusal{"/method/0/provider",
                {{"type", "python"}, {"module", "m"}, {"func", "f"}},
                "/method/0/provider",
                "Python providers are not supported"},
        Refusal{"/steady-state-hypothesis/probes/1/provider/type", "python",
                "/steady-state-hypothesis/probes/1/provider", "Python"},
        Refusal{"/method/1", {{"type", "probe"}, {"name", "x"}}, "/method/1", "measured all along"},
        Refusal{"/runtime",
                {{"hypothesis", {{"strategy", "skip"}}}},
                "/runtime/hypothesis/strategy",
                "'skip'"},
        Refusal{"/steady-state-hypothesis/probes/0/tolerance",
                {{"type", "probe"}},
                "/steady-state-hypothesis/probes/0/tolerance/type",
                "not a tolerance"}));

}  // namespace
}  // namespace firedrill
