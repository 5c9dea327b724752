// --pattern and --ramp: short forms of what an experiment writes as JSON, read by the same rules.
#include <charconv>

#include <fmt/format.h>

#include "agent/cli.hpp"

namespace firedrill::agent::cli {
namespace {

constexpr std::string_view kPatternForm = "on=10s,off=20s";
constexpr std::string_view kRampForm = "loss=0%..5%/60s";

std::unexpected<Error> wrong(std::string_view option, std::string_view words,
                             std::string_view form) {
  return fail(ErrorCode::invalid_input,
              fmt::format("{} '{}' is not of the form {}", option, words, form));
}

/// "/over: …" becomes "--ramp …, over: …".
template <class T>
Result<T> told_as(std::string_view option, std::string_view words, Result<T> result) {
  if (result) return result;
  Error error = result.error();
  error.what = fmt::format("{} '{}': {}", option, words, error.what);
  error.pointer.clear();
  return std::unexpected(std::move(error));
}

}  // namespace

Result<Pattern> pattern_of(const std::string& words) {
  Json json = Json::object();
  for (std::size_t at = 0; at <= words.size();) {
    const std::size_t end = std::min(words.find(',', at), words.size());
    const std::string word = words.substr(at, end - at);
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos || json.contains(word.substr(0, equals)))
      return wrong("--pattern", words, kPatternForm);
    json[word.substr(0, equals)] = word.substr(equals + 1);
    at = end + 1;
  }
  return told_as("--pattern", words, parse_pattern(json, ""));
}

Result<Ramp> ramp_of(const std::string& words, Json& params) {
  const std::size_t equals = words.find('=');
  const std::size_t dots = words.find("..", equals == std::string::npos ? 0 : equals);
  const std::size_t over = words.find('/', dots == std::string::npos ? 0 : dots);
  if (equals == std::string::npos || dots == std::string::npos || over == std::string::npos)
    return wrong("--ramp", words, kRampForm);
  const std::string name = words.substr(0, equals);
  const std::string to = words.substr(dots + 2, over - dots - 2);
  const std::size_t steps = words.find('/', over + 1);
  Json json = {
      {"parameter", name},
      {"from", words.substr(equals + 1, dots - equals - 1)},
      {"over", words.substr(over + 1, steps == std::string::npos ? steps : steps - over - 1)}};
  if (steps != std::string::npos) {
    int count = 0;
    const char* end = words.data() + words.size();
    const auto [stop, error] = std::from_chars(words.data() + steps + 1, end, count);
    if (error != std::errc{} || stop != end) return wrong("--ramp", words, "loss=0%..5%/60s/20");
    json["steps"] = count;
  }
  if (params.contains(name) && params[name] != to)
    return fail(ErrorCode::invalid_input,
                fmt::format("--ramp '{}' ends at {}, and the arguments say {}={}: leave that out",
                            words, to, name, params[name].dump()));
  params[name] = to;
  return told_as("--ramp", words, parse_ramp(json, ""));
}

}  // namespace firedrill::agent::cli
