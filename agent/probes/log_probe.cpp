// log: lines of a file or of the journal that hold a text or match an expression, with the instant
// that the first of them carries.
#include <array>
#include <memory>

#include <fmt/core.h>

#include "agent/probes/kinds.hpp"
#include "agent/probes/log_lines.hpp"
#include "agent/probes/paced_session.hpp"

namespace firedrill::agent {
namespace {

constexpr std::array kLogParams{
    ParamSpec{.name = "file",
              .choices = {},
              .default_text = {},
              .help = "a file below /var/log, or with .log in its name"},
    ParamSpec{.name = "unit",
              .choices = {},
              .default_text = {},
              .help = "a systemd unit whose lines in the journal are read"},
    ParamSpec{
        .name = "contains", .choices = {}, .default_text = {}, .help = "lines that hold this text"},
    ParamSpec{.name = "regex",
              .choices = {},
              .default_text = {},
              .help = "lines that match this POSIX extended expression"}};

Result<void> exactly_one(const Params& params, std::string_view one, std::string_view other) {
  if (params.has(one) != params.has(other)) return {};
  return fail(ErrorCode::invalid_input, fmt::format("give either '{}' or '{}'", one, other));
}

class LogProbe final : public Probe {
 public:
  std::string_view name() const override { return "log"; }
  std::string_view summary() const override { return "lines of a log that are waited for"; }
  std::span<const ParamSpec> schema() const override { return kLogParams; }
  std::vector<std::string_view> values() const override {
    return {"matches", "total", "first_us", "first_unit_us", "behind_bytes"};
  }
  Json example() const override {
    return {{"file", "/var/log/syslog"}, {"contains", "Out of memory"}};
  }
  Support probe_support() const override { return {.supported = true, .reason = {}}; }

  Result<std::unique_ptr<ProbeSession>> open(const Params& params) const override {
    if (auto good = exactly_one(params, "file", "unit"); !good)
      return std::unexpected(good.error());
    if (auto good = exactly_one(params, "contains", "regex"); !good)
      return std::unexpected(good.error());
    auto matcher = params.has("regex") ? LineMatcher::of_regex(params.text("regex"))
                                       : LineMatcher::of_text(params.text("contains"));
    if (!matcher) return std::unexpected(matcher.error());
    auto opened =
        params.has("file") ? open_log_file(params.text("file")) : open_journal(params.text("unit"));
    if (!opened) return std::unexpected(opened.error());
    auto read = [matcher = std::move(*matcher), total = 0.0,
                 source = std::shared_ptr<LogSource>(std::move(*opened))](
                    std::optional<Duration>) mutable -> Result<Values> {
      Values values{{"matches", 0}};
      const auto left = source->read([&](const LogLine& line) {
        if (!matcher.matches(line.text)) return;
        if (values["matches"]++ > 0 || !line.stamp) return;
        values["first_us"] = static_cast<double>(to_micros(line.stamp->at));
        values["first_unit_us"] = static_cast<double>(line.stamp->unit.count());
      });
      if (!left) return std::unexpected(left.error());
      total += values["matches"];
      values["total"] = total;
      values["behind_bytes"] = static_cast<double>(*left);
      return values;
    };
    auto session = std::make_unique<PacedSession>(std::move(read));
    if (auto begun = session->take_baseline(); !begun) return std::unexpected(begun.error());
    return session;
  }
};

}  // namespace

std::unique_ptr<Probe> make_log_probe() { return std::make_unique<LogProbe>(); }

}  // namespace firedrill::agent
