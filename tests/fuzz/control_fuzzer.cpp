// What a process on this host may say to the agent's socket, over a real socket and down to the
// faults on a host in memory. Whatever it is: every answer is one, and undoing everything leaves
// the host as it was. A commit at 0 means now. Probes are left out: they act on the machine itself.
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include <sys/socket.h>
#include <unistd.h>

#include "agent/calls.hpp"
#include "agent/control.hpp"
#include "tests/fuzz/must.hpp"
#include "tests/support/fake_host.hpp"

namespace {

using namespace firedrill;
using namespace firedrill::agent;

constexpr std::size_t kMostBytes = 64 << 10;  // fits into the socket, so that nobody waits

std::filesystem::path fresh_directory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "control-XXXXXX").string();
  must(::mkdtemp(pattern.data()) != nullptr, "there is a place for the journal");
  return pattern;
}

class Agent {
 public:
  Agent() : directory_(fresh_directory()), probes_([](const auto&, const auto&) {}) {
    ExecutorHooks hooks;
    hooks.find_fault = &find_fault;
    hooks.on_event = [](const std::string&, const std::string&, UtcTime, const Json&) {};
    hooks.sample = [](std::string_view, const Json&) -> Result<rpc::Sample> {
      return rpc::Sample{};
    };
    hooks.ensure_guardian = []() -> Result<void> { return {}; };
    auto started = Executor::start({directory_, "fuzz", Policy{}}, host_, pulse_, std::move(hooks));
    must(started.has_value(), "the executor starts");
    executor_ = std::move(*started);
    calls_ = std::make_unique<AgentCalls>(*executor_, probes_, Policy{});
    clean_ = host_.state();
  }
  ~Agent() {
    executor_->stop();
    std::filesystem::remove_all(directory_);
  }

  Result<Json> call(const std::string& method, Json params) {
    if (method.starts_with("probe")) return fail(ErrorCode::unsupported, "no probes here");
    if (method == rpc::method::commit && params.is_object() && params.contains("at_us") &&
        params["at_us"] == 0)
      params["at_us"] = to_micros(SystemClock{}.utc());
    return calls_->local_call(method, params, LocalPeer{});
  }

  void check() {
    const auto undone = executor_->undo({}, UndoCause::requested);
    must(undone.has_value(), "everything can be undone");
    const auto list = executor_->list();
    must(list.has_value(), "the list can be had");
    for (const rpc::InjectionStatus& status : *list)
      must(status.state == InjectionState::undone, "nothing stays open");
    must(host_.state() == clean_, "the host is as it was");
    host_.kernel.log.clear();
  }

 private:
  std::filesystem::path directory_;
  test::FakeHost host_;
  Pulse pulse_;
  ProbeRunner probes_;
  std::unique_ptr<Executor> executor_;
  std::unique_ptr<AgentCalls> calls_;
  std::string clean_;
};

/// Every line that came back is a response.
void check_answers(int fd) {
  std::string answers;
  char buffer[4096];
  for (ssize_t got; (got = ::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT)) > 0;)
    answers.append(buffer, static_cast<std::size_t>(got));
  for (std::string_view rest = answers; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    must(end != std::string_view::npos, "an answer is a whole line");
    const auto message = rpc::decode(rest.substr(0, end));
    must(message && std::holds_alternative<rpc::Response>(*message), "and a response");
    rest.remove_prefix(end + 1);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Agent agent;
  int ends[2];
  if (size > kMostBytes || ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return 0;
  const int room = 4 << 20;
  ::setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  // A client that never reads is left after a while; ours reads when all is said.
  const timeval limit{.tv_sec = 0, .tv_usec = 100'000};
  ::setsockopt(ends[1], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  must(::send(ends[0], data, size, 0) == static_cast<ssize_t>(size), "it can be said");
  ::shutdown(ends[0], SHUT_WR);
  serve_control(ends[1], [](const std::string& method, const Json& params, const LocalPeer&) {
    return agent.call(method, params);
  });
  ::close(ends[1]);
  agent.check();
  check_answers(ends[0]);
  ::close(ends[0]);
  return 0;
}
