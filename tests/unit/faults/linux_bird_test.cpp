// The real control-socket client against listeners that answer, dawdle, break off or are not BIRD.
#include "agent/kernel/linux_bird.hpp"

#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace firedrill::agent::kernel {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

/// Takes one connection, sends `greeting`, waits for a line, sends `answer`, and closes at once or
/// when the client does.
class Listener {
 public:
  Listener(std::string greeting, std::string answer, bool hangs_up = false) {
    path_ = testing::TempDir() + "firedrill-" + std::to_string(getpid()) + ".ctl";
    unlink(path_.c_str());
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    path_.copy(name.sun_path, path_.size());
    EXPECT_EQ(bind(fd_, reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
    EXPECT_EQ(listen(fd_, 1), 0);
    thread_ = std::thread([this, greeting, answer, hangs_up] {
      const int client = accept(fd_, nullptr, nullptr);
      if (client < 0) return;
      send_all(client, greeting);
      char byte = 0;
      while (read(client, &byte, 1) == 1 && byte != '\n') asked_ += byte;
      send_all(client, answer);
      if (hangs_up) shutdown(client, SHUT_RDWR);
      while (read(client, &byte, 1) == 1) {
      }
      close(client);
    });
  }
  ~Listener() {
    shutdown(fd_, SHUT_RDWR);
    thread_.join();
    close(fd_);
    unlink(path_.c_str());
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  Result<BirdReply> ask() { return LinuxBird({}, 300ms).command(path_, "show status"); }

 private:
  static void send_all(int fd, const std::string& text) {
    for (const char byte : text) send(fd, &byte, 1, MSG_NOSIGNAL);  // in the smallest of pieces
  }

  std::string path_;
  int fd_ = -1;
  std::string asked_;
  std::thread thread_;
};

constexpr const char* kGreeting = "0001 BIRD 2.0.12 ready.\n";

TEST(LinuxBird, AsksAndReadsAWholeAnswer) {
  Listener bird(kGreeting, "1000-BIRD 2.0.12\n1011-Router ID is 10.0.0.1\n0013 Daemon is up\n");
  const auto reply = bird.ask();
  ASSERT_TRUE(reply) << describe(reply.error());
  ASSERT_EQ(reply->lines.size(), 3U);
  EXPECT_EQ(reply->find(13)->text, "Daemon is up");
}

TEST(LinuxBird, SilenceAndHalfAnAnswerTimeOut) {
  for (const char* answer : {"", "0009-edge1: dis", "0009-edge1: disabled\n"}) {
    const auto reply = Listener(kGreeting, answer).ask();
    ASSERT_FALSE(reply) << answer;
    EXPECT_EQ(reply.error().code, ErrorCode::timed_out);
    EXPECT_THAT(reply.error().what, HasSubstr("300ms"));
  }
  EXPECT_EQ(Listener("", "").ask().error().code, ErrorCode::timed_out);
}

TEST(LinuxBird, ConnectionThatEndsWithinTheAnswerIsUnavailable) {
  const auto reply = Listener(kGreeting, "0009-edge1: disabled\n", true).ask();
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::unavailable);
}

TEST(LinuxBird, OtherProgramsAreNotTakenForBird) {
  EXPECT_EQ(Listener("220 mail.example ESMTP\r\n", "").ask().error().code, ErrorCode::corrupt);
  const auto other = Listener("0000 hello\n", "").ask();
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().what, HasSubstr("which is not BIRD"));
}

TEST(LinuxBird, PathsThatLeadNowhereSayWhatToDo) {
  const auto words = [](const std::string& path) {
    const auto reply = LinuxBird({}).command(path, "show status");
    return reply ? std::string("connected") : describe(reply.error());
  };
  EXPECT_THAT(words("/nonexistent/bird.ctl"), HasSubstr("no such socket"));
  EXPECT_THAT(words("/" + std::string(200, 'x')), HasSubstr("longer than a socket's path"));
  std::string path;
  {
    const int left = socket(AF_UNIX, SOCK_STREAM, 0);
    path = testing::TempDir() + "firedrill-left-" + std::to_string(getpid()) + ".ctl";
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    path.copy(name.sun_path, path.size());
    ASSERT_EQ(bind(left, reinterpret_cast<const sockaddr*>(&name), sizeof name), 0);
    close(left);
  }
  EXPECT_THAT(words(path), HasSubstr("nobody listens"));
  unlink(path.c_str());
}

TEST(LinuxBird, ListeningSocketsAreFound) {
  Listener bird(kGreeting, "0000 \n");
  const auto sockets = LinuxBird({}).sockets();
  ASSERT_TRUE(sockets) << describe(sockets.error());
  EXPECT_THAT(*sockets, testing::Contains(bird.path()));
  ASSERT_TRUE(bird.ask());
}

}  // namespace
}  // namespace firedrill::agent::kernel
