#include "controller/fleet/listener.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>

namespace firedrill {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr unsigned kUserTimeoutMillis = 5000;

}  // namespace

void set_options(tcp::socket& socket) {
  error_code ignored;  // they only make things quicker
  socket.set_option(tcp::no_delay(true), ignored);
  // Data that a dead peer does not acknowledge breaks the link after this, not after 15 minutes.
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &kUserTimeoutMillis,
               sizeof(kUserTimeoutMillis));
}

Result<void> open_listener(tcp::acceptor& acceptor, const FleetConfig& config) {
  error_code error;
  const auto address = asio::ip::make_address(config.address, error);
  if (error)
    return fail(ErrorCode::invalid_input,
                "'" + config.address + "' is not a numeric address to listen on");
  const tcp::endpoint end{address, config.port};
  const std::string where = config.address + " port " + std::to_string(config.port);
  acceptor.open(end.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(end, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error == asio::error::address_in_use)
    return fail(ErrorCode::conflict, error.value(),
                where +
                    " is in use by another program (perhaps another firedrill); stop it or "
                    "choose another port");
  if (error) return fail_errno(error.value(), "listening on " + where);
  return {};
}

}  // namespace firedrill
