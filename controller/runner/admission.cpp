#include "controller/runner/admission.hpp"

#include <chrono>
#include <condition_variable>
#include <mutex>

#include <fmt/format.h>
#include <sys/stat.h>

#include "controller/pki/pki.hpp"
#include "controller/pki/revocation.hpp"
#include "controller/pki/tokens.hpp"
#include "controller/runner/loop.hpp"

namespace firedrill {
namespace {

using namespace std::chrono_literals;

constexpr auto kLookEvery = 500ms;

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::invalid_input:
      return 400;
    case ErrorCode::refused:
      return 403;
    case ErrorCode::conflict:
      return 409;
    default:
      return 500;
  }
}

HttpResponse refuse(const Error& error) {
  const Json body = {{"error", {{"what", error.what}, {"pointer", error.pointer}}}};
  return {.status = status_of(error.code),
          .content_type = "application/json",
          .body = body.dump(-1, ' ', false, Json::error_handler_t::replace)};
}

Result<join::Credentials> admit(const HttpRequest& request, const std::filesystem::path& pki) {
  const auto body = parse_json(request.body, "request");
  if (!body) return std::unexpected(body.error());
  const auto asked = join::parse_request(*body);
  if (!asked) return std::unexpected(asked.error());
  return pki::admit(pki, *asked, utc_now());
}

}  // namespace

HttpResponse answer_join(const HttpRequest& request, const std::filesystem::path& pki,
                         Refusals& refusals) {
  const auto admitted = admit(request, pki);
  if (!admitted) {
    refusals.note(request.remote_address, "join: " + describe(admitted.error()),
                  std::chrono::steady_clock::now());
    return refuse(admitted.error());
  }
  refusals.tell(fmt::format("'{}' joined from {}", admitted->name, request.remote_address));
  return {
      .status = 200, .content_type = "application/json", .body = join::to_json(*admitted).dump()};
}

Result<Json> answer_renewal(const RenewalRequest& request, const std::filesystem::path& pki,
                            Refusals& refusals) {
  const auto csr = join::parse_renewal(request.params);
  const auto renewed = csr ? pki::renew_agent(pki, request.host, request.serial, *csr, utc_now())
                           : Result<join::Credentials>(std::unexpected(csr.error()));
  if (!renewed) {
    refusals.note(request.host, "certificate: " + describe(renewed.error()),
                  std::chrono::steady_clock::now());
    return std::unexpected(renewed.error());
  }
  refusals.tell(fmt::format("'{}' has a new certificate", request.host));
  return join::to_json(*renewed);
}

PkiWatch::PkiWatch(std::filesystem::path pki, std::set<std::string> known, Fleet& fleet,
                   Refusals& refusals)
    : pki_(std::move(pki)),
      revoked_(std::move(known)),
      fleet_(fleet),
      refusals_(refusals),
      stamp_(stamp()),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

void PkiWatch::run(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any wake;
  std::unique_lock lock{mutex};
  while (!wake.wait_for(lock, stop, kLookEvery, [&] { return stop.stop_requested(); })) look();
}

std::string PkiWatch::stamp() const {
  std::string out;
  for (const char* name : {"ca.pem", "controller.pem", "controller.key"}) {
    struct stat status{};
    if (::stat((pki_ / name).c_str(), &status) != 0) status = {};
    // Files are replaced by renaming, so that a new one has another number.
    out += fmt::format("{} {} {}.{} ", status.st_ino, status.st_size, status.st_mtim.tv_sec,
                       status.st_mtim.tv_nsec);
  }
  return out;
}

void PkiWatch::look() {
  auto revoked = pki::revoked_serials(pki_);
  Result<void> done;
  if (!revoked) done = std::unexpected(revoked.error());
  if (revoked && *revoked != revoked_) {
    fleet_.set_revoked(*revoked);
    refusals_.tell(fmt::format("{} certificates are revoked now", revoked->size()));
    revoked_ = std::move(*revoked);
  }
  if (std::string next = stamp(); next != stamp_) {
    // Between the two renames of a replacement the pair does not match: the next look sees it
    // whole.
    const auto loaded = fleet_.reload_certificates();
    if (loaded) {
      stamp_ = std::move(next);
      refusals_.tell("the controller's certificates were read anew");
    } else if (done) {
      done = loaded;
    }
  }
  // Trouble that is gone at the next look was only the moment between two renames.
  std::string trouble = done ? "" : describe(done.error());
  const bool lasts = !trouble.empty() && trouble == trouble_;
  if (lasts && !told_) refusals_.tell("certificates: " + trouble);
  told_ = lasts;
  trouble_ = std::move(trouble);
}

}  // namespace firedrill
