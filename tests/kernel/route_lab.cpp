#include "tests/kernel/route_lab.hpp"

#include <arpa/inet.h>
#include <linux/fib_rules.h>
#include <linux/nexthop.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace firedrill::agent::test {

void RouteLab::SetUp() {
  NetworkLab::SetUp();
  if (IsSkipped() || HasFatalFailure()) return;
  const std::string at_peer = "ip -n " + peer_name() + " ";
  run("ip link add data1 type veth peer name far1 netns " + peer_name());
  run("ip link set data1 addrgenmode none && " + at_peer + "link set far1 addrgenmode none");
  run("ip link set data1 up && " + at_peer + "link set far1 up");
  run("ip addr add 10.78.0.1/24 dev data1 && ip addr add fd78::1/64 dev data1 nodad");
  run(at_peer + "addr add 10.78.0.2/24 dev far1");
  run(at_peer + "addr add fd78::2/64 dev far1 nodad");
}

std::string RouteLab::routes_and_rules() {
  return raw_dump(RTM_GETROUTE, sizeof(rtmsg)) + raw_dump(RTM_GETRULE, sizeof(fib_rule_hdr)) +
         raw_dump(RTM_GETNEXTHOP, sizeof(nhmsg));
}

Params RouteLab::params_of(const Fault& fault, const Json& given) {
  auto valid = validate_params(fault.schema(), given, "");
  if (!valid) {
    ADD_FAILURE() << describe(valid.error());
    return {};
  }
  if (auto checked = fault.check(*valid); !checked) ADD_FAILURE() << describe(checked.error());
  return *valid;
}

bool RouteLab::die_at(int operation, const std::function<bool(Host&)>& act) {
  const pid_t child = fork();
  if (child == 0) {
    int seen = 0;
    const auto host = open_host([&](std::string_view) {
      if (seen++ == operation) _exit(9);
    });
    _exit(act(*host) ? 0 : 1);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) != 1) << "the operation failed";
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int RouteLab::connect_error(const std::string& address, std::uint16_t port) {
  const bool v6 = address.contains(':');
  const Descriptor made(socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  int failed = 0;
  if (v6) {
    sockaddr_in6 name{};
    name.sin6_family = AF_INET6;
    name.sin6_port = htons(port);
    inet_pton(AF_INET6, address.c_str(), &name.sin6_addr);
    failed = connect(made.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name);
  } else {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(port);
    inet_pton(AF_INET, address.c_str(), &name.sin_addr);
    failed = connect(made.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name);
  }
  return failed == 0 ? 0 : errno;
}

}  // namespace firedrill::agent::test
