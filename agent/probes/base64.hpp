// Base64 (RFC 4648 §4), as etcd's JSON gateway wants keys and values.
#pragma once

#include <string>
#include <string_view>

namespace firedrill::agent {

[[nodiscard]] std::string base64(std::string_view bytes);

}  // namespace firedrill::agent
