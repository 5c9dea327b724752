// JSON-RPC 2.0 between controller and agent: framing, method names and the messages both sides
// build and parse. Times in messages are microseconds UTC on the sender's own clock.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "firedrill/fault_request.hpp"
#include "firedrill/json.hpp"

namespace firedrill::rpc {

inline constexpr std::size_t kMaxMessageBytes = 1 << 20;
inline constexpr std::string_view kProtocol = "firedrill.1";  ///< WebSocket subprotocol
inline constexpr std::string_view kAgentPath = "/agent";

namespace method {
// agent → controller
inline constexpr std::string_view hello = "hello";  // request: Hello → {"heartbeat_us"}
inline constexpr std::string_view event = "event";  // request: AgentEvent → {}; kept until answered
// controller → agent
inline constexpr std::string_view clock = "clock";      // {} → {"received_us","sent_us"}
inline constexpr std::string_view prepare = "prepare";  // FaultRequest → {"record"}
inline constexpr std::string_view commit = "commit";    // {"injections":[id…],"at_us"} → {}
inline constexpr std::string_view undo =
    "undo";  // {"injections":[id…]|absent = all,"cause"} → {"injections":[InjectionStatus…]}
inline constexpr std::string_view renew = "renew";  // {"run"} → {}: the lease's heartbeat
inline constexpr std::string_view list = "list";    // {} → {"injections":[…]}
inline constexpr std::string_view probe_start = "probe.start";  // ProbeRequest → {}
inline constexpr std::string_view probe_stop = "probe.stop";    // {"run", "id"?} → {}
inline constexpr std::string_view probe_once = "probe.once";    // ProbeRequest → Sample
}  // namespace method

using Id = std::variant<std::int64_t, std::string>;

struct Request {
  std::optional<Id> id;  ///< absent: a notification
  std::string method;
  Json params = Json::object();
};

struct Response {
  Id id;
  Result<Json> result;
};

using Message = std::variant<Request, Response>;

[[nodiscard]] std::string encode(const Request& request);
[[nodiscard]] std::string encode(const Response& response);
/// Refuses anything that is not JSON-RPC 2.0; batches are not used and are refused.
[[nodiscard]] Result<Message> decode(std::string_view text);

/// A fault or probe as the agent describes it.
struct Capability {
  std::string name;
  std::string summary;
  Json schema;  ///< to_json_schema of its parameters
  bool supported = false;
  std::string reason;               ///< why not, or empty
  std::vector<std::string> values;  ///< for a probe: the names a sample's `values` may hold
};

struct InjectionStatus {
  std::string id, run, fault;
  InjectionState state = InjectionState::unknown;
  Json values = Json::object();  ///< read back from the kernel
  std::string detail;            ///< reason, when dirty or unknown
  std::int64_t remaining_us = 0;
};

struct Hello {
  std::string host, version, boot_id, instance;  ///< instance: new for each agent start
  std::map<std::string, std::string> tags;
  Json facts = Json::object();  ///< kernel, os, cpus, memory, interfaces
  std::vector<Capability> faults, probes;
  std::vector<InjectionStatus> injections;
};

/// The last instant, in microseconds, that is believed of a peer. Far beyond any year; and sums and
/// differences of a few such numbers cannot overflow.
inline constexpr std::int64_t kLastMicros = std::int64_t{1} << 60;

/// An event as the agent saw it: kind and data as in event.hpp; *_us inside data are agent time.
struct AgentEvent {
  std::string instance;
  std::int64_t number = 0;  ///< 1, 2, 3 … within the instance; resent until answered
  std::string run;
  std::int64_t at_us = 0;
  std::string kind;
  Json data = Json::object();
};

struct ProbeRequest {
  std::string id;  ///< the experiment's probe name
  std::string run;
  std::string probe;  ///< kind: "http", "tcp", "etcd", "nic-ring", …
  Json params = Json::object();
  Duration interval{1'000'000};  ///< one sample per interval
};

/// One sample: `count` operations between the two instants, of which `errors` failed.
struct Sample {
  std::int64_t from_us = 0, to_us = 0;
  std::int64_t count = 0, errors = 0;
  std::map<std::string, double> values;  ///< latencies in ms, e.g. "p99_ms"
  std::string error;                     ///< the last failure's words, or empty
};

[[nodiscard]] Json to_json(const Capability& capability);
[[nodiscard]] Json to_json(const InjectionStatus& status);
[[nodiscard]] Json to_json(const Hello& hello);
[[nodiscard]] Json to_json(const AgentEvent& event);
[[nodiscard]] Json to_json(const ProbeRequest& request);
[[nodiscard]] Json to_json(const Sample& sample);
[[nodiscard]] Result<InjectionStatus> parse_injection_status(const Json& json);
[[nodiscard]] Result<Hello> parse_hello(const Json& json);
/// Refuses kinds that are not an agent's to tell, and members of `data` of another type than
/// event.hpp gives them: what it returns can be read without looking again.
[[nodiscard]] Result<AgentEvent> parse_agent_event(const Json& json);
[[nodiscard]] Result<ProbeRequest> parse_probe_request(const Json& json);
[[nodiscard]] Result<Sample> parse_sample(const Json& json);

}  // namespace firedrill::rpc
