#include "workflow/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "text/yaml.h"
#include "workflow/event_table.h"
#include "workflow/expression.h"
#include "workflow/letters.h"

namespace weir::workflow {
namespace {

using text::YamlDocument;
using text::YamlEntry;
using text::YamlNode;

constexpr std::string_view kInjection = "script-injection";
constexpr std::string_view kMutable = "mutable-action";
constexpr std::string_view kUnpinned = "unpinned-action";
constexpr std::string_view kWide = "wide-permissions";
constexpr std::string_view kMissing = "missing-permissions";
constexpr std::string_view kForeign = "foreign-checkout";
constexpr std::string_view kSilent = "silent-event";
constexpr std::string_view kCaches = "shared-cache";

constexpr auto kRules = std::to_array<LintRule>({
    {.name = kInjection,
     .what = "text that anybody can send (titles, branch names, messages) becomes part of a script"},
    {.name = kMutable, .what = "an action or image of others at a branch or \"latest\", which move"},
    {.name = kWide, .what = "rights that every job of the workflow gets, though few need them"},
    {.name = kForeign, .what = "code of a foreign pull request is checked out where secrets and rights are at hand"},
    {.name = kCaches, .what = "a run that anybody can start may save caches that trusted runs restore"},
    {.name = kSilent, .what = "an event or activity that GitHub knows and weir never raises"},
    {.name = kUnpinned,
     .what = "an action or image of others at the tag of a version, which they could move",
     .by_default = false},
    {.name = kMissing, .what = "no `permissions`, so that the repository's setting decides", .by_default = false},
});

// Members of github.event that are numbers, booleans, hashes, times or chosen by GitHub: they cannot hold a script.
constexpr std::string_view kHarmless[] = {"action",      "id",
                                          "number",      "node_id",
                                          "sha",         "before",
                                          "after",       "size",
                                          "draft",       "merged",
                                          "created_at",  "updated_at",
                                          "closed_at",   "merged_at",
                                          "conclusion",  "status",
                                          "state",       "run_id",
                                          "run_number",  "run_attempt",
                                          "schedule",    "created",
                                          "deleted",     "forced",
                                          "type",        "private",
                                          "fork",        "html_url",
                                          "clone_url",   "url",
                                          "commits_url", "additions",
                                          "login",       "author_association",
                                          "deletions",   "changed_files",
                                          "comments",    "commits",
                                          "head_sha",    "merge_commit_sha"};

bool is_harmless(std::string_view member) {
  return member.ends_with("_url") || member.ends_with("_at") ||
         std::ranges::find(kHarmless, member) != std::end(kHarmless);
}

// Members of github.event that only people who may write to the repository can give.
constexpr std::string_view kTrusted[] = {"inputs", "client_payload", "label", "labels", "release", "ref", "base_ref"};

bool is_trusted(const std::vector<std::string>& path) {
  if (std::ranges::find(kTrusted, path[2]) != std::end(kTrusted)) return path.size() > 3 || path[2].ends_with("ref");
  if (path.size() < 4) return false;
  return path[3] == "labels" || (path[2] == "workflow_run" && path[3] == "name");
}

// Whether what an expression mentions may hold what a stranger wrote: paths are in lower case, and end at the first
// part that is computed (`commits.*.message` is "github.event.commits").
bool is_untrusted(const std::vector<std::string>& path) {
  if (path[0] != "github") return false;
  if (path.size() == 1) return true;  // toJSON(github)
  if (path[1] == "head_ref") return true;
  if (path[1] != "event") return false;
  if (path.size() == 2) return true;
  if (is_trusted(path)) return false;
  if (path[2] == "repository" || path[2] == "organization" || path[2] == "sender") return path.size() == 3;
  if (path[2] == "pull_request" && path.size() > 3 && path[3] == "base") return path.size() == 4;
  if (path[2] == "commits" || path[2] == "pages") return true;
  return !is_harmless(path.back());
}

// Events whose runs have another ref than the default branch, and with it caches of their own. What calls a reusable
// workflow is not known here.
constexpr std::string_view kOwnRef[] = {
    "create",  "deployment",    "deployment_status",    "merge_group",         "pull_request",
    "release", "workflow_call", "pull_request_comment", "pull_request_review", "pull_request_review_comment"};

// Whether runs of the event are on the default branch, whose caches all others restore, though anybody can start them.
bool shares_caches(std::string_view event) {
  const EventInfo* info = find_event(event);
  return info != nullptr && !info->saves_caches && std::ranges::find(kOwnRef, event) == std::end(kOwnRef);
}

bool is_commit(std::string_view version) {
  return version.size() == 40 && std::ranges::all_of(version, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
         });
}

constexpr const char* kNameACommit = "name a commit, and the version in a comment behind it";

// v4, 1.2.3, v0.0.0-beta
bool is_version(std::string_view text) {
  if (text.starts_with('v') || text.starts_with('V')) text.remove_prefix(1);
  return !text.empty() && text.front() >= '0' && text.front() <= '9';
}

const YamlNode* child(const YamlNode& node, std::string_view key) {
  const YamlEntry* entry = node.find(key);
  return entry == nullptr ? nullptr : entry->value;
}

class RuleChecker {
 public:
  RuleChecker(const YamlDocument& document, const RuleOptions& options) : document_(document), options_(options) {}

