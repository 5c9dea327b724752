#include "agent/kernel/netem.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include <fmt/format.h>
#include <linux/pkt_sched.h>

#include "agent/kernel/attributes.hpp"

namespace firedrill::agent::kernel {
namespace {

constexpr double kWholeProbability = 4294967295.0;  // 2³² − 1
constexpr std::uint32_t kAlways = 0xFFFFFFFF;

std::int64_t nanoseconds(Duration duration) { return std::chrono::nanoseconds(duration).count(); }

/// The old 32-bit fields count ticks of 64 ns. The 64-bit attributes that follow override them,
/// but a reader of our dump that knows only these should see the truth as far as they reach.
std::uint32_t old_ticks(Duration duration) {
  const std::int64_t ticks = nanoseconds(duration) >> 6;
  return static_cast<std::uint32_t>(
      std::min<std::int64_t>(ticks, std::numeric_limits<std::uint32_t>::max()));
}

/// Loss is `1-h` on tc's command line and here, but h in the kernel's structure; `1-k` is kept
/// as it is (iproute2, q_netem.c).
tc_netem_gemodel kernel_model(const GilbertElliott& model) {
  return {model.to_bad.value, model.to_good.value, kAlways - model.loss_bad.value,
          model.loss_good.value};
}

Result<GilbertElliott> parse_loss_model(const AttributeTable& models) {
  const auto model = models.get<tc_netem_gemodel>(NETEM_LOSS_GE);
  if (!model)
    return fail(ErrorCode::unsupported, "netem has a loss model that is not Gilbert-Elliott");
  return GilbertElliott{{model->p}, {model->r}, {kAlways - model->h}, {model->k1}};
}

Duration duration_of(std::int64_t nanos) {
  return std::chrono::round<Duration>(std::chrono::nanoseconds(nanos));
}

void parse_rate(const AttributeTable& table, NetemSpec& spec) {
  const tc_netem_rate rate = table.get<tc_netem_rate>(TCA_NETEM_RATE).value_or(tc_netem_rate{});
  spec.rate_bytes = table.get<std::uint64_t>(TCA_NETEM_RATE64).value_or(rate.rate);
}

}  // namespace

Probability probability_of(Ratio share) {
  if (!(share.value >= 0.0 && share.value <= 1.0)) std::abort();
  return {static_cast<std::uint32_t>(std::llround(share.value * kWholeProbability))};
}

Ratio share_of(Probability probability) {
  // The kernel's steps are 2.3e-10 wide: nine decimals give back what was asked.
  return {std::round(probability.value / kWholeProbability * 1e9) / 1e9};
}

std::vector<std::byte> encode_netem(const NetemSpec& spec) {
  tc_netem_qopt base{};
  base.latency = old_ticks(spec.delay);
  base.limit = spec.limit;
  base.loss = spec.gilbert_elliott ? 0 : spec.loss.value;
  base.gap = spec.gap;
  base.duplicate = spec.duplicate.value;
  base.jitter = old_ticks(spec.jitter);
  AttributeWriter out(base);
  out.put(TCA_NETEM_CORR,
          tc_netem_corr{spec.delay_correlation.value, spec.loss_correlation.value, 0});
  out.put(TCA_NETEM_REORDER, tc_netem_reorder{spec.reorder.value, 0});
  out.put(TCA_NETEM_CORRUPT, tc_netem_corrupt{spec.corrupt.value, 0});
  // Absent, this one attribute does reset: the kernel then goes back to random loss.
  if (spec.gilbert_elliott) {
    AttributeWriter models;
    models.put(NETEM_LOSS_GE, kernel_model(*spec.gilbert_elliott));
    out.put_nest(TCA_NETEM_LOSS, models);
  }
  tc_netem_rate rate{};
  const bool wide = spec.rate_bytes > kAlways;
  rate.rate = wide ? kAlways : static_cast<std::uint32_t>(spec.rate_bytes);
  out.put(TCA_NETEM_RATE, rate);
  if (wide) out.put(TCA_NETEM_RATE64, spec.rate_bytes);
  out.put(TCA_NETEM_ECN, std::uint32_t{0});
  out.put(TCA_NETEM_LATENCY64, nanoseconds(spec.delay));
  out.put(TCA_NETEM_JITTER64, nanoseconds(spec.jitter));
  out.put(TCA_NETEM_SLOT, tc_netem_slot{});
  return out.bytes();
}

Result<NetemSpec> parse_netem(std::span<const std::byte> options) {
  tc_netem_qopt base;
  if (options.size() < sizeof base) return fail(ErrorCode::corrupt, "netem options are cut short");
  std::memcpy(&base, options.data(), sizeof base);
  const auto table = AttributeTable::parse(options.subspan(sizeof base));
  if (!table) return std::unexpected(table.error());

  NetemSpec spec;
  spec.limit = base.limit;
  spec.gap = base.gap;
  spec.loss = {base.loss};
  spec.duplicate = {base.duplicate};
  spec.delay = duration_of(
      table->get<std::int64_t>(TCA_NETEM_LATENCY64).value_or(std::int64_t{base.latency} << 6));
  spec.jitter = duration_of(
      table->get<std::int64_t>(TCA_NETEM_JITTER64).value_or(std::int64_t{base.jitter} << 6));
  if (const auto corr = table->get<tc_netem_corr>(TCA_NETEM_CORR)) {
    spec.delay_correlation = {corr->delay_corr};
    spec.loss_correlation = {corr->loss_corr};
  }
  if (const auto reorder = table->get<tc_netem_reorder>(TCA_NETEM_REORDER))
    spec.reorder = {reorder->probability};
  if (const auto corrupt = table->get<tc_netem_corrupt>(TCA_NETEM_CORRUPT))
    spec.corrupt = {corrupt->probability};
  parse_rate(*table, spec);
  if (table->find(TCA_NETEM_LOSS)) {
    const auto models = table->nest(TCA_NETEM_LOSS);
    if (!models) return std::unexpected(models.error());
    const auto model = parse_loss_model(*models);
    if (!model) return std::unexpected(model.error());
    spec.gilbert_elliott = *model;
    spec.loss = {};
  }
  return spec;
}

std::string to_string(const NetemSpec& spec) {
  const auto share = [](Probability p) { return firedrill::to_string(share_of(p)); };
  std::string out;
  const auto add = [&out](bool set, std::string_view name, std::string_view value) {
    if (set) out += fmt::format("{} {} ", name, value);
  };
  add(spec.delay.count() != 0, "delay", firedrill::to_string(spec.delay));
  add(spec.jitter.count() != 0, "jitter", firedrill::to_string(spec.jitter));
  add(spec.delay_correlation.value != 0, "delay-correlation", share(spec.delay_correlation));
  add(spec.loss.value != 0, "loss", share(spec.loss));
  add(spec.loss_correlation.value != 0, "loss-correlation", share(spec.loss_correlation));
  if (const auto& model = spec.gilbert_elliott)
    out += fmt::format("gemodel {} {} {} {} ", share(model->to_bad), share(model->to_good),
                       share(model->loss_bad), share(model->loss_good));
  add(spec.duplicate.value != 0, "duplicate", share(spec.duplicate));
  add(spec.corrupt.value != 0, "corrupt", share(spec.corrupt));
  add(spec.reorder.value != 0, "reorder", share(spec.reorder));
  add(spec.gap != 0, "gap", std::to_string(spec.gap));
  add(spec.rate_bytes != 0, "rate", firedrill::to_string(BitRate{spec.rate_bytes * 8}));
  return out + fmt::format("limit {}", spec.limit);
}

}  // namespace firedrill::agent::kernel
