#include "agent/probes/curl_transport.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <fmt/core.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "agent/probes/curl_library.hpp"

namespace firedrill::agent {
namespace {

/// Of a transport that exists, because prepare() has asked for it.
const CurlLibrary& curl() { return *curl_library(); }

struct EasyDeleter {
  void operator()(CURL* easy) const { curl().easy_cleanup(easy); }
};
struct MultiDeleter {
  void operator()(CURLM* multi) const { curl().multi_cleanup(multi); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl().slist_free_all(list); }
};

/// One slot's handle; made when first needed.
struct Slot {
  std::unique_ptr<CURL, EasyDeleter> easy;
  HttpRequest request;  // curl reads the body from here while it sends
  std::string body;
  std::size_t keep_body = 0;
  char error[CURL_ERROR_SIZE] = {};
};

std::size_t take_body(char* data, std::size_t, std::size_t size, void* given) {
  auto& slot = *static_cast<Slot*>(given);
  slot.body.append(data, std::min(size, slot.keep_body - slot.body.size()));
  return size;  // the rest is read and forgotten
}

class CurlTransport final : public Transport {
 public:
  explicit CurlTransport(HttpOperation operation) : operation_(std::move(operation)) {}
  ~CurlTransport() override;
  [[nodiscard]] Result<void> prepare();

  [[nodiscard]] Result<void> begin(std::size_t slot) override;
  void abandon(std::size_t slot) override;
  void work(Instant until) override;
  [[nodiscard]] std::optional<Ended> next_ended() override;
  void wake() noexcept override { curl().multi_wakeup(multi_.get()); }

 private:
  [[nodiscard]] Result<void> configure(Slot& slot);
  void arm(Instant until);
  void perform();

  HttpOperation operation_;
  std::unique_ptr<CURLM, MultiDeleter> multi_;
  std::unique_ptr<curl_slist, ListDeleter> json_headers_;
  std::array<Slot, kMaxInFlight> slots_;
  std::deque<Ended> ended_;
  int timer_ = -1;
};

CurlTransport::~CurlTransport() {
  for (Slot& slot : slots_)
    if (slot.easy) curl().multi_remove_handle(multi_.get(), slot.easy.get());
  if (timer_ >= 0) ::close(timer_);
}

Result<void> CurlTransport::prepare() {
  if (const auto& loaded = curl_library(); !loaded) return std::unexpected(loaded.error());
  multi_.reset(curl().multi_init());
  // "Expect: 100-continue" would add a round trip to each write.
  json_headers_.reset(curl().slist_append(nullptr, "Content-Type: application/json"));
  if (json_headers_) curl().slist_append(json_headers_.get(), "Expect:");
  if (!multi_ || !json_headers_) return fail(ErrorCode::internal, "libcurl gives no handle");
  curl().multi_setopt(multi_.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(kMaxInFlight));
  timer_ = ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
  if (timer_ < 0) return fail_errno(errno, "timerfd_create");
  return {};
}

Result<void> CurlTransport::configure(Slot& slot) {
  CURL* easy = slot.easy.get();
  const HttpRequest& request = slot.request;
  curl().easy_reset(easy);
  CURLcode rc = curl().easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  const auto set = [&](CURLoption option, auto value) {
    if (rc == CURLE_OK) rc = curl().easy_setopt(easy, option, value);
  };
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_PROXY, "");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_QUICK_EXIT, 1L);  // do not wait for a resolver that hangs
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(CURLOPT_BUFFERSIZE, 4096L);
  set(CURLOPT_TCP_NODELAY, 1L);
  set(CURLOPT_USERAGENT, "firedrill-agent");
  set(CURLOPT_ERRORBUFFER, slot.error);
  set(CURLOPT_WRITEFUNCTION, &take_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&slot));
  if (!request.ca_file.empty()) set(CURLOPT_CAINFO, request.ca_file.c_str());
  if (request.connect_only) {
    set(CURLOPT_CONNECT_ONLY, 1L);
    set(CURLOPT_FRESH_CONNECT, 1L);
    set(CURLOPT_FORBID_REUSE, 1L);
  } else if (request.method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  } else {
    if (!request.body.empty()) {
      set(CURLOPT_POSTFIELDSIZE, static_cast<long>(request.body.size()));
      set(CURLOPT_POSTFIELDS, request.body.data());
      set(CURLOPT_HTTPHEADER, json_headers_.get());
    }
    set(CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }
  if (rc == CURLE_OK) return {};
  return fail(ErrorCode::invalid_input,
              fmt::format("{}: {}", request.url, curl().easy_strerror(rc)));
}

