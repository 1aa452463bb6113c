#include <CLI/CLI.hpp>

#include "app/cli/command.h"
#include "app/cli/print.h"

// approve, reject: what waits for a person.
namespace weir::app {
namespace {

struct ApprovalArguments {
  std::int64_t id = 0;
  std::string comment;
};

std::string describe(const json::value& approval, const Clock& clock) {
  std::string reviewers;
  if (const auto* names = json_find(approval, "reviewers"); names != nullptr && names->is_array()) {
    for (const auto& name : names->get_array()) {
      if (name.is_string()) reviewers += (reviewers.empty() ? "" : ", ") + std::string(name.get_string());
    }
  }
  return fmt::format("{}  {}  {}  asked by {} {}{}", json_int(approval, "id").value_or(0),
                     json_string_or(approval, "environment", ""), safe(json_string_or(approval, "summary", "")),
                     json_string_or(approval, "requested_by", ""),
                     ago(json_string_or(approval, "requested_at", ""), clock.now()),
                     reviewers.empty() ? "" : "  reviewers: " + reviewers);
}

Result<int> decide(Cli& cli, const ApprovalArguments& arguments, std::string_view action) {
  auto client = WEIR_TRY(ApiClient::connect(cli.connection));
  std::int64_t id = arguments.id;
  if (id == 0) {
    const auto answer = WEIR_TRY(client.get("/api/v1/approvals?state=pending"));
    const auto& pending = answer.at("approvals").as_array();
    if (pending.size() != 1) {
      if (cli.json) {
        print_json(answer);
      } else {
        print_line(pending.empty() ? "nothing waits for approval" : "several things wait; name one by its number:");
        for (const auto& approval : pending) print_line(describe(approval, cli.clock));
      }
      return pending.empty() ? 0 : 1;
    }
    id = json_int(pending[0], "id").value_or(0);
  }
  const auto decided = WEIR_TRY(
      client.post(fmt::format("/api/v1/approvals/{}/{}", id, action), json::object{{"comment", arguments.comment}}));
  if (cli.json) {
    print_json(decided);
  } else {
    print_line(fmt::format("{}  {}", state_mark(json_string_or(decided, "state", "")), describe(decided, cli.clock)));
  }
  return 0;
}

}  // namespace

void add_approval_commands(CLI::App& app, Cli& cli) {
  const auto arguments = std::make_shared<ApprovalArguments>();
  for (const auto& [name, help] :
       {std::pair{"approve", "Let what waits for review go on"}, std::pair{"reject", "Stop what waits for review"}}) {
    auto* command = app.add_subcommand(name, help);
    command->add_option("APPROVAL", arguments->id, "its number; may be left out when only one waits");
    command->add_option("-m,--comment", arguments->comment, "kept with the decision");
    add_connection_options(*command, cli);
    set_examples(*command, fmt::format("weir {0}\nweir {0} 3 -m \"checked the April numbers\"", name));
    command->callback([&cli, arguments, action = std::string(name)] {
      cli.action = [&cli, arguments, action] { return decide(cli, *arguments, action); };
    });
  }
}

}  // namespace weir::app
