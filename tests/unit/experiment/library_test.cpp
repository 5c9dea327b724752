// The experiments that ship, and the schema that editors read.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "controller/experiment/experiment.hpp"

namespace firedrill {
namespace {

namespace fs = std::filesystem;
const fs::path kExperiments = fs::path(FIREDRILL_SOURCE_DIR) / "experiments";

std::string text_of(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(Library, EveryExperimentLoads) {
  int loaded = 0;
  for (const auto& entry : fs::recursive_directory_iterator(kExperiments)) {
    if (entry.path().extension() != ".json" || entry.path().filename() == "schema.json") continue;
    const auto experiment = load_experiment(entry.path());
    EXPECT_TRUE(experiment) << entry.path() << ": " << describe(experiment.error());
    ++loaded;
  }
  EXPECT_GE(loaded, 1);
}

/// UPDATE_SCHEMA=1 writes the file instead.
TEST(Library, SchemaFileIsWhatTheCodeSays) {
  const fs::path path = kExperiments / "schema.json";
  const std::string fresh = experiment_schema().dump(2) + "\n";
  if (std::getenv("UPDATE_SCHEMA") != nullptr) std::ofstream(path) << fresh;
  EXPECT_EQ(text_of(path), fresh) << "run this test with UPDATE_SCHEMA=1 and commit the file";
}

TEST(Library, SchemaNamesEveryKeyOfTheShippedExperiments) {
  const Json schema = experiment_schema();
  const auto experiment = Json::parse(text_of(kExperiments / "silent-nic-drops.json"));
  for (const auto& [key, value] : experiment.items())
    EXPECT_TRUE(schema["properties"].contains(key)) << key;
  EXPECT_EQ(schema["additionalProperties"], false);
}

TEST(Load, SaysWhereTheTextIsNotJson) {
  const fs::path path = fs::path(testing::TempDir()) / "broken.json";
  std::ofstream(path) << "{\n  \"title\": \"x\",,\n}";
  const auto got = load_experiment(path);
  ASSERT_FALSE(got);
  EXPECT_NE(got.error().what.find("line 2"), std::string::npos) << got.error().what;
  fs::remove(path);
}

TEST(Load, RefusesMissingFilesAndPrograms) {
  EXPECT_EQ(load_experiment("/nowhere/x.json").error().code, ErrorCode::not_found);
  Json document = Json::parse(text_of(kExperiments / "silent-nic-drops.json"));
  document["responder"]["path"] = "responders/nobody.sh";
  const fs::path path = fs::path(testing::TempDir()) / "no-responder.json";
  std::ofstream(path) << document;
  const auto got = load_experiment(path);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().pointer, "/responder/path");
  fs::remove(path);
}

}  // namespace
}  // namespace firedrill
