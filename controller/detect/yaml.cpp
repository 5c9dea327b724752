#include "controller/detect/yaml.hpp"

#include <exception>
#include <optional>
#include <spanstream>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

namespace firedrill {
namespace {

// The scanner takes some 200 bytes for each byte of `[[[[…` before there is a first event.
constexpr std::size_t kLargestText = 1 << 20;
constexpr std::size_t kDeepest = 40;
constexpr std::size_t kMostNodes = 100'000;

/// Builds the JSON, and ends the reading by a ParserException as soon as there is too much of it.
class Builder final : public YAML::EventHandler {
 public:
  Json take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override { add(mark, nullptr); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    throw YAML::ParserException(mark, "aliases are not read: write out what it stands for");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                const std::string& value) override {
    add(mark, value);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& /*tag*/,
                       YAML::anchor_t /*anchor*/, YAML::EmitterStyle::value /*style*/) override {
    open(mark, Json::array());
  }
  void OnSequenceEnd() override { open_.pop_back(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {
    open(mark, Json::object());
  }
  void OnMapEnd() override { open_.pop_back(); }

 private:
  struct Container {
    Json* json;
    std::optional<std::string> key{};  ///< of a map: the one whose value comes next
  };

  void open(const YAML::Mark& mark, Json empty) {
    if (open_.size() == kDeepest)
      throw YAML::ParserException(mark, fmt::format("nested deeper than {}", kDeepest));
    if (Json* json = add(mark, std::move(empty))) return open_.push_back({json});
    throw YAML::ParserException(mark, "a key must be a text");
  }

  /// Where it has been put; null when it was a key. What is open is the last thing in its parent,
  /// which grows no more before it is closed: so the pointer stays right.
  Json* add(const YAML::Mark& mark, Json value) {
    if (++nodes_ > kMostNodes)
      throw YAML::ParserException(mark, fmt::format("more than {} nodes", kMostNodes));
    if (open_.empty()) return &(root_ = std::move(value));
    Container& parent = open_.back();
    if (parent.json->is_array()) return &parent.json->emplace_back(std::move(value));
    if (parent.key) {
      Json& there = (*parent.json)[*parent.key] = std::move(value);
      parent.key.reset();
      return &there;
    }
    if (value.is_structured()) return nullptr;
    if (!value.is_string()) throw YAML::ParserException(mark, "a key must be a text");
    parent.key = value.get<std::string>();
    if (parent.json->contains(*parent.key))
      throw YAML::ParserException(mark, fmt::format("the key '{}' stands here twice", *parent.key));
    return nullptr;
  }

  Json root_;
  std::vector<Container> open_;
  std::size_t nodes_ = 0;
};

}  // namespace

Result<Json> parse_yaml(std::string_view text) {
  if (text.size() > kLargestText)
    return fail(ErrorCode::invalid_input,
                fmt::format("YAML of {} bytes; at most {} are read", text.size(), kLargestText));
  try {
    std::ispanstream in{std::span<const char>(text)};
    Builder builder;
    YAML::Parser(in).HandleNextDocument(builder);
    return builder.take();
  } catch (const YAML::Exception& error) {
    return fail(ErrorCode::invalid_input,
                fmt::format("YAML line {}, column {}: {}", error.mark.line + 1,
                            error.mark.column + 1, error.msg));
  }
}

}  // namespace firedrill
