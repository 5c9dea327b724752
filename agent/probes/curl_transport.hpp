// Operations over HTTP or bare TCP by libcurl: many at once in one thread, connections kept alive.
// No proxy and no redirects: either would measure something else than the target.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "agent/probes/open_loop.hpp"

namespace firedrill::agent {

struct HttpRequest {
  std::string url;
  std::string method = "GET";
  std::string body;           ///< sent as JSON when not empty
  bool connect_only = false;  ///< the operation is the TCP connection itself
  std::string ca_file;        ///< PEM, or empty for the system's
};

struct HttpOperation {
  /// The next request; called once per operation.
  std::function<HttpRequest()> next;
  /// Why the answer counts as failed, or empty. Not called when there was none.
  std::function<std::string(long status, std::string_view body)> judge;
  std::size_t keep_body = 0;  ///< bytes of the answer that `judge` needs
};

/// libcurl is started here, at the first probe that needs it: an idle agent stays small.
[[nodiscard]] Result<std::unique_ptr<Transport>> make_curl_transport(HttpOperation operation);

}  // namespace firedrill::agent
