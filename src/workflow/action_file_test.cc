#include "workflow/action_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::workflow {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string problems(std::string_view text) {
  const auto parsed = parse_action(text, "action.yml");
  EXPECT_EQ(parsed.action.has_value(), !text::has_errors(parsed.diagnostics));
  return text::render_all(parsed.diagnostics, text);
}

TEST(ActionFile, ReadsAJavaScriptAction) {
  const auto parsed = parse_action(R"(
name: Greet
description: Says ${{ whatever }} to people
author: someone
branding: {icon: x, color: y}
inputs:
  who-to-greet:
    description: Use ${{ secrets.NAME }}
    required: true
    default: ${{ github.actor }}
  times: {default: 3, deprecationMessage: use count}
  bare:
outputs:
  time: {description: when, value: ignored here}
runs:
  using: node20
  main: dist/index.js
  pre: dist/pre.js
  post: dist/post.js
  post-if: success() || failure()
)",
                                   "action.yml");
  ASSERT_TRUE(parsed.action) << text::render_all(parsed.diagnostics, "");
  const auto& action = *parsed.action;
  EXPECT_EQ(action.kind, ActionKind::kNode);
  EXPECT_EQ(action.node_version, 20);
  EXPECT_EQ(action.main, "dist/index.js");
  EXPECT_EQ(action.pre_if, "always()");
  EXPECT_EQ(action.post_if, "success() || failure()");
  ASSERT_EQ(action.inputs.size(), 3U);
  EXPECT_TRUE(action.inputs[0].required);
  EXPECT_EQ(action.inputs[0].fallback, "${{ github.actor }}");
  EXPECT_EQ(action.find_input("TIMES")->fallback, "3");
  EXPECT_EQ(action.find_input("times")->deprecation, "use count");
  EXPECT_EQ(action.find_input("none"), nullptr);
  EXPECT_EQ(action.outputs.at(0).name, "time");
}

TEST(ActionFile, ReadsACompositeAction) {
  const auto parsed = parse_action(R"(
name: Train
description: d
inputs:
  data: {description: d}
outputs:
  auc: {value: "${{ steps.fit.outputs.auc }}"}
runs:
  using: Composite
  steps:
    - id: fit
      if: inputs.data != '' && always()
      run: python fit.py
      shell: bash
      working-directory: ${{ github.action_path }}
      env: {A: "${{ inputs.data }}"}
      continue-on-error: true
    - uses: actions/cache@v4
      with: {path: x, key: "${{ hashFiles('*.txt') }}"}
)",
                                   "action.yml");
  ASSERT_TRUE(parsed.action) << text::render_all(parsed.diagnostics, "");
  ASSERT_EQ(parsed.action->steps.size(), 2U);
  EXPECT_EQ(parsed.action->steps[0].shell, "bash");
  EXPECT_EQ(parsed.action->steps[0].condition, "inputs.data != '' && always()");
  EXPECT_EQ(parsed.action->steps[1].uses, "actions/cache@v4");
  EXPECT_EQ(parsed.action->outputs.at(0).value, "${{ steps.fit.outputs.auc }}");
}

TEST(ActionFile, ReadsAContainerAction) {
  const auto parsed = parse_action(R"(
name: n
description: d
inputs: {who: {default: x}}
runs:
  using: docker
  image: docker://alpine:3
  entrypoint: /run.sh
  args: ["-v", "${{ inputs.who }}"]
  env: {LEVEL: "${{ inputs.who }}"}
  post-entrypoint: /after.sh
)",
                                   "action.yml");
  ASSERT_TRUE(parsed.action) << text::render_all(parsed.diagnostics, "");
  EXPECT_EQ(parsed.action->kind, ActionKind::kDocker);
  EXPECT_EQ(parsed.action->image, "docker://alpine:3");
  EXPECT_THAT(parsed.action->args, ElementsAre("-v", "${{ inputs.who }}"));
  EXPECT_EQ(parsed.action->post_entrypoint, "/after.sh");
}

TEST(ActionFile, SaysWhatIsWrongAndWhere) {
  EXPECT_THAT(problems("name: n\n"), HasSubstr("action.yml:1:1: error: an action needs \"runs\""));
  EXPECT_THAT(problems("runs:\n  main: x\n"), HasSubstr("using"));
  EXPECT_THAT(problems("runs:\n  using: node18\n  main: x\n"), HasSubstr("2:10: error: \"using\" is \"node18\""));
  EXPECT_THAT(problems("runs:\n  using: node20\n"), HasSubstr("main"));
  EXPECT_THAT(problems("runs:\n  using: node20\n  main: x\n  image: y\n"), HasSubstr("unknown key \"image\""));
  EXPECT_THAT(problems("runs:\n  using: composite\n"), HasSubstr("steps"));
  EXPECT_THAT(problems("- a\n"), HasSubstr("must be a map"));
  const auto step = [](std::string_view text) {
    return problems(fmt::format("runs:\n  using: composite\n  steps:\n    - {}\n", text));
  };
  EXPECT_THAT(step("run: x"), HasSubstr("shell"));
  EXPECT_THAT(step("{run: x, shell: sh, uses: a/b@c}"), HasSubstr("either \"run\" or \"uses\""));
  EXPECT_THAT(step("{run: x, shell: sh, timeout-minutes: 3}"), HasSubstr("unknown key \"timeout-minutes\""));
  EXPECT_THAT(step("{run: x, shell: sh, background: true}"), HasSubstr("inside a composite action"));
  EXPECT_THAT(step("{run: 'echo ${{ secrets.A }}', shell: sh}"), HasSubstr("secrets"));
  EXPECT_THAT(step("{run: x, shell: sh, if: foo() }"), HasSubstr("unknown function \"foo\""));
  EXPECT_THAT(step("{run: x, shell: sh, id: __a }"), HasSubstr("__a"));
  EXPECT_THAT(problems("inputs: {a: {default: '${{ inputs.b }}'}}\nruns: {using: node20, main: x}\n"),
              HasSubstr("inputs"));
}

}  // namespace
}  // namespace weir::workflow
