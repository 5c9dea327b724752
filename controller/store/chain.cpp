#include "controller/store/chain.hpp"

#include <algorithm>
#include <array>

#include <fmt/core.h>
#include <openssl/evp.h>

namespace firedrill {
namespace {

ChainVerdict broken(ChainVerdict verdict, std::int64_t seq, std::string why) {
  verdict.state = ChainVerdict::State::broken;
  verdict.broken_at = seq;
  verdict.why = std::move(why);
  return verdict;
}

/// Empty when the seal fits.
std::string against_seal(std::span<const Event> events, const ChainSeal& seal) {
  const auto last = std::ranges::find(events, seal.seq, &Event::seq);
  if (last == events.end())
    return fmt::format("the run was closed with event {}, which is gone", seal.seq);
  if (last->hash != seal.hash) return "the run was closed with another event here";
  return {};
}

}  // namespace

std::string_view to_string(ChainVerdict::State state) {
  switch (state) {
    case ChainVerdict::State::whole:
      return "whole";
    case ChainVerdict::State::not_chained:
      return "not chained";
    case ChainVerdict::State::broken:
      break;
  }
  return "broken";
}

std::string chain_hash(std::string_view previous, const Event& event) {
  Json json = to_json(event);
  json.erase("hash");
  std::string text(previous);
  text += '\n';
  text += json.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
    std::abort();  // only without SHA-256 at all, and then TLS would not work either
  std::string out;
  for (unsigned int i = 0; i < size; ++i) out += fmt::format("{:02x}", digest.at(i));
  return out;
}

ChainVerdict verify_chain(std::span<const Event> events, const ChainSeal& seal) {
  ChainVerdict out;
  std::int64_t expected = 1;
  for (const Event& event : events) {
    if (event.seq != expected)
      return broken(out, expected,
                    event.seq > expected ? fmt::format("event {} is missing", expected)
                                         : fmt::format("event {} stands here", event.seq));
    ++expected;
    if (event.hash.empty() && out.chained == 0) {
      ++out.unchained;
      continue;
    }
    if (event.hash.empty()) return broken(out, event.seq, "it has no hash, and those before do");
    if (event.hash != chain_hash(out.head, event))
      return broken(out, event.seq,
                    "its hash is not that of its content and of the event before it");
    out.head = event.hash;
    ++out.chained;
  }
  if (!seal.hash.empty())
    if (std::string why = against_seal(events, seal); !why.empty())
      return broken(out, seal.seq, std::move(why));
  if (out.chained == 0) out.state = ChainVerdict::State::not_chained;
  return out;
}

Result<std::vector<Event>> parse_event_lines(std::string_view text) {
  std::vector<Event> out;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty()) continue;
    const auto json = parse_json(line, fmt::format("line {}", number));
    if (!json) return fail(ErrorCode::corrupt, json.error().what);
    auto event = parse_event(*json);
    if (!event)
      return fail(ErrorCode::corrupt, fmt::format("line {}: {}", number, describe(event.error())));
    out.push_back(std::move(*event));
  }
  return out;
}

}  // namespace firedrill
