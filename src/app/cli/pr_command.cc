#include <CLI/CLI.hpp>
#include <iostream>
#include <iterator>

#include "app/cli/api_client.h"
#include "app/cli/command.h"
#include "app/cli/print.h"
#include "app/cli/work_tree.h"
#include "io/file.h"
#include "io/git.h"
#include "runner/markdown_pictures.h"

// weir pr: pull requests of a server's repository.
namespace weir::app {
namespace {

namespace fs = std::filesystem;

struct PullArguments {
  std::string repo;
  std::int64_t number = 0;
  std::string head;
  std::string base;
  std::string title;
  std::string body;
  std::string state = "open";
  std::string review = "comment";
  std::string method = "merge";
  std::string file;
  std::string key;
  std::string reviewer;
  std::string reason;
  bool draft = false;
};

Result<std::string> repository(const PullArguments& arguments) {
  return arguments.repo.empty() ? repository_of_work_tree() : Result<std::string>(arguments.repo);
}

Result<std::string> current_branch() {
  const auto git = WEIR_TRY(io::Git::discover(fs::current_path()));
  const auto ref = WEIR_TRY(git.head_ref());
  constexpr std::string_view kHeads = "refs/heads/";
  return ref.starts_with(kHeads) ? ref.substr(kHeads.size()) : ref;
}

std::string state_of(const json::value& pull) {
  if (json_bool_or(pull, "merged", false)) return "merged";
  const auto state = json_string_or(pull, "state", "");
  return state == "open" && json_bool_or(pull, "draft", false) ? "draft" : state;
}

std::string side(const json::value& pull, std::string_view which) {
  const auto* one = json_find(pull, which);
  return one == nullptr ? std::string() : safe(json_string_or(*one, "ref", ""));
}

void print_reasons(const json::value& pull) {
  const auto* merge = json_find(pull, "merge");
  if (merge == nullptr || json_string_or(pull, "state", "") != "open") return;
  if (json_bool_or(*merge, "allowed", false)) {
    print_line(styled(Style::kGood, "ready to merge"));
    return;
  }
  for (const auto& reason : merge->at("reasons").as_array()) {
    print_line(fmt::format("not yet: {}", safe(std::string(reason.as_string()))));
  }
}

void print_pull(const json::value& pull) {
  print_line(fmt::format("{}  {}", styled(Style::kBold, fmt::format("#{}", json_int(pull, "number").value_or(0))),
                         safe(json_string_or(pull, "title", ""))));
  print_line(fmt::format("{}: {} into {}, by {}", state_of(pull), side(pull, "head"), side(pull, "base"),
                         safe(json_string_or(pull, "author", ""))));
  print_reasons(pull);
}

Result<int> show(Cli& cli, const json::value& pull) {
  if (cli.json) {
    print_json(pull);
  } else {
    print_pull(pull);
  }
  return 0;
}

Result<int> create(Cli& cli, const PullArguments& arguments) {
  auto client = WEIR_TRY(ApiClient::connect(cli.connection));
  json::object body{{"head", arguments.head.empty() ? WEIR_TRY(current_branch()) : arguments.head},
                    {"draft", arguments.draft}};
  if (!arguments.base.empty()) body["base"] = arguments.base;
  if (!arguments.title.empty()) body["title"] = arguments.title;
  if (!arguments.body.empty()) body["body"] = arguments.body;
  return show(cli, WEIR_TRY(client.post(fmt::format("/api/v1/repos/{}/pulls", WEIR_TRY(repository(arguments))), body)));
}

Result<int> list(Cli& cli, const PullArguments& arguments) {
  auto client = WEIR_TRY(ApiClient::connect(cli.connection));
  const auto answer = WEIR_TRY(client.get(
      fmt::format("/api/v1/repos/{}/pulls?state={}", WEIR_TRY(repository(arguments)), url_encode(arguments.state))));
  if (cli.json) {
    print_json(answer);
    return 0;
  }
  std::vector<std::vector<std::string>> rows{{"PR", "STATE", "TITLE", "BRANCH", "INTO", "BY", "OPENED"}};
  for (const auto& pull : answer.at("pulls").as_array()) {
    rows.push_back({fmt::format("#{}", json_int(pull, "number").value_or(0)), state_of(pull),
                    safe(json_string_or(pull, "title", "")).substr(0, 60), side(pull, "head"), side(pull, "base"),
                    safe(json_string_or(pull, "author", "")),
                    ago(json_string_or(pull, "created_at", ""), cli.clock.now())});
  }
  fmt::print("{}",
             rows.size() == 1 ? "no pull requests: weir pr create makes one of the branch you are on\n" : table(rows));
  return 0;
}

std::string path_of(const std::string& repo, const PullArguments& arguments, std::string_view rest = {}) {
  return fmt::format("/api/v1/repos/{}/pulls/{}{}", repo, arguments.number, rest);
}

// Markdown of others, a line at a time; the mark of a comment's key is nothing to read.
void print_text(std::string_view text) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (text.empty() && line.starts_with("<!-- weir: ")) continue;
    print_line(safe(std::string(line)));
  }
}