  std::vector<text::Diagnostic> run() {
    const YamlNode& root = document_.root();
    check_workflow_permissions(root);
    if (const YamlNode* on = child(root, "on")) check_events(*on);
    check_cache_mode(root);
    if (const YamlNode* jobs = child(root, "jobs")) {
      for (const auto& job : jobs->entries()) check_job(job);
    }
    text::sort_and_deduplicate(found_);
    return std::move(found_);
  }

 private:
  [[nodiscard]] bool is_on(std::string_view rule) const { return options_.rules.contains(rule); }

  [[nodiscard]] std::string_view line(int number) const {
    std::string_view source = document_.source();
    for (int i = 0; i < number; ++i) {
      const auto end = source.find('\n');
      if (end == std::string_view::npos) return {};
      source.remove_prefix(end + 1);
    }
    return source.substr(0, source.find('\n'));
  }

  [[nodiscard]] bool is_ignored(std::string_view rule, int number) const {
    const std::string mark = fmt::format("weir: ignore {}", rule);
    return line(number).find(mark) != std::string_view::npos ||
           (number > 0 && line(number - 1).find(mark) != std::string_view::npos);
  }

  void report(std::string_view rule, text::Position place, int length, std::string message, std::string hint) {
    if (!is_on(rule) || is_ignored(rule, place.line)) return;
    found_.push_back({.severity = text::Severity::kWarning,
                      .file = document_.file(),
                      .line = place.line,
                      .column = place.column,
                      .length = std::max(1, length),
                      .message = std::move(message),
                      .hint = std::move(hint),
                      .rule = std::string(rule)});
  }
  void report(std::string_view rule, const YamlNode& node, std::string message, std::string hint) {
    report(rule, node.position(), node.length(), std::move(message), std::move(hint));
  }

  // ---- events

  void check_events(const YamlNode& on) {
    if (on.is_map()) {
      for (const auto& entry : on.entries()) check_event(entry.key, entry.position, *entry.value);
    } else if (on.is_sequence()) {
      for (const YamlNode* item : on.items()) check_event(item->text(), item->position(), *item);
    } else {
      check_event(on.text(), on.position(), on);
    }
  }

  void check_event(std::string_view name, text::Position place, const YamlNode& value) {
    const EventInfo* event = find_event(name);
    if (event == nullptr) return;
    const std::string hint = event->by_webhook ? "GitHub's webhook can bring it: POST /hooks/<repository>/github" : "";
    if (!is_raised(*event, "")) {
      report(kSilent, place, static_cast<int>(name.size()), fmt::format("nothing in weir raises \"{}\"", name), hint);
      return;
    }
    const YamlNode* types = value.is_map() ? child(value, "types") : nullptr;
    if (types == nullptr || event->any_type) return;
    const auto check_type = [&](const YamlNode& type) {
      if (is_raised(*event, type.text())) return;
      report(kSilent, type, fmt::format("nothing in weir raises the activity \"{}\" of \"{}\"", type.text(), name),
             hint);
    };
    if (types->is_sequence()) {
      for (const YamlNode* type : types->items()) check_type(*type);
    } else {
      check_type(*types);
    }
  }

