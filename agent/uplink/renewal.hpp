// When this host's certificate wants replacing, and the steps of replacing it over the link that is
// up. It decides on the I/O thread; keys are made and files written on one that may wait. It knows
// no socket.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "agent/uplink/identity.hpp"

namespace firedrill::agent {

class Renewal {
 public:
  struct Ways {
    std::function<void(const Json& params)> ask;  ///< sends the request; the answer: on_answer()
    std::function<bool(std::function<void()>)> work;  ///< on a thread that may block; false: full
    std::function<void(std::function<void()>)> post;  ///< back on the I/O thread
    std::function<Result<void>()> reload;             ///< takes the files for connections to come
    std::function<UtcTime()> now;
    /// A certificate was replaced, valid until then; or why not.
    std::function<void(const Result<UtcTime>&)> told;
  };

  Renewal(boost::asio::io_context& io, IdentityFiles files, Ways ways);

  /// The link is up. `authority`: join::kAuthorityKey of hello's answer, or empty. Asks when two
  /// thirds of the certificate's time are over, or when the controller holds other authorities than
  /// this host does; looks again while the link is up.
  void on_ready(std::string authority);
  void on_lost();
  void on_answer(const Result<Json>& answer);

 private:
  using Steady = std::chrono::steady_clock::time_point;
  struct View {
    Result<Standing> standing;
    std::string authority;
  };

  void look_in(Duration span);
  void look();
  void judge(const View& view);
  void on_request_made(const Result<KeyAndRequest>& made);
  void on_installed(const Result<UtcTime>& until);
  void failed(const Error& error);

  IdentityFiles files_;
  Ways ways_;
  boost::asio::steady_timer timer_;
  std::string authority_;  ///< the controller's, while the link is up
  std::string asked_for_;  ///< the one for whose sake the last attempt was made
  bool up_ = false;
  bool busy_ = false;               ///< a step is under way
  std::optional<std::string> key_;  ///< of the request that was sent and is not answered
  std::string name_;
  int failures_ = 0;
  Steady not_before_{};  ///< the next attempt, whatever the wall clock says
};

}  // namespace firedrill::agent