Result<int> view(Cli& cli, const PullArguments& arguments) {
  auto client = WEIR_TRY(ApiClient::connect(cli.connection));
  const auto pull = WEIR_TRY(client.get(path_of(WEIR_TRY(repository(arguments)), arguments)));
  WEIR_TRY(show(cli, pull));
  if (cli.json) return 0;
  if (const auto body = json_string_or(pull, "body", ""); !body.empty()) {
    print_line("");
    print_text(body);
  }
  for (const auto& run : pull.at("runs").as_array()) {
    print_line(fmt::format("{}  run {}  {}",
                           state_mark(json_string_or(run, "conclusion", json_string_or(run, "state", ""))),
                           json_int(run, "id").value_or(0), safe(json_string_or(run, "workflow", ""))));
  }
  const auto said = [](const json::value& one, std::string_view what) {
    const auto* user = json_find(one, "user");
    const auto login = user == nullptr ? std::string() : json_string_or(*user, "login", "");
    const auto name = user == nullptr ? login : json_string_or(*user, "name", login);
    print_line(fmt::format("\n{} {}", styled(Style::kBold, safe(name)), what));
    print_text(json_string_or(one, "body", ""));
  };
  for (const auto& review : pull.at("reviews").as_array()) {
    said(review, json_string_or(review, "state", ""));
    if (const auto by = json_string_or(review, "dismissed_by", ""); !by.empty()) {
      print_line(fmt::format("dismissed by {}: {}", safe(by), safe(json_string_or(review, "dismissal_message", ""))));
    }
  }
  for (const auto& comment : pull.at("comments").as_array()) said(comment, "says");
  return 0;
}

Result<int> post(Cli& cli, const PullArguments& arguments, std::string_view rest, const json::object& body,
                 std::string_view done) {
  auto client = WEIR_TRY(ApiClient::connect(cli.connection));
  const auto answer = WEIR_TRY(client.post(path_of(WEIR_TRY(repository(arguments)), arguments, rest), body));
  if (cli.json) {
    print_json(answer);
  } else {
    print_line(std::string(done));
  }
  return 0;
}

// What --body or --file says, with the pictures that the file shows uploaded.
Result<std::string> comment_text(ApiClient& client, const std::string& repo, const PullArguments& arguments) {
  if (arguments.file.empty()) return arguments.body;
  constexpr std::uint64_t kTextMax = 1U << 20;
  const fs::path file = arguments.file;
  const bool is_input = arguments.file == "-";
  const std::string text =
      is_input ? std::string(std::istreambuf_iterator<char>(std::cin), {}) : WEIR_TRY(io::read_file(file, kTextMax));
  return runner::with_pictures(
      text, is_input ? fs::current_path() : file.parent_path(), [&](const fs::path& picture) -> Result<std::string> {
        const auto taken =
            WEIR_TRY(client.post_file(fmt::format("/api/v1/repos/{}/attachments?name={}", url_encode(repo),
                                                  url_encode(picture.filename().string())),
                                      picture));
        return json_string_or(taken, "path", "");
      });
}

