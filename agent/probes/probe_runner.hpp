// Runs probes, one thread each, and hands every sample on. Decides nothing and keeps no samples.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/probes/probe.hpp"

namespace firedrill::agent {

/// Each running probe has a thread of its own with a small stack. start(), stop() and once() may
/// be called from any thread; `on_sample` is called from the probes' threads, several at a time,
/// and must not call back into the runner.
class ProbeRunner {
 public:
  using OnSample = std::function<void(const rpc::ProbeRequest&, const rpc::Sample&)>;

  explicit ProbeRunner(OnSample on_sample);
  ProbeRunner(const ProbeRunner&) = delete;
  ProbeRunner& operator=(const ProbeRunner&) = delete;
  ~ProbeRunner();  ///< stops everything

  /// Starts sampling every `interval` until stopped. A target that cannot be reached gives samples
  /// with errors = count and `error` text, and so does a measurement that is not possible: never
  /// silence.
  /// @param request.interval 10 ms .. 1 h
  /// @errors already_exists the run has a running probe of that id; invalid_input, not_found as
  ///         open_probe
  [[nodiscard]] Result<void> start(const rpc::ProbeRequest& request);

  /// Stops one probe of the run, or all of them. Blocks until their threads have ended (well under
  /// a second); afterwards no sample of theirs is handed on. Returns how many were stopped.
  std::size_t stop(std::string_view run, std::optional<std::string_view> id = std::nullopt);
  std::size_t stop_all();

  /// One sample over `interval`, not handed to on_sample. Blocks for it.
  [[nodiscard]] Result<rpc::Sample> once(const rpc::ProbeRequest& request) const;

  [[nodiscard]] std::size_t running() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace firedrill::agent
