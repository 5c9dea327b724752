#include "agent/kernel/ssh_ports.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>

namespace firedrill::agent::kernel {
namespace {

constexpr std::uint16_t kSshPort = 22;

bool is_server(std::string_view name) { return name == "sshd" || name == "dropbear"; }

template <class Number>
std::optional<Number> number(std::string_view text, int base = 10) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Name and parent out of /proc/PID/stat: "7 (sshd) S 1 …". The name may hold anything.
struct Process {
  std::string name;
  int parent = 0;
};

std::optional<Process> read_process(const std::filesystem::path& folder) {
  std::ifstream in(folder / "stat");
  std::string text;
  if (!std::getline(in, text)) return std::nullopt;
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  if (open == std::string::npos || close == std::string::npos || close < open) return std::nullopt;
  std::istringstream rest(text.substr(close + 1));
  char state = 0;
  Process out;
  if (!(rest >> state >> out.parent)) return std::nullopt;
  out.name = text.substr(open + 1, close - open - 1);
  return out;
}

/// Inodes of the sockets that a process holds.
void add_sockets(const std::filesystem::path& folder, std::set<std::uint64_t>& inodes) {
  constexpr std::string_view kStart = "socket:[";
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder / "fd", error), end; !error && it != end;
       it.increment(error)) {
    std::error_code unreadable;
    const std::string target = std::filesystem::read_symlink(it->path(), unreadable);
    if (unreadable || !target.starts_with(kStart) || !target.ends_with(']')) continue;
    const auto inode = number<std::uint64_t>(
        std::string_view(target).substr(kStart.size(), target.size() - kStart.size() - 1));
    if (inode) inodes.insert(*inode);
  }
}

/// Local ports of those inodes in a table such as /proc/net/tcp: "0: LOCAL:PORT REMOTE ST … INODE".
void add_ports(const std::filesystem::path& table, const std::set<std::uint64_t>& inodes,
               std::set<std::uint16_t>& ports) {
  std::ifstream in(table);
  std::string line;
  while (std::getline(in, line)) {
    std::istringstream words(line);
    std::string slot, local, skip, inode;
    words >> slot >> local;
    for (int i = 0; i < 7; ++i) words >> skip;
    if (!(words >> inode)) continue;
    const std::size_t colon = local.rfind(':');
    const auto held = number<std::uint64_t>(inode);
    if (colon == std::string::npos || !held || !inodes.contains(*held)) continue;
    if (const auto port = number<std::uint16_t>(std::string_view(local).substr(colon + 1), 16);
        port && *port != 0)
      ports.insert(*port);
  }
}

}  // namespace

std::vector<std::uint16_t> ssh_server_ports(const std::filesystem::path& proc) {
  std::map<int, Process> processes;
  std::error_code error;
  for (std::filesystem::directory_iterator it(proc, error), end; !error && it != end;
       it.increment(error)) {
    const auto pid = number<int>(it->path().filename().string());
    if (!pid) continue;
    if (auto process = read_process(it->path())) processes.emplace(*pid, std::move(*process));
  }
  std::set<std::uint64_t> inodes;
  for (const auto& [pid, process] : processes) {
    if (!is_server(process.name)) continue;
    // A server's children serve sessions, and listen on what those forward.
    const auto parent = processes.find(process.parent);
    if (parent != processes.end() && is_server(parent->second.name)) continue;
    add_sockets(proc / std::to_string(pid), inodes);
  }
  std::set<std::uint16_t> ports{kSshPort};
  if (!inodes.empty())
    for (const char* table : {"net/tcp", "net/tcp6"}) add_ports(proc / table, inodes, ports);
  return {ports.begin(), ports.end()};
}

}  // namespace firedrill::agent::kernel