Result<void> CurlTransport::begin(std::size_t index) {
  Slot& slot = slots_.at(index);
  if (!slot.easy) slot.easy.reset(curl().easy_init());
  if (!slot.easy) return fail(ErrorCode::internal, "curl_easy_init");
  slot.request = operation_.next();
  slot.body.clear();
  slot.keep_body = operation_.keep_body;
  slot.error[0] = '\0';
  if (auto configured = configure(slot); !configured) return configured;
  curl().easy_setopt(slot.easy.get(), CURLOPT_PRIVATE, reinterpret_cast<char*>(index));
  if (curl().multi_add_handle(multi_.get(), slot.easy.get()) != CURLM_OK)
    return fail(ErrorCode::internal, "curl_multi_add_handle");
  return {};
}

void CurlTransport::abandon(std::size_t index) {
  // Its connection is in an unknown state; removing the handle closes it.
  curl().multi_remove_handle(multi_.get(), slots_.at(index).easy.get());
}

void CurlTransport::perform() {
  int running = 0;
  curl().multi_perform(multi_.get(), &running);
  int left = 0;
  while (const CURLMsg* message = curl().multi_info_read(multi_.get(), &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* easy = message->easy_handle;
    const CURLcode outcome = message->data.result;
    char* index = nullptr;
    curl().easy_getinfo(easy, CURLINFO_PRIVATE, &index);
    const auto number = reinterpret_cast<std::size_t>(index);
    const Slot& slot = slots_.at(number);
    long status = 0;
    curl().easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl().multi_remove_handle(multi_.get(), easy);
    std::string error;
    if (outcome != CURLE_OK)
      error = slot.error[0] != '\0' ? slot.error : curl().easy_strerror(outcome);
    else if (operation_.judge) error = operation_.judge(status, slot.body);
    ended_.push_back({number, std::move(error)});
  }
}

/// curl's own waiting has millisecond steps; a timer keeps the starts exact.
void CurlTransport::arm(Instant until) {
  const auto since_boot =
      std::chrono::duration_cast<std::chrono::nanoseconds>(
          std::max(until, Instant{} + std::chrono::nanoseconds{1}).time_since_epoch())
          .count();
  itimerspec spec{};
  spec.it_value.tv_sec = since_boot / 1'000'000'000;
  spec.it_value.tv_nsec = since_boot % 1'000'000'000;
  ::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &spec, nullptr);
}

void CurlTransport::work(Instant until) {
  perform();
  if (!ended_.empty()) return;
  arm(until);
  curl_waitfd timer{.fd = timer_, .events = CURL_WAIT_POLLIN, .revents = 0};
  curl().multi_poll(multi_.get(), &timer, 1, 1000, nullptr);
  perform();
}

std::optional<Transport::Ended> CurlTransport::next_ended() {
  if (ended_.empty()) return std::nullopt;
  Ended ended = std::move(ended_.front());
  ended_.pop_front();
  return ended;
}

}  // namespace

Result<std::unique_ptr<Transport>> make_curl_transport(HttpOperation operation) {
  auto transport = std::make_unique<CurlTransport>(std::move(operation));
  if (auto prepared = transport->prepare(); !prepared) return std::unexpected(prepared.error());
  return std::unique_ptr<Transport>(std::move(transport));
}

}  // namespace firedrill::agent
