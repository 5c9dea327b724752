// firedrill agents, halt, step done, detected, ack, note: words to the controller that runs now.
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "controller/cli/cli.hpp"
#include "controller/runner/api.hpp"
#include "controller/runner/runner.hpp"
#include "controller/store/store.hpp"
#include "firedrill/event.hpp"

namespace firedrill::cli {
namespace {

using namespace std::chrono_literals;

struct Options {
  std::string id, who, note, reason, alertname, text;
  double wait = 5;
};

/// With no controller running, this command is one for a few seconds: agents dial in by themselves.
Result<Json> gather_agents(const Context& context, double seconds) {
  auto asked = call_api(context, "GET", "agents", {});
  if (asked || asked.error().code != ErrorCode::unavailable) return asked;
  auto runner = Runner::open({.address = context.address,
                              .port = context.port,
                              .home = context.home,
                              .program = context.program},
                             {});
  if (!runner) return std::unexpected(runner.error());
  Json list = Json::array();
  for (const AgentInfo& agent : (*runner)->agents(
           std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds))))
    list.push_back(to_json(agent));
  return Json{{"agents", std::move(list)}};
}

std::string fault_list(const Json& agent) {
  std::string out;
  for (const Json& fault : agent.value("faults", Json::array()))
    out += fmt::format("{}{}{}", out.empty() ? "" : " ", fault.value("supported", false) ? "" : "!",
                       fault.value("name", ""));
  return out;
}

void agents(const Options& options, Context& context) {
  const auto answer = gather_agents(context, options.wait);
  if (!answer) return report_error(context, answer.error());
  if (context.json) return fmt::print("{}\n", answer->dump(2));
  const Json& list = answer->at("agents");
  if (list.empty())
    return fmt::print(
        "no agent connected within {:g} s; is firedrill-agent running, and does it "
        "dial this machine's port {}?\n",
        options.wait, context.port);
  fmt::print("{:<14} {:<5} {:>18}  {:<24} {}\n", "HOST", "LINK", "CLOCK", "FAULTS (! = cannot)",
             "TAGS");
  for (const Json& agent : list) {
    std::string tags;
    for (const auto& [key, value] : agent.at("tags").items())
      tags += fmt::format("{}{}={}", tags.empty() ? "" : " ", key, value.get<std::string>());
    const Json& clock = agent.at("clock");
    const std::string offset =
        fmt::format("{:+.1f} ±{:.1f} ms", clock.value("offset_us", 0.0) / 1e3,
                    clock.value("error_us", 0.0) / 1e3);
    fmt::print("{:<14} {:<5} {:>19}  {:<24} {}\n", agent.value("host", ""),
               agent.value("connected", false) ? "up" : "down", offset, fault_list(agent), tags);
  }
}

/// Waits until nothing of the run is on any more, and tells how long each host took.
/// Hosts of a run that is over, on which everything that was prepared was undone and verified.
std::set<std::string> clean_by_log(const Context& context, const std::string& run) {
  std::set<std::string> undone, hosts;
  std::map<std::string, std::string> host_of;
  const auto store = Store::open(context.home / "runs.db");
  const auto events = store ? (*store)->events(run) : Result<std::vector<Event>>{};
  if (!events) return {};
  for (const Event& event : *events) {
    const std::string id = event.data.value("injection", "");
    if (event.kind == event_kind::injection_prepared) host_of[id] = event.data.value("host", "");
    if (event.kind == event_kind::injection_undone && event.data.value("verified", false))
      undone.insert(id);
  }
  for (const auto& [id, host] : host_of) hosts.insert(host);
  for (const auto& [id, host] : host_of)
    if (!undone.contains(id)) hosts.erase(host);
  return hosts;
}

/// How long each host took, as seen from here; the longest is what a person waits for.
void watch_halt(Context& context, const std::string& run,
                std::chrono::steady_clock::time_point begin) {
  std::map<std::string, double> cleaned;
  std::map<std::string, bool> hosts;
  const auto passed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  bool on = true;
  bool over = false;
  while (on && passed() < 60) {
    const auto state = call_api(context, "GET", "run", {});
    over = !state.has_value();  // the controller has ended, and the run with it
    if (over) break;
    const double seconds = passed();
    hosts.clear();
    for (const Json& one : state->at("injections")) {
      const std::string stage = one.value("stage", "");
      const bool left = stage == "prepared" || stage == "committed" || stage == "active";
      hosts[one.value("host", "")] |= left;
    }
    on = false;
    for (const auto& [host, left] : hosts) {
      if (!left && !cleaned.contains(host)) cleaned[host] = seconds;
      on |= left;
    }
    if (on) std::this_thread::sleep_for(50ms);
  }
  if (over)
    for (const std::string& host : clean_by_log(context, run))
      if (std::exchange(hosts[host], false)) cleaned[host] = passed();
  std::vector<std::string> open;
  for (const auto& [host, left] : hosts)
    if (left) open.push_back(host);
  if (!open.empty()) context.exit_code = kError;
  const Json report = {{"halted", open.empty()}, {"hosts", cleaned}, {"open", open}};
  if (context.json) return fmt::print("{}\n", report.dump(2));
  for (const auto& [host, seconds] : cleaned)
    fmt::print("{}: clean after {:.2f} s\n", host, seconds);
  if (!open.empty())
    fmt::print(stderr,
               "firedrill: not known to be clean: {}; see 'firedrill report last', and "
               "'firedrill-agent list' there\n",
               fmt::join(open, ", "));
}

