#include "agent/config.hpp"

#include <cerrno>
#include <charconv>
#include <fstream>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "agent/fault.hpp"

namespace firedrill::agent {
namespace {

std::vector<FaultTable> fault_tables() {
  std::vector<FaultTable> out;
  for (const auto& fault : fault_registry()) out.push_back({fault->name(), fault->schema()});
  return out;
}

std::map<std::string, std::string> read_tags(ObjectReader& reader) {
  std::map<std::string, std::string> out;
  const Json* tags = reader.optional_object("tags");
  if (tags == nullptr) return out;
  for (const auto& [name, value] : tags->items()) {
    if (value.is_string()) out[name] = value.get<std::string>();
    else
      reader.note_error({ErrorCode::invalid_input, 0, "a tag's value is a string",
                         pointer_join(reader.at("tags"), name)});
  }
  return out;
}

void read_controller(ObjectReader& reader, const std::filesystem::path& folder,
                     AgentConfig& config) {
  const std::string url = reader.optional_text("controller");
  const Json* tls = reader.optional_object("tls");
  if (url.empty() != (tls == nullptr)) {
    reader.note_error({ErrorCode::invalid_input, 0, "'controller' and 'tls' go together",
                       reader.at(url.empty() ? "tls" : "controller")});
    return;
  }
  if (tls == nullptr) return;
  const auto address = parse_controller(url);
  if (!address) {
    reader.note_error({ErrorCode::invalid_input, 0, address.error().what, reader.at("controller")});
    return;
  }
  config.controller_host = address->host;
  config.controller_port = address->port;
  ObjectReader files(*tls, reader.at("tls"));
  config.ca = folder / files.required_text("ca");
  config.certificate = folder / files.required_text("certificate");
  config.key = folder / files.required_text("key");
  if (auto done = files.finish(); !done) reader.note_error(done.error());
}

}  // namespace

AgentConfig default_config() {
  AgentConfig out;
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) == 0) out.name = name;
  if (out.name.empty()) out.name = "localhost";
  return out;
}

Result<ControllerAddress> parse_controller(std::string_view url) {
  constexpr std::string_view kScheme = "wss://";
  const auto bad = [&] {
    return fail(ErrorCode::invalid_input,
                fmt::format("'{}' is not of the form wss://host:port", url));
  };
  if (!url.starts_with(kScheme)) return bad();
  std::string_view rest = url.substr(kScheme.size());
  if (rest.ends_with('/')) rest.remove_suffix(1);
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos) return bad();
  std::string_view host = rest.substr(0, colon);
  const std::string_view digits = rest.substr(colon + 1);
  ControllerAddress out;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
  if (error != std::errc{} || end != digits.data() + digits.size() || out.port == 0) return bad();
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  const bool plain_v6 = !bracketed && host.find(':') != std::string_view::npos;
  if (host.empty() || plain_v6 || host.find_first_of("/@ []") != std::string_view::npos)
    return bad();
  out.host = host;
  return out;
}

Result<AgentConfig> parse_config(std::string_view text, const std::filesystem::path& file) {
  const auto json = parse_json(text, file.string());
  if (!json) return std::unexpected(json.error());
  AgentConfig out = default_config();
  ObjectReader reader(*json, "");
  if (reader.member("name") != nullptr) out.name = reader.required_text("name");
  const std::filesystem::path folder = std::filesystem::absolute(file).parent_path();
  read_controller(reader, folder, out);
  out.tags = read_tags(reader);
  if (reader.member("state-directory") != nullptr)
    out.state_directory = folder / reader.required_text("state-directory");
  if (const Json* section = reader.optional_object("policy"); section != nullptr) {
    auto policy = Policy::parse(*section, "/policy", file.string(), text, fault_tables());
    if (policy) out.policy = std::move(*policy);
    else reader.note_error(policy.error());
  }
  if (auto done = reader.finish(); !done) {
    Error error = done.error();
    if (const std::size_t line = line_of(text, error.pointer); line != 0)
      return with_context(std::move(error), fmt::format("{} line {}", file.string(), line));
    return with_context(std::move(error), file.string());
  }
  return out;
}

Result<AgentConfig> load_config(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) return fail_errno(errno, fmt::format("open '{}'", file.string()));
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (in.bad()) return fail(ErrorCode::io_failed, fmt::format("cannot read '{}'", file.string()));
  return parse_config(text, file);
}

}  // namespace firedrill::agent
