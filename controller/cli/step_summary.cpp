#include "controller/cli/step_summary.hpp"

#include <cerrno>
#include <cstdlib>
#include <fstream>

namespace firedrill::cli {

Result<void> add_step_summary(const std::filesystem::path& file, const std::string& markdown) {
  std::filesystem::path path = file;
  if (const char* named = std::getenv("GITHUB_STEP_SUMMARY"); path.empty() && named != nullptr)
    path = named;
  if (path.empty()) return {};
  errno = 0;
  std::ofstream out(path, std::ios::binary | std::ios::app);
  out << markdown;
  out.flush();
  if (!out) return fail_errno(errno != 0 ? errno : EIO, "step summary '" + path.string() + "'");
  return {};
}

}  // namespace firedrill::cli
