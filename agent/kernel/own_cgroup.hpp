// A cgroup of its own for a process that must outlive the one that started it: under systemd a
// transient scope, which is a unit of its own; elsewhere a sibling of the present cgroup.
#pragma once

#include <filesystem>
#include <string>
#include <utility>

#include "firedrill/result.hpp"

namespace firedrill::agent::kernel {

class OwnCgroup {
 public:
  /// Moves this process. Under systemd the unit is `NAME-PID.scope`, and systemd is left to carry
  /// it out; elsewhere the cgroup is `NAME`.
  /// @errors unsupported, unavailable  systemd cannot be asked;  permission_denied, io_failed  no
  ///         cgroup can be made. The process is then where it was.
  /// Blocks for 2 s at most, when the bus does not answer.
  [[nodiscard]] static Result<OwnCgroup> enter(const std::string& name);

  OwnCgroup(OwnCgroup&& other) noexcept
      : before_(std::exchange(other.before_, {})), own_(std::exchange(other.own_, {})) {}
  OwnCgroup& operator=(OwnCgroup&&) = delete;
  ~OwnCgroup();  ///< back to where it was, if that is still there; nothing of ours stays behind

 private:
  OwnCgroup(std::filesystem::path before, std::filesystem::path own)
      : before_(std::move(before)), own_(std::move(own)) {}
  std::filesystem::path before_, own_;  ///< empty under systemd, which cleans up by itself
};

/// The cgroup to make beside `present`, a cgroup's path as /proc/PID/cgroup names it.
[[nodiscard]] std::string sibling_cgroup(const std::string& present, const std::string& name);

/// Removes the sibling `name` that a process left which was killed in it. One in use stays, and
/// systemd's scopes go by themselves.
void remove_sibling_cgroup(const std::string& name);

/// Asks systemd for the transient scope `unit` with this process in it.
/// @errors unsupported, unavailable  as said above
[[nodiscard]] Result<void> start_scope(const std::string& unit, const std::string& description);

}  // namespace firedrill::agent::kernel
