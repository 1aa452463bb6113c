#include <CLI/CLI.hpp>

#include "app/cli/command.h"
#include "app/cli/print.h"
#include "app/cli/run_display.h"
#include "app/cli/work_tree.h"
#include "config/parse.h"
#include "event/time_zones.h"
#include "io/file.h"
#include "runner/action.h"
#include "text/diagnostic.h"
#include "text/suggest.h"
#include "workflow/action_file.h"
#include "workflow/rules.h"
#include "workflow/workflow.h"

// weir lint, weir run --list: what the files of this repository say.
namespace weir::app {
namespace {

namespace fs = std::filesystem;

// The top of the work tree around the working directory, else that directory.
fs::path repository_root() {
  return work_tree_root().value_or(fs::current_path());
}

constexpr std::size_t kSizeBytesMax = 64U << 20;

// The root of the repository that a file is of: it lies in .github/workflows there, or a .git does above. "" if
// neither.
fs::path root_of(const fs::path& file) {
  std::error_code ignored;
  const fs::path folder = fs::absolute(file, ignored).lexically_normal().parent_path();
  if (folder.filename() == "workflows" && folder.parent_path().filename() == ".github") {
    return folder.parent_path().parent_path();
  }
  for (fs::path root = folder; root.has_relative_path(); root = root.parent_path()) {
    if (fs::exists(root / ".git", ignored)) return root;
  }
  return {};
}

bool is_yaml(const fs::path& path) {
  return path.extension() == ".yml" || path.extension() == ".yaml";
}

std::vector<fs::path> workflow_files(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.is_regular_file() && is_yaml(entry.path())) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// What weir reads of a folder: of a repository's root, of its .github, or of one that holds workflow files itself.
std::vector<fs::path> files_below(const fs::path& given) {
  std::error_code ignored;
  const fs::path folder = given.has_filename() ? given : given.parent_path();
  const fs::path full = fs::absolute(folder, ignored).lexically_normal();
  const bool is_github = (full.has_filename() ? full : full.parent_path()).filename() == ".github";
  std::vector<fs::path> files;
  if (fs::is_directory(folder / ".github" / "workflows")) {
    files = workflow_files(folder / ".github" / "workflows");
  } else if (is_github) {
    files = workflow_files(folder / "workflows");
  } else if (!fs::exists(folder / "weir.yaml")) {
    files = workflow_files(folder);
  }
  if (fs::exists(folder / "weir.yaml")) files.push_back(folder / "weir.yaml");
  return files;
}

// Files that are named, or everything of the repository that weir reads.
Result<std::vector<fs::path>> files_to_check(const std::vector<std::string>& given) {
  std::vector<fs::path> files;
  for (const auto& text : given) {
    const fs::path path = text;
    if (!fs::exists(path)) return fail(Code::kNotFound, "there is no file {}", text);
    if (fs::is_directory(path)) {
      auto found = files_below(path);
      if (found.empty()) {
        return fail(Code::kNotFound,
                    "no workflow files in {}: neither .github/workflows/*.yml, nor *.yml, nor weir.yaml", text);
      }
      for (auto& file : found) files.push_back(std::move(file));
    } else {
      files.push_back(path);
    }
  }
  if (!given.empty()) return files;
  const fs::path root = repository_root();
  files = workflow_files(root / ".github" / "workflows");
  if (fs::exists(root / "weir.yaml")) files.push_back(root / "weir.yaml");
  if (files.empty()) {
    return fail(Code::kNotFound, "{} has neither .github/workflows/*.yml nor weir.yaml; name a file", root.string());
  }
  return files;
}

struct LintOptions {
  std::vector<std::string> files;
  bool whole_language = false;
  bool show = false;
  bool strict = false;
  bool list_rules = false;
  std::vector<std::string> enable;
  std::vector<std::string> disable;
};

struct LintCounts {
  int errors = 0;
  int warnings = 0;
};

// The rules that are on, from what the user switched.
Result<workflow::RuleOptions> rules_of(const LintOptions& options) {
  std::vector<std::string> known;
  for (const auto& rule : workflow::lint_rules()) known.emplace_back(rule.name);
  workflow::RuleOptions out{.rules = workflow::default_rules(), .is_builtin = [](std::string_view action) {
                              // GitHub's own are trusted as the machine itself is.
                              return action.starts_with("actions/") || action.starts_with("github/") ||
                                     runner::find_builtin(action) != nullptr;
                            }};
  for (const auto* list : {&options.enable, &options.disable}) {
    for (const auto& name : *list) {
      if (name == "all") {
        if (list == &options.enable) out.rules.insert(known.begin(), known.end());
        if (list == &options.disable) out.rules.clear();
        continue;
      }
      if (std::ranges::find(known, name) == known.end()) {
        const auto hint = text::did_you_mean(name, known);
        return fail(Code::kInvalidArgument, "there is no rule \"{}\"; {}", name,
                    hint.empty() ? fmt::format("there are {}", fmt::join(known, ", ")) : hint);
      }
      list == &options.enable ? static_cast<void>(out.rules.insert(name)) : static_cast<void>(out.rules.erase(name));
    }
  }
  return out;
}

int list_rules(const Cli& cli) {
  std::vector<std::vector<std::string>> rows{{"RULE", "DEFAULT", "FINDS"}};
  json::array list;
  for (const auto& rule : workflow::lint_rules()) {
    rows.push_back({std::string(rule.name), rule.by_default ? "on" : "off", std::string(rule.what)});
    list.push_back({{"name", rows.back()[0]}, {"default", rule.by_default}, {"finds", rows.back()[2]}});
  }
  if (cli.json) {
    print_json(json::object{{"rules", std::move(list)}});
  } else {
    fmt::print("{}", table(rows));
  }
  return 0;
}

// An action's metadata; below .github/workflows everything is a workflow.
bool is_action(const fs::path& file) {
  std::error_code ignored;
  return file.stem() == "action" && is_yaml(file) &&
         fs::absolute(file, ignored).lexically_normal().parent_path().filename() != "workflows";
}

// What is wrong with one file. `shown` becomes the workflow as it was understood.
std::vector<text::Diagnostic> check_file(const fs::path& file, const std::string& name, const std::string& text,
                                         const LintOptions& options, const workflow::RuleOptions& rules,
                                         json::value& shown) {
  if (file.filename() == "weir.yaml") {
    return config::parse_config(text, name, {.accept_unset = true, .knows_time_zone = event::may_be_time_zone})
        .diagnostics;
  }
  if (is_action(file)) return workflow::parse_action(text, name).diagnostics;
  const fs::path root = root_of(file);
  workflow::ParseOptions parsing{.refuse_unbuilt = !options.whole_language, .time_zone_hint = event::time_zone_hint};
  if (!root.empty()) {
    parsing.read_local = [&root](const std::string& path) -> std::optional<std::string> {
      std::error_code ignored;
      if (!fs::is_regular_file(root / path, ignored)) return std::nullopt;
      auto read = io::read_file(root / path, kSizeBytesMax);
      return read ? std::optional(*std::move(read)) : std::nullopt;
    };
  }
  auto parsed = workflow::parse_workflow(text, name, parsing);
  if (options.show && parsed.workflow) shown = workflow::to_json(*parsed.workflow);
  if (parsed.workflow) {
    for (auto& finding : workflow::check_rules(text, name, rules)) parsed.diagnostics.push_back(std::move(finding));
    text::sort_and_deduplicate(parsed.diagnostics);
  }
  return std::move(parsed.diagnostics);
}

Result<int> lint(Cli& cli, const LintOptions& options) {
  if (options.list_rules) return list_rules(cli);
  const auto rules = WEIR_TRY(rules_of(options));
  LintCounts counts;
  json::array list;
  json::array workflows;
  const auto files = WEIR_TRY(files_to_check(options.files));
  for (const auto& file : files) {
    std::error_code ignored;
    std::string name = fs::proximate(file, ignored).string();
    if (name.starts_with("..")) name = file.string();
    const std::string text = WEIR_TRY(io::read_file(file, kSizeBytesMax));
    json::value shown;
    const auto diagnostics = check_file(file, name, text, options, rules, shown);
    if (!shown.is_null()) workflows.push_back(std::move(shown));
    for (const auto& diagnostic : diagnostics) {
      ++(diagnostic.severity == text::Severity::kError ? counts.errors : counts.warnings);
      if (cli.json) list.push_back(text::to_json(diagnostic));
    }
    if (!cli.json) fmt::print("{}", text::render_all(diagnostics, text, colours(1)));
  }
  const auto [errors, warnings] = counts;
  if (cli.json) {
    json::object out{
        {"files", files.size()}, {"errors", errors}, {"warnings", warnings}, {"problems", std::move(list)}};
    if (options.show) out["workflows"] = std::move(workflows);
    print_json(out);
  } else if (errors + warnings == 0) {
    print_line(fmt::format("{} {} file{} without a problem", styled(Style::kGood, "✓"), files.size(),
                           files.size() == 1 ? "" : "s"));
  } else {
    print_line(fmt::format("{} error{}, {} warning{} in {} file{}", errors, errors == 1 ? "" : "s", warnings,
                           warnings == 1 ? "" : "s", files.size(), files.size() == 1 ? "" : "s"));
  }
  return errors == 0 && (warnings == 0 || !options.strict) ? 0 : 1;
}

}  // namespace

Result<int> list_workflows(bool as_json) {
  std::vector<std::vector<std::string>> rows{{"WORKFLOW", "FILE", "EVENTS", "JOB", "NEEDS"}};
  json::array list;
  for (const auto& file : workflow_files(repository_root() / ".github" / "workflows")) {
    const std::string name = file.filename().string();
    const auto parsed = workflow::parse_workflow(WEIR_TRY(io::read_file(file, kSizeBytesMax)), name);
    if (!parsed.workflow) {
      rows.push_back({"(does not parse: weir lint)", name, "", "", ""});
      continue;
    }
    const std::string events = fmt::format("{}", fmt::join(parsed.workflow->on.names(), ", "));
    for (const auto& job : parsed.workflow->jobs) {
      std::string needs;
      for (const auto& need : job.needs) needs += (needs.empty() ? "" : ", ") + need;
      rows.push_back({parsed.workflow->name, name, events, job.key, needs});
      list.push_back({{"workflow", parsed.workflow->name},
                      {"file", name},
                      {"events", events},
                      {"job", job.key},
                      {"needs", json::value_from(job.needs)}});
    }
  }
  if (as_json) {
    print_json(json::object{{"jobs", std::move(list)}});
  } else {
    print_text(rows.size() == 1 ? "there is no workflow file below .github/workflows\n" : table(rows));
  }
  return 0;
}

void add_lint(CLI::App& app, Cli& cli) {
  const auto options = std::make_shared<LintOptions>();
  auto* command = app.add_subcommand("lint", "Check workflow files and weir.yaml; every problem with its place");
  command->add_option("FILES", options->files,
                      "files or folders (default: .github/workflows and weir.yaml of this repository)");
  command->add_flag("--language", options->whole_language,
                    "check against the whole language of workflows, also what weir does not run");
  command->add_flag("--show", options->show, "with --json: the workflows too, as they were understood");
  command->add_option("--enable", options->enable, "switch a rule on (all: every one)")->allow_extra_args(false);
  command->add_option("--disable", options->disable, "switch a rule off (all: every one)")->allow_extra_args(false);
  command->add_flag("--rules", options->list_rules, "list the rules");
  command->add_flag("--strict", options->strict, "fail on warnings too");
  command->add_flag("--json", cli.json, "print JSON");
  set_examples(*command,
               "weir lint\nweir lint .github/workflows/ml-pipeline.yml\nweir lint --json\n"
               "weir lint --enable missing-permissions --disable mutable-action");
  command->callback([&cli, options] { cli.action = [&cli, options] { return lint(cli, *options); }; });
}

}  // namespace weir::app
