// Reads the parts of a document that format::check() has accepted, so that types are known to be
// right here; what a table cannot say is refused with its pointer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "controller/experiment/experiment.hpp"

namespace firedrill::format {

// Absent members give the fallback. The type was checked before: a wrong one is a bug.
[[nodiscard]] std::string text_of(const Json& object, std::string_view key);
[[nodiscard]] Duration duration_of(const Json& object, std::string_view key,
                                   Duration fallback = {});
[[nodiscard]] std::optional<Duration> optional_duration(const Json& object, std::string_view key);
[[nodiscard]] double number_of(const Json& object, std::string_view key, double fallback);
[[nodiscard]] bool flag_of(const Json& object, std::string_view key);
/// A list of strings; a single string is a list of one.
[[nodiscard]] std::vector<std::string> texts_of(const Json& object, std::string_view key);
[[nodiscard]] std::map<std::string, std::string> labels_of(const Json& object,
                                                           std::string_view key);
/// The member or an empty object, respectively an empty list.
[[nodiscard]] const Json& object_of(const Json& object, std::string_view key);
[[nodiscard]] const Json& list_of(const Json& object, std::string_view key);

/// Is the text under `key`, when there is one, a JSON pointer (RFC 6901)? `at` is the object's own.
[[nodiscard]] Result<void> check_json_pointer(const Json& object, std::string_view key,
                                              const std::string& at);

[[nodiscard]] Result<void> read_targets(const Json& document, Experiment& out);
[[nodiscard]] Result<void> read_hypothesis(const Json& document, Experiment& out);
[[nodiscard]] Result<void> read_method(const Json& document, Experiment& out);
[[nodiscard]] Result<void> read_detectors(const Json& document, Experiment& out);
[[nodiscard]] Result<void> read_detections(const Json& document, Experiment& out);
[[nodiscard]] Result<void> read_runbook(const Json& document, Experiment& out);
/// After the detectors, whose Prometheus they ask.
[[nodiscard]] Result<void> read_slos(const Json& document, Experiment& out);
[[nodiscard]] Result<void> read_operating_modes(const Json& document, Experiment& out);
[[nodiscard]] Result<void> read_stop_conditions(const Json& document, Experiment& out);
[[nodiscard]] Result<void> read_exercise(const Json& document, Experiment& out);

/// Every name that refers to another: unknown ones (with the nearest), duplicates and cycles.
[[nodiscard]] Result<void> check_links(const Json& document, const Experiment& experiment);

}  // namespace firedrill::format
