// Which system calls of an agent change something outside of it: the points at which it can be
// killed. Pure: takes a call as it was read from the process, opens nothing.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace firedrill::crash {

/// What must be read from the process before a call of that number can be judged.
struct Needs {
  bool target = false;  ///< what the descriptor in its first argument is
  int path = -1;        ///< this argument is a path
  int bytes = -1;       ///< this argument is where bytes begin …
  int size = -1;        ///< … and this one how many; -1: `fixed` of them
  std::size_t fixed = 0;
  bool message = false;  ///< `bytes` is a msghdr: its name and its first part count
};
[[nodiscard]] Needs needs_of(long number);

/// A system call at its entry.
struct Call {
  long number = 0;
  std::array<std::uint64_t, 6> args{};
  std::string target;          ///< "/path", "socket:[1234]", "pipe:[5]", "anon_inode:[eventfd]", …
  std::optional<int> netlink;  ///< the protocol, when `target` is a netlink socket
  std::string path;
  std::string bytes;  ///< what is sent or written, or the address; its beginning, if it is long
};

/// The operation in words ("netlink new filter", "pwrite64 …/journal"), or none when nothing
/// outside of the process changes by the call, or nothing that outlives the process. What is not
/// known to be harmless counts.
[[nodiscard]] std::optional<std::string> operation_of(const Call& call);

/// Where in an injection's life an operation is.
enum class Phase : std::uint8_t {
  before,    ///< start of the agent, capture: nothing is in the journal
  apply,     ///< from the writing of the undo record on
  undo,      ///< after `active` was noted: off and on again, growing, undoing
  recovery,  ///< the next agent's undoing, after agent and guardian were killed at undo:1
};
[[nodiscard]] std::string_view to_string(Phase phase);
[[nodiscard]] std::optional<Phase> parse_phase(std::string_view text);

/// The `ordinal`-th operation of a phase, from 1 on.
struct Point {
  Phase phase = Phase::before;
  int ordinal = 0;
  bool operator==(const Point&) const = default;
};
/// "apply:7", and back.
[[nodiscard]] std::string to_string(const Point& point);
[[nodiscard]] std::optional<Point> parse_point(std::string_view text);

/// Counts operations and knows the phase by what is written into the journal.
class PointCounter {
 public:
  explicit PointCounter(Phase begin = Phase::before) : now_{begin, 0} {}
  /// Where `call`, which is an operation, is.
  Point next(const Call& call);

 private:
  Point now_;
  bool was_activated_ = false;
};

}  // namespace firedrill::crash
