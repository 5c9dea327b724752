// http and tcp: what a client of the target would feel.
#include <algorithm>
#include <array>

#include <fmt/core.h>

#include "agent/probes/curl_transport.hpp"
#include "agent/probes/kinds.hpp"

namespace firedrill::agent {
namespace {

constexpr std::array<std::string_view, 4> kMethods{"GET", "HEAD", "POST", "OPTIONS"};
constexpr std::size_t kSearchedBody = 64 * 1024;

constexpr std::array kHttpParams{
    ParamSpec{.name = "url",
              .required = true,
              .choices = {},
              .default_text = {},
              .help = "http:// or https://; redirects are not followed"},
    ParamSpec{.name = "method",
              .type = ParamType::choice,
              .choices = kMethods,
              .default_text = "GET",
              .help = "HTTP method"},
    ParamSpec{.name = "status",
              .type = ParamType::integer,
              .min = 100,
              .max = 599,
              .choices = {},
              .default_text = {},
              .help = "statuses that count as good; any 2xx when not given",
              .list = true},
    ParamSpec{.name = "body-contains",
              .choices = {},
              .default_text = {},
              .help = "text that the first 64 KiB of a good answer hold"},
    ParamSpec{.name = "ca-file",
              .choices = {},
              .default_text = {},
              .help = "PEM file on this host that certifies the server"},
    ParamSpec{.name = "timeout",
              .type = ParamType::duration,
              .min = kMinTimeoutUs,
              .max = kMaxTimeoutUs,
              .choices = {},
              .default_text = "2s",
              .help = kTimeoutHelp},
    ParamSpec{.name = "rate",
              .type = ParamType::integer,
              .min = 1,
              .max = kMaxRate,
              .choices = {},
              .default_text = "5",
              .help = kRateHelp}};

constexpr std::array kTcpParams{ParamSpec{.name = "host",
                                          .required = true,
                                          .choices = {},
                                          .default_text = {},
                                          .help = "name or address"},
                                ParamSpec{.name = "port",
                                          .type = ParamType::integer,
                                          .required = true,
                                          .min = 1,
                                          .max = 65535,
                                          .choices = {},
                                          .default_text = {},
                                          .help = "TCP port"},
                                ParamSpec{.name = "timeout",
                                          .type = ParamType::duration,
                                          .min = kMinTimeoutUs,
                                          .max = kMaxTimeoutUs,
                                          .choices = {},
                                          .default_text = "2s",
                                          .help = kTimeoutHelp},
                                ParamSpec{.name = "rate",
                                          .type = ParamType::integer,
                                          .min = 1,
                                          .max = kMaxRate,
                                          .choices = {},
                                          .default_text = "5",
                                          .help = kRateHelp}};

Result<std::unique_ptr<ProbeSession>> open_loop(HttpOperation operation, const Params& params) {
  auto transport = make_curl_transport(std::move(operation));
  if (!transport) return std::unexpected(transport.error());
  return std::make_unique<OpenLoopSession>(
      std::move(*transport),
      Pace{.per_second = params.integer("rate"), .timeout = params.duration("timeout")});
}

class HttpProbe final : public Probe {
 public:
  std::string_view name() const override { return "http"; }
  std::string_view summary() const override { return "latency and errors of HTTP requests"; }
  std::span<const ParamSpec> schema() const override { return kHttpParams; }
  std::vector<std::string_view> values() const override { return operation_values(); }
  Json example() const override {
    return {{"url", "http://10.0.0.7:8080/healthz"}, {"rate", 10}, {"timeout", "1s"}};
  }
  Support probe_support() const override { return {.supported = true, .reason = {}}; }

  Result<std::unique_ptr<ProbeSession>> open(const Params& params) const override {
    HttpRequest request{.url = params.text("url"),
                        .method = params.text("method"),
                        .body = {},
                        .ca_file = params.has("ca-file") ? params.text("ca-file") : ""};
    if (auto good = check_url(request.url); !good) return std::unexpected(good.error());
    const auto expected =
        params.has("status") ? params.integers("status") : std::vector<std::int64_t>{};
    const std::string text = params.has("body-contains") ? params.text("body-contains") : "";
    if (!text.empty() && request.method == "HEAD")
      return fail_at("/body-contains", "HEAD has no body to search");
    auto judge = [expected, text](long status, std::string_view body) -> std::string {
      const bool good = expected.empty() ? status >= 200 && status < 300
                                         : std::ranges::find(expected, status) != expected.end();
      if (!good) return fmt::format("HTTP status {}", status);
      if (body.find(text) == std::string_view::npos)
        return fmt::format("the answer does not hold '{}'", text);
      return {};
    };
    return open_loop({.next = [request] { return request; },
                      .judge = std::move(judge),
                      .keep_body = text.empty() ? 0 : kSearchedBody},
                     params);
  }
};

class TcpProbe final : public Probe {
 public:
  std::string_view name() const override { return "tcp"; }
  std::string_view summary() const override { return "time to open a TCP connection"; }
  std::span<const ParamSpec> schema() const override { return kTcpParams; }
  std::vector<std::string_view> values() const override { return operation_values(); }
  Json example() const override {
    return {{"host", "10.0.0.7"}, {"port", 2379}, {"rate", 10}, {"timeout", "1s"}};
  }
  Support probe_support() const override { return {.supported = true, .reason = {}}; }

  Result<std::unique_ptr<ProbeSession>> open(const Params& params) const override {
    const std::string host = params.text("host");
    if (host.empty() || host.find_first_of("/@?# []\\") != std::string::npos)
      return fail_at("/host", fmt::format("'{}' is no host name or address", host));
    const bool v6 = host.find(':') != std::string::npos;
    const HttpRequest request{.url = fmt::format("http://{}{}{}:{}/", v6 ? "[" : "", host,
                                                 v6 ? "]" : "", params.integer("port")),
                              .body = {},
                              .connect_only = true,
                              .ca_file = {}};
    return open_loop({.next = [request] { return request; }, .judge = {}}, params);
  }
};

}  // namespace

std::vector<std::string_view> operation_values() {
  return {"p50_ms", "p95_ms", "p99_ms", "max_ms", "mean_ms", "error_ratio", "failures_in_a_row",
          "count"};
}

Result<void> check_url(std::string_view url) {
  for (const std::string_view scheme : {"http://", "https://"})
    if (url.starts_with(scheme) && url.size() > scheme.size() && url[scheme.size()] != '/' &&
        url.find_first_of(" \r\n\t") == std::string_view::npos)
      return {};
  return fail(ErrorCode::invalid_input,
              fmt::format("'{}' is no URL; write it like http://10.0.0.7:8080/path", url));
}

std::unique_ptr<Probe> make_http_probe() { return std::make_unique<HttpProbe>(); }
std::unique_ptr<Probe> make_tcp_probe() { return std::make_unique<TcpProbe>(); }

}  // namespace firedrill::agent
