// The CLI's way to the controller that runs now: HTTPS with the operator's certificate.
#include <memory>

#include <curl/curl.h>
#include <fmt/format.h>

#include "controller/cli/cli.hpp"
#include "controller/pki/operator_access.hpp"

namespace firedrill::cli {
namespace {

struct CurlDeleter {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

std::size_t append(char* data, std::size_t size, std::size_t count, void* out) {
  static_cast<std::string*>(out)->append(data, size * count);
  return size * count;
}

Result<Json> read_answer(long status, const std::string& text) {
  auto json = parse_json(text, "the controller's answer");
  if (!json) return std::unexpected(json.error());
  if (status == 200) return json;
  const Json error = json->value("error", Json::object());
  return std::unexpected(Error{status == 404   ? ErrorCode::not_found
                               : status == 409 ? ErrorCode::unavailable
                               : status == 401 ? ErrorCode::refused
                                               : ErrorCode::invalid_input,
                               0, error.value("what", fmt::format("HTTP status {}", status)),
                               error.value("pointer", "")});
}

/// One connection to the controller, kept from call to call.
class ApiClient {
 public:
  explicit ApiClient(const Context& context) : curl_(curl_easy_init()), port_(context.port) {
    host_ = context.address == "0.0.0.0" || context.address == "::" ? "127.0.0.1" : context.address;
    connect_to_.reset(curl_slist_append(nullptr, pki::connect_to(host_, port_).c_str()));
    if (!curl_) return;
    const auto identity = pki::files_of(context.home / "pki", pki::kRoleOperator);
    CURL* curl = curl_.get();
    curl_easy_setopt(curl, CURLOPT_CONNECT_TO, connect_to_.get());
    curl_easy_setopt(curl, CURLOPT_CAINFO, identity.ca.c_str());
    curl_easy_setopt(curl, CURLOPT_SSLCERT, identity.certificate.c_str());
    curl_easy_setopt(curl, CURLOPT_SSLKEY, identity.key.c_str());
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_3);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &append);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, words_.data());
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 10L);
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
  }

  Result<Json> call(std::string_view method, std::string_view path, const Json& body) {
    if (!curl_) return fail(ErrorCode::internal, "libcurl did not start");
    CURL* curl = curl_.get();
    const std::string url = pki::url(port_, fmt::format("/api/v1/{}", path));
    const std::string method_text(method), body_text = body.dump();
    std::string answer;
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
    if (method == "GET") curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    else curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body_text.c_str());
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method_text.c_str());
    const CURLcode code = curl_easy_perform(curl);
    if (code == CURLE_COULDNT_CONNECT)
      return fail(ErrorCode::unavailable,
                  fmt::format("no controller runs at {}:{}: start one with 'firedrill run', or "
                              "name another with --port",
                              host_, port_));
    if (code != CURLE_OK)
      return fail(ErrorCode::unavailable,
                  fmt::format("{}:{}: {}", host_, port_,
                              words_.front() == '\0' ? curl_easy_strerror(code) : words_.c_str()));
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    return read_answer(status, answer);
  }

 private:
  std::unique_ptr<CURL, CurlDeleter> curl_;
  std::unique_ptr<curl_slist, CurlDeleter> connect_to_;
  std::uint16_t port_;
  std::string host_;
  std::string words_ = std::string(CURL_ERROR_SIZE, '\0');
};

/// Between a person's return key and our first look at the clock a shell starts this program, and a
/// busy host lets others run before it.
constexpr std::int64_t kStartUs = 5'000;

std::int64_t micros_since(std::chrono::steady_clock::time_point then) {
  return std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - then).count();
}

}  // namespace

Result<Json> call_api(const Context& context, std::string_view method, std::string_view path,
                      const Json& body) {
  return ApiClient(context).call(method, path, body);
}

Result<Json> tell_api(const Context& context, std::string_view path, Json body) {
  ApiClient client(context);
  // The first call makes the connection. The second one's answer is the controller's clock at some
  // instant between sending and reading it.
  auto asked = client.call("GET", "run", {});
  if (!asked) return asked;
  const std::int64_t sent = micros_since(context.began);
  asked = client.call("GET", "run", {});
  if (!asked) return asked;
  const std::int64_t read = micros_since(context.began);
  const std::int64_t now = asked->value("now_us", std::int64_t{0});
  body["said_us"] = now - (sent + read) / 2;
  body["error_us"] = (read - sent) / 2 + kStartUs;
  return client.call("POST", path, body);
}

Error with_busy_hint(Error error, const Context& context) {
  if (error.code != ErrorCode::conflict) return error;
  if (const auto other = call_api(context, "GET", "run", {}))
    error.what = fmt::format(
        "run {} ('{}') goes on here already, in phase {}: wait for it, or "
        "'firedrill halt'",
        other->value("run", ""), other->value("title", ""), other->value("phase", ""));
  return error;
}

}  // namespace firedrill::cli