  // ---- caches

  void check_cache_mode(const YamlNode& owner) {
    const YamlNode* mode = child(owner, "cache-mode");
    if (mode == nullptr || (mode->text() != "write" && mode->text() != "write-only")) return;
    for (const auto& event : event_table()) {
      if (!listens(event.name) || !shares_caches(event.name)) continue;
      report(kCaches, *mode,
             fmt::format("anybody can start runs of {}, and this lets them save caches that trusted runs restore",
                         event.name),
             "leave \"cache-mode\" out, write read, or save caches in a workflow of its own on push");
      return;
    }
  }

  // ---- rights

  static bool writes(const YamlNode& permissions) {
    if (permissions.text() == "write-all") return true;
    return std::ranges::any_of(permissions.entries(), [](const auto& e) { return e.value->text() == "write"; });
  }

  void check_workflow_permissions(const YamlNode& root) {
    const YamlEntry* entry = root.find("permissions");
    const YamlNode* jobs = child(root, "jobs");
    if (jobs == nullptr) return;
    const bool every_job =
        std::ranges::all_of(jobs->entries(), [](const auto& job) { return job.value->find("permissions") != nullptr; });
    if (entry == nullptr) {
      if (every_job || jobs->entries().empty()) return;
      report(kMissing, root.position(), root.length(), "the workflow has no \"permissions\"",
             "begin with permissions: {} or contents: read, and give more to single jobs");
      return;
    }
    check_write_all(*entry->value);
    // One job alone is what the rights are for.
    if (jobs->entries().size() < 2 || every_job) return;
    for (const auto& scope : entry->value->entries()) {
      if (scope.value->text() != "write") continue;
      report(kWide, scope.position, static_cast<int>(scope.key.size()),
             fmt::format("every job of the workflow may write {}", scope.key),
             "give it to the job that needs it, under its own permissions");
    }
  }

  void check_write_all(const YamlNode& permissions) {
    if (permissions.text() != "write-all") return;
    report(kWide, permissions, "\"write-all\" gives every right there is", "name those that are needed");
  }

  // ---- jobs and steps

  void check_job(const YamlEntry& job) {
    const YamlNode& node = *job.value;
    check_cache_mode(node);
    if (const YamlNode* permissions = child(node, "permissions")) check_write_all(*permissions);
    if (const YamlNode* uses = child(node, "uses")) check_version(*uses, "the reusable workflow");
    if (const YamlNode* container = child(node, "container")) check_image(*container);
    if (const YamlNode* services = child(node, "services")) {
      for (const auto& service : services->entries()) check_image(*service.value);
    }
    if (const YamlNode* steps = child(node, "steps")) check_steps(*steps);
  }

  void check_steps(const YamlNode& steps) {
    for (const YamlNode* step : steps.items()) {
      if (const YamlNode* group = child(*step, "parallel")) check_steps(*group);
      if (const YamlNode* run = child(*step, "run")) check_script(*run, "the script");
      const YamlNode* uses = child(*step, "uses");
      if (uses == nullptr) continue;
      check_version(*uses, "the action");
      const YamlNode* with = child(*step, "with");
      if (with == nullptr) continue;
      const std::string_view action = std::string_view(uses->text()).substr(0, uses->text().find('@'));
      if (equal_ignoring_case(action, "actions/github-script")) {
        if (const YamlNode* script = child(*with, "script")) check_script(*script, "the script");
      } else if (equal_ignoring_case(action, "actions/checkout")) {
        check_checkout(*with);
      }
    }
  }

