#include "agent/kernel/bird_reply.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include <fmt/format.h>

namespace firedrill::agent::kernel {
namespace {

constexpr int kRestricted = 16;
constexpr int kFirstError = 8000;
constexpr int kProtocolRow = 1002;
constexpr int kProtocolDetail = 1006;
constexpr std::size_t kCodeDigits = 4;

std::optional<int> code_of(std::string_view line) {
  if (line.size() <= kCodeDigits || (line[kCodeDigits] != '-' && line[kCodeDigits] != ' '))
    return std::nullopt;
  int code = 0;
  for (const char digit : line.substr(0, kCodeDigits)) {
    if (digit < '0' || digit > '9') return std::nullopt;
    code = code * 10 + (digit - '0');
  }
  return code;
}

/// The next word, taken off the front of `text`.
std::string_view next_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(word.size());
  return word;
}

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

/// "peer1  BGP  ---  up  12:00:00.1  Established"; the time may be a date and a time.
BirdProtocol parse_row(std::string_view text) {
  BirdProtocol out;
  out.name = next_word(text);
  out.kind = next_word(text);
  next_word(text);  // its table
  out.state = next_word(text);
  out.since = next_word(text);
  std::string_view rest = text;
  const std::string_view second = next_word(rest);
  if (second.contains(':')) {
    out.since += fmt::format(" {}", second);
    text = rest;
  }
  out.info = trimmed(text);
  return out;
}

/// "1 imported, 3 exported, 2 preferred", in which a filtered count may stand between.
void add_routes(BirdProtocol& protocol, std::string_view text) {
  protocol.has_routes = true;
  while (!text.empty()) {
    const std::string_view number = next_word(text);
    std::string_view word = next_word(text);
    if (word.ends_with(',')) word.remove_suffix(1);
    std::uint64_t count = 0;
    if (std::from_chars(number.begin(), number.end(), count).ec != std::errc{}) continue;
    if (word == "imported") protocol.imported += count;
    if (word == "exported") protocol.exported += count;
    if (word == "preferred") protocol.preferred += count;
  }
}

}  // namespace

const BirdLine* BirdReply::find(int code) const {
  const auto found = std::ranges::find(lines, code, &BirdLine::code);
  return found == lines.end() ? nullptr : &*found;
}

Result<void> BirdReplyReader::take_line(std::string_view line) {
  if (line.starts_with('+')) return {};
  if (line.starts_with(' ')) {
    if (current_.lines.empty())
      return fail(ErrorCode::corrupt, "BIRD's answer begins with a line that goes on");
    current_.lines.push_back({current_.lines.back().code, std::string(line.substr(1))});
    return {};
  }
  const auto code = code_of(line);
  if (!code)
    return fail(ErrorCode::corrupt, fmt::format("a line without a code, so this is not BIRD: '{}'",
                                                line.substr(0, 60)));
  current_.lines.push_back({*code, std::string(line.substr(kCodeDigits + 1))});
  if (line[kCodeDigits] == '-') return {};
  whole_.push_back(std::exchange(current_, {}));
  size_ = 0;
  return {};
}

Result<void> BirdReplyReader::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    size_ += piece.size();
    if (partial_.size() + piece.size() > kLongestLine || size_ > kLongestReply)
      return fail(ErrorCode::corrupt, "the answer is longer than any of BIRD's");
    partial_ += piece;
    if (end == std::string_view::npos) return {};
    const std::string line = std::exchange(partial_, {});
    if (auto taken = take_line(line); !taken) return taken;
    bytes.remove_prefix(end + 1);
  }
  return {};
}

std::optional<BirdReply> BirdReplyReader::take() {
  if (whole_.empty()) return std::nullopt;
  BirdReply first = std::move(whole_.front());
  whole_.erase(whole_.begin());
  return first;
}

Result<void> check_bird_reply(const BirdReply& reply, std::string_view command) {
  for (const BirdLine& line : reply.lines) {
    if (line.code == kRestricted)
      return fail(ErrorCode::permission_denied,
                  fmt::format("BIRD does not let this socket '{}': {}; give the path of a control "
                              "socket that is not restricted",
                              command, line.text));
    if (line.code >= kFirstError)
      return fail(line.code < 9000 ? ErrorCode::not_found : ErrorCode::invalid_input,
                  fmt::format("BIRD answered '{}' with {:04}: {}", command, line.code, line.text));
  }
  return {};
}

std::vector<BirdProtocol> parse_bird_protocols(const BirdReply& reply) {
  constexpr std::string_view kRoutes = "Routes:";
  constexpr std::string_view kMessage = "Message:";
  std::vector<BirdProtocol> out;
  for (const BirdLine& line : reply.lines) {
    if (line.code == kProtocolRow) out.push_back(parse_row(line.text));
    if (line.code != kProtocolDetail || out.empty()) continue;
    const std::string_view text = trimmed(line.text);
    if (text.starts_with(kRoutes)) add_routes(out.back(), text.substr(kRoutes.size()));
    if (text.starts_with(kMessage)) out.back().message = trimmed(text.substr(kMessage.size()));
  }
  return out;
}

bool route_is_from(const BirdReply& reply, std::string_view protocol) {
  const std::string mark = fmt::format("[{} ", protocol);
  return std::ranges::any_of(reply.lines,
                             [&mark](const BirdLine& line) { return line.text.contains(mark); });
}

}  // namespace firedrill::agent::kernel
