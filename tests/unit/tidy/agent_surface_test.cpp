// What an agent must never grow: a network listener, a shell, or a second place that starts
// programs. Read off its sources, so that adding one is a decision that somebody sees.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const fs::path kAgent = fs::path{FIREDRILL_SOURCE_DIR} / "agent";

/// The agent's sources in which a line, its comment left out, holds `pattern`. A line without any
/// of `words` cannot, which is far quicker to see.
std::vector<std::string> sources_with(const std::string& pattern,
                                      std::initializer_list<std::string_view> words) {
  const std::regex wanted{pattern};
  std::vector<std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(kAgent)) {
    const std::string ending = entry.path().extension();
    if (ending != ".cpp" && ending != ".hpp") continue;
    std::ifstream in(entry.path());
    for (std::string line; std::getline(in, line);) {
      line.resize(std::min(line.size(), line.find("//")));
      if (std::ranges::none_of(words, [&](std::string_view word) { return line.contains(word); }))
        continue;
      if (!std::regex_search(line, wanted)) continue;
      found.push_back(fs::relative(entry.path(), kAgent).string());
      break;
    }
  }
  return found;
}

TEST(AgentSurface, OnlyTheGuardianIsStarted) {
  EXPECT_THAT(sources_with(R"(\b(exec(v|l|vp|lp|ve|le|vpe|veat)|fexecve|posix_spawnp?)\s*\()",
                           {"exec", "spawn"}),
              ElementsAre("guardian/spawn.cpp"));
}

TEST(AgentSurface, ThereIsNoShell) {
  EXPECT_THAT(
      sources_with(R"(\b(system|popen)\s*\(|/bin/(ba|da)?sh\b)", {"system", "popen", "/bin/"}),
      IsEmpty());
}

TEST(AgentSurface, TheOnlyListenerIsALocalSocketOfRoots) {
  EXPECT_THAT(sources_with(R"(\blisten\s*\(|\bacceptor\b)", {"listen", "acceptor"}),
              ElementsAre("control.cpp"));
  std::ifstream in(kAgent / "control.cpp");
  const std::string text{std::istreambuf_iterator<char>{in}, {}};
  EXPECT_NE(text.find("AF_UNIX"), std::string::npos);
  EXPECT_EQ(text.find("AF_INET"), std::string::npos);
}

}  // namespace