Result<int> comment(Cli& cli, const PullArguments& arguments) {
  auto client = WEIR_TRY(ApiClient::connect(cli.connection));
  const auto repo = WEIR_TRY(repository(arguments));
  json::object body{{"body", WEIR_TRY(comment_text(client, repo, arguments))}};
  if (!arguments.key.empty()) body["key"] = arguments.key;
  const auto said = WEIR_TRY(client.post(path_of(repo, arguments, "/comments"), body));
  if (cli.json) {
    print_json(said);
  } else {
    const bool is_new = json_string_or(said, "created_at", "") == json_string_or(said, "updated_at", "");
    print_line(is_new ? "said" : "changed what was said");
  }
  return 0;
}

// What a reviewer last decided, which is what counts.
Result<std::int64_t> verdict_of(const json::value& pull, const std::string& reviewer) {
  std::int64_t id = 0;
  for (const auto& review : pull.at("reviews").as_array()) {
    const auto* user = json_find(review, "user");
    const auto state = json_string_or(review, "state", "");
    const bool is_verdict = state == "APPROVED" || state == "CHANGES_REQUESTED" || state == "DISMISSED";
    if (!is_verdict || user == nullptr || json_string_or(*user, "login", "") != reviewer) continue;
    id = state == "DISMISSED" ? 0 : json_int(review, "id").value_or(0);
  }
  if (id != 0) return id;
  return fail(Code::kNotFound, "{} has neither approved pull request #{} nor asked for changes", reviewer,
              json_int(pull, "number").value_or(0));
}

Result<int> dismiss(Cli& cli, const PullArguments& arguments) {
  auto client = WEIR_TRY(ApiClient::connect(cli.connection));
  const auto repo = WEIR_TRY(repository(arguments));
  const auto id = WEIR_TRY(verdict_of(WEIR_TRY(client.get(path_of(repo, arguments))), arguments.reviewer));
  const auto answer = WEIR_TRY(
      client.post(path_of(repo, arguments, fmt::format("/reviews/{}/dismiss", id)), {{"message", arguments.reason}}));
  if (cli.json) {
    print_json(answer);
  } else {
    print_line(fmt::format("dismissed what {} said", safe(arguments.reviewer)));
  }
  return 0;
}

Result<int> close(Cli& cli, const PullArguments& arguments, std::string_view state) {
  auto client = WEIR_TRY(ApiClient::connect(cli.connection));
  return show(cli, WEIR_TRY(client.patch(path_of(WEIR_TRY(repository(arguments)), arguments), {{"state", state}})));
}

CLI::App* add_one(CLI::App& group, Cli& cli, const std::shared_ptr<PullArguments>& arguments, const std::string& name,
                  const std::string& about, const std::string& examples, bool numbered = true) {
  auto* command = group.add_subcommand(name, about);
  if (numbered) command->add_option("PR", arguments->number, "number of a pull request")->required();
  command->add_option("--repo", arguments->repo, "repository (default: that of this work tree's remote)");
  add_connection_options(*command, cli);
  set_examples(*command, examples);
  return command;
}

}  // namespace

