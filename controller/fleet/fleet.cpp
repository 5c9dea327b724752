#include "controller/fleet/fleet.hpp"

#include <future>
#include <mutex>
#include <thread>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "controller/fleet/registry.hpp"
#include "controller/fleet/server.hpp"
#include "controller/fleet/tls.hpp"

namespace firedrill {
namespace {

/// Handlers that were not set become ones that do nothing, so that nobody asks again.
FleetHandlers complete(FleetHandlers handlers) {
  if (!handlers.connected) handlers.connected = [](const AgentInfo&) {};
  if (!handlers.lost) handlers.lost = [](const std::string&, const std::string&) {};
  if (!handlers.event)
    handlers.event = [](const std::string&, const rpc::AgentEvent&, const ClockEstimate&) {};
  if (!handlers.refused) handlers.refused = [](const std::string&, const std::string&) {};
  if (!handlers.http)
    handlers.http = [](const HttpRequest&) {
      return HttpResponse{404, "application/json",
                          R"({"error":{"what":"nothing is served here","pointer":""}})"};
    };
  if (!handlers.join)
    handlers.join = [](const HttpRequest&) {
      return HttpResponse{404, "application/json",
                          R"({"error":{"what":"no host can join here","pointer":""}})"};
    };
  if (!handlers.renew)
    handlers.renew = [](const RenewalRequest&) -> Result<Json> {
      return fail(ErrorCode::unsupported, "this controller signs nothing");
    };
  return handlers;
}

constexpr std::size_t kMostPaperwork = 256;  // a signature takes a millisecond, and an fsync

}  // namespace

class Fleet::Impl {
 public:
  Impl(FleetConfig config, FleetHandlers handlers)
      : config_(std::move(config)), handlers_(complete(std::move(handlers))) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { stop(); }

  Result<void> start() {
    ServerHooks hooks;
    hooks.opened = [this](const std::shared_ptr<Wire>& wire) { registry_.opened(wire); };
    hooks.message = [this](Wire& wire, std::string_view text) { registry_.message(wire, text); };
    hooks.closed = [this](Wire& wire, const std::string& why) { registry_.closed(wire, why); };
    hooks.http = handlers_.http;
    hooks.refused = handlers_.refused;
    hooks.join = handlers_.join;
    hooks.clerk = &clerk_;
    registry_.set_authority(authority_digest(config_));
    auto server = Server::listen(io_, config_, std::move(hooks));
    if (!server) return std::unexpected(server.error());
    server_ = std::move(*server);
    port_ = server_->port();  // kept: stop() takes the server away
    thread_ = std::thread{[this] { io_.run(); }};
    return {};
  }

  void call(std::string host, std::string_view method, Json params, Duration timeout, Done done) {
    {
      // Under the mutex, so that whatever is posted stands before stop()'s own last word.
      const std::scoped_lock lock{mutex_};
      if (!stopped_) {
        boost::asio::post(
            io_, [this, host = std::move(host), method = std::string{method},
                  params = std::move(params), timeout, done = std::move(done)]() mutable {
              registry_.call(host, method, std::move(params), timeout, std::move(done));
            });
        return;
      }
    }
    done(fail(ErrorCode::unavailable, "the controller is stopping"));
  }

  void set_revoked(std::set<std::string> serials) {
    // Of no interest when the controller is stopping: then everybody is thrown out.
    (void)on_io_thread([this, serials = std::move(serials)]() mutable {
      registry_.set_revoked(serials);
      server_->set_revoked(std::move(serials));
      return Result<void>{};
    });
  }

  Result<void> reload() {
    return on_io_thread([this]() -> Result<void> {
      if (auto loaded = server_->reload(); !loaded) return loaded;
      registry_.set_authority(authority_digest(config_));
      return {};
    });
  }

  void stop() {
    {
      const std::scoped_lock lock{mutex_};
      if (stopped_) return;
      stopped_ = true;
    }
    if (!thread_.joinable()) return;  // never started
    clerk_.stop();
    boost::asio::post(io_, [this] {
      registry_.stop();
      server_.reset();
      io_.stop();
    });
    thread_.join();
  }

  [[nodiscard]] bool is_io_thread() const { return std::this_thread::get_id() == thread_.get_id(); }
  [[nodiscard]] const Registry& registry() const { return registry_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  /// Runs `work` on the I/O thread and waits for what came of it.
  template <class Work>
  Result<void> on_io_thread(Work work) {
    std::promise<Result<void>> promise;
    auto done = promise.get_future();
    {
      const std::scoped_lock lock{mutex_};
      if (stopped_) return fail(ErrorCode::unavailable, "the controller is stopping");
      boost::asio::post(
          io_, [&promise, work = std::move(work)]() mutable { promise.set_value(work()); });
    }
    return done.get();
  }

  const FleetConfig config_;
  const FleetHandlers handlers_;
  // Declared before whatever uses it, and destroyed after: its destructor ends the coroutines.
  boost::asio::io_context io_{1};
  Worker clerk_{kMostPaperwork};
  Registry registry_{io_, config_, handlers_, clerk_};
  std::unique_ptr<Server> server_;
  std::uint16_t port_ = 0;
  std::mutex mutex_;
  bool stopped_ = false;
  std::thread thread_;
};

Result<std::unique_ptr<Fleet>> Fleet::start(FleetConfig config, FleetHandlers handlers) {
  auto impl = std::make_unique<Impl>(std::move(config), std::move(handlers));
  if (auto started = impl->start(); !started) return std::unexpected(started.error());
  return std::unique_ptr<Fleet>{new Fleet(std::move(impl))};
}

Fleet::Fleet(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Fleet::~Fleet() = default;

std::vector<AgentInfo> Fleet::agents() const { return impl_->registry().agents(); }

std::optional<ClockEstimate> Fleet::clock(const std::string& host) const {
  return impl_->registry().clock(host);
}

void Fleet::call(std::string host, std::string_view method, Json params, Duration timeout,
                 Done done) {
  impl_->call(std::move(host), method, std::move(params), timeout, std::move(done));
}

Result<Json> Fleet::call_and_wait(std::string host, std::string_view method, Json params,
                                  Duration timeout) {
  if (impl_->is_io_thread())
    return fail(ErrorCode::internal, "call_and_wait() on the I/O thread would wait for itself");
  std::promise<Result<Json>> promise;
  auto answer = promise.get_future();
  impl_->call(std::move(host), method, std::move(params), timeout,
              [&promise](Result<Json> result) { promise.set_value(std::move(result)); });
  return answer.get();
}

std::uint16_t Fleet::port() const { return impl_->port(); }

void Fleet::set_revoked(std::set<std::string> serials) { impl_->set_revoked(std::move(serials)); }

Result<void> Fleet::reload_certificates() { return impl_->reload(); }

void Fleet::stop() { impl_->stop(); }

}  // namespace firedrill
