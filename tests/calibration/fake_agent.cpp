#include "tests/calibration/fake_agent.hpp"

#include <cstdlib>

#include <fmt/format.h>

#include "agent/probes/probe.hpp"
#include "firedrill/event.hpp"
#include "firedrill/schema.hpp"

namespace firedrill::calibration {
namespace {

using namespace std::chrono_literals;

rpc::Hello hello() {
  rpc::Hello out;
  out.host = "db-1";
  out.version = "calibration";
  out.boot_id = "boot";
  out.instance = "calibration";
  rpc::Capability nothing;
  nothing.name = "nothing";
  nothing.schema = to_json_schema(std::span<const ParamSpec>{});
  nothing.supported = true;
  out.faults.push_back(std::move(nothing));
  out.probes = agent::describe_probes();
  return out;
}

}  // namespace

FakeAgent::FakeAgent(Ledger& ledger, Skewed clock, std::uint16_t port,
                     const std::filesystem::path& identity)
    : ledger_(ledger), clock_(clock) {
  probes_ = std::make_unique<agent::ProbeRunner>(
      [this](const rpc::ProbeRequest& request, const rpc::Sample& sample) {
        send_sample(request, sample);
      });
  agent::UplinkConfig config;
  config.controller = "127.0.0.1";
  config.port = port;
  config.ca = identity / "ca.pem";
  config.certificate = identity / "agent.pem";
  config.key = identity / "agent.key";
  config.instance = "calibration";
  agent::UplinkHandlers handlers;
  handlers.hello = hello;
  handlers.on_call = [this](const std::string& method, const Json& params) {
    return call(method, params);
  };
  handlers.now = [this] { return clock_.now(); };
  auto started = agent::Uplink::start(std::move(config), std::move(handlers));
  if (!started) {
    fmt::print(stderr, "calibration: agent: {}\n", describe(started.error()));
    std::exit(1);
  }
  const std::lock_guard lock(mutex_);
  uplink_ = std::move(*started);
}

FakeAgent::~FakeAgent() {
  acts_.clear();
  probes_->stop_all();
  uplink_->stop();
}

void FakeAgent::send(std::string_view kind, const std::string& run, UtcTime at, Json data) {
  const std::lock_guard lock(mutex_);
  if (!uplink_) return;
  rpc::AgentEvent event;
  event.run = run;
  event.at_us = to_micros(at);
  event.kind = kind;
  event.data = std::move(data);
  [[maybe_unused]] const auto sent = uplink_->send_event(std::move(event));
}

/// The real agent reads the system's clock here; this one's is wrong.
void FakeAgent::send_sample(const rpc::ProbeRequest& request, const rpc::Sample& sample) {
  rpc::Sample skewed = sample;
  skewed.from_us += clock_.error.count();
  skewed.to_us += clock_.error.count();
  Json data = rpc::to_json(skewed);
  data["probe"] = request.id;
  data["host"] = "db-1";
  send(event_kind::probe_sample, request.run, from_micros(skewed.to_us), std::move(data));
}

void FakeAgent::act(std::string injection, UtcTime at, Duration duration) {
  const std::string run = run_;
  acts_.emplace_back(
      [this, run, injection = std::move(injection), at, duration](const std::stop_token& stop) {
        wait_until(at - clock_.error);
        const UtcTime started = true_now();
        ledger_.note_injection(started);
        const auto tell = [&](std::string_view kind, Json more) {
          Json data{{"injection", injection},
                    {"host", "db-1"},
                    {"fault", "nothing"},
                    {"started_us", to_micros(clock_.of(started))},
                    {"done_us", to_micros(clock_.of(started))}};
          data.update(more);
          send(kind, run, clock_.now(), std::move(data));
        };
        tell(event_kind::injection_active, {{"values", Json::object()}});
        while (!stop.stop_requested() && true_now() < started + duration)
          std::this_thread::sleep_for(20ms);
        const std::int64_t over = to_micros(clock_.now());
        tell(event_kind::injection_undone, {{"cause", "time-up"},
                                            {"verified", true},
                                            {"superseded", Json::array()},
                                            {"started_us", over},
                                            {"done_us", over}});
      });
}

Result<Json> FakeAgent::call(const std::string& method, const Json& params) {
  namespace name = rpc::method;
  if (method == name::prepare) {
    const auto request = parse_fault_request(params, "");
    if (!request) return std::unexpected(request.error());
    run_ = request->run;
    duration_ = request->duration;
    return Json{{"record", Json::object()}};
  }
  if (method == name::commit) {
    for (const Json& injection : params.at("injections"))
      act(injection, from_micros(params.at("at_us").get<std::int64_t>()), duration_);
    return Json::object();
  }
  if (method == name::probe_start || method == name::probe_once) {
    const auto request = rpc::parse_probe_request(params);
    if (!request) return std::unexpected(request.error());
    if (method == name::probe_once) {
      const auto sample = probes_->once(*request);
      return sample ? Result<Json>(rpc::to_json(*sample)) : std::unexpected(sample.error());
    }
    if (auto started = probes_->start(*request); !started) return std::unexpected(started.error());
    return Json::object();
  }
  if (method == name::undo || method == name::list) return Json{{"injections", Json::array()}};
  return Json::object();  // renew, probe.stop
}

}  // namespace firedrill::calibration
