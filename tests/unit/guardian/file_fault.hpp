// A host that has nothing, and a fault that overwrites a file; undo puts the old content back.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "agent/fault.hpp"
#include "agent/host.hpp"
#include "tests/support/no_host.hpp"

namespace firedrill::agent::testing {

inline std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_file(const std::filesystem::path& path, std::string_view text) {
  std::ofstream(path, std::ios::trunc) << text;
}

/// Overwrites a file; undo puts the old content back.
class FileFault : public Fault {
 public:
  [[nodiscard]] std::string_view name() const override { return "file"; }
  [[nodiscard]] std::string_view summary() const override { return "overwrites a file"; }
  [[nodiscard]] std::span<const ParamSpec> schema() const override { return kParams; }
  [[nodiscard]] Json example() const override { return Json::object(); }
  [[nodiscard]] Support probe_support(Host& /*host*/) const override { return {true, {}}; }
  [[nodiscard]] Result<void> check(const Params& /*params*/) const override { return {}; }
  [[nodiscard]] std::vector<std::string> exclusive_resources(
      const Params& /*params*/) const override {
    return {};
  }
  [[nodiscard]] Result<Json> capture(Host& /*host*/, const Params& params) const override {
    const std::string path = params.text("path");
    return Json{{"path", path}, {"old", read_file(path)}};
  }
  [[nodiscard]] Result<Json> apply(Host& /*host*/, const Params& /*params*/,
                                   const Json& record) const override {
    write_file(record.at("path").get<std::string>(), "broken");
    return Json::object();
  }
  [[nodiscard]] Result<UndoOutcome> undo(Host& /*host*/, const Json& record) const override {
    if (refuse_undo-- > 0) return fail(ErrorCode::io_failed, "not now");
    const auto path = record.at("path").get<std::string>();
    if (read_file(path) == record.at("old").get<std::string>()) return UndoOutcome::already_gone;
    write_file(path, record.at("old").get<std::string>());
    return UndoOutcome::restored;
  }
  [[nodiscard]] Result<Verification> verify(Host& /*host*/, const Json& record) const override {
    const std::string now = read_file(record.at("path").get<std::string>());
    Verification out;
    if (now != record.at("old").get<std::string>()) out.differences.push_back("it says " + now);
    return out;
  }
  mutable int refuse_undo = 0;

 private:
  static constexpr ParamSpec kParams[] = {{.name = "path",
                                           .type = ParamType::text,
                                           .required = true,
                                           .choices = {},
                                           .default_text = {},
                                           .help = {}}};
};

}  // namespace firedrill::agent::testing