  void check_script(const YamlNode& node, std::string_view what) {
    if (!node.is_string() || !has_expression(node.text())) return;
    const auto parts = split_text(node.text());
    if (!parts) return;
    const auto places = document_.places(node);
    for (const auto& part : *parts) {
      if (!part.expression) continue;
      for (const auto& reference : part.expression->references()) {
        if (!is_untrusted(reference.path)) continue;
        const auto text = std::string_view(part.expression->text()).substr(reference.offset, reference.length);
        report(kInjection, places.at(part.offset + reference.offset), static_cast<int>(reference.length),
               fmt::format("{} becomes part of {}: whoever wrote it can run commands here", text, what),
               "give it to the step as a variable under env, and use that");
      }
    }
  }

  void check_version(const YamlNode& node, std::string_view what) {
    const std::string_view uses = node.text();
    if (uses.starts_with("./") || uses.starts_with("../") || uses.starts_with("$/") || has_expression(uses)) return;
    if (uses.starts_with("docker://")) {
      check_digest(node, uses.substr(9));
      return;
    }
    const auto at = uses.find('@');
    if (at == std::string_view::npos || is_commit(uses.substr(at + 1))) return;
    if (options_.is_builtin && options_.is_builtin(uses.substr(0, at))) return;
    const auto version = uses.substr(at + 1);
    if (is_version(version.substr(version.rfind('/') + 1))) {
      report(kUnpinned, node, fmt::format("{} is taken at \"{}\", a tag that its owner could move", what, version),
             kNameACommit);
    } else {
      report(kMutable, node, fmt::format("{} is taken at \"{}\", which its owner moves", what, version), kNameACommit);
    }
  }

  void check_image(const YamlNode& node) {
    const YamlNode* image = node.is_map() ? child(node, "image") : &node;
    if (image != nullptr && image->is_string() && !has_expression(image->text())) check_digest(*image, image->text());
  }

  void check_digest(const YamlNode& node, std::string_view image) {
    if (image.empty() || image.find("@sha256:") != std::string_view::npos) return;
    const auto name = image.substr(image.rfind('/') + 1);
    const auto colon = name.find(':');
    const bool moves = colon == std::string_view::npos || name.substr(colon) == ":latest";
    report(moves ? kMutable : kUnpinned, node,
           moves ? fmt::format("the image \"{}\" is another one with each release", image)
                 : fmt::format("the image \"{}\" can be changed by its owner", image),
           moves ? "name its version: image:1.2" : "name its digest: image@sha256:…");
  }

  // ---- pull requests of strangers

  [[nodiscard]] bool listens(std::string_view event) const {
    const YamlNode* on = child(document_.root(), "on");
    if (on == nullptr) return false;
    if (on->text() == event || on->find(event) != nullptr) return true;
    return std::ranges::any_of(on->items(), [&](const YamlNode* item) { return item->text() == event; });
  }

  void check_checkout(const YamlNode& with) {
    const YamlNode* ref = child(with, "ref");
    if (ref == nullptr || !has_expression(ref->text())) return;
    if (!listens("pull_request_target") && !listens("workflow_run")) return;
    const auto parts = split_text(ref->text());
    if (!parts) return;
    for (const auto& part : *parts) {
      if (!part.expression) continue;
      for (const auto& reference : part.expression->references()) {
        const auto& path = reference.path;
        const bool head = path.size() > 1 && path[0] == "github" &&
                          (path[1] == "head_ref" || (path.size() > 3 && path[1] == "event" &&
                                                     (path[2] == "pull_request" || path[2] == "workflow_run")));
        if (!head) continue;
        report(kForeign, *ref, "a foreign pull request's code is checked out in a run that has secrets and rights",
               "run it on pull_request, or don't execute what was checked out");
      }
    }
  }

  const YamlDocument& document_;
  const RuleOptions& options_;
  std::vector<text::Diagnostic> found_;
};

}  // namespace

std::span<const LintRule> lint_rules() {
  return kRules;
}

std::set<std::string, std::less<>> default_rules() {
  std::set<std::string, std::less<>> out;
  for (const auto& rule : kRules) {
    if (rule.by_default) out.emplace(rule.name);
  }
  return out;
}

std::vector<text::Diagnostic> check_rules(std::string_view text, std::string_view file, const RuleOptions& options) {
  const auto yaml = text::parse_yaml(text, file);
  if (!yaml.document) return {};
  return RuleChecker(*yaml.document, options).run();
}

}  // namespace weir::workflow