void halt(const Options& options, Context& context) {
  const auto begin = std::chrono::steady_clock::now();
  const auto answer =
      call_api(context, "POST", "halt", {{"who", options.who}, {"reason", options.reason}});
  if (!answer) return report_error(context, answer.error());
  if (!context.json) fmt::print("halting {}\n", answer->value("run", ""));
  watch_halt(context, answer->value("run", ""), begin);
}

void post(Context& context, const std::string& path, const Json& body, std::string_view done) {
  const auto answer = call_api(context, "POST", path, body);
  if (!answer) return report_error(context, answer.error());
  if (context.json) fmt::print("{}\n", answer->dump(2));
  else fmt::print("{} (run {})\n", done, answer->value("run", ""));
}

/// As post(), for what has an instant that is measured from.
void tell(Context& context, const std::string& path, Json body, std::string_view done) {
  const auto answer = tell_api(context, path, std::move(body));
  if (!answer) return report_error(context, answer.error());
  if (context.json) fmt::print("{}\n", answer->dump(2));
  else fmt::print("{} (run {})\n", done, answer->value("run", ""));
}

std::string default_who() {
  const char* user = std::getenv("USER");
  return user != nullptr && *user != '\0' ? user : "operator";
}

}  // namespace

void add_live_commands(CLI::App& app, Context& context) {
  const auto options = std::make_shared<Options>();
  options->who = default_who();
  options->reason = "asked on the command line";

  CLI::App* list = app.add_subcommand("agents", "Who is connected, and what each can do");
  list->add_option("--wait", options->wait, "seconds to wait for agents when no run goes on")
      ->check(CLI::Range(0.0, 300.0))
      ->capture_default_str();
  list->footer("Example:\n  firedrill agents --json\n");
  list->callback([options, &context] { agents(*options, context); });

  CLI::App* stop = app.add_subcommand("halt", "Stop the run that goes on and undo everywhere, now");
  stop->add_option("--reason", options->reason, "kept in the log");
  stop->add_option("--who", options->who, "who says so")->capture_default_str();
  stop->footer("Example:\n  firedrill halt --reason 'real incident'\n");
  stop->callback([options, &context] { halt(*options, context); });

  CLI::App* step = app.add_subcommand("step", "Say that a runbook step was taken");
  step->require_subcommand(1);
  CLI::App* done = step->add_subcommand("done", "The step was taken just now");
  done->add_option("id", options->id, "the step's id in the runbook")->required();
  done->add_option("--note", options->note, "what was found");
  done->add_option("--who", options->who, "who took it")->capture_default_str();
  done->footer("Example:\n  firedrill step done check-drops --note 'rx OOB grows on db-1'\n");
  done->callback([options, &context] {
    post(context, "steps/" + options->id + "/done",
         {{"who", options->who}, {"note", options->note}}, "step " + options->id + " noted");
  });

  CLI::App* ack = app.add_subcommand("ack", "Acknowledge the alert: a person looks into it");
  ack->add_option("alertname", options->alertname, "which alert");
  ack->add_option("--who", options->who, "who acknowledges")->capture_default_str();
  ack->footer("Example:\n  firedrill ack HostTcpRetransmits --who alice\n");
  ack->callback([options, &context] {
    tell(context, "ack", {{"who", options->who}, {"alertname", options->alertname}},
         "acknowledged");
  });

  CLI::App* noticed = app.add_subcommand("detected", "Say that you noticed: something is wrong");
  noticed->add_option(
      "alertname", options->alertname,
      "what it is, in the words of the experiment; its person's alert unless given");
  noticed->add_option("--text", options->text, "how you noticed");
  noticed->add_option("--who", options->who, "who noticed")->capture_default_str();
  noticed->footer("Example:\n  firedrill detected --text 'checkout feels slow' --who alice\n");
  noticed->callback([options, &context] {
    tell(context, "detected",
         {{"who", options->who}, {"alertname", options->alertname}, {"text", options->text}},
         "noted when you noticed");
  });

  CLI::App* note = app.add_subcommand("note", "Write down what is believed just now");
  note->add_option("text", options->text, "the note")->required();
  note->add_option("--who", options->who, "who writes")->capture_default_str();
  note->footer("Example:\n  firedrill note 'we think it is the switch'\n");
  note->callback([options, &context] {
    post(context, "notes", {{"who", options->who}, {"text", options->text}}, "noted");
  });
}

}  // namespace firedrill::cli
