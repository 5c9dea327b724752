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

}  // namespace

Result<Json> call_api(const Context& context, std::string_view method, std::string_view path,
                      const Json& body) {
  const std::unique_ptr<CURL, CurlDeleter> curl{curl_easy_init()};
  if (!curl) return fail(ErrorCode::internal, "libcurl did not start");
  const auto identity = pki::files_of(context.home / "pki", pki::kRoleOperator);
  const std::string url = pki::url(context.port, fmt::format("/api/v1/{}", path));
  const std::string host =
      context.address == "0.0.0.0" || context.address == "::" ? "127.0.0.1" : context.address;
  const std::unique_ptr<curl_slist, CurlDeleter> connect_to{
      curl_slist_append(nullptr, pki::connect_to(host, context.port).c_str())};
  const std::string method_text(method);
  const std::string body_text = body.dump();
  std::string answer;
  std::string words(CURL_ERROR_SIZE, '\0');
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_CONNECT_TO, connect_to.get());
  curl_easy_setopt(curl.get(), CURLOPT_CAINFO, identity.ca.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_SSLCERT, identity.certificate.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_SSLKEY, identity.key.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_3);
  curl_easy_setopt(curl.get(), CURLOPT_CUSTOMREQUEST, method_text.c_str());
  if (method != "GET") curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, body_text.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &append);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &answer);
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, words.data());
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, 10L);
  curl_easy_setopt(curl.get(), CURLOPT_NOPROXY, "*");
  const CURLcode code = curl_easy_perform(curl.get());
  if (code == CURLE_COULDNT_CONNECT)
    return fail(ErrorCode::unavailable,
                fmt::format("no controller runs at {}:{}: start one with 'firedrill run', or name "
                            "another with --port",
                            host, context.port));
  if (code != CURLE_OK)
    return fail(ErrorCode::unavailable,
                fmt::format("{}:{}: {}", host, context.port,
                            words.front() == '\0' ? curl_easy_strerror(code) : words.c_str()));
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  return read_answer(status, answer);
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
