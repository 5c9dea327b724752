// GET over HTTP for the detectors: one keep-alive connection, bounded answers, cancellable.
// Follows no redirects and writes nothing to the server.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "firedrill/result.hpp"
#include "firedrill/units.hpp"

namespace firedrill {

struct HttpOptions {
  Duration timeout{2'000'000};
  std::string authorization{};  ///< header value, or empty
  std::string ca_file{};        ///< PEM, or empty for the system's
};

struct HttpAnswer {
  long status = 0;
  std::string body;
  std::string date;               ///< the Date header, or empty
  UtcTime started{}, answered{};  ///< around the exchange, on our clock
};

/// get() from one thread at a time; cancel() from any.
class HttpClient {
 public:
  [[nodiscard]] static Result<std::unique_ptr<HttpClient>> create(HttpOptions options);
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;
  ~HttpClient();

  /// Any HTTP status is an answer. @errors timed_out; unavailable (nobody answers, bad
  /// certificate, cancelled); invalid_input (not an http or https URL)
  [[nodiscard]] Result<HttpAnswer> get(const std::string& url);
  /// Ends a running get() at once, and every later one.
  void cancel() noexcept;

 private:
  struct State;
  explicit HttpClient(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// As get(), and anything but 200 is an error too: permission_denied for 401 and 403.
[[nodiscard]] Result<HttpAnswer> get_ok(HttpClient& client, const std::string& url);

}  // namespace firedrill
