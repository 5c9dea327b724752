#include "controller/cli/local_host.hpp"

#include <cerrno>
#include <cstdlib>
#include <fstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/pki/pki.hpp"
#include "controller/plan/one_host.hpp"
#include "firedrill/local_run.hpp"

namespace firedrill::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kAgentConfig = "/etc/firedrill/agent.json";

/// What of the owner's agent.json this side needs; the agent reads and checks all of it.
struct OwnerSays {
  fs::path config;  ///< empty: there is none
  std::string name;
  bool tags = false;
};

Result<OwnerSays> read_owner(const fs::path& given) {
  OwnerSays out;
  std::error_code ignored;
  out.config = given.empty() && fs::exists(kAgentConfig, ignored) ? fs::path(kAgentConfig) : given;
  if (out.config.empty()) return out;
  errno = 0;
  std::ifstream in(out.config, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in) return fail_errno(errno != 0 ? errno : EIO, out.config.string());
  const auto json = parse_json(text, out.config.string());
  if (!json) return std::unexpected(json.error());
  if (!json->is_object()) return out;  // the agent says what is wrong with it
  if (const auto name = json->find("name"); name != json->end() && name->is_string())
    out.name = name->get<std::string>();
  out.tags = json->contains("tags") && !json->at("tags").empty();
  out.config = fs::absolute(out.config);
  return out;
}

std::string own_name() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "localhost";
  return name;
}

/// Opens and locks a folder; -1 when it is not ours, no folder, or somebody else's for now.
int lock_folder(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return -1;
  struct stat status{};
  if (::fstat(fd, &status) == 0 && status.st_uid == ::geteuid() &&
      ::flock(fd, LOCK_EX | LOCK_NB) == 0)
    return fd;
  ::close(fd);
  return -1;
}

/// Folders of runs of which controller and agent were both killed.
void remove_left_over(const fs::path& parent) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(parent, ignored)) {
    if (!entry.path().filename().string().starts_with(kLocalFolder)) continue;
    const int fd = lock_folder(entry.path());
    if (fd < 0) continue;
    fs::remove_all(entry.path(), ignored);
    ::close(fd);
  }
}

std::string program_beside(const fs::path& own_program) {
  std::error_code ignored;
  const fs::path beside = own_program.parent_path() / "firedrill-agent";
  return fs::exists(beside, ignored) ? beside.string() : "firedrill-agent";
}

}  // namespace

Result<std::unique_ptr<LocalHost>> LocalHost::prepare(const LocalOptions& options,
                                                      const Experiment& experiment) {
  if (::geteuid() != 0)
    return fail(ErrorCode::permission_denied, EPERM,
                "--local starts this machine's agent, which needs root: run it with sudo "
                "(and --home, for root has a home of its own)");
  auto owner = read_owner(options.agent_config);
  if (!owner) return std::unexpected(owner.error());
  std::unique_ptr<LocalHost> out(new LocalHost);
  out->options_ = options;
  out->options_.agent_config = owner->config;
  out->name_ = !options.name.empty()  ? options.name
               : !owner->name.empty() ? owner->name
                                      : own_name();
  if (auto checked = check_only_host(experiment, out->name_); !checked)
    return std::unexpected(checked.error());
  out->tags_ = options.tags;
  if (options.tags.empty() && !owner->tags) {
    const auto tags = tags_of_targets(experiment);
    if (!tags) return std::unexpected(tags.error());
    for (const auto& [key, value] : *tags) out->tags_.push_back(key + "=" + value);
  }
  std::error_code error;
  const fs::path parent = fs::temp_directory_path(error);
  if (error) return fail_errno(error.value(), "the folder for temporary files");
  remove_left_over(parent);
  std::string pattern = (parent / (std::string(kLocalFolder) + "XXXXXX")).string();
  if (::mkdtemp(pattern.data()) == nullptr) return fail_errno(errno, pattern);
  out->folder_ = pattern;
  out->lock_ = lock_folder(out->folder_);
  // One that begins at the same moment may have taken it for left over, before it was locked.
  if (out->lock_ < 0)
    return fail(ErrorCode::conflict,
                fmt::format("another local run began at this moment and cleared '{}': try again",
                            out->folder_.string()));
  const fs::path pki = out->folder_ / "pki";
  if (auto made = pki::init(pki); !made) return std::unexpected(made.error());
  if (auto issued = pki::issue(pki, out->name_, pki::kRoleAgent, out->folder_ / "host"); !issued)
    return with_context(issued.error(), "--name");
  return out;
}

Result<void> LocalHost::start(const fs::path& own_program, Runner& runner, Tell tell) {
  ProcessSpec spec{.path = program_beside(own_program), .hold_stdin = true};
  spec.arguments = {"run",
                    "--local",
                    folder_.string(),
                    "--controller",
                    fmt::format("wss://127.0.0.1:{}", runner.port()),
                    "--name",
                    name_};
  if (!options_.agent_config.empty())
    spec.arguments.insert(spec.arguments.end(), {"--config", options_.agent_config.string()});
  for (const std::string& tag : tags_) spec.arguments.insert(spec.arguments.end(), {"--tags", tag});
  const auto heard = [this, tell](std::string_view line) {
    const bool calm = line.starts_with("firedrill-agent info:");
    if (!calm && !ending_) tell(line);
    const std::scoped_lock lock(mutex_);
    if (!calm) last_words_ = line;
  };
  auto started = Process::start(
      spec, {.on_stdout = heard, .on_stderr = heard, .on_exit = [this, &runner](const auto& exit) {
               if (ending_) return;
               {
                 const std::scoped_lock lock(mutex_);
                 ended_early_ = true;
                 if (last_words_.empty())
                   last_words_ = fmt::format("it ended with exit code {}", exit.code);
               }
               runner.halt("firedrill", "this machine's agent ended");
             }});
  if (!started) return with_context(started.error(), "this machine's agent");
  agent_ = std::move(*started);
  tell(fmt::format("this machine is '{}' for this run, with tags {}", name_,
                   tags_.empty() ? "as configured" : fmt::format("{}", fmt::join(tags_, " "))));
  tell(fmt::format("from another terminal: firedrill --home {} --port {} ack|note|step|halt",
                   folder_.string(), runner.port()));
  return {};
}

void LocalHost::end() {
  if (!agent_) return;
  ending_ = true;
  agent_->terminate();
  agent_->wait();
  agent_.reset();
}

std::string LocalHost::why() const {
  const std::scoped_lock lock(mutex_);
  return ended_early_ ? last_words_ : "";
}

LocalHost::~LocalHost() {
  end();
  std::error_code ignored;
  if (!folder_.empty()) fs::remove_all(folder_, ignored);
  if (lock_ >= 0) ::close(lock_);
}

}  // namespace firedrill::cli
