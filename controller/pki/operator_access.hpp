// What a client of the HTTPS API needs in order to reach the controller as operator. The names are
// libcurl's: CURLOPT_URL = url(…), CURLOPT_CONNECT_TO = one line connect_to(…), CURLOPT_CAINFO,
// CURLOPT_SSLCERT and CURLOPT_SSLKEY = files_of(dir, kRoleOperator), and CURLOPT_SSLVERSION =
// CURL_SSLVERSION_TLSv1_3. The certificate is verified by name, whatever the address is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "controller/pki/pki.hpp"

namespace firedrill::pki {

/// "https://firedrill-controller:PORT/path". `target` begins with '/'.
[[nodiscard]] std::string url(std::uint16_t port, std::string_view target);

/// "firedrill-controller:PORT:ADDRESS:PORT", with brackets around an IPv6 address.
/// @param address  a host name, an IPv4 address or an IPv6 address without brackets
[[nodiscard]] std::string connect_to(std::string_view address, std::uint16_t port);

}  // namespace firedrill::pki
