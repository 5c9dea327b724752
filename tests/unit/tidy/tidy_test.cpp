// The limits of the design, read off the tree: lengths, layers, and sources that nothing builds.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFunctionLines = 70;
constexpr std::size_t kSourceLines = 400;
constexpr std::size_t kHeaderLines = 150;
constexpr std::size_t kColumns = 100;

const fs::path kRoot = FIREDRILL_SOURCE_DIR;

std::vector<std::string> lines_of(const fs::path& path) {
  std::ifstream in(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<fs::path> files_below(std::initializer_list<std::string_view> folders,
                                  std::initializer_list<std::string_view> endings) {
  std::vector<fs::path> found;
  for (const std::string_view folder : folders) {
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder)) {
      const std::string ending = entry.path().extension();
      if (entry.is_regular_file() && std::ranges::find(endings, ending) != endings.end())
        found.push_back(entry.path());
    }
  }
  return found;
}

std::vector<fs::path> sources() {
  return files_below({"agent", "controller", "include", "tests"}, {".cpp", ".hpp"});
}

std::string place(const fs::path& path, std::size_t line) {
  return fs::relative(path, kRoot).string() + ":" + std::to_string(line);
}

std::size_t indent_of(const std::string& line) {
  const std::size_t at = line.find_first_not_of(' ');
  return at == std::string::npos ? line.size() : at;
}

/// The formatter puts a body's end at the column of its head: `}` alone or `};` / `});` after it.
bool opens_function(const std::string& line) {
  if (!line.ends_with('{') || line.find(')') == std::string::npos) return false;
  const std::string head = line.substr(indent_of(line));
  for (const std::string_view word : {"namespace", "class ", "struct ", "enum ", "if ", "for ",
                                      "while ", "switch ", "} ", "do ", "//", "extern ", "@"})
    if (head.starts_with(word)) return false;
  return indent_of(line) <= 2;
}

std::size_t body_length(const std::vector<std::string>& lines, std::size_t start) {
  const std::size_t indent = indent_of(lines[start]);
  for (std::size_t i = start + 1; i < lines.size(); ++i)
    if (lines[i].size() > indent && lines[i][indent] == '}' && indent_of(lines[i]) == indent)
      return i - start + 1;
  return 0;
}

