// Reads an experiment: variables, then the tables, then what each part means, then the links.
#include "controller/experiment/experiment.hpp"

#include <fstream>
#include <sstream>

#include <fmt/format.h>

#include "controller/experiment/read.hpp"
#include "controller/experiment/shape.hpp"
#include "controller/experiment/shape_limits.hpp"
#include "controller/experiment/variables.hpp"

namespace firedrill {
namespace {

constexpr std::uintmax_t kLargestFile = 4 << 20;

/// Before the tables, so that a Chaos Toolkit file gets this answer and not "unknown key module".
Result<void> refuse_python(const Json& activities, const std::string& pointer) {
  if (!activities.is_array()) return {};
  for (std::size_t i = 0; i < activities.size(); ++i) {
    const Json& item = activities[i];
    if (!item.is_object() || !item.contains("provider")) continue;
    const Json& provider = item["provider"];
    if (provider.is_object() && provider.contains("type") && provider["type"] == "python")
      return fail_at(pointer_join(pointer_join(pointer, i), "provider"),
                     "Python providers are not supported: use a probe or fault of the agents, or a "
                     "process that calls your Python");
  }
  return {};
}

Result<void> refuse_foreign(const Json& document) {
  for (const std::string_view key : {"method", "rollbacks"}) {
    const std::string pointer = pointer_join("", key);
    if (!document.contains(key) || !document[key].is_array()) continue;
    const Json& list = document[key];
    if (auto done = refuse_python(list, pointer); !done) return done;
    for (std::size_t i = 0; i < list.size(); ++i)
      if (list[i].is_object() && list[i].contains("type") && list[i]["type"] == "probe")
        return fail_at(pointer_join(pointer, i),
                       "probes are measured all along: put it into steady-state-hypothesis, and "
                       "refer to it with {\"ref\": NAME} if you like");
  }
  const auto hypothesis = document.find("steady-state-hypothesis");
  if (hypothesis == document.end() || !hypothesis->is_object() || !hypothesis->contains("probes"))
    return {};
  return refuse_python((*hypothesis)["probes"], "/steady-state-hypothesis/probes");
}

/// Processes take secrets from their environment, so nothing but {"type": "env"} can be meant.
Result<void> check_secrets(const Json& document, bool must_be_set) {
  for (const auto& [group, secrets] : format::object_of(document, "secrets").items()) {
    const std::string pointer = pointer_join("/secrets", group);
    if (!secrets.is_object()) return fail_at(pointer, "a group of secrets is an object");
    for (const auto& [name, secret] : secrets.items()) {
      const std::string at = pointer_join(pointer, name);
      ObjectReader reader(secret, at);
      const std::string type = reader.required_text("type");
      const std::string key = reader.required_text("key");
      if (auto done = reader.finish(); !done) return done;
      if (type != "env")
        return fail_at(at,
                       "only {\"type\": \"env\", \"key\": …} is supported: a process reads the "
                       "secret from its environment");
      if (must_be_set && std::getenv(key.c_str()) == nullptr)
        return fail_at(at, fmt::format("the environment variable {} is not set", key));
    }
  }
  return {};
}

Result<void> check_program(const std::string& path, const std::filesystem::path& directory,
                           const std::string& pointer) {
  if (!path.contains('/')) return {};  // looked up in PATH when it is started
  std::error_code error;
  if (std::filesystem::is_regular_file(directory / path, error)) return {};
  return fail_at(pointer, fmt::format("there is no file '{}' beside the experiment", path));
}

Result<void> check_programs(const Experiment& experiment) {
  const std::filesystem::path& directory = experiment.directory;
  if (experiment.responder)
    if (auto done = check_program(experiment.responder->path, directory, "/responder/path"); !done)
      return done;
  for (const auto* list : {&experiment.processes, &experiment.rollbacks})
    for (const ProcessAction& action : *list)
      if (auto done = check_program(action.path, directory, action.pointer + "/provider/path");
          !done)
        return done;
  return {};
}

Result<std::string> read_text(const std::filesystem::path& path) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) return fail_errno(error.value(), path.string());
  if (size > kLargestFile)
    return fail(ErrorCode::invalid_input, path.string() + ": larger than 4 MiB");
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return fail(ErrorCode::io_failed, path.string() + ": cannot be read");
  return text.str();
}

}  // namespace

bool AlertMatch::matches(const Json& alert_labels) const {
  if (!alert_labels.is_object()) return false;
  for (const auto& [name, value] : labels) {
    const auto found = alert_labels.find(name);
    if (found == alert_labels.end() || *found != value) return false;
  }
  return true;
}

Result<Experiment> parse_experiment(const Json& json, std::string id,
                                    const std::filesystem::path& directory,
                                    const Variables& overrides) {
  auto document = substitute_variables(json, overrides);
  if (!document) return std::unexpected(document.error());
  if (auto done = refuse_foreign(*document); !done) return std::unexpected(done.error());
  if (auto done = format::check(*document, format::experiment_shape(), ""); !done)
    return std::unexpected(done.error());
  if (auto done = check_secrets(*document, false); !done) return std::unexpected(done.error());
  Experiment out;
  out.id = std::move(id);
  out.directory = directory;
  out.title = format::text_of(*document, "title");
  out.description = format::text_of(*document, "description");
  out.tags = format::texts_of(*document, "tags");
  for (const auto read :
       {format::read_targets, format::read_hypothesis, format::read_method, format::read_detectors,
        format::read_detections, format::read_runbook, format::read_slos,
        format::read_operating_modes, format::read_stop_conditions, format::read_exercise})
    if (auto done = read(*document, out); !done) return std::unexpected(done.error());
  auto blast_radius = format::read_blast_radius(*document);
  if (!blast_radius) return std::unexpected(blast_radius.error());
  out.blast_radius = std::move(*blast_radius);
  if (auto done = format::check_links(*document, out); !done) return std::unexpected(done.error());
  document->erase("secrets");
  out.source = std::move(*document);
  return out;
}

Result<Experiment> load_experiment(const std::filesystem::path& path, const Variables& overrides) {
  auto text = read_text(path);
  if (!text) return std::unexpected(text.error());
  auto json = parse_json(*text, path.string());
  if (!json) return std::unexpected(json.error());
  auto experiment = parse_experiment(*json, path.stem(), path.parent_path(), overrides);
  if (!experiment) return experiment;
  if (auto done = check_secrets(*json, true); !done) return std::unexpected(done.error());
  if (auto done = check_programs(*experiment); !done) return std::unexpected(done.error());
  return experiment;
}

}  // namespace firedrill
