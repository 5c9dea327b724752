#include "controller/experiment/blast_radius.hpp"

#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "controller/experiment/read.hpp"
#include "controller/experiment/shape_limits.hpp"

namespace firedrill {
namespace format {
namespace {

constexpr double kMostHosts = 1'000'000;

constexpr Key kQuorumKeys[] = {
    {.name = "tags", .kind = Kind::labels, .required = true, .help = "of its members, all equal"},
    {.name = "members",
     .kind = Kind::integer,
     .help =
         "how many there are; else as many as are connected, and whoever is away counts as lost",
     .min = 1,
     .max = kMostHosts},
};
constexpr Shape kQuorum{"a group with a quorum", kQuorumKeys};

constexpr Key kBlastRadiusKeys[] = {
    {.name = "max-hosts",
     .kind = Kind::count,
     .help = "hurt at once: 2, or \"20%\" of those connected"},
    {.name = "quorum-of",
     .kind = Kind::list,
     .help = "groups of which at most (n-1)/2 may be hurt at once",
     .shape = &kQuorum},
    {.name = "share-hosts",
     .kind = Kind::flag,
     .help = "a host may be hurt by another run at the same time; false unless given"},
};

constexpr Key kFleetKeys[] = {
    {.name = "blast-radius", .kind = Kind::object, .shape = &kBlastRadius},
};
constexpr Shape kFleet{"the fleet's file", kFleetKeys};

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

Result<void> read_max_hosts(const Json& json, const std::string& pointer, BlastRadius& out) {
  const auto found = json.find("max-hosts");
  if (found == json.end()) return {};
  std::optional<double> value;
  bool percent = false;
  if (found->is_string()) {
    std::string_view text = found->get_ref<const std::string&>();
    percent = text.ends_with('%');
    if (percent) text.remove_suffix(1);
    value = number(text);
  } else {
    value = found->get<double>();
  }
  const double most = percent ? 100 : kMostHosts;
  const bool good = value && *value >= 0 && *value <= most;
  if (good && percent) out.max_percent = *value;
  if (good && !percent && *value == std::floor(*value))
    out.max_hosts = static_cast<std::size_t>(*value);
  if (out.max_hosts || out.max_percent) return {};
  return fail_at(pointer_join(pointer, "max-hosts"),
                 "'max-hosts' is a whole number of hosts, or a percentage such as \"20%\"");
}

}  // namespace

const Shape kBlastRadius{"blast-radius", kBlastRadiusKeys};

Result<BlastRadius> read_blast_radius(const Json& document) {
  const Json& json = object_of(document, "blast-radius");
  const std::string pointer = "/blast-radius";
  BlastRadius out;
  if (auto read = read_max_hosts(json, pointer, out); !read) return std::unexpected(read.error());
  const Json& quorums = list_of(json, "quorum-of");
  for (std::size_t i = 0; i < quorums.size(); ++i) {
    QuorumGroup group{labels_of(quorums[i], "tags"), std::nullopt};
    if (group.tags.empty())
      return fail_at(pointer_join(pointer_join(pointer_join(pointer, "quorum-of"), i), "tags"),
                     "no tags fit every host; name one");
    if (quorums[i].contains("members"))
      group.members = static_cast<std::size_t>(number_of(quorums[i], "members", 0));
    out.quorums.push_back(std::move(group));
  }
  if (json.contains("share-hosts")) out.share_hosts = flag_of(json, "share-hosts");
  return out;
}

}  // namespace format

Result<BlastRadius> parse_fleet_limits(std::string_view text, std::string_view name) {
  const auto json = parse_json(text, name);
  if (!json) return std::unexpected(json.error());
  auto checked = format::check(*json, format::kFleet, "");
  if (!checked) return with_context(checked.error(), std::string(name));
  auto limits = format::read_blast_radius(*json);
  if (!limits) return with_context(limits.error(), std::string(name));
  return limits;
}

}  // namespace firedrill
