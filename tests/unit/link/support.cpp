#include "tests/unit/link/support.hpp"

#include <cstdlib>
#include <fstream>
#include <thread>

#include <unistd.h>

namespace firedrill::link_test {

bool wait_for(const std::function<bool()>& condition) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds{30};
  while (std::chrono::steady_clock::now() < give_up) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }
  return condition();
}

TempDir::TempDir() {
  std::string name = (std::filesystem::temp_directory_path() / "firedrill-link-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) std::abort();
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Authority::Authority() {
  if (const auto made = pki::init(dir()); !made) ADD_FAILURE() << describe(made.error());
}

FleetConfig Authority::fleet_config() const {
  const pki::Identity files = pki::files_of(dir(), pki::kRoleController);
  FleetConfig config;
  config.address = "127.0.0.1";
  config.certificate = files.certificate;
  config.key = files.key;
  config.ca = files.ca;
  config.webhook_token = pki::webhook_token(dir()).value_or("");
  return config;
}

pki::Identity Authority::agent(const std::string& host) const {
  const auto out = dir_.path() / host;
  if (!std::filesystem::exists(out)) {
    const auto issued = pki::issue(dir(), host, pki::kRoleAgent, out);
    if (!issued) ADD_FAILURE() << describe(issued.error());
  }
  return pki::files_of(out, pki::kRoleAgent);
}

pki::Identity Authority::operator_identity() const {
  return pki::files_of(dir(), pki::kRoleOperator);
}

pki::Identity Authority::odd(const pki::CertificateSpec& spec) const {
  const auto ca = pki::certificate_from_pem(text_of(dir() / "ca.pem")).value();
  const auto ca_key = pki::key_from_pem(text_of(dir() / "ca.key")).value();
  const auto key = pki::make_key().value();
  const auto certificate = pki::sign(spec, key.get(), ca.get(), ca_key.get()).value();
  const pki::Identity files{dir() / "ca.pem", dir_.path() / "odd.pem", dir_.path() / "odd.key"};
  std::ofstream{files.certificate} << pki::to_pem(certificate.get()).value();
  std::ofstream{files.key} << pki::to_pem(key.get()).value();
  return files;
}

pki::CertificateSpec valid_spec(const std::string& name, const std::string& role) {
  const auto now = std::chrono::floor<Duration>(std::chrono::system_clock::now());
  pki::CertificateSpec spec;
  spec.name = name;
  spec.role = role;
  spec.server = spec.client = true;
  spec.alt_names = {"DNS:" + std::string{pki::kControllerName}};
  spec.not_before = now - std::chrono::days{1};
  spec.not_after = now + std::chrono::days{1};
  return spec;
}

FleetHandlers FleetLog::handlers() {
  FleetHandlers handlers;
  handlers.connected = [this](const AgentInfo& info) {
    const std::scoped_lock lock{mutex_};
    connected_.push_back(info.hello.host);
  };
  handlers.lost = [this](const std::string& host, const std::string& reason) {
    const std::scoped_lock lock{mutex_};
    lost_.push_back(host + ": " + reason);
  };
  handlers.refused = [this](const std::string&, const std::string& reason) {
    const std::scoped_lock lock{mutex_};
    refused_.push_back(reason);
  };
  handlers.event = [this](const std::string&, const rpc::AgentEvent& event,
                          const ClockEstimate& estimate) {
    const std::scoped_lock lock{mutex_};
    events_.push_back(event);
    estimates_.push_back(estimate);
  };
  handlers.http = [](const HttpRequest& request) {
    const Json seen = {{"method", request.method},   {"target", request.target},
                       {"body", request.body},       {"role", request.role},
                       {"subject", request.subject}, {"token", request.webhook_token_ok}};
    return HttpResponse{200, "application/json", seen.dump()};
  };
  return handlers;
}

TestAgent::TestAgent(const pki::Identity& identity, std::uint16_t port, std::string host) {
  config.controller = "127.0.0.1";
  config.port = port;
  config.ca = identity.ca;
  config.certificate = identity.certificate;
  config.key = identity.key;
  config.instance = "start-1";
  config.first_backoff = Duration{5'000};
  config.backoff_cap = Duration{50'000};
  config.idle_timeout = config.handshake_timeout = Duration{20'000'000};
  handlers.hello = [host = std::move(host), this] {
    rpc::Hello hello;
    hello.host = host;
    hello.version = "1";
    hello.instance = config.instance;
    hello.tags = {{"role", "db"}};
    return hello;
  };
  handlers.on_call = [](const std::string& method, const Json& params) -> Result<Json> {
    return Json{{"method", method}, {"params", params}};
  };
  handlers.on_connected = [this](const LinkEnds&) { ++connections_; };
  const auto note = [this](const std::string& reason) {
    const std::scoped_lock lock{mutex_};
    last_failure_ = reason;
  };
  handlers.on_disconnected = note;
  handlers.on_attempt_failed = note;
}

void TestAgent::start() {
  auto started = Uplink::start(config, handlers);
  ASSERT_TRUE(started) << describe(started.error());
  uplink = std::move(*started);
}

void TestAgent::send(int n, const std::string& kind) const {
  rpc::AgentEvent event;
  event.run = "run";
  event.at_us = 1;
  event.kind = kind;
  event.data = {{"n", n}};
  ASSERT_TRUE(uplink->send_event(event));
}

std::string TestAgent::last_failure() const {
  const std::scoped_lock lock{mutex_};
  return last_failure_;
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file{path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

std::string hello_message(const std::string& host) {
  rpc::Hello hello;
  hello.host = host;
  hello.version = "1";
  hello.boot_id = "boot";
  hello.instance = "raw";
  return rpc::encode(rpc::Request{std::string{"hello"}, "hello", rpc::to_json(hello)});
}

std::string http_get(const std::string& target, const std::string& headers) {
  return "GET " + target + " HTTP/1.1\r\nHost: firedrill-controller\r\n" + headers + "\r\n";
}

}  // namespace firedrill::link_test
