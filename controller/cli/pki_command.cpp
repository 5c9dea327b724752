// firedrill pki: the certificates that controller, agents and people know each other by.
#include <algorithm>
#include <chrono>
#include <map>
#include <memory>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "controller/cli/cli.hpp"
#include "controller/cli/pki_audit.hpp"
#include "controller/pki/pki.hpp"
#include "controller/pki/revocation.hpp"
#include "controller/pki/tokens.hpp"
#include "firedrill/files.hpp"

namespace firedrill::cli {
namespace {

struct Options {
  std::string name, role = "agent", host, ttl = "15m", lifetime = "30d", reason;
  std::vector<std::string> tags;
  std::filesystem::path out = ".";
  bool all = false, finish = false;
};

UtcTime now() {
  return std::chrono::floor<std::chrono::microseconds>(std::chrono::system_clock::now());
}

std::filesystem::path folder_of(const Context& context) { return context.home / "pki"; }

/// One line for a person, or JSON.
void say(const Context& context, const Json& json, std::string_view line) {
  if (context.json) fmt::print("{}\n", json.dump(2));
  else fmt::print("{}\n", line);
}

void init(Context& context) {
  const auto dir = folder_of(context);
  const bool first = !is_there(dir / "ca.pem");
  if (const auto made = pki::init(dir); !made) return report_error(context, made.error());
  // The home may not have been there before; and a repetition that makes nothing is no change.
  if (first)
    if (const auto kept = note_pki(context, kPkiCommand, {{"command", "init"}}); !kept)
      return report_error(context, kept.error());
  say(context, {{"pki", dir.string()}}, fmt::format("certificates are in {}", dir.string()));
}

void issue(const Options& options, Context& context) {
  const Json command{{"command", "issue"},
                     {"name", options.name},
                     {"role", options.role},
                     {"out", std::filesystem::absolute(options.out).string()}};
  const auto issued = audited(context, command, [&] {
    return pki::issue(folder_of(context), options.name, options.role, options.out);
  });
  if (!issued) return report_error(context, issued.error());
  const auto files = pki::files_of(options.out, options.role);
  say(context,
      {{"ca", files.ca.string()},
       {"certificate", files.certificate.string()},
       {"key", files.key.string()}},
      fmt::format("{}: {} and {}, with {}", options.name, files.certificate.string(),
                  files.key.string(), files.ca.string()));
}

Result<pki::TokenOptions> token_options(const Options& options) {
  pki::TokenOptions out;
  out.host = options.host;
  for (const std::string& tag : options.tags) {
    const std::size_t at = tag.find('=');
    if (at == std::string::npos || at == 0)
      return fail(ErrorCode::invalid_input, fmt::format("--tags '{}': write it as key=value", tag));
    out.tags[tag.substr(0, at)] = tag.substr(at + 1);
  }
  const auto ttl = parse_duration(options.ttl);
  if (!ttl) return with_context(ttl.error(), "--ttl");
  const auto lifetime = parse_duration(options.lifetime);
  if (!lifetime) return with_context(lifetime.error(), "--lifetime");
  out.ttl = *ttl;
  out.lifetime = *lifetime;
  return out;
}

void token(const Options& options, Context& context) {
  const auto wanted = token_options(options);
  if (!wanted) return report_error(context, wanted.error(), kUsage);
  const UtcTime at = now();
  const Json command{{"command", "token"},
                     {"host", options.host},
                     {"tags", fmt::format("{}", fmt::join(options.tags, ","))},
                     {"ttl", options.ttl},
                     {"lifetime", options.lifetime}};
  const auto made =
      audited(context, command, [&] { return pki::make_token(folder_of(context), *wanted, at); });
  if (!made) return report_error(context, made.error());
  const std::string text = join::to_string(*made);
  const std::string until = to_rfc3339(at + wanted->ttl);
  if (context.json)
    return fmt::print(
        "{}\n",
        Json{{"token", text}, {"not-after", until}, {"host", wanted->host}, {"tags", wanted->tags}}
            .dump(2));
  fmt::print("{}\n", text);
  // Beside the token, so that it alone can be piped to where it is needed.
  fmt::print(
      stderr, "good once, until {}; on {}:\n  firedrill-agent join wss://CONTROLLER:{} TOKEN\n",
      until.substr(0, 19) + "Z", wanted->host.empty() ? "the host" : wanted->host, context.port);
  if (!wanted->host.empty() && pki::agent_names(folder_of(context)).contains(wanted->host))
    fmt::print(stderr, "'{}' has a certificate already: joining anew revokes it\n", wanted->host);
}

void revoke(const Options& options, Context& context) {
  Json command{{"command", "revoke"}, {"name", options.name}, {"reason", options.reason}};
  const auto revoked = pki::revoke(folder_of(context), options.name, options.reason);
  if (!revoked) command["error"] = describe(revoked.error());
  // What stops somebody is done whether it can be written down or not.
  const auto kept = note_pki(context, revoked ? kPkiCommand : kPkiFailed, std::move(command));
  if (!revoked) return report_error(context, revoked.error());
  Json list = Json::array();
  for (const pki::Certificate& one : *revoked)
    list.push_back({{"name", one.name}, {"role", one.role}, {"serial", one.serial}});
  say(context, {{"revoked", list}},
      fmt::format("revoked {} certificate{} of '{}'; a running controller refuses it within a "
                  "second",
                  list.size(), list.size() == 1 ? "" : "s", options.name));
  if (kept) return;
  fmt::print(stderr, "firedrill: it is done, but not in the audit: {}\n", describe(kept.error()));
  context.exit_code = kError;
}

void renew(Context& context) {
  const auto done =
      audited(context, {{"command", "renew"}}, [&] { return pki::renew(folder_of(context)); });
  if (!done) return report_error(context, done.error());
  say(context, {{"renewed", {"controller", "operator"}}},
      "the controller and the operator have new keys and certificates; a running controller takes "
      "them within a second");
}

void rotate(const Options& options, Context& context) {
  const auto dir = folder_of(context);
  const Json command{{"command", options.finish ? "rotate-ca --finish" : "rotate-ca"}};
  const auto done = audited(context, command, [&] {
    return options.finish ? pki::end_rotation(dir) : pki::begin_rotation(dir);
  });
  if (!done) return report_error(context, done.error());
  say(context, {{"rotation", options.finish ? "finished" : "begun"}},
      options.finish
          ? "the old authority is trusted no more"
          : "a new authority signs from now on; the old one stays trusted. Next:\n"
            "  1. leave 'firedrill serve' running: agents take the new one over their link\n"
            "  2. give the new ca.pem to whatever calls the webhook\n"
            "  3. firedrill pki renew\n"
            "  4. firedrill pki rotate-ca --finish");
}

Json to_json(const pki::Certificate& one) {
  return {{"name", one.name},
          {"role", one.role},
          {"state", pki::to_string(one.state)},
          {"reason", one.reason},
          {"not-before", to_rfc3339(one.not_before)},
          {"not-after", to_rfc3339(one.not_after)},
          {"serial", one.serial},
          {"fingerprint", one.fingerprint},
          {"old-authority", one.old_authority}};
}

/// The last certificate of each name and role; of older ones only those that are revoked.
std::vector<pki::Certificate> worth_showing(const std::vector<pki::Certificate>& known) {
  std::map<std::pair<std::string, std::string>, const pki::Certificate*> last;
  for (const pki::Certificate& one : known) {
    const pki::Certificate*& kept = last[{one.name, one.role}];
    const bool better = kept == nullptr || kept->state != pki::CertificateState::valid ||
                        one.not_after > kept->not_after;
    if (better && (kept == nullptr || one.state == pki::CertificateState::valid)) kept = &one;
  }
  std::vector<pki::Certificate> out;
  for (const pki::Certificate& one : known)
    if (one.role == pki::kRoleAuthority || one.state == pki::CertificateState::revoked ||
        last[{one.name, one.role}] == &one)
      out.push_back(one);
  return out;
}

void list(const Options& options, Context& context) {
  const auto known = pki::describe(folder_of(context));
  if (!known) return report_error(context, known.error());
  if (context.json) {
    Json out = Json::array();
    for (const pki::Certificate& one : *known) out.push_back(to_json(one));
    return fmt::print("{}\n", out.dump(2));
  }
  fmt::print("{:<24} {:<11} {:<8} {:<11} {}\n", "NAME", "ROLE", "STATE", "UNTIL", "SERIAL NUMBER");
  for (const pki::Certificate& one : options.all ? *known : worth_showing(*known))
    fmt::print("{:<24} {:<11} {:<8} {:<11} {}{}{}\n", one.name, one.role, pki::to_string(one.state),
               to_rfc3339(one.not_after).substr(0, 10), one.serial,
               one.reason.empty() ? "" : "  " + one.reason,
               one.old_authority ? "  (old authority)" : "");
}

void add_changes(CLI::App& pki, const std::shared_ptr<Options>& options, Context& context) {
  CLI::App* revoked = pki.add_subcommand("revoke", "Let certificates count no more, at once");
  revoked->add_option("name", options->name, "host, person, or serial number")->required();
  revoked->add_option("--reason", options->reason, "kept with it, and shown by 'pki list'");
  revoked->footer("Example:\n  firedrill pki revoke db-1 --reason 'disk sold'\n");
  revoked->callback([options, &context] { revoke(*options, context); });
  pki.add_subcommand("renew", "New keys and certificates for the controller and the operator")
      ->callback([&context] { renew(context); });
  CLI::App* authority =
      pki.add_subcommand("rotate-ca", "Change to a new authority; both are trusted meanwhile");
  authority->add_flag("--finish", options->finish, "trust the old one no more");
  authority->callback([options, &context] { rotate(*options, context); });
}

}  // namespace

void add_pki_command(CLI::App& app, Context& context) {
  const auto options = std::make_shared<Options>();
  CLI::App* pki = app.add_subcommand("pki", "Certificates: a small authority of your own");
  pki->require_subcommand(1);
  pki->footer(
      "Examples:\n"
      "  firedrill pki init                           once\n"
      "  firedrill pki token --host db-1              then, on db-1: firedrill-agent join …\n"
      "  firedrill pki token --tags role=db,zone=a    for any new host, in its first agent.json\n"
      "  firedrill pki list\n"
      "  firedrill pki revoke db-1 --reason 'disk sold'\n"
      "  firedrill pki renew                          the controller's own, once in two years\n"
      "  firedrill pki issue db-1 --out ./db-1        files to copy to a host by hand\n"
      "  firedrill pki issue alice --role operator --out ./alice\n");
  pki->add_subcommand("init", "Make the authority and the controller's certificates; repeatable")
      ->callback([&context] { init(context); });
  CLI::App* join_token = pki->add_subcommand("token", "Print a token by which one host can join");
  join_token->add_option("--host", options->host, "only for the host of this name");
  join_token->add_option("--tags", options->tags, "key=value for the host's first agent.json")
      ->delimiter(',');
  join_token->add_option("--ttl", options->ttl, "how long it is good, 1s to 7d")
      ->capture_default_str();
  join_token
      ->add_option("--lifetime", options->lifetime,
                   "of the host's certificates, 1h to 730d; it renews them itself")
      ->capture_default_str();
  join_token->footer("Example:\n  firedrill pki token --host db-1 --tags role=db\n");
  join_token->callback([options, &context] { token(*options, context); });
  CLI::App* one = pki->add_subcommand("issue", "Issue a certificate for one host or person");
  one->add_option("name", options->name, "host name, as its agent will say it")->required();
  one->add_option("--role", options->role, "agent, operator or controller")
      ->check(CLI::IsMember({"agent", "operator", "controller"}))
      ->capture_default_str();
  one->add_option("--out", options->out, "folder for ca.pem, ROLE.pem and ROLE.key")
      ->capture_default_str();
  one->callback([options, &context] { issue(*options, context); });
  CLI::App* shown = pki->add_subcommand("list", "Who has a certificate, until when, in what state");
  shown->add_flag("--all", options->all, "those that were replaced or have expired, too");
  shown->callback([options, &context] { list(*options, context); });
  add_changes(*pki, options, context);
}

}  // namespace firedrill::cli
