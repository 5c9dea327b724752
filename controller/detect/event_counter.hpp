// Asks one Prometheus how many events came over a time, and how many of them were bad. Blocks; one
// thread at a time, except cancel(). Never writes to it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "controller/detect/http_client.hpp"
#include "controller/detect/prometheus_alerts.hpp"
#include "firedrill/json.hpp"

namespace firedrill {

/// What was counted. Absent: Prometheus has no such series in that time, which is not zero.
struct EventCount {
  std::optional<double> total, bad, good;
  UtcTime asked{}, answered{};  ///< around the exchange, on our clock
};

/// Expressions of PromQL that count over the window asked for; see count_expression().
struct CountQuery {
  std::string total, bad, good;  ///< bad or good is empty
};

class PrometheusClient {
 public:
  /// @param url base URL; a path prefix is kept @param timeout of each request, 10 ms to 1 min
  [[nodiscard]] static Result<std::unique_ptr<PrometheusClient>> create(std::string url,
                                                                        Duration timeout);
  /// One request. @errors as HttpClient::get(); invalid_input: no answer of Prometheus, or its own
  /// words on what is wrong with the expression
  [[nodiscard]] Result<QueryAnswer> query(std::string_view expression);
  /// One request for all that `query` asks, so that all is of one instant.
  [[nodiscard]] Result<EventCount> count(const CountQuery& query);
  /// For how much of the last `window` this expression has a value; to about a hundredth of the
  /// window, and finer for what is young. At most four requests.
  [[nodiscard]] Result<Duration> covered(const std::string& expression, Duration window);
  /// Any page, as text. @errors as get_ok()
  [[nodiscard]] Result<HttpAnswer> page(const std::string& url);
  void cancel() noexcept { client_->cancel(); }

 private:
  PrometheusClient(std::string url, std::unique_ptr<HttpClient> client)
      : url_(std::move(url)), client_(std::move(client)) {}
  std::string url_;
  std::unique_ptr<HttpClient> client_;
};

/// For a URL's query.
[[nodiscard]] std::string url_encoded(std::string_view text);

}  // namespace firedrill
