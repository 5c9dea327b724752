#include "firedrill/result.hpp"

#include <array>
#include <cerrno>
#include <system_error>

namespace firedrill {
namespace {

struct Named {
  ErrorCode code;
  std::string_view name;
};

constexpr std::array kNames{
    Named{ErrorCode::invalid_input, "invalid-input"},
    Named{ErrorCode::not_found, "not-found"},
    Named{ErrorCode::already_exists, "already-exists"},
    Named{ErrorCode::unsupported, "unsupported"},
    Named{ErrorCode::permission_denied, "permission-denied"},
    Named{ErrorCode::refused, "refused"},
    Named{ErrorCode::conflict, "conflict"},
    Named{ErrorCode::timed_out, "timed-out"},
    Named{ErrorCode::unavailable, "unavailable"},
    Named{ErrorCode::corrupt, "corrupt"},
    Named{ErrorCode::io_failed, "io-failed"},
    Named{ErrorCode::internal, "internal"},
};

ErrorCode code_of_errno(int err) {
  switch (err) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
    case ESRCH:
      return ErrorCode::not_found;
    case EEXIST:
      return ErrorCode::already_exists;
    case EACCES:
    case EPERM:
      return ErrorCode::permission_denied;
    case EOPNOTSUPP:
    case ENOSYS:
    case EPROTONOSUPPORT:
    case EAFNOSUPPORT:
      return ErrorCode::unsupported;
    case EBUSY:
      return ErrorCode::conflict;
    case ETIMEDOUT:
      return ErrorCode::timed_out;
    case ECONNREFUSED:
    case ECONNRESET:
    case EHOSTUNREACH:
    case ENETUNREACH:
      return ErrorCode::unavailable;
    default:
      return ErrorCode::io_failed;
  }
}

}  // namespace

std::string_view to_string(ErrorCode code) {
  for (const Named& entry : kNames)
    if (entry.code == code) return entry.name;
  return "internal";
}

Result<ErrorCode> parse_error_code(std::string_view text) {
  for (const Named& entry : kNames)
    if (entry.name == text) return entry.code;
  return fail(ErrorCode::invalid_input, "unknown error code '" + std::string(text) + "'");
}

std::unexpected<Error> fail(ErrorCode code, std::string what) {
  return std::unexpected(Error{code, 0, std::move(what), {}});
}

std::unexpected<Error> fail(ErrorCode code, int sys_errno, std::string what) {
  return std::unexpected(Error{code, sys_errno, std::move(what), {}});
}

std::unexpected<Error> fail_at(std::string pointer, std::string what) {
  return std::unexpected(Error{ErrorCode::invalid_input, 0, std::move(what), std::move(pointer)});
}

std::unexpected<Error> fail_errno(int saved_errno, std::string_view what) {
  return fail(code_of_errno(saved_errno), saved_errno,
              std::string(what) + ": " + std::generic_category().message(saved_errno));
}

std::unexpected<Error> with_context(Error error, std::string_view context) {
  error.what = std::string(context) + ": " + error.what;
  return std::unexpected(std::move(error));
}

std::string describe(const Error& error) {
  if (error.pointer.empty()) return error.what;
  return error.what + " (at " + error.pointer + ")";
}

}  // namespace firedrill