void add_pr(CLI::App& app, Cli& cli) {
  const auto arguments = std::make_shared<PullArguments>();
  auto* group = app.add_subcommand("pr", "Open, look at, review and merge pull requests");
  group->require_subcommand(1);
  set_examples(*group, "weir pr create --title \"Better features\"\nweir pr list\nweir pr merge 7");

  auto* made = add_one(*group, cli, arguments, "create", "Open one for a branch that was pushed",
                       "weir pr create\nweir pr create --head better --base main --title \"Better features\"", false);
  made->add_option("--head", arguments->head, "branch to merge (default: the one you are on)");
  made->add_option("--base", arguments->base, "branch that it goes into (default: the default branch)");
  made->add_option("--title", arguments->title, "default: the first line of its newest commit");
  made->add_option("--body", arguments->body, "what it is about, in Markdown");
  made->add_flag("--draft", arguments->draft, "not to be merged yet");
  made->callback([&cli, arguments] { cli.action = [&cli, arguments] { return create(cli, *arguments); }; });

  auto* listed =
      add_one(*group, cli, arguments, "list", "List them", "weir pr list\nweir pr list --status all --json", false);
  listed->add_option("--status", arguments->state, "open, closed or all")->capture_default_str();
  listed->callback([&cli, arguments] { cli.action = [&cli, arguments] { return list(cli, *arguments); }; });

  auto* viewed =
      add_one(*group, cli, arguments, "view", "Show one: its checks, reviews and comments", "weir pr view 7");
  viewed->callback([&cli, arguments] { cli.action = [&cli, arguments] { return view(cli, *arguments); }; });

  auto* commented = add_one(*group, cli, arguments, "comment", "Say something, with pictures",
                            "weir pr comment 7 --body \"Nice curve.\"\n"
                            "weir pr comment 7 --file report.md --key metrics   # ![ROC](plots/roc.png) is uploaded");
  auto* said = commented->add_option_group("text");
  said->add_option("--body", arguments->body, "in Markdown");
  said->add_option("--file", arguments->file, "Markdown file whose pictures are uploaded; - is the standard input");
  said->require_option(1);
  commented->add_option("--key", arguments->key, "change your comment with this key, if there is one");
  commented->callback([&cli, arguments] { cli.action = [&cli, arguments] { return comment(cli, *arguments); }; });

  auto* reviewed =
      add_one(*group, cli, arguments, "review", "Approve it, or ask for changes",
              "weir pr review 7 --approve\nweir pr review 7 --request-changes --body \"Leaks the label.\"");
  reviewed->add_flag_callback("--approve", [arguments] { arguments->review = "approve"; }, "it may be merged");
  reviewed->add_flag_callback(
      "--request-changes", [arguments] { arguments->review = "request-changes"; },
      "it may not, until this is answered");
  reviewed->add_option("--body", arguments->body, "in Markdown");
  reviewed->callback([&cli, arguments] {
    cli.action = [&cli, arguments] {
      return post(cli, *arguments, "/reviews", {{"state", arguments->review}, {"body", arguments->body}}, "reviewed");
    };
  });

  auto* dismissed =
      add_one(*group, cli, arguments, "dismiss", "Take back that somebody approved it or asked for changes",
              "weir pr dismiss 7 bob --reason \"The data has changed since.\"");
  dismissed->add_option("REVIEWER", arguments->reviewer, "whose review it is")->required();
  dismissed->add_option("--reason", arguments->reason, "why, for everybody to read")->required();
  dismissed->callback([&cli, arguments] { cli.action = [&cli, arguments] { return dismiss(cli, *arguments); }; });

  auto* merged = add_one(*group, cli, arguments, "merge", "Put it onto its base branch",
                         "weir pr merge 7\nweir pr merge 7 --squash\nweir pr merge 7 --rebase");
  auto* squash = merged->add_flag_callback("--squash", [arguments] { arguments->method = "squash"; }, "as one commit");
  merged
      ->add_flag_callback(
          "--rebase", [arguments] { arguments->method = "rebase"; },
          "commit by commit, onto the newest of the base branch")
      ->excludes(squash);
  merged->callback([&cli, arguments] {
    cli.action = [&cli, arguments] {
      return post(cli, *arguments, "/merge", {{"method", arguments->method}}, "merged");
    };
  });

  for (const std::string name : {"close", "reopen"}) {
    auto* command =
        add_one(*group, cli, arguments, name, name == "close" ? "Close it without merging" : "Open it again",
                fmt::format("weir pr {} 7", name));
    command->callback([&cli, arguments, name] {
      cli.action = [&cli, arguments, name] { return close(cli, *arguments, name == "close" ? "closed" : "open"); };
    });
  }
}

}  // namespace weir::app
