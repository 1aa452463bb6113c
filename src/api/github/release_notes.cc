// Notes of a release, as GitHub writes them:
// https://docs.github.com/en/repositories/releasing-projects-on-github/automatically-generated-release-notes
#include "api/github/release_notes.h"

#include <algorithm>
#include <map>
#include <set>

#include "api/github/git_work.h"
#include "text/yaml.h"

namespace weir::api::github {
namespace {

using forge::Pull;

constexpr int kCommitsMax = 10'000;
constexpr std::size_t kPullsMax = 10'000;  // merged ones of a repository that are looked at

struct Exclusion {
  std::set<std::string> labels;
  std::set<std::string> authors;

  [[nodiscard]] bool takes(const Pull& pull) const {
    return authors.contains(pull.issue.author) ||
           std::ranges::any_of(pull.issue.labels, [&](const auto& label) { return labels.contains(label); });
  }
};

struct Category {
  std::string title;
  std::set<std::string> labels;  // "*": any
  Exclusion exclude;

  [[nodiscard]] bool takes(const Pull& pull) const {
    if (exclude.takes(pull)) return false;
    return labels.contains("*") ||
           std::ranges::any_of(pull.issue.labels, [&](const auto& label) { return labels.contains(label); });
  }
};

struct Configuration {
  Exclusion exclude;
  std::vector<Category> categories;
};

const text::YamlNode* member(const text::YamlNode* node, std::string_view key) {
  const auto* entry = node == nullptr || !node->is_map() ? nullptr : node->find(key);
  return entry == nullptr ? nullptr : entry->value;
}

std::set<std::string> names(const text::YamlNode* list) {
  std::set<std::string> all;
  if (list == nullptr) return all;
  for (const auto* item : list->items()) all.insert(item->text());
  return all;
}

Exclusion exclusion_of(const text::YamlNode* node) {
  return {names(member(node, "labels")), names(member(node, "authors"))};
}

Result<Configuration> read_configuration(const io::Git& git, const std::string& commit, const std::string& path) {
  std::string file = path;
  if (!path.empty()) {
    WEIR_TRY(check_path(path));
    if (!WEIR_TRY(item_at(git, commit, path))) return fail(Code::kInvalidArgument, "there is no file {}", path);
  } else {
    for (const std::string known : {".github/release.yml", ".github/release.yaml"}) {
      if (file.empty() && WEIR_TRY(item_at(git, commit, known))) file = known;
    }
  }
  if (file.empty()) return Configuration{};
  const auto parsed = text::parse_yaml(WEIR_TRY(git.show(commit, file)), file);
  if (!parsed.document) {
    return fail(Code::kInvalidArgument, "{} is no YAML: {}", file,
                parsed.diagnostics.empty() ? "" : parsed.diagnostics.front().message);
  }
  const auto* changelog = member(&parsed.document->root(), "changelog");
  Configuration configuration{.exclude = exclusion_of(member(changelog, "exclude"))};
  const auto* categories = member(changelog, "categories");
  for (const auto* item : categories == nullptr ? std::vector<const text::YamlNode*>{} : categories->items()) {
    const auto* title = member(item, "title");
    configuration.categories.push_back({.title = title == nullptr ? std::string() : title->text(),
                                        .labels = names(member(item, "labels")),
                                        .exclude = exclusion_of(member(item, "exclude"))});
  }
  return configuration;
}

// Merged pull requests, in the order in which they were merged.
Result<std::vector<Pull>> merged_pulls(const Call& call) {
  std::vector<Pull> all;
  forge::IssueFilter filter{.open = false, .limit = 100};
  while (all.size() < kPullsMax) {
    auto more = WEIR_TRY(call.services().pulls->list(call.repo, filter));
    const bool last = more.size() < 100;
    if (!more.empty()) filter.before = more.back().issue.number;
    std::erase_if(more, [](const Pull& pull) { return !pull.merged_at; });
    std::ranges::move(more, std::back_inserter(all));
    if (last) break;
  }
  std::ranges::sort(all, {}, [](const Pull& pull) { return std::pair(*pull.merged_at, pull.issue.number); });
  return all;
}

std::string link_of(const Call& call, const Pull& pull) {
  return call.page_url(fmt::format("/pulls/{}/{}", call.repo, pull.issue.number));
}

std::string author_of(const Pull& pull) {
  return pull.issue.author.starts_with("job:") ? std::string("github-actions[bot]") : pull.issue.author;
}

std::string line_of(const Call& call, const Pull& pull) {
  return fmt::format("* {} by @{} in {}\n", pull.issue.title, author_of(pull), link_of(call, pull));
}

// "## What's Changed" and what is below it; nothing if nothing was merged.
std::string changes(const Call& call, const std::vector<Pull>& pulls, const Configuration& configuration) {
  std::vector<std::string> of_category(configuration.categories.size());
  std::string others;
  for (const auto& pull : pulls) {
    if (configuration.exclude.takes(pull)) continue;
    const auto found = std::ranges::find_if(configuration.categories, [&](const auto& one) { return one.takes(pull); });
    const auto at = static_cast<std::size_t>(found - configuration.categories.begin());
    (found == configuration.categories.end() ? others : of_category[at]) += line_of(call, pull);
  }
  std::string text;
  for (std::size_t i = 0; i < of_category.size(); ++i) {
    if (!of_category[i].empty()) text += fmt::format("### {}\n{}", configuration.categories[i].title, of_category[i]);
  }
  if (!others.empty()) text += (text.empty() ? "" : "### Other Changes\n") + others;
  return text.empty() ? text : "## What's Changed\n" + text;
}

// Those whose first pull request is among them.
std::string newcomers(const Call& call, const std::vector<Pull>& all, const std::set<std::int64_t>& now) {
  std::set<std::string> seen;
  std::string text;
  for (const auto& pull : all) {
    if (!seen.insert(author_of(pull)).second || !now.contains(pull.issue.number)) continue;
    text += fmt::format("* @{} made their first contribution in {}\n", author_of(pull), link_of(call, pull));
  }
  return text.empty() ? text : "\n## New Contributors\n" + text;
}

}  // namespace

Result<std::string> release_notes(const Call& call, const NotesWanted& wanted) {
  const auto git = WEIR_TRY(call.git());
  WEIR_TRY(check_ref(git, "refs/tags/" + wanted.tag));
  auto head = git.resolve("refs/tags/" + wanted.tag);
  if (!head) {
    const auto target = wanted.target.empty() ? git.head_ref().value_or("HEAD") : wanted.target;
    head = commit_of(git, target);
    if (!head) return fail(Code::kInvalidArgument, "target_commitish \"{}\" is no commit", target.substr(0, 200));
  }
  auto previous = wanted.previous;
  if (previous.empty()) previous = nearest_tag(git, *head, wanted.tag);
  std::string start;
  if (!previous.empty()) {
    WEIR_TRY(check_ref(git, "refs/tags/" + previous));
    const auto found = git.resolve("refs/tags/" + previous);
    if (!found) return fail(Code::kInvalidArgument, "previous_tag_name: there is no tag {}", previous);
    start = *found;
  }
  const auto configuration = WEIR_TRY(read_configuration(git, *head, wanted.configuration));
  std::set<std::string> commits;
  for (auto& commit : WEIR_TRY(git.commits_between(start, *head, kCommitsMax))) commits.insert(std::move(commit.sha));
  const auto all = WEIR_TRY(merged_pulls(call));
  std::vector<Pull> pulls;
  std::set<std::int64_t> numbers;
  for (const auto& pull : all) {
    if (!commits.contains(pull.merged_sha)) continue;
    pulls.push_back(pull);
    numbers.insert(pull.issue.number);
  }
  auto text = changes(call, pulls, configuration) + newcomers(call, all, numbers);
  if (!text.empty()) text += "\n";
  // The dashboard compares no commits: what git is to be asked.
  text += fmt::format("**Full Changelog**: `{}`",
                      previous.empty() ? wanted.tag : fmt::format("{}...{}", previous, wanted.tag));
  return text;
}

}  // namespace weir::api::github
