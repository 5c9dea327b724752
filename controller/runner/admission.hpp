// Between the fleet's requests for certificates and the authority that signs them; and the thread
// that carries what `firedrill pki` changes on disk into the fleet that runs.
#pragma once

#include <filesystem>
#include <thread>

#include "controller/fleet/fleet.hpp"
#include "controller/runner/refusals.hpp"

namespace firedrill {

/// POST join::kPath. 200 with Credentials; 400 for a bad request, 403 for a token that is not good,
/// 409 for a name that is taken. Blocks for the disk.
[[nodiscard]] HttpResponse answer_join(const HttpRequest& request, const std::filesystem::path& pki,
                                       Refusals& refusals);

/// An agent's request for a certificate in place of its own. Blocks for the disk.
[[nodiscard]] Result<Json> answer_renewal(const RenewalRequest& request,
                                          const std::filesystem::path& pki, Refusals& refusals);

/// Looks twice a second for revocations and for a new certificate, key or authority.
class PkiWatch {
 public:
  /// All outlive it. `known`: the revocations that the fleet was started with.
  PkiWatch(std::filesystem::path pki, std::set<std::string> known, Fleet& fleet,
           Refusals& refusals);
  PkiWatch(const PkiWatch&) = delete;
  PkiWatch& operator=(const PkiWatch&) = delete;

 private:
  void run(const std::stop_token& stop);
  void look();
  [[nodiscard]] std::string stamp() const;

  std::filesystem::path pki_;
  std::set<std::string> revoked_;
  Fleet& fleet_;
  Refusals& refusals_;
  std::string stamp_;
  std::string trouble_;  ///< of the last look
  bool told_ = false;
  std::jthread thread_;
};

}  // namespace firedrill
