// A host's first word to its controller: over TLS to whoever the token's pin names, it shows the
// token and gets a certificate. Blocks; used before there is an agent.
#pragma once

#include <string>

#include "firedrill/join.hpp"
#include "firedrill/units.hpp"

namespace firedrill::agent {

struct JoinTarget {
  std::string controller;  ///< host name or address
  std::uint16_t port = 0;
  std::string pin;
  std::string server_name = "firedrill-controller";  ///< verified, whatever was dialled
  Duration timeout{10'000'000};                      ///< each of: connect, TLS, the answer
};

/// @errors unavailable  nobody answers there
///         refused      the server is not who the token names, or it refused, in its own words
///         corrupt      an answer that is none
[[nodiscard]] Result<join::Credentials> ask_to_join(const JoinTarget& target,
                                                    const join::Request& request);

}  // namespace firedrill::agent
