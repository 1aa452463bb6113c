// What the `github` context says of the step that runs, in real jobs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runner/step_names.h"
#include "runner/test_job.h"

namespace weir::runner {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

void put(const TestJob& job, const std::string& name, std::string_view text) {
  job.folder.write("job/work/" + name, text);
}

std::string composite(std::string_view steps) {
  return fmt::format("name: n\ndescription: d\nruns:\n  using: composite\n  steps:\n{}", steps);
}

TEST(StepNames, AreIdsOrKindsWithNumbers) {
  const auto step = [](const char* key, const char* value) { return json::value{{key, value}}; };
  json::array steps{
      step("run", "a"),
      step("run", "b"),
      {{"run", "c"}, {"id", "train"}},
      step("uses", "actions/cache/restore@v4"),
      step("uses", "Actions/cache@v4"),
      step("uses", "./act"),
      step("uses", "$/act"),
      step("uses", "docker://alpine:3"),
      step("uses", "a.b/my-repo@v1"),
      step("wait", "train"),
      {{"wait-all", true}},
      step("cancel", "train"),
      step("run", "d"),
  };
  EXPECT_THAT(name_steps(steps),
              ElementsAre("__run", "__run_2", "train", "__actions_cache", "__Actions_cache_2", "__self", "__self_2",
                          "__alpine_3", "__a_b_my-repo", "__wait", "__wait-all", "__cancel", "__run_3"));
}

TEST(GithubContext, NamesTheStep) {
  TestJob job;
  job.run_step("echo $GITHUB_ACTION ${{ github.action }} $X", {{"env", {{"X", "${{ github.action }}"}}}});
  job.run_step("echo $GITHUB_ACTION ${{ github.action }}");
  job.run_step("echo $GITHUB_ACTION ${{ github.action }}", {{"id", "own"}, {"if", "github.action == 'own'"}});
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(0), "__run __run __run\n");
  EXPECT_EQ(record.output_of(1), "__run_2 __run_2\n");
  EXPECT_EQ(record.output_of(2), "own own\n");
}

TEST(GithubContext, LeadsToTheStepsFiles) {
  TestJob job;
  job.run_step(
      "echo X=1 >> ${{ github.env }}; echo y=2 >> ${{ github.output }}; echo /added >> ${{ github.path }}; "
      "echo shown >> ${{ github.step_summary }}",
      {{"id", "first"}});
  job.run_step("echo $X ${{ env.X }} ${{ steps.first.outputs.y }} ${PATH%%:*}; echo X=3 >> $FILE",
               {{"env", {{"FILE", "${{ github.env }}"}}}});
  job.run_step(
      "echo $X; test $GITHUB_ENV = ${{ github.env }} && test $GITHUB_OUTPUT = ${{ github.output }} && "
      "test $GITHUB_PATH = ${{ github.path }} && test $GITHUB_STATE = ${{ github.state }} && "
      "test $GITHUB_STEP_SUMMARY = ${{ github.step_summary }}");
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(1), "1 1 2 /added\n") << record.text();
  EXPECT_EQ(record.output_of(2), "3\n");
  EXPECT_EQ(record.conclusion(), "success");
  ASSERT_EQ(record.all("summary").size(), 1U);
  EXPECT_EQ(record.all("summary").front()->at("text").as_string(), "shown\n");
}

TEST(GithubContext, LeadsToTheFilesOfABackgroundStep) {
  TestJob job;
  job.run_step("test $FILE = $GITHUB_OUTPUT; echo x=back >> ${{ github.output }}",
               {{"id", "back"}, {"background", true}, {"env", {{"FILE", "${{ github.output }}"}}}});
  job.run_step("echo x=front >> ${{ github.output }}", {{"id", "front"}});
  job.spec.steps.push_back(json::object{{"wait", json::array{"back"}}});
  job.run_step("echo ${{ steps.back.outputs.x }} ${{ steps.front.outputs.x }}");
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(3), "back front\n") << record.text();
}

TEST(GithubContext, InsideAnActionHasTheOuterNameAndTheActionsState) {
  TestJob job;
  put(job, "act/action.yml",
      composite(
          "    - {run: 'echo $GITHUB_ACTION ${{ github.action }} ${{ github.action_status }}', shell: sh, id: in}\n"
          "    - {run: 'exit 1', shell: sh}\n"
          "    - {run: 'echo $GITHUB_ACTION ${{ github.action_status }}', shell: sh, if: always()}\n"
          "    - {uses: ./deep, if: always()}\n"
          "    - {run: 'echo ${{ github.action_status }}', shell: sh, if: \"failure() && github.action_status == "
          "'failure'\"}\n"));
  put(job, "deep/action.yml",
      composite("    - {run: 'echo $GITHUB_ACTION deep ${{ github.action_status }}', shell: sh, if: always()}\n"));
  job.uses_step("./act", {}, {{"continue-on-error", true}});
  job.uses_step("./act", {}, {{"id", "named"}, {"continue-on-error", true}});
  job.run_step("echo $GITHUB_ACTION [${{ github.action_status }}]");
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(0), "__self __self success\n__self failure\n__self deep success\nfailure\n")
      << record.text();
  EXPECT_THAT(record.output_of(1), HasSubstr("named named success\n"));
  EXPECT_EQ(record.output_of(2), "__run []\n");
}

TEST(GithubContext, NamesTheStepInItsLastProcess) {
  TestJob job;
  put(job, "js/action.yml", "runs: {using: node20, main: m.js, post: m.js}");
  put(job, "js/m.js", "console.log(process.env.GITHUB_ACTION)");
  put(job, "act/action.yml", composite("    - uses: ./js\n      id: inner\n"));
  job.uses_step("./js", {}, {{"id", "j"}});
  job.uses_step("./js");
  job.uses_step("./act", {}, {{"id", "outer"}});
  const JobRecord record = job.run();
  for (const auto& [step, name] :
       {std::pair(0, "j\n"), {1, "__self\n"}, {2, "outer\n"}, {3, "outer\n"}, {4, "__self\n"}, {5, "j\n"}}) {
    EXPECT_EQ(record.output_of(step), name) << step;
  }
}

}  // namespace
}  // namespace weir::runner
