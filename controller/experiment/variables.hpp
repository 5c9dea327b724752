// `configuration` and ${var}. Reads the environment of this process; nothing else.
#pragma once

#include "controller/experiment/experiment.hpp"

namespace firedrill {

/// The document with every ${name} replaced and `configuration` resolved to plain values.
///
/// A string that is nothing but "${name}" takes the value with its type; inside other text a
/// string, number or flag is written out. `secrets` stay out of it: a secret in a string would end
/// up in the run's log.
/// @errors invalid_input  unknown name, override of an unknown key, an override of another type
///         not_found      an environment variable without a default is not set
[[nodiscard]] Result<Json> substitute_variables(const Json& document, const Variables& overrides);

}  // namespace firedrill
