#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "workflow/workflow.h"

// What a file says of other files of its repository.
namespace weir::workflow {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using Files = std::map<std::string, std::string>;
using Texts = std::vector<std::string>;

constexpr const char* kMain = ".github/workflows/main.yml";

const std::string kLeaf = R"(on:
  workflow_call:
    inputs:
      city: {type: string, required: true}
      trees: {type: number}
      fast: {type: boolean, default: false}
    secrets:
      KEY: {required: true}
    outputs:
      score: {value: '${{ jobs.a.outputs.score }}'}
jobs:
  a: {runs-on: x, steps: [{run: x}]}
)";

ParseResult parse(const std::string& text, const Files& files) {
  return parse_workflow(text, kMain, {.read_local = [&](const std::string& path) -> std::optional<std::string> {
                          const auto found = files.find(path);
                          return found == files.end() ? std::nullopt : std::optional(found->second);
                        }});
}

// "line:column message; hint" of each problem.
Texts problems(const std::string& text, const Files& files) {
  Texts out;
  for (const auto& problem : parse(text, files).diagnostics) {
    const bool warning = problem.severity == text::Severity::kWarning;
    out.push_back(fmt::format("{}:{} {}{}{}{}", problem.line + 1, problem.column + 1, warning ? "warning: " : "",
                              problem.message, problem.hint.empty() ? "" : "; ", problem.hint));
  }
  return out;
}

std::string calling(const std::string& job) {
  return "on: push\njobs:\n  c:\n" + job;
}

const Files kFiles{{".github/workflows/leaf.yml", kLeaf}};
const std::string kUses = "    uses: ./.github/workflows/leaf.yml\n";

TEST(CheckCalls, ACallThatGivesWhatIsAskedForIsRight) {
  const std::string good =
      kUses + "    with: {city: Utrecht, trees: 7, fast: ${{ github.actor == 'x' }}}\n    secrets: ";
  EXPECT_THAT(
      problems(calling(kUses + "    with: {city: '${{ github.actor }}', trees: '12'}\n    secrets: inherit\n"), kFiles),
      IsEmpty());
  EXPECT_THAT(problems(calling(good.substr(0, good.find("fast")) + "fast: true}\n    secrets: {KEY: x}\n"), kFiles),
              IsEmpty());
}

TEST(CheckCalls, NamesAreAlikeWithoutRegardToCase) {
  EXPECT_THAT(problems(calling(kUses + "    with: {City: x, FAST: true}\n    secrets: {key: x}\n"), kFiles), IsEmpty());
  EXPECT_THAT(problems(calling(kUses + "    with: {City: x, FAST: 7}\n    secrets: {key: x}\n"), kFiles),
              ElementsAre(HasSubstr("5:27 the input \"fast\" of .github/workflows/leaf.yml must be true or false")));
}

TEST(CheckCalls, ADefaultDoesNotStandInForWhatIsRequired) {
  const Files files{{".github/workflows/leaf.yml",
                     "on: {workflow_call: {inputs: {tone: {type: string, required: true, default: mild}}}}\n"
                     "jobs: {a: {runs-on: x, steps: [{run: x}]}}\n"}};
  EXPECT_THAT(problems(calling(kUses), files), ElementsAre(HasSubstr("requires the input \"tone\"")));
}

TEST(CheckCalls, InputsAndSecretsAreComparedWithWhatIsDeclared) {
  EXPECT_THAT(
      problems(calling(kUses + "    with: {z: 1}\n"), kFiles),
      ElementsAre("4:11 .github/workflows/leaf.yml requires the input \"city\", which the call does not give; add "
                  "it under \"with\" of job \"c\"",
                  "4:11 .github/workflows/leaf.yml requires the secret \"KEY\", which the call does not give; "
                  "add it under \"secrets\" of job \"c\", or write secrets: inherit",
                  "5:12 .github/workflows/leaf.yml declares no input \"z\"; there are city, trees, fast"));
  EXPECT_THAT(
      problems(calling(kUses + "    with: {city: x, tree: 1}\n    secrets: {KEYS: x, KEY: x}\n"), kFiles),
      ElementsAre(HasSubstr("5:21 .github/workflows/leaf.yml declares no input \"tree\"; did you mean \"trees\"?"),
                  HasSubstr("6:15 .github/workflows/leaf.yml declares no secret \"KEYS\"; did you mean \"KEY\"?")));
  EXPECT_THAT(
      problems(
          calling(kUses + "    with:\n      city: x\n      trees: many\n      fast: 'yes'\n    secrets: inherit\n"),
          kFiles),
      ElementsAre("7:14 the input \"trees\" of .github/workflows/leaf.yml must be a number, not \"many\"",
                  "8:13 the input \"fast\" of .github/workflows/leaf.yml must be true or false, not \"yes\""));
}

