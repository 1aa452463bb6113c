#include "workflow/rules.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace weir::workflow {
namespace {

RuleOptions all_rules() {
  RuleOptions options{.rules = {}, .is_builtin = [](std::string_view action) { return action == "actions/checkout"; }};
  for (const auto& rule : lint_rules()) options.rules.emplace(rule.name);
  return options;
}

// "line:column rule" of each finding.
std::vector<std::string> findings(std::string_view text, const RuleOptions& options = all_rules()) {
  std::vector<std::string> out;
  for (const auto& found : check_rules(text, "w.yml", options)) {
    EXPECT_EQ(found.severity, text::Severity::kWarning);
    out.push_back(fmt::format("{}:{} {}", found.line + 1, found.column + 1, found.rule));
  }
  return out;
}

using Texts = std::vector<std::string>;

Texts in_script(const std::string& expression, const std::string& step = "run") {
  return findings("on: push\npermissions: {}\njobs:\n  a:\n    runs-on: x\n    steps:\n      - " + step +
                  ": echo ${{ " + expression + " }}\n");
}

TEST(Rules, WhatStrangersWriteIsFoundInScripts) {
  for (const char* unsafe : {"github.event.issue.title", "github.event.pull_request.body", "github.event.comment.body",
                             "github.head_ref", "github.event.commits[0].message", "github.event.commits.*.author.name",
                             "github.event.head_commit.message", "github.event.pull_request.head.ref",
                             "toJSON(github.event)", "toJSON(github)", "GitHub['event']['issue'].title",
                             "format('{0}', github.event.review.body)", "github.event.pages[0].page_name"}) {
    EXPECT_EQ(in_script(unsafe).size(), 1) << unsafe;
  }
  for (const char* safe : {"github.sha", "github.event.pull_request.number", "github.event.pull_request.head.sha",
                           "inputs.x", "github.event.inputs.x", "github.event.repository.full_name", "github.actor",
                           "matrix.x", "github.event.pull_request.base.ref", "github.event.pull_request.user.login",
                           "github.event.comment.author_association", "github.event.workflow_run.run_started_at",
                           "github.event.workflow_run.artifacts_url", "github.event.workflow_run.name",
                           "github.event.client_payload.model", "github.event.release.tag_name",
                           "github.event.label.name", "github.event.pull_request.labels.*.name", "github.event.ref"}) {
    EXPECT_EQ(in_script(safe), Texts{}) << safe;
  }
}

TEST(Rules, EventsThatNeverHappenHereAreFound) {
  const auto on = [](const std::string& text) {
    return findings("on: " + text + "\npermissions: {}\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n");
  };
  EXPECT_EQ(on("[push, discussion]"), Texts{"1:12 silent-event"});
  EXPECT_EQ(on("watch"), Texts{"1:5 silent-event"});
  EXPECT_EQ(on("{pull_request: {types: [labeled, enqueued]}}"), Texts{"1:38 silent-event"});
  EXPECT_EQ(on("{merge_group: , issues: {types: opened}}"), Texts{"1:6 silent-event"});
  EXPECT_EQ(on("{repository_dispatch: {types: [whatever]}, pull_request: , release: , create: }"), Texts{});
}

TEST(Rules, AFindingPointsAtThePartThatIsUnsafe) {
  EXPECT_EQ(in_script("github.sha }} ${{ github.head_ref"), Texts{"7:41 script-injection"});
  EXPECT_EQ(
      findings("on: push\npermissions: {}\njobs:\n  a:\n    runs-on: x\n    steps:\n      - run: |\n          one\n"
               "          echo ${{ github.head_ref }}\n"),
      Texts{"9:20 script-injection"});
  EXPECT_EQ(findings("on: push\npermissions: {}\njobs:\n  a:\n    runs-on: x\n    steps:\n"
                     "      - uses: actions/github-script@" +
                     std::string(40, 'a') +
                     "\n        with: {script: 'x(${{ github.event.issue.title }})', other: '${{ github.head_ref }}'}\n"
                     "      - parallel: [{run: '${{ github.head_ref }}'}]\n"),
            (Texts{"8:31 script-injection", "9:31 script-injection"}));
}

TEST(Rules, AVariableIsTheWayOut) {
  EXPECT_EQ(findings("on: push\npermissions: {}\njobs: {a: {runs-on: x, steps: [{run: 'echo \"$T\"', env: {T: '${{ "
                     "github.event.issue.title }}'}}]}}\n"),
            Texts{});
}

TEST(Rules, WhatOthersCanMoveIsNamed) {
  const auto uses = [](const std::string& text) {
    const auto found =
        findings("on: push\npermissions: {}\njobs: {a: {runs-on: x, steps: [{uses: '" + text + "'}]}}\n");
    return found.empty() ? "" : found[0].substr(found[0].find(' ') + 1);
  };
  EXPECT_EQ(uses("octo/act@main"), "mutable-action");
  EXPECT_EQ(uses("octo/act@release/next"), "mutable-action");
  EXPECT_EQ(uses("octo/act@v1"), "unpinned-action");
  EXPECT_EQ(uses("octo/act@1.2.3"), "unpinned-action");
  EXPECT_EQ(uses("octo/act@release/v1"), "unpinned-action");
  EXPECT_EQ(uses("octo/act@" + std::string(40, '0')), "");
  EXPECT_EQ(uses("actions/checkout@v4"), "") << "it is built in";
  EXPECT_EQ(uses("./here"), "");
  EXPECT_EQ(uses("docker://alpine"), "mutable-action");
  EXPECT_EQ(uses("docker://alpine:latest"), "mutable-action");
  EXPECT_EQ(uses("docker://localhost:5000/alpine"), "mutable-action");
  EXPECT_EQ(uses("docker://alpine:3"), "unpinned-action");
  EXPECT_EQ(uses("docker://localhost:5000/alpine:3"), "unpinned-action");
  EXPECT_EQ(uses("docker://alpine@sha256:0"), "");
  EXPECT_EQ(findings("on: push\npermissions: {}\njobs:\n  a: {uses: o/r/.github/workflows/x.yml@main}\n"
                     "  b: {runs-on: x, container: alpine, services: {db: {image: pg:16}}, steps: [{run: x}]}\n"),
            (Texts{"4:13 mutable-action", "5:30 mutable-action", "5:61 unpinned-action"}));
}

TEST(Rules, RightsThatAreTooWideAreNamed) {
  const auto with = [](const std::string& permissions, const std::string& jobs) {
    return findings("on: push\n" + permissions + "jobs:\n" + jobs);
  };
  const std::string one = "  a: {runs-on: x, steps: [{run: x}]}\n";
  const std::string two = one + "  b: {runs-on: x, steps: [{run: x}]}\n";
  EXPECT_EQ(with("permissions: write-all\n", one), Texts{"2:14 wide-permissions"});
  EXPECT_EQ(with("permissions: {contents: write}\n", one), Texts{}) << "it is for one job";
  EXPECT_EQ(with("permissions: {contents: write, issues: read}\n", two), Texts{"2:15 wide-permissions"});
  EXPECT_EQ(with("permissions: read-all\n", two), Texts{});
  EXPECT_EQ(with("", one), Texts{"1:1 missing-permissions"});
  EXPECT_EQ(with("", "  a: {runs-on: x, permissions: {}, steps: [{run: x}]}\n"), Texts{});
  EXPECT_EQ(with("", "  a: {runs-on: x, permissions: write-all, steps: [{run: x}]}\n"), Texts{"3:32 wide-permissions"});
}

TEST(Rules, ForeignCodeWithRightsIsNamed) {
  const auto checkout = [](const std::string& on, const std::string& ref) {
    return findings("on: " + on +
                    "\npermissions: {}\njobs: {a: {runs-on: x, steps: [{uses: actions/checkout@v4, with: {ref: '" +
                    ref + "'}}]}}\n");
  };
  const std::string head = "${{ github.event.pull_request.head.sha }}";
  EXPECT_EQ(checkout("pull_request_target", head), Texts{"3:72 foreign-checkout"});
  EXPECT_EQ(checkout("[push, pull_request_target]", head).size(), 1);
  EXPECT_EQ(checkout("{workflow_run: {workflows: [x]}}", "${{ github.event.workflow_run.head_branch }}").size(), 1);
  EXPECT_EQ(checkout("pull_request", head), Texts{});
  EXPECT_EQ(checkout("pull_request_target", "main"), Texts{});
}

TEST(Rules, CommentsAndSwitchesSilenceThem) {
  const std::string file =
      "on: push\npermissions: {}\njobs:\n  a:\n    runs-on: x\n    steps:\n"
      "      - run: echo ${{ github.head_ref }} # weir: ignore script-injection\n"
      "      # weir: ignore mutable-action\n"
      "      - uses: o/a@main\n"
      "      - uses: o/b@main\n";
  EXPECT_EQ(findings(file), Texts{"10:15 mutable-action"});
  auto options = all_rules();
  options.rules.erase("mutable-action");
  EXPECT_EQ(findings(file, options), Texts{});
  EXPECT_FALSE(default_rules().contains("missing-permissions"));
  EXPECT_FALSE(default_rules().contains("unpinned-action")) << "most workflows name versions by tags";
}

TEST(Rules, CachesOfRunsThatAnybodyCanStart) {
  const auto found = [](const std::string& on, const std::string& of_workflow, const std::string& of_job) {
    return findings("on: " + on + "\npermissions: {}\n" + of_workflow + "jobs:\n  a:\n    runs-on: x\n" + of_job +
                    "    steps: [{run: x}]\n");
  };
  EXPECT_EQ(found("[push, pull_request_target]", "cache-mode: write\n", ""), (Texts{"3:13 shared-cache"}));
  EXPECT_EQ(found("issue_comment", "", "    cache-mode: write-only\n"), (Texts{"6:17 shared-cache"}));
  EXPECT_EQ(found("{workflow_run: {workflows: [x]}}", "", "    cache-mode: write\n"), (Texts{"6:17 shared-cache"}));
  for (const char* own : {"push", "pull_request", "schedule: [{cron: '0 0 * * *'}]", "release", "workflow_dispatch"}) {
    const std::string on = std::string_view(own).find(':') == std::string_view::npos ? own : fmt::format("{{{}}}", own);
    EXPECT_EQ(found(on, "cache-mode: write\n", ""), Texts{}) << own;
  }
  EXPECT_EQ(found("issue_comment", "cache-mode: read\n", "    cache-mode: none\n"), Texts{});
}

}  // namespace
}  // namespace weir::workflow