TEST(Limits, FilesAndLinesAreShort) {
  for (const fs::path& path : sources()) {
    const auto lines = lines_of(path);
    const std::size_t limit = path.extension() == ".hpp" ? kHeaderLines : kSourceLines;
    EXPECT_LE(lines.size(), limit) << place(path, lines.size());
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const bool commented_table = lines[i].find("// clang-format") != std::string::npos;
      // A table that the formatter is told to leave keeps its remarks on one line.
      if (lines[i].starts_with("inline constexpr std::string_view ") || commented_table) continue;
      if (lines[i].size() <= kColumns) continue;
      // Bytes that continue a UTF-8 character take no column.
      const auto columns = static_cast<std::size_t>(std::ranges::count_if(
          lines[i], [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
      EXPECT_LE(columns, kColumns) << place(path, i + 1);
    }
  }
}

TEST(Limits, FunctionsAreShort) {
  std::size_t seen = 0;
  for (const fs::path& path : sources()) {
    const auto lines = lines_of(path);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      if (!opens_function(lines[i])) continue;
      ++seen;
      EXPECT_LE(body_length(lines, i), kFunctionLines) << place(path, i + 1);
    }
  }
  EXPECT_GT(seen, 100U) << "the scan no longer recognises functions";
}

TEST(Tree, OnlyTheFixedTopLevelFolders) {
  const std::set<std::string> allowed{
      "CMakeLists.txt", "CMakePresets.json", "README.md", "LICENSE", "agent", "controller",
      "experiments",    "include",           "tests",     "scripts", "build"};
  for (const auto& entry : fs::directory_iterator(kRoot)) {
    const std::string name = entry.path().filename();
    EXPECT_TRUE(name.starts_with('.') || allowed.contains(name)) << name;
  }
}

struct Layer {
  std::string_view room;
  std::vector<std::string_view> must_not_include;
};

TEST(Layers, RoomsIncludeOnlyWhatTheyMayKnow) {
  const std::vector<Layer> layers{
      {"include", {"\"agent/", "\"controller/", "<boost/", "<spdlog/", "<netlink/", "<CLI/"}},
      {"agent", {"\"controller/"}},
      {"controller", {"\"agent/", "<netlink/"}},
      {"agent/kernel", {"<nlohmann/", "\"firedrill/json", "\"agent/faults", "\"agent/executor"}},
      {"agent/faults", {"\"agent/uplink", "\"agent/journal", "\"agent/executor", "<spdlog/"}},
      {"agent/executor", {"\"agent/uplink", "\"agent/faults", "<spdlog/"}},
      {"controller/experiment", {"<boost/", "<spdlog/", "<curl/", "\"controller/plan"}},
      {"controller/plan", {"<boost/", "<spdlog/", "<curl/", "\"controller/machine", "<fstream>"}},
      {"controller/machine", {"<boost/", "<spdlog/", "<curl/", "<fstream>", "\"controller/fleet"}},
      {"controller/measure", {"<boost/", "<spdlog/", "<curl/", "<fstream>", "\"controller/store"}},
      {"controller/score", {"<boost/", "<spdlog/", "<curl/", "<fstream>", "\"controller/store"}},
      {"controller/stats", {"<boost/", "<spdlog/", "<curl/", "<fstream>", "\"firedrill/"}},
      {"controller/study", {"<boost/", "<spdlog/", "<curl/", "<fstream>", "\"controller/store"}},
      {"controller/report", {"<boost/", "<spdlog/", "<curl/", "<fstream>", "\"controller/store"}}};
  for (const Layer& layer : layers) {
    for (const fs::path& path : files_below({layer.room}, {".cpp", ".hpp"})) {
      const auto lines = lines_of(path);
      for (std::size_t i = 0; i < lines.size(); ++i) {
        if (!lines[i].starts_with("#include")) continue;
        for (const std::string_view banned : layer.must_not_include)
          EXPECT_EQ(lines[i].find(banned), std::string::npos)
              << place(path, i + 1) << ": " << layer.room << " must not know " << banned;
      }
    }
  }
}

TEST(Layers, PureRoomsReadNoClock) {
  for (const fs::path& path : files_below(
           {"controller/experiment", "controller/plan", "controller/machine", "controller/measure",
            "controller/score", "controller/stats", "controller/study", "controller/report"},
           {".cpp", ".hpp"})) {
    const auto lines = lines_of(path);
    for (std::size_t i = 0; i < lines.size(); ++i)
      if (lines[i].contains("::now()")) ADD_FAILURE() << place(path, i + 1);
  }
}

TEST(Tree, EverySourceIsBuiltBySomeTarget) {
  std::ifstream in(FIREDRILL_COMPILE_COMMANDS);
  ASSERT_TRUE(in) << "compile_commands.json is missing";
  std::set<std::string> built;  // all that stands in quotes
  for (std::string text; std::getline(in, text, '"');) built.insert(text);
  // Fuzzers are built by a configuration of their own, from the list beside them.
  std::stringstream fuzzers;
  fuzzers << std::ifstream(kRoot / "tests/fuzz/CMakeLists.txt").rdbuf();
  for (const fs::path& path : files_below({"agent", "controller", "include", "tests"}, {".cpp"}))
    EXPECT_TRUE(built.contains(path.string()) ||
                (path.string().contains("/fuzz/") && fuzzers.str().contains(path.stem().string())))
        << fs::relative(path, kRoot) << " is built by no target";
}

TEST(Tree, NoFunctionIsLeftForLater) {
  for (const fs::path& path : sources()) {
    if (path.filename() == "tidy_test.cpp") continue;
    const auto lines = lines_of(path);
    for (std::size_t i = 0; i < lines.size(); ++i)
      for (const std::string_view mark : {"TODO", "FIXME", "HACK"})
        if (lines[i].contains(mark)) ADD_FAILURE() << place(path, i + 1);
  }
}

}  // namespace