TEST(CheckCalls, FilesThatCannotBeCalledAreNamed) {
  const auto call = [](const std::string& file, const Files& files) {
    return problems(calling("    uses: ./.github/workflows/" + file + "\n"), files);
  };
  EXPECT_THAT(call("missing.yml", kFiles), ElementsAre("4:11 there is no file .github/workflows/missing.yml"));
  EXPECT_THAT(call("ci.yml", {{".github/workflows/ci.yml", "on: push\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n"}}),
              ElementsAre(HasSubstr("ci.yml cannot be called: it has no workflow_call")));
  EXPECT_THAT(call("ci.yml", {{".github/workflows/ci.yml", "on: workflow_call\njobs: {a: {steps: [{run: x}]}}\n"}}),
              ElementsAre(HasSubstr("ci.yml has errors, so it cannot be called; .github/workflows/ci.yml:2:")));
  // Of other repositories nothing is known.
  EXPECT_THAT(problems(calling("    uses: me/other/.github/workflows/leaf.yml@v1\n"), {}), IsEmpty());
}

TEST(CheckCalls, WithoutOtherFilesNothingIsSaidOfThem) {
  EXPECT_TRUE(parse_workflow(calling(kUses), kMain).workflow);
}

TEST(CheckCalls, CirclesAndDepthAreFoundWhereTheyBegin) {
  const auto caller = [](const std::string& next) {
    return "on: workflow_call\njobs: {a: {uses: ./.github/workflows/" + next + "}}\n";
  };
  EXPECT_THAT(problems(calling("    uses: ./.github/workflows/main.yml\n"), {}),
              ElementsAre(HasSubstr("main.yml calls .github/workflows/main.yml")));
  EXPECT_THAT(
      problems(calling("    uses: ./.github/workflows/b.yml\n"), {{".github/workflows/b.yml", caller("main.yml")}}),
      ElementsAre("4:11 workflows call each other in a circle: .github/workflows/main.yml calls "
                  ".github/workflows/b.yml calls .github/workflows/main.yml"));
  // One that this file only leads to is for those that are part of it.
  EXPECT_THAT(problems(calling("    uses: ./.github/workflows/b.yml\n"),
                       {{".github/workflows/b.yml", caller("d.yml")}, {".github/workflows/d.yml", caller("b.yml")}}),
              IsEmpty());
  Files chain;
  for (int i = 1; i <= 10; ++i)
    chain[fmt::format(".github/workflows/w{}.yml", i)] = caller(fmt::format("w{}.yml", i + 1));
  chain[".github/workflows/w9.yml"] = "on: workflow_call\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n";
  EXPECT_THAT(problems(calling("    uses: ./.github/workflows/w1.yml\n"), chain), IsEmpty());
  chain[".github/workflows/w9.yml"] = caller("w10.yml");
  EXPECT_THAT(problems(calling("    uses: ./.github/workflows/w1.yml\n"), chain),
              ElementsAre(HasSubstr("4:11 workflows may be nested to 10 levels")));
}

TEST(CheckCalls, PermissionsReachNoFurtherThanTheCallers) {
  const Files files{
      {".github/workflows/b.yml", "on: workflow_call\njobs: {a: {uses: ./.github/workflows/d.yml}}\n"},
      {".github/workflows/d.yml",
       "on: workflow_call\njobs: {x: {runs-on: x, permissions: {contents: write}, steps: [{run: x}]}}\n"}};
  const std::string uses = "    uses: ./.github/workflows/b.yml\n";
  EXPECT_THAT(problems(calling(uses), files), IsEmpty());
  EXPECT_THAT(problems(calling("    permissions: {contents: write}\n" + uses), files), IsEmpty());
  EXPECT_THAT(problems(calling("    permissions: {contents: read}\n" + uses), files),
              ElementsAre("5:11 job \"x\" of .github/workflows/d.yml asks for the permission contents: write, and the "
                          "call allows read; raise \"permissions\" of the calling job"));
}

