// firedrill pki: the certificates that controller, agents and people know each other by.
#include <memory>

#include <fmt/format.h>

#include "controller/cli/cli.hpp"
#include "controller/pki/pki.hpp"

namespace firedrill::cli {
namespace {

struct Options {
  std::string name, role = "agent";
  std::filesystem::path out = ".";
};

void init(Context& context) {
  const auto dir = context.home / "pki";
  if (const auto made = pki::init(dir); !made) return report_error(context, made.error());
  if (context.json) fmt::print("{}\n", Json{{"pki", dir.string()}}.dump(2));
  else fmt::print("certificates are in {}\n", dir.string());
}

void issue(const Options& options, Context& context) {
  const auto issued = pki::issue(context.home / "pki", options.name, options.role, options.out);
  if (!issued) return report_error(context, issued.error());
  const auto files = pki::files_of(options.out, options.role);
  if (context.json)
    fmt::print("{}\n", Json{{"ca", files.ca.string()},
                            {"certificate", files.certificate.string()},
                            {"key", files.key.string()}}
                           .dump(2));
  else
    fmt::print("{}: {} and {}, with {}\n", options.name, files.certificate.string(),
               files.key.string(), files.ca.string());
}

void list(Context& context) {
  const auto known = pki::describe(context.home / "pki");
  if (!known) return report_error(context, known.error());
  Json out = Json::array();
  for (const pki::Certificate& one : *known)
    out.push_back({{"name", one.name},
                   {"role", one.role},
                   {"not-after", to_rfc3339(one.not_after)},
                   {"fingerprint", one.fingerprint}});
  if (context.json) return fmt::print("{}\n", out.dump(2));
  fmt::print("{:<24} {:<11} {:<20} {}\n", "NAME", "ROLE", "VALID UNTIL", "SHA-256");
  for (const pki::Certificate& one : *known)
    fmt::print("{:<24} {:<11} {:<20} {}…\n", one.name, one.role,
               to_rfc3339(one.not_after).substr(0, 10), one.fingerprint.substr(0, 16));
}

}  // namespace

void add_pki_command(CLI::App& app, Context& context) {
  const auto options = std::make_shared<Options>();
  CLI::App* pki = app.add_subcommand("pki", "Certificates: a small authority of your own");
  pki->require_subcommand(1);
  pki->footer(
      "Examples:\n"
      "  firedrill pki init\n"
      "  firedrill pki issue db-1 --out ./db-1     then copy it to /etc/firedrill on db-1\n"
      "  firedrill pki list\n");
  pki->add_subcommand("init", "Make the authority and the controller's certificates; repeatable")
      ->callback([&context] { init(context); });
  CLI::App* one = pki->add_subcommand("issue", "Issue a certificate for one host or person");
  one->add_option("name", options->name, "host name, as its agent will say it")->required();
  one->add_option("--role", options->role, "agent, operator or controller")
      ->check(CLI::IsMember({"agent", "operator", "controller"}))
      ->capture_default_str();
  one->add_option("--out", options->out, "folder for ca.pem, ROLE.pem and ROLE.key")
      ->capture_default_str();
  one->callback([options, &context] { issue(*options, context); });
  pki->add_subcommand("list", "Who has a certificate")->callback([&context] { list(context); });
}

}  // namespace firedrill::cli
