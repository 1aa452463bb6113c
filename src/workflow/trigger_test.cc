#include "workflow/trigger.h"

#include <gtest/gtest.h>

namespace weir::workflow {
namespace {

bool takes(std::string_view pattern, std::string_view text) {
  const auto parsed = Pattern::parse(pattern);
  EXPECT_TRUE(parsed) << pattern << ": " << parsed.error();
  return parsed && parsed->matches(text);
}

// The cheat sheet of GitHub's documentation.
TEST(Pattern, BranchesMatchAsInGitHubsCheatSheet) {
  EXPECT_TRUE(takes("feature/*", "feature/my-branch"));
  EXPECT_FALSE(takes("feature/*", "feature/beta-a/my-branch"));
  EXPECT_TRUE(takes("feature/**", "feature/beta-a/my-branch"));
  EXPECT_TRUE(takes("feature/**", "feature/your-branch"));
  EXPECT_FALSE(takes("feature/**", "feature"));
  EXPECT_TRUE(takes("releases/mona-the-octocat", "releases/mona-the-octocat"));
  EXPECT_TRUE(takes("*", "main"));
  EXPECT_FALSE(takes("*", "all/the/branches"));
  EXPECT_TRUE(takes("**", "all/the/branches"));
  EXPECT_TRUE(takes("*feature", "mona-feature"));
  EXPECT_TRUE(takes("*feature", "feature"));
  EXPECT_FALSE(takes("*feature", "x/feature"));
  EXPECT_TRUE(takes("v2*", "v2.9"));
  EXPECT_TRUE(takes("v[12].[0-9]+.[0-9]+", "v1.10.1"));
  EXPECT_FALSE(takes("v[12].[0-9]+.[0-9]+", "v3.10.1"));
  EXPECT_FALSE(takes("v[12].[0-9]+.[0-9]+", "v1..1"));
}

TEST(Pattern, PathsMatchAsInGitHubsCheatSheet) {
  EXPECT_TRUE(takes("*", "README.md"));
  EXPECT_FALSE(takes("*", "docs/README.md"));
  EXPECT_TRUE(takes("*.jsx?", "page.js"));
  EXPECT_TRUE(takes("*.jsx?", "page.jsx"));
  EXPECT_FALSE(takes("*.jsx?", "page.jsxx"));
  EXPECT_TRUE(takes("**.js", "src/js/app.js"));
  EXPECT_TRUE(takes("docs/*", "docs/file.txt"));
  EXPECT_FALSE(takes("docs/*", "docs/a/file.txt"));
  EXPECT_TRUE(takes("docs/**", "docs/mona/octocat.txt"));
  EXPECT_TRUE(takes("docs/**/*.md", "docs/README.md"));
  EXPECT_TRUE(takes("docs/**/*.md", "docs/a/markdown/file.md"));
  EXPECT_FALSE(takes("docs/**/*.md", "docsREADME.md"));
  EXPECT_TRUE(takes("**/docs/**", "docs/hello.md"));
  EXPECT_TRUE(takes("**/docs/**", "space/docs/plan/space.doc"));
  EXPECT_FALSE(takes("**/docs/**", "mydocs/x"));
  EXPECT_TRUE(takes("**/README.md", "README.md"));
  EXPECT_TRUE(takes("**/README.md", "js/README.md"));
  EXPECT_FALSE(takes("**/README.md", "js/XREADME.md"));
  EXPECT_TRUE(takes("**/*src/**", "a/src/app.js"));
  EXPECT_TRUE(takes("**/*src/**", "my-src/code/js/app.js"));
  EXPECT_TRUE(takes("**/*-post.md", "path/their-post.md"));
  EXPECT_TRUE(takes("**/migrate-*.sql", "db/migrate-v1.0.sql"));
}

TEST(Pattern, EscapesAndOtherScriptsAreTakenLiterally) {
  EXPECT_TRUE(takes("a\\*b", "a*b"));
  EXPECT_FALSE(takes("a\\*b", "axb"));
  EXPECT_TRUE(takes("\\!a", "!a"));
  EXPECT_TRUE(takes("数据?/x", "数据/x"));
  EXPECT_TRUE(takes("数据?/x", "数/x"));
  EXPECT_TRUE(takes("a.b", "a.b"));
  EXPECT_FALSE(takes("a.b", "axb"));
  EXPECT_TRUE(takes("[*]", "*"));
  for (const char* bad : {"", "!", "[a", "[]", "[b-a]", "?a", "+", "a??", "a\\", "[é]"})
    EXPECT_FALSE(Pattern::parse(bad)) << bad;
}

TEST(Pattern, HardPatternsTakeLittleTime) {
  const std::string pattern = std::string(40, '*') + "a*a*a*a*a*a*a*a*a*a*a*b";
  EXPECT_FALSE(takes(pattern, std::string(5'000, 'a')));
}

TEST(Pattern, TheLastOneThatMatchesDecides) {
  const auto list = [](std::initializer_list<const char*> texts) {
    std::vector<Pattern> out;
    for (const char* text : texts) out.push_back(*Pattern::parse(text));
    return out;
  };
  EXPECT_FALSE(matches_any(list({"releases/**", "!releases/**-alpha"}), "releases/1-alpha"));
  EXPECT_TRUE(matches_any(list({"releases/**", "!releases/**-alpha"}), "releases/1"));
  EXPECT_TRUE(matches_any(list({"*.md", "!README.md", "README*"}), "README.md"));
  EXPECT_FALSE(matches_any(list({"!a"}), "b"));
}

On on_of(std::string text) {
  text = "on:\n" + text + "\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n";
  auto result = parse_workflow(text, "w.yml");
  EXPECT_TRUE(result.workflow) << lint_text(result, text);
  return result.workflow ? std::move(result.workflow->on) : On{};
}

std::string push_to(const On& on, const char* ref, std::optional<std::vector<std::string>> paths = std::nullopt) {
  const auto match = matches(on, {.event = "push", .ref = ref, .changed_paths = std::move(paths)});
  return (match.matched ? "yes: " : "no: ") + match.reason;
}

TEST(Trigger, PushesAreFilteredByBranchTagAndPath) {
  const On on = on_of("  push:\n    branches: [main, 'rel/**']\n    paths: ['src/**', '!src/doc/**']");
  EXPECT_EQ(push_to(on, "refs/heads/main"), "yes: push to main");
  EXPECT_EQ(push_to(on, "refs/heads/dev"), "no: dev is not in branches (main, rel/**)");
  EXPECT_EQ(push_to(on, "refs/tags/v1"), "no: only branches (main, rel/**) start it, not the tag v1");
  EXPECT_EQ(push_to(on, "refs/heads/main", {{"src/a.py"}}), "yes: push to main");
  EXPECT_EQ(push_to(on, "refs/heads/main", {{"src/doc/a", "README.md"}}),
            "no: no changed file is in paths (src/**, !src/doc/**)");
  EXPECT_EQ(push_to(on, "refs/heads/main", std::vector<std::string>{}),
            "no: no changed file is in paths (src/**, !src/doc/**)");
  EXPECT_EQ(push_to(on, "refs/notes/x"), "no: refs/notes/x is neither a branch nor a tag");
}

TEST(Trigger, IgnoreFiltersTakeTheRest) {
  const On on = on_of("  push:\n    branches-ignore: [gh-*]\n    tags-ignore: ['*-rc']\n    paths-ignore: ['**.md']");
  EXPECT_EQ(push_to(on, "refs/heads/gh-pages"), "no: gh-pages is in branches-ignore (gh-*)");
  EXPECT_EQ(push_to(on, "refs/heads/main", {{"a.md", "x/b.md"}}), "no: every changed file is in paths-ignore (**.md)");
  EXPECT_EQ(push_to(on, "refs/heads/main", {{"a.md", "b.py"}}), "yes: push to main");
  EXPECT_EQ(push_to(on, "refs/tags/v1"), "yes: push of the tag v1");
  EXPECT_EQ(push_to(on, "refs/tags/v1-rc"), "no: v1-rc is in tags-ignore (*-rc)");
}

TEST(Trigger, TagFiltersAloneLeaveBranchesOut) {
  const On on = on_of("  push: {tags: ['v*']}");
  EXPECT_EQ(push_to(on, "refs/tags/v1"), "yes: push of the tag v1");
  EXPECT_EQ(push_to(on, "refs/heads/main"), "no: only tags (v*) start it, not the branch main");
  EXPECT_EQ(push_to(on_of("  push:"), "refs/tags/v1"), "yes: push of the tag v1");
  EXPECT_EQ(push_to(on_of("  - push"), "refs/heads/a/b"), "yes: push to a/b");
}

TEST(Trigger, DeletedRefsStartNothing) {
  EXPECT_FALSE(matches(on_of("  push:"), {.event = "push", .ref = "refs/heads/x", .deleted = true}).matched);
}

TEST(Trigger, OtherEventsMatchByTheirOwnRules) {
  const On on = on_of("  pull_request: {branches: [main]}\n  schedule: [{cron: '0 2 * * *'}]");
  EXPECT_TRUE(matches(on, {.event = "pull_request", .base_ref = "refs/heads/main", .action = "opened"}).matched);
  EXPECT_TRUE(matches(on, {.event = "pull_request", .base_ref = "main"}).matched);
  EXPECT_FALSE(matches(on, {.event = "pull_request", .base_ref = "main", .action = "closed"}).matched);
  EXPECT_FALSE(matches(on, {.event = "pull_request", .base_ref = "dev"}).matched);
  EXPECT_TRUE(matches(on, {.event = "schedule", .cron = "0 2 * * *"}).matched);
  EXPECT_TRUE(matches(on, {.event = "schedule"}).matched);
  EXPECT_FALSE(matches(on, {.event = "schedule", .cron = "0 3 * * *"}).matched);
  EXPECT_EQ(matches(on, {.event = "workflow_dispatch"}).reason, "it has no workflow_dispatch");
  EXPECT_FALSE(matches(on, {.event = "release"}).matched);
}

constexpr const char* kInputs = R"(  workflow_dispatch:
    inputs:
      model: {type: choice, options: [small, large], default: small}
      epochs: {type: number, default: 10}
      publish: {type: boolean}
      note: {}
      who: {required: true})";

TEST(Inputs, DefaultsAreFilledInAndValuesAreTyped) {
  const On on = on_of(kInputs);
  const auto inputs = complete_inputs(*on.dispatch, {{"who", "me"}, {"epochs", "2.5"}});
  ASSERT_TRUE(inputs) << inputs.error().message;
  EXPECT_EQ(json::serialize(inputs->typed), R"({"model":"small","epochs":2.5E0,"publish":false,"note":"","who":"me"})");
  EXPECT_EQ(json::serialize(inputs->text),
            R"({"model":"small","epochs":"2.5","publish":"false","note":"","who":"me"})");
  const auto typed = complete_inputs(*on.dispatch, {{"WHO", 7}, {"publish", true}, {"epochs", 3}});
  EXPECT_EQ(json::serialize(typed->typed), R"({"model":"small","epochs":3,"publish":true,"note":"","who":"7"})");
}

TEST(Inputs, EveryProblemIsNamedAtOnce) {
  const On on = on_of(kInputs);
  const auto inputs = complete_inputs(
      *on.dispatch,
      {{"modle", "x"}, {"model", "smal"}, {"epochs", "many"}, {"publish", "yes"}, {"note", json::array{}}});
  ASSERT_FALSE(inputs);
  EXPECT_EQ(inputs.error().message,
            "unknown input \"modle\"; did you mean \"model\"?\n"
            "input \"model\" must be \"small\" or \"large\", not \"smal\"; did you mean \"small\"?\n"
            "input \"epochs\" must be a number, not \"many\"\n"
            "input \"publish\" must be true or false, not \"yes\"\n"
            "input \"note\" must be a single value\n"
            "input \"who\" is required");
  EXPECT_EQ(complete_inputs({}, {{"a", 1}}).error().message, "unknown input \"a\"; the workflow takes none");
}

}  // namespace
}  // namespace weir::workflow
