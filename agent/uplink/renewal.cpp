#include "agent/uplink/renewal.hpp"

#include <algorithm>

namespace firedrill::agent {
namespace {

using namespace std::chrono_literals;

// The wall clock may be stepped, so a far instant is not waited for in one piece.
constexpr Duration kLongestSleep = 1h;
constexpr Duration kNewsMeanwhile = 1s;
constexpr Duration kAnswerTimeout = 30s;
constexpr Duration kFirstPause = 1min;
constexpr int kMaxDoublings = 6;
constexpr int kShareBetween = 4;  // of a certificate's time, between two that succeeded

}  // namespace

Renewal::Renewal(boost::asio::io_context& io, IdentityFiles files, Ways ways)
    : files_(std::move(files)), ways_(std::move(ways)), timer_(io) {}

void Renewal::on_ready(std::string authority) {
  up_ = true;
  authority_ = std::move(authority);
  look();
}

void Renewal::on_lost() {
  up_ = false;
  timer_.cancel();
  if (key_) failed({ErrorCode::unavailable, 0, "the link was lost before the answer came", {}});
}

void Renewal::look_in(Duration span) {
  timer_.expires_after(std::clamp<Duration>(span, 1s, kLongestSleep));
  timer_.async_wait([this](boost::system::error_code cancelled) {
    if (cancelled) return;
    if (key_) return failed({ErrorCode::timed_out, 0, "the controller did not answer", {}});
    look();
  });
}

void Renewal::look() {
  if (!up_ || busy_) return;
  busy_ = true;
  const bool taken = ways_.work([this] {
    View view{read_standing(files_.certificate), authority_digest(files_.ca)};
    ways_.post([this, view = std::move(view)] { judge(view); });
  });
  if (taken) return;
  busy_ = false;
  look_in(kFirstPause);
}

void Renewal::judge(const View& view) {
  busy_ = false;
  if (!up_) return;
  if (!view.standing) return failed(view.standing.error());
  name_ = view.standing->name;
  const auto pause = std::chrono::ceil<Duration>(not_before_ - std::chrono::steady_clock::now());
  const Duration due_in = renewal_due(*view.standing) - ways_.now();
  const bool other_authority = !authority_.empty() && authority_ != view.authority;
  // The clock may be wrong, and an authority that was asked for may not come: both wait between two
  // attempts. News does not.
  const bool rested = pause <= Duration{0};
  const bool wanted = (other_authority && authority_ != asked_for_) ||
                      (rested && (other_authority || due_in <= Duration{0}));
  if (!wanted) return look_in(std::max(due_in, pause));
  busy_ = true;
  asked_for_ = authority_;
  const bool taken = ways_.work([this, name = name_] {
    auto made = make_request(name);
    ways_.post([this, made = std::move(made)] { on_request_made(made); });
  });
  if (!taken) failed({ErrorCode::unavailable, 0, "the agent is busy", {}});
}

void Renewal::on_request_made(const Result<KeyAndRequest>& made) {
  if (!made) return failed(made.error());
  if (!up_) {
    busy_ = false;
    return;
  }
  key_ = made->key;
  look_in(kAnswerTimeout);
  ways_.ask({{"csr", made->csr}});
}

void Renewal::on_answer(const Result<Json>& answer) {
  if (!key_) return;  // it came too late
  timer_.cancel();
  const std::string key = std::move(*key_);
  key_.reset();
  if (!answer) return failed(answer.error());
  auto credentials = join::parse_credentials(*answer);
  if (!credentials) return failed(credentials.error());
  if (credentials->name != name_)
    return failed({ErrorCode::refused, 0, "the controller answered for another host", {}});
  const bool taken = ways_.work([this, key, credentials = std::move(*credentials)] {
    Result<void> done = check_credentials(credentials, key, {});
    if (done) done = install(files_, credentials, key);
    const auto standing =
        done ? read_standing(files_.certificate) : Result<Standing>(std::unexpected(done.error()));
    ways_.post([this, standing] {
      on_installed(standing ? Result<UtcTime>(standing->to)
                            : Result<UtcTime>(std::unexpected(standing.error())));
    });
  });
  if (!taken) failed({ErrorCode::unavailable, 0, "the agent is busy", {}});
}

void Renewal::on_installed(const Result<UtcTime>& until) {
  if (!until) return failed(until.error());
  if (auto loaded = ways_.reload(); !loaded) return failed(loaded.error());
  busy_ = false;
  failures_ = 0;
  const Duration left = std::max<Duration>(*until - ways_.now(), 0s);
  not_before_ = std::chrono::steady_clock::now() + left / kShareBetween;
  ways_.told(*until);
  if (up_) look_in(kNewsMeanwhile);
}

void Renewal::failed(const Error& error) {
  busy_ = false;
  key_.reset();
  const Duration pause = kFirstPause * (1 << std::min(failures_, kMaxDoublings));
  ++failures_;
  not_before_ = std::chrono::steady_clock::now() + pause;
  ways_.told(std::unexpected(error));
  if (up_) look_in(pause);
}

}  // namespace firedrill::agent
