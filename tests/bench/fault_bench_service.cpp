#include "tests/bench/fault_bench_service.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sstream>

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace firedrill::bench {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::uint16_t kEtcdPort = 23790;
constexpr std::uint16_t kRedisPort = 26379;
constexpr int kStartSeconds = 60;

std::uint16_t port_of(ServiceKind kind) {
  return kind == ServiceKind::etcd ? kEtcdPort : kRedisPort;
}

std::string find_program(const std::string& name) {
  const auto text = [](const char* variable) {
    const char* value = std::getenv(variable);
    return std::string(value == nullptr ? "" : value);
  };
  std::istringstream places(text("FIREDRILL_BENCH_PROGRAMS") + ":" + text("PATH"));
  for (std::string place; std::getline(places, place, ':');)
    if (!place.empty() && ::access((place + "/" + name).c_str(), X_OK) == 0)
      return place + "/" + name;
  return {};
}

std::vector<std::string> arguments_of(ServiceKind kind, const std::string& directory) {
  if (kind == ServiceKind::redis)
    return {"redis-server",
            "--port",
            std::to_string(kRedisPort),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            directory,
            "--daemonize",
            "no"};
  const std::string client = fmt::format("http://127.0.0.1:{}", kEtcdPort);
  const std::string peer = fmt::format("http://127.0.0.1:{}", kEtcdPort + 1);
  return {"etcd",
          "--data-dir",
          directory,
          "--listen-client-urls",
          client,
          "--advertise-client-urls",
          client,
          "--listen-peer-urls",
          peer,
          "--initial-advertise-peer-urls",
          peer,
          "--initial-cluster",
          "default=" + peer,
          "--log-level",
          "error",
          "--unsafe-no-fsync"};
}

[[noreturn]] void become(const std::string& program, std::vector<std::string> arguments) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int null = ::open("/dev/null", O_RDWR);
  for (const int fd : {0, 1, 2}) ::dup2(null, fd);
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  ::execv(program.c_str(), pointers.data());
  ::_exit(127);
}

/// One connection, one request at a time. Anything but the expected answer is an error, after
/// which it connects again.
class Client {
 public:
  Client(ServiceKind kind, int number) : kind_(kind), number_(number) {}
  Client(const Client&) = delete;
  ~Client() { drop(); }

  bool request() {
    if (fd_ < 0 && !open()) return false;
    const bool well = kind_ == ServiceKind::redis ? redis() : etcd();
    if (!well) drop();
    return well;
  }

 private:
  bool open() {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port_of(kind_));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int yes = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    const timeval patience{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return true;
    drop();
    return false;
  }
  void drop() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

  /// Writes a number and reads it again.
  bool redis() {
    const std::string value = std::to_string(++rounds_);
    const std::string key = fmt::format("bench-{}", number_);
    return exchange(fmt::format("SET {} {}\r\nGET {}\r\n", key, value, key),
                    fmt::format("+OK\r\n${}\r\n{}\r\n", value.size(), value));
  }
  bool exchange(const std::string& question, const std::string& answer) {
    if (::send(fd_, question.data(), question.size(), MSG_NOSIGNAL) < 0) return false;
    std::string got;
    while (got.size() < answer.size())
      if (!receive(got)) return false;
    return got == answer;
  }

  /// Puts a key ("bench" and its value in base64) through the JSON gateway.
  bool etcd() {
    constexpr std::string_view kBody = R"({"key":"YmVuY2g=","value":"dmFsdWU="})";
    const std::string question =
        fmt::format("POST /v3/kv/put HTTP/1.1\r\nHost: bench\r\nContent-Length: {}\r\n\r\n{}",
                    kBody.size(), kBody);
    if (::send(fd_, question.data(), question.size(), MSG_NOSIGNAL) < 0) return false;
    std::string got;
    while (true) {
      if (!receive(got)) return false;
      const std::size_t head = got.find("\r\n\r\n");
      constexpr std::string_view kLength = "Content-Length: ";
      const std::size_t at = got.find(kLength);
      if (head == std::string::npos || at == std::string::npos) continue;
      const std::size_t length = std::strtoul(got.c_str() + at + kLength.size(), nullptr, 10);
      if (got.size() < head + 4 + length) continue;
      return got.starts_with("HTTP/1.1 200") && got.find("revision", head) != std::string::npos;
    }
  }
  bool receive(std::string& into) {
    char buffer[4096];
    const ssize_t count = ::recv(fd_, buffer, sizeof buffer, 0);
    if (count <= 0) return false;
    into.append(buffer, static_cast<std::size_t>(count));
    return true;
  }

  ServiceKind kind_;
  int number_;
  int fd_ = -1;
  std::uint64_t rounds_ = 0;
};

}  // namespace

int setting(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  int value = 0;
  if (text == nullptr) return otherwise;
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), value);
  return error == std::errc{} && *end == '\0' && value > 0 ? value : otherwise;
}

std::string_view Service::name() const { return kind_ == ServiceKind::etcd ? "etcd" : "redis"; }

Result<std::unique_ptr<Service>> Service::start(ServiceKind kind) {
  const std::string file = kind == ServiceKind::etcd ? "etcd" : "redis-server";
  const std::string program = find_program(file);
  if (program.empty())
    return fail(ErrorCode::not_found,
                fmt::format("no program {}: FIREDRILL_BENCH_PROGRAMS names its directory", file));
  std::string directory = std::filesystem::temp_directory_path() / "firedrill-bench-XXXXXX";
  if (::mkdtemp(directory.data()) == nullptr) return fail_errno(errno, "mkdtemp");
  std::unique_ptr<Service> service(new Service(kind, directory));
  service->pid_ = ::fork();
  if (service->pid_ < 0) return fail_errno(errno, "fork");
  if (service->pid_ == 0) become(program, arguments_of(kind, directory));
  Client client(kind, 0);
  for (const auto end = Clock::now() + std::chrono::seconds(kStartSeconds); Clock::now() < end;) {
    if (client.request()) return service;
    std::this_thread::sleep_for(50ms);
    if (!service->alive()) break;
  }
  return fail(ErrorCode::unavailable, fmt::format("{} did not start", program));
}

Service::~Service() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  std::error_code error;
  std::filesystem::remove_all(directory_, error);
}

bool Service::alive() const {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0;
}

Load::Load(const Service& service, int connections, std::chrono::milliseconds pause)
    : pause_(pause) {
  for (int i = 0; i < connections; ++i)
    threads_.emplace_back([this, kind = service.kind_, i] { run(kind, i + 1); });
}

Load::~Load() {
  stop_ = true;
  for (std::thread& thread : threads_) thread.join();
}

void Load::run(ServiceKind kind, int number) {
  Client client(kind, number);
  while (!stop_) {
    const auto begin = Clock::now();
    const bool well = client.request();
    const std::chrono::duration<double, std::milli> took = Clock::now() - begin;
    {
      const std::lock_guard lock(mutex_);
      latencies_ms_.push_back(took.count());
      if (!well) ++errors_;
    }
    if (pause_.count() != 0) std::this_thread::sleep_for(pause_);
  }
}

LoadReport Load::take() {
  std::vector<double> latencies;
  LoadReport report;
  {
    const std::lock_guard lock(mutex_);
    latencies.swap(latencies_ms_);
    report.errors = std::exchange(errors_, 0);
  }
  report.requests = latencies.size();
  if (latencies.empty()) return report;
  std::ranges::sort(latencies);
  report.p99_ms = latencies[latencies.size() * 99 / 100];
  report.max_ms = latencies.back();
  return report;
}

}  // namespace firedrill::bench
