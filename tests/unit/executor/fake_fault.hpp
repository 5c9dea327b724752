// A fault over a small world in memory, which misbehaves as it is told.
#pragma once

#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "agent/fault.hpp"

namespace firedrill::agent::testing {

/// What the fake fault acts on, and how it misbehaves.
struct World {
  std::map<std::string, std::string> values{{"a", "good"}, {"b", "good"}, {"c", "good"}};
  std::vector<std::string> log;  ///< "apply a", "undo a", …
  bool fail_capture = false;
  bool fail_apply = false;  ///< after it changed the world: the worst case
  bool throw_in_apply = false;
  std::map<std::string, int> fail_undo;  ///< by key: so many undos fail
  bool undo_does_nothing = false;
  bool supported = true;
  std::function<void()> during_apply, during_advance;
  std::string fail_adjust, fail_advance;  ///< "" not; "conflict"; else the error's words
  bool fail_verify = false;
  std::optional<Pattern> own_pattern;
  std::optional<Duration> pace;
  int growth_per_call = 1;  ///< of advance()
  int grown = 0;
  std::vector<Duration> advances;  ///< what advance() was told
};

inline std::string level_of(const Params& params) {
  return params.has("loss") ? " " + to_string(params.ratio("loss")) : "";
}

class FakeFault final : public Fault {
 public:
  explicit FakeFault(World& world) : world_(world) {}
  [[nodiscard]] std::string_view name() const override { return "fake"; }
  [[nodiscard]] std::string_view summary() const override { return "breaks a value"; }
  [[nodiscard]] std::span<const ParamSpec> schema() const override { return kParams; }
  [[nodiscard]] Json example() const override { return {{"key", "a"}}; }
  [[nodiscard]] Support probe_support(Host& /*host*/) const override {
    return {world_.supported, world_.supported ? "" : "no world"};
  }
  [[nodiscard]] Result<void> check(const Params& params) const override {
    if (params.text("key") == "forbidden") return fail_at("/params/key", "forbidden");
    return {};
  }
  [[nodiscard]] std::vector<std::string> exclusive_resources(const Params& params) const override {
    return {"fake:" + params.text("key")};
  }
  [[nodiscard]] Result<Json> capture(Host& /*host*/, const Params& params) const override {
    if (world_.fail_capture) return fail(ErrorCode::io_failed, "capture failed");
    const std::string key = params.text("key");
    return Json{{"key", key}, {"old", world_.values[key]}};
  }
  [[nodiscard]] Result<Json> apply(Host& /*host*/, const Params& params,
                                   const Json& /*record*/) const override {
    const std::string key = params.text("key");
    if (world_.during_apply) world_.during_apply();
    world_.log.push_back("apply " + key + level_of(params));
    world_.values[key] = "broken";
    if (world_.throw_in_apply) throw std::runtime_error("thrown");
    if (world_.fail_apply) return fail(ErrorCode::io_failed, "apply failed");
    return Json{{"value", world_.values[key]}};
  }
  [[nodiscard]] Result<Json> adjust(Host& /*host*/, const Params& params,
                                    const Json& record) const override {
    const auto key = record.at("key").get<std::string>();
    world_.log.push_back("adjust " + key + level_of(params));
    if (world_.fail_adjust == "conflict") return fail(ErrorCode::conflict, "somebody was here");
    if (!world_.fail_adjust.empty()) return fail(ErrorCode::io_failed, world_.fail_adjust);
    return Json{{"loss", to_string(params.ratio("loss"))}};
  }
  [[nodiscard]] std::optional<Duration> pace(const Params& /*params*/) const override {
    return world_.pace;
  }
  [[nodiscard]] Result<Json> advance(Host& /*host*/, const Params& /*params*/,
                                     const Json& /*record*/, Duration active) const override {
    world_.advances.push_back(active);
    if (world_.during_advance) world_.during_advance();
    if (world_.fail_advance == "conflict") return fail(ErrorCode::conflict, "somebody was here");
    if (!world_.fail_advance.empty()) return fail(ErrorCode::io_failed, world_.fail_advance);
    world_.grown += world_.growth_per_call;
    return Json{{"grown", world_.grown}};
  }
  [[nodiscard]] std::optional<Pattern> pattern(const Params& /*params*/) const override {
    return world_.own_pattern;
  }
  [[nodiscard]] Result<UndoOutcome> undo(Host& /*host*/, const Json& record) const override {
    const auto key = record.at("key").get<std::string>();
    world_.log.push_back("undo " + key);
    if (world_.fail_undo[key] > 0) {
      --world_.fail_undo[key];
      return fail(ErrorCode::io_failed, "undo failed");
    }
    if (world_.undo_does_nothing) return UndoOutcome::restored;
    std::string& value = world_.values[key];
    const auto old = record.at("old").get<std::string>();
    if (value == old) return UndoOutcome::already_gone;
    if (value != "broken") return UndoOutcome::superseded;
    value = old;
    return UndoOutcome::restored;
  }
  [[nodiscard]] Result<Verification> verify(Host& /*host*/, const Json& record) const override {
    const auto key = record.at("key").get<std::string>();
    if (world_.fail_verify) return fail(ErrorCode::io_failed, "verify failed");
    Verification out;
    if (world_.values[key] != record.at("old").get<std::string>())
      out.differences.push_back(key + " is " + world_.values[key]);
    return out;
  }

 private:
  static constexpr ParamSpec kParams[] = {
      {.name = "key",
       .type = ParamType::text,
       .required = true,
       .choices = {},
       .default_text = {},
       .help = "which value"},
      {.name = "loss",
       .type = ParamType::ratio,
       .min = 0,
       .max = 1,
       .choices = {},
       .default_text = {},
       .help = "to have something with a bound",
       .ramps = true},
  };
  World& world_;
};

}  // namespace firedrill::agent::testing
