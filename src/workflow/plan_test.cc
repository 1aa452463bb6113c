#include "workflow/plan.h"

#include <gtest/gtest.h>

namespace weir::workflow {
namespace {

Workflow workflow_of(const std::string& text) {
  auto result = parse_workflow(text, "w.yml");
  EXPECT_TRUE(result.workflow) << lint_text(result, text);
  return result.workflow ? std::move(*result.workflow) : Workflow{.jobs = {Job{}}};
}

// A job "train" with the given lines.
Job job_of(const std::string& lines) {
  return workflow_of("on: push\njobs:\n  train:\n    runs-on: x\n    steps: [{run: x}]\n" + lines).jobs[0];
}

std::string combinations(const std::string& matrix, const Contexts& contexts = {}) {
  const Job job = job_of("    strategy:\n      matrix:\n" + matrix);
  const auto expansion = expand_matrix(job, contexts);
  if (!expansion) return expansion.error().message;
  std::string out;
  for (const auto& combination : expansion->combinations) {
    out += json::serialize(combination.matrix) + " " + *job_title(job, combination, {}) + "\n";
  }
  return out;
}

TEST(Matrix, TheLastKeyChangesFastestAndNamesShowTheValues) {
  EXPECT_EQ(combinations("        python: ['3.10', '3.11']\n        size: [small, large]\n"),
            "{\"python\":\"3.10\",\"size\":\"small\"} train (3.10, small)\n"
            "{\"python\":\"3.10\",\"size\":\"large\"} train (3.10, large)\n"
            "{\"python\":\"3.11\",\"size\":\"small\"} train (3.11, small)\n"
            "{\"python\":\"3.11\",\"size\":\"large\"} train (3.11, large)\n");
}

TEST(Matrix, WithoutAMatrixThereIsOneEmptyCombination) {
  const Job job = job_of("");
  const auto expansion = expand_matrix(job, {});
  ASSERT_EQ(expansion->combinations.size(), 1U);
  EXPECT_EQ(*job_title(job, expansion->combinations[0], {}), "train");
  EXPECT_TRUE(expansion->fail_fast);
  EXPECT_FALSE(expansion->max_parallel);
}

// The example of GitHub's documentation on `include`.
TEST(Matrix, IncludeAddsToCombinationsOrMakesNewOnes) {
  EXPECT_EQ(combinations("        fruit: [apple, pear]\n        animal: [cat, dog]\n        include:\n"
                         "          - color: green\n          - {color: pink, animal: cat}\n          - {fruit: apple, "
                         "shape: circle}\n"
                         "          - fruit: banana\n          - {fruit: banana, animal: cat}\n"),
            "{\"fruit\":\"apple\",\"animal\":\"cat\",\"color\":\"pink\",\"shape\":\"circle\"} train (apple, cat)\n"
            "{\"fruit\":\"apple\",\"animal\":\"dog\",\"color\":\"green\",\"shape\":\"circle\"} train (apple, dog)\n"
            "{\"fruit\":\"pear\",\"animal\":\"cat\",\"color\":\"pink\"} train (pear, cat)\n"
            "{\"fruit\":\"pear\",\"animal\":\"dog\",\"color\":\"green\"} train (pear, dog)\n"
            "{\"fruit\":\"banana\"} train (banana)\n"
            "{\"fruit\":\"banana\",\"animal\":\"cat\"} train (banana, cat)\n");
  EXPECT_EQ(combinations("        include:\n          - {site: a, dc: x}\n          - {site: b}\n"),
            "{\"site\":\"a\",\"dc\":\"x\"} train (a, x)\n{\"site\":\"b\"} train (b)\n");
}

TEST(Matrix, ExcludeTakesAwayWhatFitsInEveryKey) {
  EXPECT_EQ(combinations("        os: [l, w]\n        v: [1, 2]\n        exclude: [{os: w, v: 1}, {v: '2', os: l}]\n"),
            "{\"os\":\"l\",\"v\":1} train (l, 1)\n{\"os\":\"w\",\"v\":2} train (w, 2)\n");
  EXPECT_EQ(combinations("        os: [l]\n        exclude: [{os: l}]\n        include: [{os: m}]\n"),
            "{\"os\":\"m\"} train (m)\n");
}

TEST(Matrix, NestedValuesAreShownByTheirLeaves) {
  EXPECT_EQ(combinations(
                "        c: [{name: a, flags: [1, true]}, {name: '', flags: null}]\n        exclude: [{c: {name: a}}]\n"
                "        include: [{c: {name: a, flags: [1, true]}, extra: z}]\n"),
            "{\"c\":{\"name\":\"\",\"flags\":null}} train\n"
            "{\"c\":{\"name\":\"a\",\"flags\":[1,true]},\"extra\":\"z\"} train (a, 1, true, z)\n");
}

TEST(Matrix, ExpressionsMayGiveAnyPart) {
  const Contexts contexts{
      .values = {
          {"needs",
           json::object{{"p", json::object{{"outputs", json::object{{"m", R"({"a":[1,2]})"}, {"l", "[3,4]"}}}}}}}}};
  const Job whole = job_of(
      "    strategy:\n      matrix: ${{ fromJSON(needs.p.outputs.m) }}\n      max-parallel: ${{ fromJSON('2') }}\n"
      "      fail-fast: ${{ 1 == 2 }}\n");
  const auto expansion = expand_matrix(whole, contexts);
  ASSERT_TRUE(expansion) << expansion.error().message;
  EXPECT_EQ(expansion->combinations.size(), 2U);
  EXPECT_EQ(expansion->max_parallel, 2);
  EXPECT_FALSE(expansion->fail_fast);
  EXPECT_EQ(combinations("        a: ${{ fromJSON(needs.p.outputs.l) }}\n        b: [\"${{ needs.p.outputs.l }}\"]\n",
                         contexts),
            "{\"a\":3,\"b\":\"[3,4]\"} train (3, [3,4])\n{\"a\":4,\"b\":\"[3,4]\"} train (4, [3,4])\n");
}

TEST(Matrix, WhatCannotRunIsRefusedWithTheReason) {
  EXPECT_EQ(combinations("        a: ${{ fromJSON('[]') }}\n"), "job \"train\": strategy: matrix.a is empty");
  EXPECT_EQ(combinations("        a: ${{ format('x') }}\n"),
            "job \"train\": strategy: matrix.a must be a list, not \"x\"");
  EXPECT_EQ(combinations("        a: ${{ fromJSON('[1]') }}\n        exclude: [{a: 1}]\n"),
            "job \"train\": strategy: the matrix has no combination left");
  std::string hundred_and_one = "0";
  for (int i = 1; i <= 100; ++i) hundred_and_one += fmt::format(",{}", i);
  const auto many = fmt::format("${{{{ fromJSON('[{}]') }}}}", hundred_and_one);
  EXPECT_EQ(combinations(fmt::format("        a: {0}\n        b: {0}\n", many)),
            "job \"train\": strategy: the matrix has 10201 combinations; at most 10000 are run");
  EXPECT_EQ(combinations(fmt::format("        a: {0}\n        b: {0}\n        c: {0}\n", many)),
            "job \"train\": strategy: the matrix has more than 10000 combinations");
}

TEST(JobTitle, AGivenNameIsEvaluatedOrTakesTheSuffix) {
  const Combination combination{.matrix = {{"s", "large"}}, .suffix = " (large)"};
  const Contexts contexts{.values = {{"matrix", combination.matrix}}};
  EXPECT_EQ(*job_title(job_of("    name: Train model\n"), combination, contexts), "Train model (large)");
  EXPECT_EQ(*job_title(job_of("    name: Train ${{ matrix.s }}\n    strategy: {matrix: {s: [large]}}\n"), combination,
                       contexts),
            "Train large");
  EXPECT_EQ(*job_title(job_of("    name: ${{ matrix.s && '' }}\n    strategy: {matrix: {s: [large]}}\n"), combination,
                       contexts),
            "train (large)");
  const auto title = job_title(job_of("    name: " + std::string(120, 'x') + "\n"), {}, {});
  EXPECT_EQ(title->size(), 100U);
  EXPECT_TRUE(title->ends_with("x..."));
}

TEST(JobPlan, RunsOnTakesItsThreeForms) {
  const Contexts contexts{.values = {{"matrix", json::object{{"os", "linux"}, {"labels", json::array{"a", "b"}}}}}};
  const auto labels = [&](const std::string& value) -> std::string {
    Job job = job_of("    strategy: {matrix: {os: [x], labels: [[x]]}}\n");
    job.runs_on = workflow_of("on: push\njobs: {a: {runs-on: " + value +
                              ", strategy: {matrix: {os: [x], labels: [[x]]}}, steps: [{run: x}]}}\n")
                      .jobs[0]
                      .runs_on;
    const auto placement = runs_on(job, contexts);
    return placement ? fmt::format("{}[{}]", placement->group, fmt::join(placement->labels, ","))
                     : placement.error().message;
  };
  EXPECT_EQ(labels("ubuntu-latest"), "[ubuntu-latest]");
  EXPECT_EQ(labels("[self-hosted, \"${{ matrix.os }}\"]"), "[self-hosted,linux]");
  EXPECT_EQ(labels("\"${{ matrix.labels }}\""), "[a,b]");
  EXPECT_EQ(labels("{group: g, labels: [x]}"), "g[x]");
  EXPECT_EQ(labels("{group: g}"), "g[]");
  EXPECT_EQ(labels("\"${{ matrix.none }}\""),
            "job \"train\": runs-on must be a label, a list of labels or a map with labels, not null");
}

TEST(JobPlan, ValuesAreEvaluatedAndCheckedForTheirKind) {
  const Contexts contexts{.values = {{"vars", json::object{{"m", "30"}, {"bad", "soon"}, {"t", "true"}}}}};
  EXPECT_EQ(*job_timeout(job_of(""), contexts), std::chrono::hours{6});
  EXPECT_EQ(*job_timeout(job_of("    timeout-minutes: 0.5\n"), contexts), std::chrono::seconds{30});
  EXPECT_EQ(*job_timeout(job_of("    timeout-minutes: ${{ vars.m }}\n"), contexts), std::chrono::minutes{30});
  EXPECT_EQ(job_timeout(job_of("    timeout-minutes: ${{ vars.bad }}\n"), contexts).error().message,
            "job \"train\": timeout-minutes must be a number above 0, not \"soon\"");
  EXPECT_FALSE(*job_continue_on_error(job_of(""), contexts));
  EXPECT_TRUE(*job_continue_on_error(job_of("    continue-on-error: ${{ vars.t }}\n"), contexts));
  EXPECT_EQ(job_continue_on_error(job_of("    continue-on-error: ${{ vars.m }}\n"), contexts).error().message,
            "job \"train\": continue-on-error: must be true or false, not \"30\"");
  EXPECT_FALSE(*job_condition(job_of("    if: vars.m == 31\n"), contexts));
}

TEST(JobPlan, ConcurrencyAndEnvironmentAreEvaluated) {
  const Contexts contexts{.values = {{"github", json::object{{"ref", "r"}, {"event_name", "pull_request"}}}}};
  const Job job = job_of(
      "    concurrency: {group: \"g-${{ github.ref }}\", cancel-in-progress: \"${{ github.event_name == 'pull_request' "
      "}}\"}\n"
      "    environment: {name: \"env-${{ github.ref }}\", url: \"${{ steps.a.outputs.u }}\"}\n");
  const auto rule = concurrency(job.concurrency, contexts);
  ASSERT_TRUE(rule && *rule);
  EXPECT_EQ((*rule)->group, "g-r");
  EXPECT_TRUE((*rule)->cancel_in_progress);
  EXPECT_EQ(environment(job, contexts)->name, "env-r");
  EXPECT_EQ(environment(job, contexts)->url, "${{ steps.a.outputs.u }}");
  EXPECT_EQ(environment(job_of(""), contexts)->name, "");
  EXPECT_FALSE(*concurrency(job_of("    concurrency: ${{ github.none }}\n").concurrency, contexts));
  EXPECT_FALSE(*concurrency(std::nullopt, contexts));
}

TEST(JobPlan, EnvOutputsAndDefaultsBecomeText) {
  const Contexts contexts{.values = {{"vars", json::object{{"x", 1.5}}}, {"steps", json::object{}}}};
  const Workflow workflow = workflow_of(
      "on: push\nrun-name: \"R ${{ vars.x }}\"\nenv: {A: \"${{ vars.x }}\", B: true}\ndefaults: {run: {shell: sh, "
      "working-directory: w}}\n"
      "jobs: {a: {runs-on: x, env: \"${{ fromJSON('{\\\"K\\\":[1]}') }}\", defaults: {run: {shell: \"${{ 'bash' "
      "}}\"}}, "
      "outputs: {o: \"v${{ vars.x }}\"}, steps: [{run: x}]}}\n");
  EXPECT_EQ(json::serialize(*evaluate_env(workflow.env, contexts, "env")), R"({"A":"1.5","B":"true"})");
  EXPECT_EQ(evaluate_env(workflow.jobs[0].env, contexts, "env of job \"a\"").error().message,
            "env of job \"a\": \"K\" must be text, not Array");
  EXPECT_EQ(json::serialize(*evaluate_outputs(workflow.jobs[0].outputs, contexts)), R"({"o":"v1.5"})");
  EXPECT_EQ(json::serialize(*run_defaults(workflow, workflow.jobs[0], contexts)),
            R"({"run":{"shell":"bash","working-directory":"w"}})");
  EXPECT_EQ(*run_title(workflow, contexts), "R 1.5");
}

TEST(Graph, JobsComeAfterWhatTheyNeed) {
  const Workflow workflow = workflow_of(
      "on: push\njobs:\n  d: {needs: [b, c], runs-on: x, steps: [{run: x}]}\n  a: {runs-on: x, steps: [{run: x}]}\n"
      "  b: {needs: a, runs-on: x, steps: [{run: x}]}\n  c: {needs: a, runs-on: x, steps: [{run: x}]}\n");
  EXPECT_EQ(topological_order(workflow), (std::vector<std::size_t>{1, 2, 3, 0}));
  EXPECT_EQ(all_needs(workflow, 0), (std::vector<std::size_t>{1, 2, 3}));
  EXPECT_TRUE(all_needs(workflow, 1).empty());
}

TEST(StepJson, StepsSurviveTheWayThroughJson) {
  const Workflow workflow = workflow_of(
      "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - {id: i, name: n, if: always(), run: r, env: {A: 1}, "
      "shell: sh, working-directory: w, "
      "timeout-minutes: 1.5, continue-on-error: true}\n      - {uses: a/b@v1, with: {k: v}}\n      - run: |\n\n        "
      "  echo \"first line\"  \n          second\n");
  const auto array = steps_to_json(workflow.jobs[0].steps);
  for (std::size_t i = 0; i < array.size(); ++i) {
    const auto step = step_from_json(array[i]);
    ASSERT_TRUE(step) << step.error().message;
    EXPECT_EQ(to_json(*step), array[i]);
  }
  EXPECT_EQ(workflow.jobs[0].steps[0].title(), "n");
  EXPECT_EQ(workflow.jobs[0].steps[1].title(), "Run a/b@v1");
  EXPECT_EQ(workflow.jobs[0].steps[2].title(), "Run echo \"first line\"");
  EXPECT_TRUE(workflow.jobs[0].uses_action("A/b"));
  EXPECT_FALSE(workflow.jobs[0].uses_action("a"));
  EXPECT_FALSE(workflow.jobs[0].has_matrix());
  for (const char* bad :
       {"1", "{}", R"({"run":1})", R"({"run":"a","uses":"b"})", R"({"run":"a","with":1})", R"({"run":"a","env":1})"}) {
    EXPECT_FALSE(step_from_json(*parse_json(bad, "step"))) << bad;
  }
}

}  // namespace
}  // namespace weir::workflow
