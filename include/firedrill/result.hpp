// Results and errors, shared by both programs. Library code returns these and never logs.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace firedrill {

/// What a caller can act on. Anything finer belongs in the text.
enum class ErrorCode : std::uint8_t {
  invalid_input,      ///< the request is wrong; repeating it is pointless
  not_found,          ///< the named thing does not exist
  already_exists,     ///< the named thing is there already
  unsupported,        ///< this kernel, driver or host cannot do it
  permission_denied,  ///< a privilege is missing
  refused,            ///< policy or a protection says no
  conflict,           ///< something else holds the resource
  timed_out,
  unavailable,  ///< a peer, a device or a service is not there now; may pass
  corrupt,      ///< stored bytes do not read back as what was written
  io_failed,    ///< the system call failed; see sys_errno
  internal,     ///< a bug of ours, reported rather than hidden
};

struct Error {
  ErrorCode code = ErrorCode::internal;
  int sys_errno = 0;    ///< 0 when no system call was involved
  std::string what;     ///< one clear line: what, where, how to mend it
  std::string pointer;  ///< JSON pointer (RFC 6901) into the input at fault, or empty
};

template <class T>
using Result = std::expected<T, Error>;

[[nodiscard]] std::string_view to_string(ErrorCode code);
[[nodiscard]] Result<ErrorCode> parse_error_code(std::string_view text);

[[nodiscard]] std::unexpected<Error> fail(ErrorCode code, std::string what);
[[nodiscard]] std::unexpected<Error> fail(ErrorCode code, int sys_errno, std::string what);
/// As fail(), for input: `pointer` says where in the document.
[[nodiscard]] std::unexpected<Error> fail_at(std::string pointer, std::string what);
/// Maps errno to a code and appends the system's own words. Pass a saved errno.
[[nodiscard]] std::unexpected<Error> fail_errno(int saved_errno, std::string_view what);
/// Puts `context: ` before the text; the code and errno stay.
[[nodiscard]] std::unexpected<Error> with_context(Error error, std::string_view context);

/// "what (at /pointer)" as a person should read it.
[[nodiscard]] std::string describe(const Error& error);

/// Runs `undo` when it leaves scope, unless keep() was called. Undo reports errors, never throws.
template <class Undo>
class [[nodiscard]] Rollback {
  static_assert(std::is_nothrow_invocable_v<Undo>, "undo reports errors, never throws");

 public:
  explicit Rollback(Undo undo) : undo_(std::move(undo)) {}
  Rollback(const Rollback&) = delete;
  Rollback& operator=(const Rollback&) = delete;
  ~Rollback() {
    if (armed_) undo_();
  }
  void keep() noexcept { armed_ = false; }

 private:
  Undo undo_;
  bool armed_ = true;
};

}  // namespace firedrill
