// Words and numbers of the reports: one way to write each, the same on every machine and locale.
#pragma once

#include <string>
#include <string_view>

#include "controller/measure/measures.hpp"
#include "controller/score/score.hpp"

namespace firedrill::reporting {

/// For HTML and XML, in text and in quoted attributes. What neither may hold (control characters,
/// bytes that are not UTF-8) becomes U+FFFD.
[[nodiscard]] std::string escape(std::string_view text);
/// At most `most` characters (not bytes), the last of them "…" when something was cut.
[[nodiscard]] std::string shorten(std::string_view text, std::size_t most);
/// How many characters a person sees.
[[nodiscard]] std::size_t length(std::string_view text);

/// "850 ms", "12.0 s", "2 min 5 s", "1 h 3 min"; negative with a real minus.
[[nodiscard]] std::string spoken(Duration duration);
/// "+12.0 s": an instant as seen from another.
[[nodiscard]] std::string since(UtcTime at, UtcTime origin);
/// Three significant digits, no exponent: "258", "62.1", "0.0123".
[[nodiscard]] std::string number(double value);
/// The unit of values that count bytes, which are spoken in powers of 1024.
inline constexpr std::string_view kByteUnit = "B";
inline constexpr double kByteStep = 1024;
/// "258 ms", "27.8 MiB"; without a unit the bare number.
[[nodiscard]] std::string quantity(double value, std::string_view unit);

/// "12.0 s", "> 72.0 s" when censored, or "none".
[[nodiscard]] std::string value_of(const Interval& interval);
/// "11.4 s to 12.6 s", or empty.
[[nodiscard]] std::string bounds_of(const Interval& interval);
/// "met", "missed", "open" (watched too short), or empty without an objective.
[[nodiscard]] std::string_view objective_word(const Interval& interval);
/// "users hurt" for t_imp, and so on.
[[nodiscard]] std::string_view point_name(std::string_view point);

/// "5.0 s to 7.0 s", "7.0 s" when both ends read alike, or "?".
[[nodiscard]] std::string range_words(const std::optional<Range>& range);
/// "page: wakes somebody", "ticket: wakes nobody", "muted by …", or "no severity".
[[nodiscard]] std::string waking_words(const AlertSpan& alert);
/// "+4.998 s ± 3 ms": a clock against the controller's.
[[nodiscard]] std::string clock_words(const ClockSpan& clock);
/// One line on a prediction: "predicted 5.0 s to 7.0 s, took 6.1 s; none: …".
[[nodiscard]] std::string prediction_words(const Prediction& prediction);

[[nodiscard]] std::string_view word(DetectionOutcome outcome);
[[nodiscard]] std::string_view word(StepOutcome outcome);
[[nodiscard]] std::string_view word(StepEvidence evidence);
/// "time up" for time-up, "a halt" for halted, and so on; other text as it is.
[[nodiscard]] std::string cause_words(std::string_view cause);

/// "on for 10.0 s, off for 20.0 s: 4 periods, on 33% of the time; loss from 0% to 5% over 1 min".
/// Empty for a fault that is simply on. `until` ends what has no known end.
[[nodiscard]] std::string course_words(const InjectionSpan& span, UtcTime until);
/// "two modes: 12 ms (66%) and 210 ms (34%)", or empty when there is one.
[[nodiscard]] std::string modes_words(const SliSeries& series);
/// "205 ms while on, 12 ms while off", or empty when the fault had no off periods.
[[nodiscard]] std::string periods_words(const SliSeries& series);

/// "99.9 % over 30d".
[[nodiscard]] std::string objective_words(const SloResult& slo);
/// "97.2 %", with what is known of the window when that is not all of it.
[[nodiscard]] std::string left_words(const SloResult& slo);
/// "0.31 %, like 8.0 s of full outage (12 of 400 events bad)", or why it is not known.
[[nodiscard]] std::string spent_words(const SloResult& slo);
/// "14.4x over 1h and 5m".
[[nodiscard]] std::string row_words(const BurnRow& row);
/// "at worst 2.1x and 25x": of the long and of the short window.
[[nodiscard]] std::string burn_words(const BurnResult& result);
/// "would have paged, +12.0 s", "ticket, +40.0 s", "quiet", or empty when it cannot be told.
[[nodiscard]] std::string firing_words(const BurnResult& result, UtcTime origin);
/// "normal 50.0 s, degraded 22.0 s; 3 changes, 2 of them back within 1m: it flaps".
[[nodiscard]] std::string mode_times_words(const ModeResult& mode);
/// "normal → degraded +12.0 s → normal +40.0 s".
[[nodiscard]] std::string mode_path_words(const ModeResult& mode, UtcTime origin);

/// The instant that reports call 0: the injection; without one the time it was due (a sham run),
/// or the start.
[[nodiscard]] UtcTime origin_of(const Measures& measures);

}  // namespace firedrill::reporting
