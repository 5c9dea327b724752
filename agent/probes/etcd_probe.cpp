// etcd: writes or linearizable reads through the members' JSON gateway. A write is only answered
// once a majority has it on disk, so its latency is that of the cluster's network and disks.
#include <array>
#include <chrono>

#include <fmt/core.h>
#include <unistd.h>

#include "agent/probes/base64.hpp"
#include "agent/probes/curl_transport.hpp"
#include "agent/probes/kinds.hpp"

namespace firedrill::agent {
namespace {

constexpr std::array<std::string_view, 2> kOperations{"write", "read"};
constexpr std::size_t kMaxEndpoints = 64;

constexpr std::array kEtcdParams{ParamSpec{.name = "endpoints",
                                           .required = true,
                                           .choices = {},
                                           .default_text = {},
                                           .help = "base URLs of members, asked in turn",
                                           .list = true},
                                 ParamSpec{.name = "operation",
                                           .type = ParamType::choice,
                                           .choices = kOperations,
                                           .default_text = "write",
                                           .help = "what is measured"},
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
                                           .default_text = "10",
                                           .help = kRateHelp}};

/// One key for each host, written again and again: the probe leaves that behind and no more.
std::string own_key() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  return fmt::format("firedrill/probe/{}", host.data());
}

std::string judge(long status, std::string_view body) {
  if (status == 200) return {};
  return fmt::format("HTTP status {}: {}", status, body);
}

/// Makes requests to each endpoint in turn.
class Requests {
 public:
  Requests(std::vector<std::string> endpoints, bool write)
      : endpoints_(std::move(endpoints)), write_(write), key_(base64(own_key())) {}

  HttpRequest operator()() {
    const std::string& endpoint = endpoints_[number_ % endpoints_.size()];
    const Json body = write_ ? Json{{"key", key_}, {"value", base64(std::to_string(number_))}}
                             : Json{{"key", key_}};
    ++number_;
    return {.url = endpoint + (write_ ? "/v3/kv/put" : "/v3/kv/range"),
            .method = "POST",
            .body = body.dump(),
            .ca_file = {}};
  }

 private:
  std::vector<std::string> endpoints_;
  bool write_;
  std::string key_;
  std::uint64_t number_ = 0;
};

class EtcdProbe final : public Probe {
 public:
  std::string_view name() const override { return "etcd"; }
  std::string_view summary() const override { return "latency and errors of etcd operations"; }
  std::span<const ParamSpec> schema() const override { return kEtcdParams; }
  std::vector<std::string_view> values() const override { return operation_values(); }
  Json example() const override {
    return {{"endpoints", {"http://10.0.0.7:2379", "http://10.0.0.8:2379"}},
            {"operation", "write"},
            {"rate", 20},
            {"timeout", "1s"}};
  }
  Support probe_support() const override { return {.supported = true, .reason = {}}; }

  Result<std::unique_ptr<ProbeSession>> open(const Params& params) const override {
    std::vector<std::string> endpoints = params.texts("endpoints");
    if (endpoints.empty() || endpoints.size() > kMaxEndpoints)
      return fail_at("/endpoints", fmt::format("1 to {} endpoints are needed", kMaxEndpoints));
    for (std::size_t i = 0; i < endpoints.size(); ++i) {
      if (auto good = check_url(endpoints[i]); !good)
        return fail_at(pointer_join("/endpoints", i), good.error().what);
      while (endpoints[i].ends_with('/')) endpoints[i].pop_back();
    }
    const bool write = params.text("operation") == "write";
    auto transport = make_curl_transport(
        {.next = Requests(std::move(endpoints), write), .judge = &judge, .keep_body = 200});
    if (!transport) return std::unexpected(transport.error());
    return std::make_unique<OpenLoopSession>(
        std::move(*transport),
        Pace{.per_second = params.integer("rate"), .timeout = params.duration("timeout")});
  }
};

}  // namespace

std::unique_ptr<Probe> make_etcd_probe() { return std::make_unique<EtcdProbe>(); }

}  // namespace firedrill::agent
