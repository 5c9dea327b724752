#include "controller/detect/http_client.hpp"

#include <atomic>
#include <chrono>
#include <cstring>

#include <curl/curl.h>
#include <fmt/core.h>

namespace firedrill {
namespace {

/// The rules of a very large Prometheus are some megabytes; more is no answer we can use.
constexpr std::size_t kLargestBody = 32 << 20;

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct MultiDeleter {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

bool curl_ready() {
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return ready;
}

UtcTime now() { return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()); }

std::size_t take_body(char* data, std::size_t, std::size_t size, void* body) {
  auto& text = *static_cast<std::string*>(body);
  if (text.size() + size > kLargestBody) return 0;
  text.append(data, size);
  return size;
}

}  // namespace

struct HttpClient::State {
  explicit State(HttpOptions given) : options(std::move(given)) {}
  [[nodiscard]] Result<void> configure(const std::string& url, HttpAnswer& answer);
  [[nodiscard]] Result<CURLcode> perform();

  HttpOptions options;
  std::atomic<bool> cancelled = false;
  std::unique_ptr<CURLM, MultiDeleter> multi;
  std::unique_ptr<CURL, EasyDeleter> easy;  // before the multi handle goes: declared after it
  std::unique_ptr<curl_slist, ListDeleter> headers;
  char error[CURL_ERROR_SIZE] = {};
};

HttpClient::HttpClient(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpClient::~HttpClient() = default;

Result<std::unique_ptr<HttpClient>> HttpClient::create(HttpOptions options) {
  if (!curl_ready()) return fail(ErrorCode::internal, "libcurl does not start");
  auto state = std::make_unique<State>(std::move(options));
  state->multi.reset(curl_multi_init());
  state->easy.reset(curl_easy_init());
  if (!state->multi || !state->easy) return fail(ErrorCode::internal, "libcurl gives no handle");
  if (!state->options.authorization.empty()) {
    if (state->options.authorization.find_first_of("\r\n") != std::string::npos)
      return fail(ErrorCode::invalid_input, "the authorization holds a line break");
    const std::string header = "Authorization: " + state->options.authorization;
    state->headers.reset(curl_slist_append(nullptr, header.c_str()));
  }
  return std::unique_ptr<HttpClient>(new HttpClient(std::move(state)));
}

Result<void> HttpClient::State::configure(const std::string& url, HttpAnswer& answer) {
  CURL* handle = easy.get();
  curl_easy_reset(handle);  // the connection stays open
  error[0] = '\0';
  const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(options.timeout).count();
  CURLcode rc = curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  const auto set = [&](CURLoption option, auto value) {
    if (rc == CURLE_OK) rc = curl_easy_setopt(handle, option, value);
  };
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(milliseconds));
  set(CURLOPT_ERRORBUFFER, error);
  set(CURLOPT_WRITEFUNCTION, &take_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&answer.body));
  set(CURLOPT_ACCEPT_ENCODING, "");
  set(CURLOPT_USERAGENT, "firedrill");
  if (headers) set(CURLOPT_HTTPHEADER, headers.get());
  if (!options.ca_file.empty()) set(CURLOPT_CAINFO, options.ca_file.c_str());
  if (rc != CURLE_OK)
    return fail(ErrorCode::invalid_input, fmt::format("'{}': {}", url, curl_easy_strerror(rc)));
  return {};
}

/// Drives the transfer to its end, so that cancel() can wake it.
Result<CURLcode> HttpClient::State::perform() {
  if (curl_multi_add_handle(multi.get(), easy.get()) != CURLM_OK)
    return fail(ErrorCode::internal, "curl_multi_add_handle");
  CURLcode outcome = CURLE_ABORTED_BY_CALLBACK;
  int running = 1;
  while (running > 0 && !cancelled) {
    CURLMcode rc = curl_multi_perform(multi.get(), &running);
    if (rc == CURLM_OK && running > 0) rc = curl_multi_poll(multi.get(), nullptr, 0, 1000, nullptr);
    if (rc != CURLM_OK) break;
  }
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi.get(), &left))
    if (message->msg == CURLMSG_DONE) outcome = message->data.result;
  curl_multi_remove_handle(multi.get(), easy.get());
  return outcome;
}

Result<HttpAnswer> HttpClient::get(const std::string& url) {
  HttpAnswer answer;
  if (auto configured = state_->configure(url, answer); !configured)
    return std::unexpected(configured.error());
  answer.started = now();
  const Result<CURLcode> outcome = state_->perform();
  answer.answered = now();
  if (!outcome) return std::unexpected(outcome.error());
  if (*outcome != CURLE_OK) {
    const std::string why = state_->cancelled          ? "cancelled"
                            : state_->error[0] != '\0' ? state_->error
                                                       : curl_easy_strerror(*outcome);
    const ErrorCode code =
        *outcome == CURLE_OPERATION_TIMEDOUT ? ErrorCode::timed_out
        : *outcome == CURLE_URL_MALFORMAT || *outcome == CURLE_UNSUPPORTED_PROTOCOL
            ? ErrorCode::invalid_input
            : ErrorCode::unavailable;
    return fail(code, fmt::format("{}: {}", url, why));
  }
  CURL* handle = state_->easy.get();
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &answer.status);
  curl_header* date = nullptr;
  if (curl_easy_header(handle, "Date", 0, CURLH_HEADER, -1, &date) == CURLHE_OK)
    answer.date = date->value;
  return answer;
}

void HttpClient::cancel() noexcept {
  state_->cancelled = true;
  curl_multi_wakeup(state_->multi.get());
}

Result<HttpAnswer> get_ok(HttpClient& client, const std::string& url) {
  auto answer = client.get(url);
  if (!answer || answer->status == 200) return answer;
  const std::string text =
      fmt::format("{} answers HTTP {}: {}", url, answer->status, answer->body.substr(0, 120));
  if (answer->status == 401 || answer->status == 403)
    return fail(ErrorCode::permission_denied, text + " (check the detector's authorization)");
  return fail(ErrorCode::unavailable, text);
}

}  // namespace firedrill
