#include "tests/calibration/pushers.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <memory>

#include <curl/curl.h>
#include <fmt/format.h>

#include "controller/cli/cli.hpp"
#include "controller/pki/operator_access.hpp"
#include "firedrill/json.hpp"

namespace firedrill::calibration {
namespace {

using namespace std::chrono_literals;

constexpr Duration kFirst = 600ms, kLast = 11s;

struct CurlDeleter {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

std::size_t swallow(char*, std::size_t size, std::size_t count, void*) { return size * count; }

/// Trials in the order of their instants, each with its number.
std::vector<std::pair<Duration, int>> in_order(std::uint64_t seed) {
  const auto delays = make_delays(kFirst, kLast, seed);
  std::vector<std::pair<Duration, int>> order;
  for (int i = 0; i < kTrials; ++i) order.emplace_back(delays[static_cast<std::size_t>(i)], i);
  std::ranges::sort(order);
  return order;
}

/// What each sender would post at `at` by its own clock.
std::string body_of(const std::string& source, const std::string& name, UtcTime at) {
  const std::string stamp = to_rfc3339(at);
  if (source == "pager")
    return Json{{"event",
                 {{"event_type", "incident.triggered"},
                  {"occurred_at", stamp},
                  {"data", {{"id", name}, {"title", name}, {"created_at", stamp}}}}}}
        .dump();
  if (source == "generic") return Json{{"check", {{"name", name}, {"state", "bad"}}}}.dump();
  const Json alert{{"status", "firing"},
                   {"labels", {{"alertname", name}, {"severity", "page"}}},
                   {"annotations", Json::object()},
                   {"startsAt", stamp},
                   {"endsAt", "0001-01-01T00:00:00Z"}};
  return Json{{"version", source == "am-webhook" ? "4" : "1"},
              {"status", "firing"},
              {"receiver", "r"},
              {"groupKey", "g"},
              {"alerts", Json::array({alert})}}
      .dump();
}

}  // namespace

Pushers::Pushers(Ledger& ledger, PushWorld world) : ledger_(ledger), world_(std::move(world)) {
  std::uint64_t seed = 20;
  for (const char* source : {"am-webhook", "grafana", "pager", "generic"})
    threads_.emplace_back([this, source, seed = ++seed] { post_webhooks(source, seed); });
  threads_.emplace_back([this] { speak(); });
  threads_.emplace_back([this] { write_log(); });
}

void Pushers::post_webhooks(const std::string& source, std::uint64_t seed) {
  const std::unique_ptr<CURL, CurlDeleter> curl{curl_easy_init()};
  const auto pki_dir = world_.home / "pki";
  const std::string url = pki::url(world_.port, "/api/v1/webhooks/" + source);
  const std::string ca = pki::files_of(pki_dir, pki::kRoleOperator).ca;
  const std::string token = "Authorization: Bearer " + pki::webhook_token(pki_dir).value();
  const std::unique_ptr<curl_slist, CurlDeleter> connect_to{
      curl_slist_append(nullptr, pki::connect_to("127.0.0.1", world_.port).c_str())};
  const std::unique_ptr<curl_slist, CurlDeleter> headers{curl_slist_append(nullptr, token.c_str())};
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_CONNECT_TO, connect_to.get());
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl.get(), CURLOPT_CAINFO, ca.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &swallow);
  curl_easy_setopt(curl.get(), CURLOPT_NOPROXY, "*");
  const auto post = [&](const std::string& body) {
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, body.c_str());
    long status = 0;
    if (curl_easy_perform(curl.get()) == CURLE_OK)
      curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
    return status;
  };
  const UtcTime injected = ledger_.injected();
  // Connected before the first trial, as a monitoring system that has talked before.
  post("{}");
  for (const auto& [delay, number] : in_order(seed)) {
    const std::string name = trial_name(source, number);
    wait_until(injected + delay);
    const UtcTime truth = true_now();
    const std::string body = body_of(source, name, world_.monitor.of(truth));
    ledger_.note(name, truth);
    if (const long status = post(body); status != 200)
      fmt::print(stderr, "calibration: {} was answered with {}\n", name, status);
  }
}

/// `firedrill detected NAME`, as it runs in a process of its own.
void Pushers::speak() {
  const UtcTime injected = ledger_.injected();
  for (const auto& [delay, number] : in_order(30)) {
    std::vector<std::string> words{"firedrill",
                                   "--home",
                                   world_.home,
                                   "--port",
                                   std::to_string(world_.port),
                                   "detected",
                                   trial_name("person", number),
                                   "--who",
                                   "alice"};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    wait_until(injected + delay);
    ledger_.note(words[6], true_now());
    if (cli::run(static_cast<int>(arguments.size()), arguments.data()) != 0)
      fmt::print(stderr, "calibration: 'firedrill detected' failed\n");
  }
}

/// Half of the lines carry the instant at which they are written, by the host's own clock.
void Pushers::write_log() {
  std::ofstream log(world_.log, std::ios::app);
  const UtcTime injected = ledger_.injected();
  for (const auto& [delay, number] : in_order(40)) {
    const bool stamped = number % 2 == 0;
    const std::string name = trial_name(stamped ? "log-stamped" : "log", number);
    wait_until(injected + delay);
    const UtcTime truth = true_now();
    ledger_.note(name, truth);
    if (stamped) log << to_rfc3339(world_.agent.of(truth)) << ' ';
    log << "error " << name << std::endl;
  }
}

}  // namespace firedrill::calibration
