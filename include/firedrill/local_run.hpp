// What the two programs agree on for `firedrill run --local`: a folder that lasts for one run.
#pragma once

#include <string_view>

namespace firedrill {

/// How the folder's name begins. In it: pki/, the authority of this one run, and host/, the agent's
/// certificate. Whoever of the two programs ends last removes it.
inline constexpr std::string_view kLocalFolder = "firedrill-local-";

}  // namespace firedrill
