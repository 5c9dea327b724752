// firedrill audit: who commanded what, when and from where; and whether the logs are as they were
// written.
#include <algorithm>
#include <fstream>
#include <iterator>
#include <memory>

#include <fmt/format.h>

#include "controller/cli/cli.hpp"
#include "controller/cli/pki_audit.hpp"
#include "controller/store/store.hpp"

namespace firedrill::cli {
namespace {

constexpr std::uintmax_t kLargestFile = 1 << 30;
constexpr int kBroken = 1;
constexpr int kNotChained = 2;

struct Options {
  std::string run, head;
  std::size_t limit = 20;
};

/// What a person commanded, in words; empty for an event that is no command.
std::string command_of(const Event& event) {
  const Json& data = event.data;
  const auto text = [&](std::string_view key) {
    const auto found = data.find(key);
    return found != data.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  if (event.kind == event_kind::run_created)
    return (data.value("sham", false) ? "sham run of " : "run ") + text("experiment_id");
  if (event.kind == event_kind::halt_requested) return "halt: " + text("reason");
  if (event.kind == event_kind::step_done) return "step done: " + text("step");
  if (event.kind == event_kind::acknowledged) return "ack: " + text("alertname");
  if (event.kind == event_kind::note) return "note: " + text("text");
  return pki_words(event);
}

/// One command as JSON.
Json audit_entry(const Event& event, const std::string& command) {
  const Json by = event.data.value("by", Json::object());
  const auto text = [&](std::string_view key) {
    const auto found = by.find(key);
    return found != by.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const std::string who = commander_name(by), address = text("address");
  Json out{{"at", to_rfc3339(event.at)},
           {"run", event.run},
           {"seq", event.seq},
           {"command", command},
           {"who", who.empty() ? "(not recorded)" : who},
           {"from", address.empty() ? text("from") : address}};
  if (const auto said = event.data.find("who"); said != event.data.end()) out["says"] = *said;
  return out;
}

/// Every run, newest first, and the logs beside them; or the one that was named.
Result<std::vector<RunRow>> chosen_runs(Store& store, const std::string& run, std::size_t limit) {
  if (run.empty()) {
    auto all = store.runs(limit);
    auto beside = store.logs();
    if (!all || !beside) return all ? beside : all;
    std::ranges::move(*beside, std::back_inserter(*all));
    return all;
  }
  auto row = store.find_run(run);
  if (!row) return std::unexpected(row.error());
  return std::vector{std::move(*row)};
}

void list(const Options& options, Context& context) {
  const auto store = Store::open(context.home / "runs.db");
  if (!store) return report_error(context, store.error());
  const auto rows = chosen_runs(**store, options.run, options.limit);
  if (!rows) return report_error(context, rows.error());
  Json entries = Json::array();
  for (const RunRow& row : *rows) {
    const auto events = (*store)->events(row.id);
    if (!events) return report_error(context, events.error());
    for (const Event& event : *events)
      if (const std::string command = command_of(event); !command.empty())
        entries.push_back(audit_entry(event, command));
  }
  if (context.json) return fmt::print("{}\n", entries.dump(2));
  for (const Json& entry : entries) {
    const std::string who = entry["who"];
    const std::string says = entry.value("says", who);
    fmt::print("{:<20} {:<24} {:<16} {}{}  ({})\n", entry["at"].get<std::string>().substr(0, 19),
               who, entry["from"].get<std::string>(), entry["command"].get<std::string>(),
               says == who ? "" : fmt::format(", saying that it is {}", says),
               entry["run"].get<std::string>());
  }
}

struct Checked {
  std::string what;  ///< the run, or the file
  ChainVerdict verdict;
};

Result<Checked> check_file(const std::filesystem::path& path) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) return fail_errno(error.value(), path.string());
  if (size > kLargestFile)
    return fail(ErrorCode::invalid_input, path.string() + ": larger than 1 GiB");
  std::ifstream in(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in) return fail(ErrorCode::io_failed, path.string() + ": cannot be read");
  const auto events = parse_event_lines(text);
  if (!events) {
    ChainVerdict verdict;
    verdict.state = ChainVerdict::State::broken;
    verdict.why = events.error().what;
    return Checked{path.string(), std::move(verdict)};
  }
  return Checked{path.string(), verify_chain(*events)};
}

Result<std::vector<Checked>> check_all(const Options& options, const Context& context) {
  std::error_code ignored;
  if (!options.run.empty() && std::filesystem::is_regular_file(options.run, ignored)) {
    auto checked = check_file(options.run);
    if (!checked) return std::unexpected(checked.error());
    return std::vector{std::move(*checked)};
  }
  const auto store = Store::open(context.home / "runs.db");
  if (!store) return std::unexpected(store.error());
  constexpr std::size_t kAll = 1'000'000;
  const auto rows = chosen_runs(**store, options.run, kAll);
  if (!rows) return std::unexpected(rows.error());
  std::vector<Checked> out;
  for (const RunRow& row : *rows) {
    const auto events = (*store)->events(row.id);
    if (!events) return std::unexpected(events.error());
    out.push_back({row.id, verify_chain(*events, row.seal)});
  }
  return out;
}

void note_head(std::vector<Checked>& all, const std::string& head) {
  if (head.empty() || all.size() != 1) return;
  ChainVerdict& verdict = all.front().verdict;
  if (verdict.state == ChainVerdict::State::broken || verdict.head == head) return;
  verdict.state = ChainVerdict::State::broken;
  verdict.why = "it does not end with that hash: events were cut off, or all written anew";
}

void print_checked(const Checked& one) {
  const ChainVerdict& verdict = one.verdict;
  switch (verdict.state) {
    case ChainVerdict::State::whole:
      fmt::print("ok           {}: {} events, head {}{}\n", one.what, verdict.chained, verdict.head,
                 verdict.unchained == 0
                     ? ""
                     : fmt::format("; the first {} are not chained", verdict.unchained));
      return;
    case ChainVerdict::State::not_chained:
      fmt::print("not chained  {}: {} events, written before logs were chained\n", one.what,
                 verdict.unchained);
      return;
    case ChainVerdict::State::broken:
      fmt::print("BROKEN       {}{}: {}\n", one.what,
                 verdict.broken_at == 0 ? "" : fmt::format(" at event {}", verdict.broken_at),
                 verdict.why);
  }
}

void verify(const Options& options, Context& context) {
  auto all = check_all(options, context);
  if (!all) return report_error(context, all.error());
  if (!options.head.empty() && all->size() != 1)
    return report_error(
        context, {ErrorCode::invalid_input, 0, "--head belongs to one run: name it", {}}, kUsage);
  note_head(*all, options.head);
  Json out = Json::array();
  for (const Checked& one : *all) {
    const ChainVerdict& verdict = one.verdict;
    if (verdict.state == ChainVerdict::State::broken) context.exit_code = kBroken;
    if (verdict.state == ChainVerdict::State::not_chained && !options.run.empty())
      context.exit_code = kNotChained;
    Json entry{{"log", one.what},
               {"state", to_string(verdict.state)},
               {"chained", verdict.chained},
               {"unchained", verdict.unchained},
               {"head", verdict.head}};
    if (verdict.state == ChainVerdict::State::broken) {
      entry["broken_at"] = verdict.broken_at;
      entry["why"] = verdict.why;
    }
    out.push_back(std::move(entry));
    if (!context.json) print_checked(one);
  }
  if (context.json) fmt::print("{}\n", out.dump(2));
}

}  // namespace

void add_audit_command(CLI::App& app, Context& context) {
  const auto options = std::make_shared<Options>();
  CLI::App* audit = app.add_subcommand("audit", "Who commanded what, when, and from where");
  audit->add_option(
      "run", options->run,
      "a run, its beginning, 'last', or 'pki' for what was done to certificates; else "
      "the newest runs and pki");
  audit->add_option("--limit", options->limit, "of at most so many runs")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  audit->footer(
      "Examples:\n"
      "  firedrill audit\n"
      "  firedrill audit last --json\n"
      "  firedrill audit pki\n"
      "  firedrill audit verify\n");
  CLI::App* check = audit->add_subcommand(
      "verify", "Check that logs are as they were written; names the first event that is not");
  check->add_option("run", options->run, "a run, 'pki', or an exported events.jsonl; else all");
  check->add_option("--head", options->head,
                    "the hash it must end with, as noted elsewhere: shows what was cut off");
  check->footer(
      "Examples:\n"
      "  firedrill audit verify last\n"
      "  firedrill audit verify runs/20260301-120000-slow-disk-7f3a/events.jsonl --head 3fa9…\n"
      "Exit code 0: as written; 1: broken; 2: the log that was named is not chained.\n"
      "Whoever may write the store could write a whole log anew: note its head elsewhere.\n");
  check->callback([options, &context] { verify(*options, context); });
  audit->callback([options, audit, &context] {
    if (audit->get_subcommands().empty()) list(*options, context);
  });
}

}  // namespace firedrill::cli