TEST(CheckCalls, ACacheModeThatIsSetReachesNoFurtherThanTheCallers) {
  const Files files{
      {".github/workflows/b.yml", "on: workflow_call\njobs: {a: {uses: ./.github/workflows/d.yml}}\n"},
      {".github/workflows/d.yml",
       "on: workflow_call\ncache-mode: none\njobs:\n  x: {runs-on: x, cache-mode: write-only, steps: [{run: x}]}\n"}};
  const std::string uses = "    uses: ./.github/workflows/b.yml\n";
  EXPECT_THAT(problems(calling(uses), files), IsEmpty());
  EXPECT_THAT(problems(calling("    cache-mode: write\n" + uses), files), IsEmpty());
  EXPECT_THAT(problems(calling("    cache-mode: write-only\n" + uses), files), IsEmpty());
  const std::string told =
      " job \"x\" of .github/workflows/d.yml asks for the cache mode write-only, and the call allows read; change "
      "\"cache-mode\" of one of the two";
  EXPECT_THAT(problems(calling("    cache-mode: read\n" + uses), files), ElementsAre("5:11" + told));
  EXPECT_THAT(problems("cache-mode: read\n" + calling(uses), files), ElementsAre("5:11" + told));
}

TEST(CheckCalls, OutputsOfACalledWorkflowAreKnown) {
  const auto use = [](const std::string& output) {
    return problems(calling(kUses + "    with: {city: x}\n    secrets: inherit\n") +
                        "  d:\n    needs: c\n    runs-on: x\n    steps:\n      - run: echo ${{ needs.c.outputs." +
                        output + " }}\n",
                    kFiles);
  };
  EXPECT_THAT(use("score"), IsEmpty());
  EXPECT_THAT(use("scores"),
              ElementsAre("11:23 warning: job \"c\" has no output \"scores\"; this is empty; did you mean \"score\"?"));
}

TEST(CheckCalls, ActionsOfTheRepositoryAreLookedUp) {
  const Files files{
      {"tools/greet/action.yml",
       "inputs: {who: {required: true}, tone: {required: true, default: mild}}\nruns: {using: composite, steps: []}\n"},
      {"tools/bad/action.yaml", "runs: {using: lua}\n"},
      {"tools/image/Dockerfile", "FROM scratch\n"}};
  const auto steps = [&](const std::string& text) {
    return problems("on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n" + text, files);
  };
  EXPECT_THAT(steps("      - {uses: ./tools/greet, with: {WHO: me}}\n      - uses: ./tools/image/\n"), IsEmpty());
  EXPECT_THAT(
      steps("      - uses: ./tools/greet\n        with:\n          whom: me\n"),
      ElementsAre(HasSubstr("6:15 warning: tools/greet/action.yml requires the input \"who\""),
                  HasSubstr("8:11 warning: tools/greet/action.yml declares no input \"whom\"; did you mean \"who\"?")));
  EXPECT_THAT(steps("      - uses: ./tools/gone\n"),
              ElementsAre(HasSubstr("6:15 warning: there is no action in tools/gone")));
  EXPECT_THAT(steps("      - uses: ./tools/bad\n"),
              ElementsAre(HasSubstr(
                  "6:15 tools/bad/action.yaml has errors, so the step cannot run; tools/bad/action.yaml:1:")));
  // What another checkout brings is not known.
  EXPECT_THAT(steps("      - {uses: actions/checkout@v4, with: {repository: me/tools, path: shared}}\n"
                    "      - uses: ./shared/greet\n"),
              IsEmpty());
}

TEST(CheckCalls, TimeZonesAreAskedFor) {
  const auto zone = [](const std::string& name) {
    return parse_workflow(
        "on: {schedule: [{cron: '0 2 * * *', timezone: " + name + "}]}\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n",
        kMain, {.time_zone_hint = [](std::string_view asked) -> std::optional<std::string> {
          if (asked == "Europe/Berlin") return std::nullopt;
          return "did you mean \"Europe/Berlin\"?";
        }});
  };
  EXPECT_TRUE(zone("Europe/Berlin").workflow);
  const auto bad = zone("Europe/Berln");
  ASSERT_EQ(bad.diagnostics.size(), 1U);
  EXPECT_EQ(bad.diagnostics[0].message, "\"Europe/Berln\" is no time zone");
  EXPECT_EQ(bad.diagnostics[0].column, 46);
}

TEST(CheckCalls, AGroupThatCancelsHasNoQueue) {
  const auto group = [](const std::string& cancel) {
    return parse_workflow("on: push\nconcurrency: {group: m, queue: max, cancel-in-progress: " + cancel +
                              "}\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n",
                          kMain)
        .diagnostics;
  };
  EXPECT_THAT(group("false"), IsEmpty());
  EXPECT_THAT(group("'${{ github.actor == ''x'' }}'"), IsEmpty());
  ASSERT_EQ(group("true").size(), 1U);
  EXPECT_THAT(group("true")[0].hint, HasSubstr("GitHub refuses queue: max together with cancel-in-progress: true"));
}

}  // namespace
}  // namespace weir::workflow
