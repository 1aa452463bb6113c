#include <gtest/gtest.h>

#include "workflow/plan.h"
#include "workflow/trigger.h"
#include "workflow/workflow.h"

namespace weir::workflow {
namespace {

// Reads the whole language, also what nothing runs yet.
ParseResult read(std::string_view text) {
  return parse_workflow(text, "w.yml", {.refuse_unbuilt = false});
}

Workflow workflow_of(std::string_view text) {
  auto result = read(text);
  EXPECT_TRUE(result.workflow) << lint_text(result, text);
  return result.workflow ? std::move(*result.workflow) : Workflow{};
}

Workflow steps_of(std::string_view steps) {
  return workflow_of("on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n" + std::string(steps));
}

std::vector<std::string> problems_of(std::string_view text) {
  std::vector<std::string> out;
  for (const auto& problem : read(text).diagnostics) out.push_back(problem.message);
  return out;
}

std::vector<std::string> problems_of_steps(std::string_view steps) {
  return problems_of("on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n" + std::string(steps));
}

using Texts = std::vector<std::string>;

TEST(Language, EveryEventKeepsItsFilters) {
  const auto on = workflow_of(R"(
on:
  push: {branches: [main], tags-ignore: [v0*], paths: ['src/**']}
  pull_request_target: {types: [labeled], paths-ignore: ['**.md']}
  release: {types: published}
  repository_dispatch: {types: [retrain, any thing]}
  workflow_run: {workflows: [build, "Test all"], types: [completed], branches: [main]}
  image_version: {names: [cuda], versions: ['1.*']}
  gollum:
  schedule: [{cron: '0 2 * * 1', timezone: Europe/Berlin}, {cron: '0 3 * * *'}]
jobs: {a: {runs-on: x, steps: [{run: x}]}}
)")
                      .on;
  EXPECT_EQ(on.names(), (Texts{"push", "pull_request_target", "release", "repository_dispatch", "workflow_run",
                               "image_version", "gollum", "schedule"}));
  EXPECT_TRUE(on.find("push")->types.empty());
  EXPECT_EQ(on.find("pull_request_target")->types, Texts{"labeled"});
  EXPECT_EQ(on.find("release")->types, Texts{"published"});
  EXPECT_EQ(on.find("repository_dispatch")->types, (Texts{"retrain", "any thing"}));
  EXPECT_EQ(on.find("workflow_run")->workflows, (Texts{"build", "Test all"}));
  EXPECT_EQ(on.find("image_version")->versions, Texts{"1.*"});
  EXPECT_EQ(on.schedule[0].timezone, "Europe/Berlin");
  EXPECT_EQ(on.schedule[1].timezone, "");
  EXPECT_FALSE(on.listens("workflow_call"));
}

TEST(Language, EventsMatchByActivityBranchPathAndWorkflow) {
  const auto on = workflow_of(R"(
on:
  pull_request_target: {branches: [main], paths: ['src/**']}
  release: {types: [published, released]}
  repository_dispatch:
  workflow_run: {workflows: [build, 'test-*'], branches: ['rel/**']}
  merge_group: {branches: [main]}
  workflow_call:
jobs: {a: {runs-on: x, steps: [{run: x}]}}
)")
                      .on;
  const auto answer = [&](const TriggerInfo& info) {
    const auto match = matches(on, info);
    return (match.matched ? "yes: " : "no: ") + match.reason;
  };
  EXPECT_EQ(answer({.event = "pull_request_target", .base_ref = "main", .action = "opened"}),
            "yes: pull request target to main");
  EXPECT_EQ(answer({.event = "pull_request_target", .base_ref = "main", .action = "labeled"}),
            "no: the activity \"labeled\" is not in types (opened, synchronize, reopened)");
  EXPECT_EQ(answer({.event = "pull_request_target", .base_ref = "main", .changed_paths = {{"README.md"}}}),
            "no: no changed file is in paths (src/**)");
  EXPECT_EQ(answer({.event = "release", .action = "published"}), "yes: release published");
  EXPECT_EQ(answer({.event = "release", .action = "edited"}),
            "no: the activity \"edited\" is not in types (published, released)");
  EXPECT_EQ(answer({.event = "repository_dispatch", .action = "retrain"}), "yes: repository dispatch retrain");
  EXPECT_EQ(answer({.event = "workflow_run", .ref = "refs/heads/rel/1", .action = "completed", .workflow = "build"}),
            "yes: workflow run completed of build on rel/1");
  EXPECT_EQ(answer({.event = "workflow_run", .ref = "refs/heads/rel/1", .workflow = "test-all"}),
            "yes: workflow run of test-all on rel/1");
  EXPECT_EQ(answer({.event = "workflow_run", .ref = "refs/heads/rel/1", .workflow = "deploy"}),
            "no: deploy is not in workflows (build, test-*)");
  EXPECT_FALSE(matches(workflow_of("on: workflow_run\njobs: {a: {runs-on: x, steps: [{run: x}]}}").on,
                       {.event = "workflow_run", .ref = "refs/heads/main", .workflow = "build"})
                   .matched);
  EXPECT_EQ(answer({.event = "workflow_run", .ref = "refs/heads/main", .workflow = "build"}),
            "no: main is not in branches (rel/**)");
  EXPECT_EQ(answer({.event = "merge_group", .base_ref = "refs/heads/main"}), "yes: merge group to main");
  EXPECT_EQ(answer({.event = "workflow_call"}), "yes: called by a workflow");
  EXPECT_EQ(answer({.event = "fork"}), "no: fork does not start it");
}

TEST(Language, EventsTakeTheKeysThatGitHubGivesThem) {
  const auto on = [](const std::string& event) {
    return problems_of("on:\n  " + event + "\njobs: {a: {runs-on: x, steps: [{run: x}]}}");
  };
  EXPECT_EQ(on("gollum: {types: [created]}"), Texts{"the event \"gollum\" takes no keys"});
  EXPECT_EQ(on("release: {branches: [main]}"), Texts{"unknown key \"branches\" in release"});
  EXPECT_EQ(on("release: {types: [publish]}"), Texts{"unknown activity \"publish\" of release"});
  EXPECT_EQ(on("repository_dispatch: {types: one}"), Texts{"\"types\" of repository_dispatch must be a list"});
  EXPECT_EQ(on("relase:"), Texts{"unknown event \"relase\""});
  EXPECT_EQ(on("workflow_call: {inputs: {a: {required: true}}}"), Texts{"input \"a\" needs the key \"type\""});
}

TEST(Language, AReusableWorkflowDeclaresWhatGoesInAndOut) {
  const auto workflow = workflow_of(R"(
on:
  workflow_call:
    inputs:
      epochs: {type: number, default: 3, description: how long}
      who: {type: string, default: '${{ github.actor }}', required: false}
    secrets: {token: {required: true}, other: }
    outputs: {metric: {description: it, value: '${{ jobs.a.outputs.metric }}'}}
jobs: {a: {runs-on: x, steps: [{run: 'echo ${{ inputs.epochs }}'}]}}
)");
  const auto& call = *workflow.on.call;
  EXPECT_EQ(call.find("EPOCHS")->type, InputType::kNumber);
  EXPECT_EQ(call.find("who")->default_value, "${{ github.actor }}");
  EXPECT_TRUE(call.find_secret("token")->required);
  EXPECT_FALSE(call.find_secret("other")->required);
  EXPECT_EQ(call.outputs[0].value, "${{ jobs.a.outputs.metric }}");
}

TEST(Language, AJobCallsAWorkflow) {
  const auto workflow = workflow_of(R"(
on: push
jobs:
  all: {uses: ./.github/workflows/train.yml, with: {epochs: 3, fast: true, n: '${{ 1 }}'}, secrets: inherit}
  some: {uses: o/r/.github/workflows/x.yaml@v1, needs: all, secrets: {token: '${{ secrets.T }}'}, if: always()}
)");
  const Job& all = workflow.jobs[0];
  EXPECT_TRUE(all.calls_workflow());
  EXPECT_TRUE(all.inherit_secrets);
  EXPECT_EQ(json::serialize(all.with), R"({"epochs":3,"fast":true,"n":"${{ 1 }}"})");
  EXPECT_EQ(json::serialize(workflow.jobs[1].secrets), R"({"token":"${{ secrets.T }}"})");
  EXPECT_EQ(problems_of("on: push\njobs: {a: {uses: ./.github/workflows/x.yml, runs-on: x, steps: []}}"),
            (Texts{"unknown key \"runs-on\" in job \"a\"", "unknown key \"steps\" in job \"a\""}));
  EXPECT_EQ(problems_of("on: push\njobs: {a: {uses: $/.github/workflows/x.yml}}"), Texts{});
  for (const char* path : {"./x.yml", "o/r/.github/workflows/x.yml", "./.github/workflows/x.yml@v1", "x",
                           "$/.github/workflows/x.yml@v1", "$/x.yml"}) {
    EXPECT_EQ(problems_of(std::string("on: push\njobs: {a: {uses: ") + path + "}}").size(), 1) << path;
  }
}

TEST(Language, NeedsNameJobsWithoutRegardToCase) {
  const auto workflow = workflow_of(
      "on: push\njobs: {build: {runs-on: x, steps: [{run: x}]}, b: {needs: [Build], runs-on: x, steps: [{run: x}]}}");
  EXPECT_EQ(workflow.jobs[1].needs, Texts{"build"}) << "as the job calls itself";
  EXPECT_EQ(topological_order(workflow), (std::vector<std::size_t>{0, 1}));
  EXPECT_EQ(problems_of("on: push\njobs: {a: {needs: A, runs-on: x, steps: [{run: x}]}}"),
            Texts{"jobs wait for each other: a needs a"});
}

TEST(Language, ShellsOfWindowsAreLeftToTheStepsThatRun) {
  const auto shell = [](const std::string& name) {
    const auto result = parse_workflow(
        "on: push\njobs: {a: {runs-on: x, steps: [{run: x, if: \"runner.os == 'Windows'\", shell: " + name + "}]}}",
        "w.yml");
    EXPECT_TRUE(result.workflow) << name;
    Texts out;
    for (const auto& problem : result.diagnostics) out.push_back(problem.message);
    return out;
  };
  const std::string rest = "is there on Windows only: a step with it fails unless its \"if\" leaves it out";
  EXPECT_EQ(shell("cmd"), Texts{"the shell \"cmd\" " + rest});
  EXPECT_EQ(shell("powershell"), Texts{"the shell \"powershell\" " + rest});
  EXPECT_EQ(problems_of_steps("      - {run: x, shell: fish}\n").size(), 1);
}

TEST(Language, ContainersServicesAndTheRestOfAJobAreKept) {
  const Job job = workflow_of(R"(
on: push
jobs:
  a:
    runs-on: x
    container:
      image: python:3.12
      env: {A: '${{ github.sha }}', B: 1}
      ports: [80, '${{ 1 }}']
      volumes: [/a:/b]
      options: --cpus 1
      credentials: {username: u, password: '${{ secrets.P }}'}
    services:
      db: {image: postgres, command: --x, entrypoint: e}
      cache: redis
    environment: {name: prod, url: 'http://x', deployment: false}
    concurrency: {group: g, queue: max}
    cancel-timeout-minutes: 2
    steps: [{run: x}]
)")
                      .jobs[0];
  EXPECT_EQ(json::serialize(job.container),
            R"({"image":"python:3.12","options":"--cpus 1","ports":["80","${{ 1 }}"],"volumes":["/a:/b"],)"
            R"("env":{"A":"${{ github.sha }}","B":"1"},"credentials":{"username":"u","password":"${{ secrets.P }}"}})");
  EXPECT_EQ(json::serialize(job.services),
            R"({"db":{"image":"postgres","entrypoint":"e","command":"--x"},"cache":"redis"})");
  EXPECT_EQ(job.environment->deployment, json::value(false));
  EXPECT_EQ(job.concurrency->queue, "max");
  EXPECT_EQ(json::serialize(job.cancel_timeout_minutes), "2");
}

TEST(Language, BackgroundStepsKeepTheirKind) {
  const auto steps = steps_of(R"(      - {run: serve, id: server, background: true}
      - {uses: ./load, id: load, background: true}
      - {wait: [server, load], name: both, continue-on-error: true}
      - wait: load
      - wait-all:
      - cancel: server
)")
                         .jobs[0]
                         .steps;
  EXPECT_TRUE(steps[0].background);
  EXPECT_EQ(steps[2].wait, (Texts{"server", "load"}));
  EXPECT_EQ(steps[2].kind(), StepKind::kWait);
  EXPECT_EQ(steps[2].title(), "both");
  EXPECT_EQ(steps[3].title(), "Wait");
  EXPECT_EQ(steps[4].kind(), StepKind::kWaitAll);
  EXPECT_EQ(steps[5].kind(), StepKind::kCancel);
  for (const auto& step : steps) {
    const auto again = step_from_json(to_json(step));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(to_json(*again), to_json(step));
  }
}

TEST(Language, ParallelStepsBecomeBackgroundStepsAndAWait) {
  const auto steps = steps_of(R"(      - parallel:
        - run: one
        - {run: two, id: second}
      - parallel: [{uses: ./x}]
      - run: 'echo ${{ steps.second.outputs.x }}'
)")
                         .jobs[0]
                         .steps;
  ASSERT_EQ(steps.size(), 6);
  EXPECT_EQ(steps[0].id, "__parallel1_1");
  EXPECT_TRUE(steps[0].background);
  EXPECT_EQ(steps[1].id, "second");
  EXPECT_EQ(steps[2].id, "__parallel1");
  EXPECT_EQ(steps[2].wait, (Texts{"__parallel1_1", "second"}));
  EXPECT_EQ(steps[2].title(), "Parallel group");
  EXPECT_EQ(steps[4].wait, Texts{"__parallel2_1"});
}

TEST(Language, StepsThatCannotBeAreNamed) {
  EXPECT_EQ(problems_of_steps("      - wait: x\n"), Texts{"no step before step 1 of job \"a\" has the id \"x\""});
  EXPECT_EQ(problems_of_steps("      - {run: x, id: a}\n      - wait: a\n"),
            Texts{"the step \"a\" does not run in the background, so it has ended here"});
  EXPECT_EQ(problems_of_steps("      - {wait-all: , if: always()}\n"),
            Texts{"step 1 of job \"a\" has \"wait-all\", and so no \"if\""});
  EXPECT_EQ(problems_of_steps("      - {run: x, background: '${{ true }}'}\n"),
            Texts{"\"background\" of step 1 of job \"a\" must be true or false, not a string"});
  EXPECT_EQ(problems_of_steps("      - parallel: [{parallel: [{run: x}]}, {wait-all: }]\n"),
            (Texts{"a group of parallel steps cannot stand in another one",
                   "\"wait-all\" cannot stand in a group of parallel steps"}));
  EXPECT_EQ(problems_of_steps("      - {parallel: [{run: x}], if: always()}\n"),
            Texts{"unknown key \"if\" in step 1 of job \"a\""});
}

TEST(Language, WhatNoMachineCanDoIsRefusedByName) {
  const auto result =
      parse_workflow("on: push\njobs: {a: {runs-on: x, snapshot: {image-name: i}, steps: [{run: x}]}}", "w.yml");
  ASSERT_EQ(result.diagnostics.size(), 1);
  EXPECT_EQ(result.diagnostics[0].rule, "not-supported");
  EXPECT_EQ(result.diagnostics[0].message,
            "\"snapshot\" makes an image of a virtual machine, which no machine of weir's is");
}

TEST(Language, PermissionsHaveTheLevelsOfTheirScope) {
  const auto permissions = [](const std::string& text) {
    return problems_of("on: push\npermissions: " + text + "\njobs: {a: {runs-on: x, steps: [{run: x}]}}");
  };
  EXPECT_TRUE(permissions("{contents: write, id-token: write, models: read, vulnerability-alerts: none}").empty());
  EXPECT_TRUE(permissions("{}").empty());
  EXPECT_TRUE(permissions("read-all").empty());
  EXPECT_EQ(permissions("{id-token: read}"),
            Texts{"the permission \"id-token\" must be \"write\" or \"none\", not \"read\""});
  EXPECT_EQ(permissions("{models: write}"),
            Texts{"the permission \"models\" must be \"read\" or \"none\", not \"write\""});
  EXPECT_EQ(permissions("{metadata: read}"), Texts{"unknown permission \"metadata\""});
  EXPECT_EQ(permissions("").size(), 1);
}

}  // namespace
}  // namespace weir::workflow
