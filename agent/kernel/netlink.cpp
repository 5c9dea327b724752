#include "agent/kernel/netlink.hpp"

#include <cerrno>
#include <string>

#include <fmt/format.h>
#include <netlink/errno.h>
#include <netlink/handlers.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

namespace firedrill::agent::kernel {
namespace {

constexpr int kMaxInterruptedDumps = 8;

/// What one exchange collects while libnl hands over the messages of the answer.
struct Answer {
  const MessageSink& sink;
  std::string& words;
  int error = 0;  ///< errno, positive
  bool done = false;
};

int on_valid(nl_msg* message, void* context) {
  auto& answer = *static_cast<Answer*>(context);
  const nlmsghdr* header = nlmsg_hdr(message);
  if (answer.sink) {
    const auto* payload = static_cast<const std::byte*>(nlmsg_data(header));
    const int size = nlmsg_datalen(header);
    answer.sink(header->nlmsg_type, {payload, static_cast<std::size_t>(size)});
  }
  return NL_OK;
}

int on_end(nl_msg*, void* context) {
  static_cast<Answer*>(context)->done = true;
  return NL_STOP;
}

int on_interrupted(nl_msg*, void* context) {
  static_cast<Answer*>(context)->error = EINTR;
  return NL_OK;  // read on to the end, or the rest would be taken for the next answer
}

/// The kernel's own sentence: attribute 1 behind the error. When the request was not capped, it is
/// echoed in between.
std::string extended_ack(const nlmsghdr* header, const nlmsgerr* error) {
  if ((header->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return {};
  std::size_t used = NLMSG_HDRLEN + sizeof *error;
  if ((header->nlmsg_flags & NLM_F_CAPPED) == 0) used += error->msg.nlmsg_len - NLMSG_HDRLEN;
  used = NLMSG_ALIGN(used);
  if (used >= header->nlmsg_len) return {};
  const auto* first = reinterpret_cast<const std::byte*>(header);
  const auto table = AttributeTable::parse({first + used, header->nlmsg_len - used});
  return table ? std::string(table->text(NLMSGERR_ATTR_MSG)) : std::string{};
}

int on_error(sockaddr_nl*, nlmsgerr* error, void* context) {
  auto& answer = *static_cast<Answer*>(context);
  // libnl hands over the payload; its header lies just before.
  const auto* header =
      reinterpret_cast<const nlmsghdr*>(reinterpret_cast<const char*>(error) - NLMSG_HDRLEN);
  answer.error = -error->error;
  answer.words = extended_ack(header, error);
  answer.done = true;
  return NL_STOP;
}

struct MessageDeleter {
  void operator()(nl_msg* message) const { nlmsg_free(message); }
};
struct CallbackDeleter {
  void operator()(nl_cb* callbacks) const { nl_cb_put(callbacks); }
};

}  // namespace

void NetlinkSocket::Closer::operator()(nl_sock* socket) const { nl_socket_free(socket); }

Result<NetlinkSocket> NetlinkSocket::open(int protocol) {
  NetlinkSocket socket(nl_socket_alloc());
  if (!socket.socket_) return fail(ErrorCode::io_failed, ENOMEM, "netlink socket: out of memory");
  // libnl adds an acknowledgement request to every message unless told not to; request() does.
  nl_socket_disable_auto_ack(socket.handle());
  if (const int rc = nl_connect(socket.handle(), protocol); rc < 0) {
    const int saved = errno;
    return fail(ErrorCode::io_failed, saved, fmt::format("netlink socket: {}", nl_geterror(rc)));
  }
  const int on = 1;
  const int fd = nl_socket_get_fd(socket.handle());
  // Without these two an error is a bare number; both exist since Linux 4.12.
  if (setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on) < 0 ||
      setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on) < 0)
    return fail_errno(errno, "netlink socket: extended acknowledgements");
  return socket;
}

int NetlinkSocket::exchange(std::uint16_t type, std::uint16_t flags,
                            std::span<const std::byte> payload, const MessageSink& sink,
                            std::string& words) {
  const std::unique_ptr<nl_msg, MessageDeleter> message(
      nlmsg_alloc_size(NLMSG_SPACE(payload.size())));
  if (!message || nlmsg_put(message.get(), NL_AUTO_PORT, NL_AUTO_SEQ, type, 0, flags) == nullptr)
    return ENOMEM;
  auto* bytes = const_cast<std::byte*>(payload.data());  // copied; libnl's signature lacks const
  if (nlmsg_append(message.get(), bytes, payload.size(), NLMSG_ALIGNTO) < 0) return ENOMEM;
  if (nl_send_auto(handle(), message.get()) < 0) return errno == 0 ? EIO : errno;

  Answer answer{sink, words};
  const std::unique_ptr<nl_cb, CallbackDeleter> callbacks(nl_cb_alloc(NL_CB_CUSTOM));
  if (!callbacks) return ENOMEM;
  nl_cb_set(callbacks.get(), NL_CB_VALID, NL_CB_CUSTOM, on_valid, &answer);
  nl_cb_set(callbacks.get(), NL_CB_ACK, NL_CB_CUSTOM, on_end, &answer);
  nl_cb_set(callbacks.get(), NL_CB_FINISH, NL_CB_CUSTOM, on_end, &answer);
  nl_cb_set(callbacks.get(), NL_CB_DUMP_INTR, NL_CB_CUSTOM, on_interrupted, &answer);
  nl_cb_err(callbacks.get(), NL_CB_CUSTOM, on_error, &answer);
  while (!answer.done) {
    errno = 0;
    const int rc = nl_recvmsgs(handle(), callbacks.get());
    if (answer.done) break;
    if (rc == -NLE_DUMP_INTR) answer.error = EINTR;
    else if (rc < 0) return errno == 0 ? EIO : errno;
  }
  return answer.error;
}

Result<void> NetlinkSocket::request(std::uint16_t type, std::uint16_t flags,
                                    std::span<const std::byte> payload, std::string_view what,
                                    const MessageSink& sink) {
  std::string words;
  const int error = exchange(type, flags | NLM_F_REQUEST | NLM_F_ACK, payload, sink, words);
  if (error == 0) return {};
  return fail_errno(error, words.empty() ? std::string(what) : fmt::format("{}: {}", what, words));
}

Result<void> NetlinkSocket::dump(std::uint16_t type, std::span<const std::byte> payload,
                                 std::string_view what, const std::function<void()>& restart,
                                 const MessageSink& sink) {
  std::string words;
  int error = EINTR;
  for (int attempt = 0; attempt < kMaxInterruptedDumps && error == EINTR; ++attempt) {
    restart();
    error = exchange(type, NLM_F_REQUEST | NLM_F_DUMP, payload, sink, words);
  }
  if (error == 0) return {};
  if (error == EINTR)
    return fail(ErrorCode::unavailable, error,
                fmt::format("{}: the kernel's table kept changing while it was read", what));
  return fail_errno(error, words.empty() ? std::string(what) : fmt::format("{}: {}", what, words));
}

}  // namespace firedrill::agent::kernel
