// What the messages of agents mean: hello, events, answers, clocks. It takes wires and gives calls
// to the handlers; it knows no socket. Everything runs on the I/O thread but agents() and clock().
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "controller/fleet/clock_filter.hpp"
#include "controller/fleet/fleet.hpp"
#include "controller/fleet/server.hpp"

namespace firedrill {

class Registry {
 public:
  /// `clerk` runs what may wait for the disk.
  Registry(boost::asio::io_context& io, const FleetConfig& config, const FleetHandlers& handlers,
           Worker& clerk);

  void opened(const std::shared_ptr<Wire>& wire);
  void message(Wire& wire, std::string_view text);
  void closed(Wire& wire, const std::string& reason);

  void call(const std::string& host, std::string_view method, Json params, Duration timeout,
            Fleet::Done done);
  /// Throws out whoever is connected by one of these certificates, or is about to be.
  void set_revoked(std::set<std::string> serials);
  /// What agents are told of the authority: those that are here when it changes, others in the
  /// answer to hello. See join::kAuthorityKey.
  void set_authority(std::string digest);
  /// Answers every pending call `unavailable`. Nothing else may be called afterwards.
  void stop();

  [[nodiscard]] std::vector<AgentInfo> agents() const;
  [[nodiscard]] std::optional<ClockEstimate> clock(const std::string& host) const;

 private:
  using Steady = std::chrono::steady_clock::time_point;

  enum class Stage : std::uint8_t { fresh, measuring, ready };
  struct Session {
    Session(boost::asio::io_context& io, std::shared_ptr<Wire> wire_in)
        : wire(std::move(wire_in)), timer(io) {}
    std::shared_ptr<Wire> wire;
    boost::asio::steady_timer timer;  ///< until ready: hello is late; then: the next exchange
    Stage stage = Stage::fresh;
    std::optional<rpc::Id> hello_id;
    rpc::Hello hello;
    ClockFilter filter;  ///< written under mutex_
    int exchanges = 0;
    std::set<std::int64_t> calls;
  };
  using SessionPtr = std::shared_ptr<Session>;
  struct Known {
    AgentInfo info;
    SessionPtr session;           ///< null while not connected
    std::int64_t last_event = 0;  ///< of info.hello.instance
  };
  struct Pending {
    SessionPtr session;
    Steady deadline;
    std::string what;
    Fleet::Done done;
  };

  void request(const SessionPtr& session, std::string_view method, Json params, Duration timeout,
               Fleet::Done done);
  void finish(std::int64_t id, Result<Json> result);
  void arm_deadline();

  void on_request(const SessionPtr& session, const rpc::Request& request);
  void on_hello(const SessionPtr& session, const rpc::Request& request);
  [[nodiscard]] Result<Json> on_event(Session& session, const Json& params);
  void on_renewal(const SessionPtr& session, const rpc::Request& request);
  void exchange_clocks(const SessionPtr& session);
  void on_clock(const SessionPtr& session, std::int64_t sent_us, Steady sent,
                const Result<Json>& answer);
  void on_ready(const SessionPtr& session);
  /// Forgets a session; the wire is told to close unless it is the one that reports the end.
  void drop(const SessionPtr& session, const std::string& reason, bool close_wire);
  void refuse(const SessionPtr& session, const std::string& reason);
  void give_memory_back();

  boost::asio::io_context& io_;
  const FleetConfig& config_;
  const FleetHandlers& handlers_;
  Worker& clerk_;
  std::string authority_;
  std::set<std::string> revoked_;
  std::map<const Wire*, SessionPtr> sessions_;
  std::size_t most_sessions_ = 0;
  std::unordered_map<std::int64_t, Pending> pending_;
  std::set<std::pair<Steady, std::int64_t>> deadlines_;
  boost::asio::steady_timer deadline_timer_;
  std::int64_t next_id_ = 1;

  mutable std::mutex mutex_;  ///< known_ and the filters, for readers on other threads
  std::map<std::string, Known> known_;
};

}  // namespace firedrill
