#include "agent/uplink/uplink.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "agent/uplink/event_queue.hpp"
#include "agent/uplink/link.hpp"
#include "agent/uplink/renewal.hpp"
#include "firedrill/join.hpp"
#include "firedrill/worker.hpp"

namespace firedrill::agent {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::string_view kHelloId = "hello";
constexpr std::string_view kCertificateId = "certificate";
// Enough to fill a long line, few enough that a fresh event does not wait behind old samples.
constexpr std::size_t kEventsInFlight = 64;
constexpr std::size_t kCallsWaiting = 1000;
constexpr int kMaxDoublings = 16;  // by then any cap is reached

UtcTime system_now() {
  return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

/// join::kAuthorityKey, or empty: an older controller has none.
std::string authority_in(const Json& params) {
  if (!params.is_object()) return {};
  const auto it = params.find(join::kAuthorityKey);
  return it != params.end() && it->is_string() ? it->get<std::string>() : std::string{};
}

}  // namespace

class Uplink::Impl {
 public:
  Impl(UplinkConfig config, UplinkHandlers handlers)
      : config_(std::move(config)), handlers_(std::move(handlers)), queue_(config_.queue_limit) {
    if (!handlers_.now) handlers_.now = system_now;
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { stop(); }

  Result<void> start();
  Result<void> send_event(rpc::AgentEvent event);
  bool drain(Duration timeout);
  void stop();

  /// Reads what the mutex guards.
  template <class Value>
  [[nodiscard]] Value locked(const auto& read) const {
    const std::scoped_lock lock{mutex_};
    return read();
  }
  [[nodiscard]] std::size_t queued() const {
    return locked<std::size_t>([this] { return queue_.size(); });
  }
  [[nodiscard]] std::size_t dropped() const {
    return locked<std::size_t>([this] { return queue_.dropped(); });
  }
  [[nodiscard]] bool connected() const {
    return locked<bool>([this] { return ready_; });
  }
  [[nodiscard]] std::optional<LinkEnds> ends() const {
    return locked<std::optional<LinkEnds>>([this] { return ends_; });
  }

 private:
  // On the I/O thread.
  void on_opened(const std::shared_ptr<Link>& link);
  void on_ended(const std::string& reason);
  void on_message(Link& link, std::string_view text);
  void on_response(Link& link, const rpc::Response& response);
  void on_hello_answered(Link& link, const Result<Json>& answer);
  void on_request(Link& link, rpc::Request request);
  void hand_over(rpc::Request request);
  void answer(Link& link, rpc::Response response);
  void dial_later();
  void pump();
  [[nodiscard]] std::unique_ptr<Renewal> make_renewal();

  const UplinkConfig config_;
  UplinkHandlers handlers_;
  // Declared before whatever uses it, and destroyed after: its destructor ends the coroutines.
  boost::asio::io_context io_{1};
  std::unique_ptr<Dialer> dialer_;
  boost::asio::steady_timer timer_{io_};  ///< until hello is answered, or until the next attempt
  std::unique_ptr<Renewal> renewal_;
  std::shared_ptr<Link> link_;
  std::atomic<std::uint64_t> connection_{0};  ///< changes when a link ends; workers compare it
  int failures_ = 0;
  SteadyClock::time_point ready_since_{};
  std::int64_t sent_up_to_ = 0;  ///< on this connection
  std::size_t in_flight_ = 0;
  std::minstd_rand random_{std::random_device{}()};

  mutable std::mutex mutex_;  ///< guards what follows
  std::condition_variable answered_;
  EventQueue queue_;
  std::int64_t last_number_ = 0;
  bool pump_posted_ = false;
  bool ready_ = false;  ///< written on the I/O thread only, which reads it without the lock
  bool stopped_ = false;
  std::optional<LinkEnds> ends_;

  std::thread thread_;
  std::unique_ptr<Worker> worker_, probe_worker_;
};

Result<void> Uplink::Impl::start() {
  if (!handlers_.hello || !handlers_.on_call || config_.instance.empty())
    return fail(ErrorCode::invalid_input, "the uplink needs hello, on_call and an instance");
  if (config_.first_backoff <= Duration{0} || config_.backoff_cap < config_.first_backoff)
    return fail(ErrorCode::invalid_input, "the backoff must be above 0 and at most its cap");
  LinkHooks hooks;
  hooks.opened = [this](const std::shared_ptr<Link>& link) { on_opened(link); };
  hooks.message = [this](Link& link, std::string_view text) { on_message(link, text); };
  hooks.ended = [this](const std::string& reason) { on_ended(reason); };
  auto dialer = Dialer::make(io_, config_, std::move(hooks));
  if (!dialer) return std::unexpected(dialer.error());
  dialer_ = std::move(*dialer);
  worker_ = std::make_unique<Worker>(kCallsWaiting);
  probe_worker_ = std::make_unique<Worker>(kCallsWaiting);
  renewal_ = make_renewal();
  dialer_->dial();
  thread_ = std::thread{[this] {
    const auto work = boost::asio::make_work_guard(io_);
    io_.run();
  }};
  return {};
}

std::unique_ptr<Renewal> Uplink::Impl::make_renewal() {
  Renewal::Ways ways;
  ways.ask = [this](const Json& params) {
    if (link_)
      link_->send(rpc::encode(rpc::Request{std::string{kCertificateId},
                                           std::string{join::kCertificateMethod}, params}));
  };
  // The thread that may wait: a slow disk must not hold up the link or an undo.
  ways.work = [this](std::function<void()> job) { return probe_worker_->post(std::move(job)); };
  ways.post = [this](std::function<void()> job) { boost::asio::post(io_, std::move(job)); };
  ways.reload = [this] { return dialer_->reload(); };
  ways.now = handlers_.now;
  ways.told = [this](const Result<UtcTime>& until) {
    if (handlers_.on_renewed) handlers_.on_renewed(until);
  };
  return std::make_unique<Renewal>(io_, IdentityFiles{config_.ca, config_.certificate, config_.key},
                                   std::move(ways));
}

void Uplink::Impl::stop() {
  {
    const std::scoped_lock lock{mutex_};
    if (stopped_) return;
    stopped_ = true;
  }
  answered_.notify_all();
  if (!thread_.joinable()) return;  // never started
  io_.stop();
  thread_.join();
  worker_->stop();
  probe_worker_->stop();
  // The socket goes now, not with the object: the controller shall see the end at once.
  if (link_) link_->abort();
  const std::scoped_lock lock{mutex_};
  ready_ = false;
  ends_.reset();
}

Result<void> Uplink::Impl::send_event(rpc::AgentEvent event) {
  const std::scoped_lock lock{mutex_};
  event.instance = config_.instance;
  event.number = last_number_ + 1;
  rpc::Request request{event.number, std::string{rpc::method::event}, rpc::to_json(event)};
  std::string message = rpc::encode(request);
  if (message.size() > rpc::kMaxMessageBytes)
    return fail(ErrorCode::invalid_input, "the event '" + event.kind + "' is larger than 1 MiB");
  last_number_ = event.number;
  queue_.push({event.number, weight_of(event.kind), std::move(message)});
  if (pump_posted_ || stopped_) return {};
  pump_posted_ = true;  // many events, one wake-up
  boost::asio::post(io_, [this] { pump(); });
  return {};
}

bool Uplink::Impl::drain(Duration timeout) {
  std::unique_lock lock{mutex_};
  const std::int64_t last = last_number_;
  const auto delivered = [&] {
    const EventQueue::Entry* first = queue_.after(0);
    return first == nullptr || first->number > last;
  };
  answered_.wait_for(lock, timeout, [&] { return stopped_ || delivered(); });
  return delivered();
}

void Uplink::Impl::on_opened(const std::shared_ptr<Link>& link) {
  link_ = link;
  {
    const std::scoped_lock lock{mutex_};
    ends_ = link->ends();
  }
  const rpc::Request hello{std::string{kHelloId}, std::string{rpc::method::hello},
                           rpc::to_json(handlers_.hello())};
  std::string text = rpc::encode(hello);
  if (text.size() > rpc::kMaxMessageBytes)
    return link->close("this agent's own hello is larger than 1 MiB");
  link->send(std::move(text));
  timer_.expires_after(config_.handshake_timeout);
  timer_.async_wait([weak = std::weak_ptr{link}](boost::system::error_code cancelled) {
    const auto late = weak.lock();
    if (!cancelled && late) late->close("the controller did not answer hello");
  });
}

void Uplink::Impl::on_hello_answered(Link& link, const Result<Json>& answer) {
  if (!answer) return link.close("the controller refused hello: " + describe(answer.error()));
  if (ready_) return link.close("the controller answered hello twice");
  timer_.cancel();
  ready_since_ = SteadyClock::now();
  sent_up_to_ = 0;
  in_flight_ = 0;
  {
    const std::scoped_lock lock{mutex_};
    ready_ = true;
  }
  if (handlers_.on_connected) handlers_.on_connected(link.ends());
  renewal_->on_ready(authority_in(*answer));
  pump();
}

void Uplink::Impl::on_ended(const std::string& reason) {
  const bool was_ready = ready_;
  {
    const std::scoped_lock lock{mutex_};
    ready_ = false;
    ends_.reset();
  }
  link_.reset();
  ++connection_;
  renewal_->on_lost();
  timer_.cancel();
  // A link that ends soon after it began (another agent with this host's certificate takes it, say)
  // is a failure like any other, or the two would throw each other out without a pause.
  const bool lasted = was_ready && SteadyClock::now() - ready_since_ >= config_.backoff_cap;
  failures_ = lasted ? 0 : std::min(failures_ + 1, kMaxDoublings);
  dial_later();
  if (was_ready && handlers_.on_disconnected) handlers_.on_disconnected(reason);
  if (!was_ready && handlers_.on_attempt_failed) handlers_.on_attempt_failed(reason);
}

void Uplink::Impl::dial_later() {
  const std::int64_t grown = config_.first_backoff.count() << std::min(failures_, kMaxDoublings);
  const std::int64_t most = std::clamp<std::int64_t>(grown, 0, config_.backoff_cap.count());
  timer_.expires_after(Duration{std::uniform_int_distribution<std::int64_t>{0, most}(random_)});
  timer_.async_wait([this](boost::system::error_code cancelled) {
    if (!cancelled) dialer_->dial();
  });
}

void Uplink::Impl::on_message(Link& link, std::string_view text) {
  auto message = rpc::decode(text);
  if (!message) return link.close("malformed message: " + describe(message.error()));
  if (const auto* response = std::get_if<rpc::Response>(&*message))
    return on_response(link, *response);
  on_request(link, std::move(std::get<rpc::Request>(*message)));
}

void Uplink::Impl::on_response(Link& link, const rpc::Response& response) {
  if (const auto* id = std::get_if<std::string>(&response.id); id != nullptr) {
    if (*id == kHelloId) return on_hello_answered(link, response.result);
    if (*id == kCertificateId) return renewal_->on_answer(response.result);
    return link.close("an answer to a request that was never sent");
  }
  // An error is an answer too: what the controller cannot read it will not read the next time.
  {
    const std::scoped_lock lock{mutex_};
    queue_.answered(std::get<std::int64_t>(response.id));
  }
  answered_.notify_all();
  if (!response.result && handlers_.on_event_refused)
    handlers_.on_event_refused(response.result.error());
  if (in_flight_ > 0) --in_flight_;
  pump();
}

void Uplink::Impl::on_request(Link& link, rpc::Request request) {
  if (request.method == join::kAuthorityMethod) {
    if (ready_) renewal_->on_ready(authority_in(request.params));
    return;
  }
  if (request.method != rpc::method::clock) return hand_over(std::move(request));
  const std::int64_t received_us = to_micros(handlers_.now());
  if (!request.id) return;
  Json times = {{"received_us", received_us}, {"sent_us", to_micros(handlers_.now())}};
  answer(link, {*request.id, std::move(times)});
}

/// Gives a call to its worker, which brings the answer back to this thread.
void Uplink::Impl::hand_over(rpc::Request request) {
  const bool slow = request.method == rpc::method::probe_once;
  const std::optional<rpc::Id> id = request.id;
  auto job = [this, connection = connection_.load(), request = std::move(request)] {
    // Its caller was told `unavailable` when the link went. Undoing late does no harm; doing does.
    if (connection != connection_ && request.method != rpc::method::undo) return;
    Result<Json> result = handlers_.on_call(request.method, request.params);
    if (!request.id) return;
    rpc::Response response{*request.id, std::move(result)};
    boost::asio::post(io_, [this, connection, response = std::move(response)]() mutable {
      if (connection == connection_ && link_) answer(*link_, std::move(response));
    });
  };
  Worker& worker = slow ? *probe_worker_ : *worker_;
  if (!worker.post(std::move(job)) && id && link_)
    answer(*link_, {*id, fail(ErrorCode::unavailable, "too many calls wait on this agent")});
}

void Uplink::Impl::answer(Link& link, rpc::Response response) {
  std::string text = rpc::encode(response);
  if (text.size() > rpc::kMaxMessageBytes) {
    response.result = fail(ErrorCode::internal, "the answer is larger than one message may be");
    text = rpc::encode(response);
  }
  link.send(std::move(text));
}

/// Sends what fits into the window, in order.
void Uplink::Impl::pump() {
  const std::scoped_lock lock{mutex_};
  pump_posted_ = false;
  if (!ready_ || !link_) return;
  while (in_flight_ < kEventsInFlight) {
    const EventQueue::Entry* next = queue_.after(sent_up_to_);
    if (next == nullptr) return;
    sent_up_to_ = next->number;
    ++in_flight_;
    link_->send(next->message);
  }
}

Result<std::unique_ptr<Uplink>> Uplink::start(UplinkConfig config, UplinkHandlers handlers) {
  auto impl = std::make_unique<Impl>(std::move(config), std::move(handlers));
  if (auto started = impl->start(); !started) return std::unexpected(started.error());
  return std::unique_ptr<Uplink>{new Uplink(std::move(impl))};
}

Uplink::Uplink(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Uplink::~Uplink() = default;

Result<void> Uplink::send_event(rpc::AgentEvent event) {
  return impl_->send_event(std::move(event));
}
bool Uplink::drain(Duration timeout) { return impl_->drain(timeout); }
std::size_t Uplink::queued() const { return impl_->queued(); }
std::size_t Uplink::dropped() const { return impl_->dropped(); }
bool Uplink::connected() const { return impl_->connected(); }
std::optional<LinkEnds> Uplink::local_and_peer() const { return impl_->ends(); }
void Uplink::stop() { impl_->stop(); }

}  // namespace firedrill::agent
