// Steps as GitHub runs them: conditions, environment, shells, outputs, workflow commands, masks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runner/test_job.h"

namespace weir::runner {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(Job, StepsRunInOrderAndTheJournalTellsIt) {
  TestJob job;
  job.run_step("echo one");
  job.run_step("echo two", {{"name", "Second"}});

  const JobRecord record = job.run();

  EXPECT_EQ(job.exit_code, 0);
  EXPECT_EQ(record.conclusion(), "success");
  std::vector<std::string> types;
  std::int64_t sequence = 0;
  for (const auto& entry : record.journal) {
    types.push_back(entry.type);
    EXPECT_EQ(entry.sequence, ++sequence);
  }
  EXPECT_THAT(types, ElementsAre("job_started", "step_started", "step_finished", "step_started", "step_finished",
                                 "job_finished"));
  EXPECT_EQ(record.step(0, "name"), "Run echo one");
  EXPECT_EQ(record.step(1, "name"), "Second");
  EXPECT_EQ(record.output_of(0), "one\n");
  EXPECT_EQ(record.output_of(1), "two\n");
  EXPECT_THAT(record.text(0, "c"), HasSubstr("##[group]Run echo one\necho one\nshell: /"));
}

TEST(Job, AFailureSkipsWhatFollowsButForFailureAndAlways) {
  TestJob job;
  job.run_step("exit 3");
  job.run_step("echo never");
  job.run_step("echo on failure", {{"if", "failure()"}});
  job.run_step("echo anyway", {{"if", "${{ always() }}"}});
  job.run_step("echo cancelled", {{"if", "cancelled()"}});

  const JobRecord record = job.run();

  EXPECT_EQ(job.exit_code, 0) << "the job's failure is not the runner's";
  EXPECT_EQ(record.conclusion(), "failure");
  EXPECT_EQ(record.step(0), "failure");
  EXPECT_EQ(record.step(1), "skipped");
  EXPECT_EQ(record.step(2), "success");
  EXPECT_EQ(record.step(3), "success");
  EXPECT_EQ(record.step(4), "skipped");
  EXPECT_THAT(record.annotations("error"), ElementsAre("Process completed with exit code 3."));
}

TEST(Job, ContinueOnErrorTellsOutcomeFromConclusion) {
  TestJob job;
  job.run_step("false", {{"id", "soft"}, {"continue-on-error", true}});
  job.run_step("echo ${{ steps.soft.outcome }} ${{ steps.soft.conclusion }} ${{ job.status }}");

  const JobRecord record = job.run();

  EXPECT_EQ(record.conclusion(), "success");
  EXPECT_EQ(record.step(0, "outcome"), "failure");
  EXPECT_EQ(record.step(0, "conclusion"), "success");
  EXPECT_EQ(record.output_of(1), "failure success success\n");
}

TEST(Job, EnvironmentsAreLayered) {
  TestJob job;
  job.spec.env = {{"A", "job"}, {"B", "job"}};
  job.run_step("echo $A $B ${{ env.B }}; echo C=added >> $GITHUB_ENV; echo A=changed >> $GITHUB_ENV",
               {{"env", {{"B", "step-${{ env.A }}"}}}});
  job.run_step("echo $A $B $C ${{ env.C }}");

  const JobRecord record = job.run();

  EXPECT_EQ(record.output_of(0), "job step-job step-job\n");
  EXPECT_EQ(record.output_of(1), "changed job added added\n");
}

TEST(Job, DefaultVariablesAreThere) {
  TestJob job;
  job.token = "job-token-123456";
  job.spec.contexts["github"] = {{"actor", "alice"}, {"event_name", "push"}, {"event", {{"after", "abc"}}}};
  job.run_step(
      "echo $CI $GITHUB_ACTIONS $GITHUB_ACTOR $GITHUB_EVENT_NAME $GITHUB_REF_NAME $GITHUB_RUN_ID $GITHUB_JOB\n"
      "echo $GITHUB_REPOSITORY_OWNER $GITHUB_SHA $RUNNER_OS $MLFLOW_TRACKING_URI $WEIR_URL $GIT_PYTHON_REFRESH\n"
      "cat $GITHUB_EVENT_PATH; echo; test \"$PWD\" = \"$GITHUB_WORKSPACE\"; test -d \"$RUNNER_TEMP\"\n"
      "test \"$MLFLOW_TRACKING_TOKEN$WEIR_TOKEN\" = job-token-12345\"\"6job-token-12345\"\"6");

  const JobRecord record = job.run();

  EXPECT_EQ(record.conclusion(), "success") << record.text();
  EXPECT_THAT(record.output_of(0), HasSubstr("true true alice push main 7 train\n"));
  EXPECT_THAT(
      record.output_of(0),
      HasSubstr("local 0123456789012345678901234567890123456789 Linux http://127.0.0.1:9 http://127.0.0.1:9 quiet"));
  EXPECT_THAT(record.output_of(0), HasSubstr("{\"after\":\"abc\"}"));
}

TEST(Job, TheTokenDoesNotGoToAnotherTrackingServer) {
  TestJob job;
  job.token = "job-token-123456";
  job.run_step("echo \"[$MLFLOW_TRACKING_TOKEN]\"", {{"env", {{"MLFLOW_TRACKING_URI", "http://elsewhere"}}}});
  EXPECT_EQ(job.run().output_of(0), "[]\n");
}

TEST(Job, ShellsHaveGithubsFlags) {
  TestJob job;
  job.run_step("false | true; echo plain goes on: $-");
  job.run_step("false | true; echo never", {{"shell", "bash"}, {"continue-on-error", true}});
  job.run_step("case $- in *e*) echo sh with e;; esac", {{"shell", "sh"}});
  job.run_step("import sys; print('python', len(sys.argv))", {{"shell", "python"}});
  job.run_step("ignored", {{"shell", "sed -n s/i/I/p {0}"}});
  job.run_step("x", {{"shell", "fish"}, {"continue-on-error", true}});
  job.run_step("x", {{"shell", "pwsh"}, {"continue-on-error", true}});
  job.run_step("x", {{"shell", "cmd"}, {"continue-on-error", true}});
  job.run_step("x", {{"shell", "cmd"}, {"if", "runner.os == 'Windows'"}});

  const JobRecord record = job.run();

  EXPECT_THAT(record.output_of(0), HasSubstr("plain goes on"));
  EXPECT_EQ(record.step(1, "outcome"), "failure");
  EXPECT_THAT(record.text(1, "c"), HasSubstr("bash --noprofile --norc -eo pipefail {0}"));
  EXPECT_EQ(record.output_of(2), "sh with e\n");
  EXPECT_EQ(record.output_of(3), "python 1\n");
  EXPECT_EQ(record.output_of(4), "Ignored\n");
  EXPECT_THAT(record.text(5, "e"), HasSubstr("Invalid shell option"));
  EXPECT_THAT(record.text(6, "e"), HasSubstr("pwsh"));
  EXPECT_THAT(record.text(7, "e"), HasSubstr("on Windows only"));
  EXPECT_EQ(record.step(8), "skipped");
}

TEST(Job, WorkingDirectoriesAndDefaults) {
  TestJob job;
  job.spec.defaults = {{"run", {{"working-directory", "sub"}, {"shell", "bash"}}}};
  job.run_step("mkdir sub other", {{"working-directory", "."}});
  job.run_step("basename $PWD; set -o | grep pipefail");
  job.run_step("basename $PWD", {{"working-directory", "other"}});
  job.run_step("true", {{"working-directory", "missing"}});

  const JobRecord record = job.run();

  EXPECT_THAT(record.output_of(1), AllOf(HasSubstr("sub\n"), HasSubstr("on\n")));
  EXPECT_EQ(record.output_of(2), "other\n");
  EXPECT_EQ(record.step(3), "failure");
  EXPECT_THAT(record.text(3, "e"), HasSubstr("missing"));
}

TEST(Job, OutputsReachLaterStepsAndTheJob) {
  TestJob job;
  job.spec.outputs = {{"auc", "${{ steps.eval.outputs.auc }}"}, {"none", "${{ steps.eval.outputs.nothing }}"}};
  job.run_step(
      "echo auc=0.71 >> $GITHUB_OUTPUT\n{ echo 'notes<<END'; echo a; echo b; echo END; } >> $GITHUB_OUTPUT\n"
      "echo '::set-output name=old::way'",
      {{"id", "eval"}});
  job.run_step(
      "echo '${{ steps.eval.outputs.auc }} ${{ toJSON(steps.eval.outputs.notes) }} ${{ steps.eval.outputs.old }}'");

  const JobRecord record = job.run();

  EXPECT_EQ(record.output_of(1), "0.71 \"a\\nb\" way\n");
  EXPECT_EQ(record.output("auc"), "0.71");
  EXPECT_EQ(record.output("none"), "<none>");
  EXPECT_THAT(record.annotations("warning"), ElementsAre(HasSubstr("`set-output` command is deprecated")));
}

TEST(Job, PathsAreAddedInFront) {
  TestJob job;
  job.run_step(
      "mkdir -p bin; printf '#!/bin/sh\\necho mine' > bin/git; chmod +x bin/git; echo $PWD/bin >> $GITHUB_PATH");
  job.run_step("git");
  EXPECT_EQ(job.run().output_of(1), "mine\n");
}

TEST(Job, ABrokenOutputFileFailsTheStepAndSaysWhere) {
  TestJob job;
  job.run_step("echo nonsense >> $GITHUB_OUTPUT");
  const JobRecord record = job.run();
  EXPECT_EQ(record.step(0), "failure");
  EXPECT_THAT(record.annotations("error"),
              ElementsAre("Unable to process file command 'output' successfully.", "Invalid format 'nonsense'"));
}

TEST(Job, VariablesOfTheRunnerCannotBeSet) {
  TestJob job;
  job.run_step("printf 'NODE_OPTIONS=x\\nGITHUB_SHA=y\\nRUNNER_OS=z\\nOK=1\\n' >> $GITHUB_ENV");
  job.run_step("echo $OK $RUNNER_OS [$NODE_OPTIONS] ${GITHUB_SHA:0:4}");
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(1), "1 Linux [] 0123\n");
  EXPECT_EQ(record.annotations("error").size(), 3U);
}

TEST(Job, LineCommandsMakeAnnotationsAndGroups) {
  TestJob job;
  job.run_step(
      "echo '::error file=src/a.py,line=3,col=5,title=Bad::it broke'\n"
      "echo '::warning::careful'\necho '::notice::fyi'\necho '::debug::hidden'\n"
      "echo '::group::Inside'\necho x\necho '::endgroup::'\necho '::unknown::y'");
  const JobRecord record = job.run();
  EXPECT_EQ(record.conclusion(), "success") << "an error annotation fails nothing";
  const auto notes = record.all("annotation");
  ASSERT_EQ(notes.size(), 3U);
  EXPECT_EQ(json_string_or(*notes[0], "file", ""), "src/a.py");
  EXPECT_EQ(json_int(*notes[0], "line"), 3);
  EXPECT_EQ(json_int(*notes[0], "col"), 5);
  EXPECT_EQ(json_string_or(*notes[0], "title", ""), "Bad");
  EXPECT_THAT(record.text(0, "ce"), HasSubstr("##[error]it broke\n##[warning]careful\n##[notice]fyi\n##[group]Inside\n"
                                              "##[endgroup]\n"));
  EXPECT_EQ(record.output_of(0), "x\n::unknown::y\n");
}

TEST(Job, ProblemMatchersMakeAnnotationsOfLines) {
  TestJob job;
  job.run_step(
      R"(mkdir -p sub/src; touch sub/src/a.py src.py; cat > m.json <<'END'
{"problemMatcher": [{"owner": "lint", "severity": "warning", "fromPath": "sub/setup.cfg",
  "pattern": [{"regexp": "^(\\S+):(\\d+):(\\d+): ([A-Z]\\d+) (.*)$", "file": 1, "line": 2, "column": 3, "code": 4, "message": 5}]}]}
END
echo "::add-matcher::m.json"; printf 'src/a.py:3:5: E1 \033[31mtoo long\033[0m\n'; echo "gone.py:1:1: E2 nowhere")");
  job.run_step(
      "echo 'src/a.py:4:1: E3 later'; echo '::remove-matcher owner=lint::'; echo 'src/a.py:5:1: E4 not any more'");
  job.run_step("echo '::add-matcher::absent.json'", {{"continue-on-error", true}});
  const JobRecord record = job.run();
  const auto notes = record.all("annotation");
  ASSERT_GE(notes.size(), 3U) << record.text();
  EXPECT_EQ(json_string_or(*notes[0], "level", ""), "warning");
  EXPECT_EQ(json_string_or(*notes[0], "file", ""), "sub/src/a.py");
  EXPECT_EQ(json_int(*notes[0], "line"), 3);
  EXPECT_EQ(json_int(*notes[0], "col"), 5);
  EXPECT_EQ(json_string_or(*notes[0], "code", ""), "E1");
  EXPECT_EQ(json_string_or(*notes[0], "message", ""), "too long");
  EXPECT_THAT(record.text(0, "c"), HasSubstr("##[warning]src/a.py:3:5: E1 too long"));
  EXPECT_EQ(json_string_or(*notes[1], "message", ""), "nowhere");
  EXPECT_FALSE(notes[1]->contains("file")) << "there is no such file";
  EXPECT_EQ(json_int(*notes[2], "line"), 4);
  EXPECT_EQ(record.output_of(1), "src/a.py:5:1: E4 not any more\n");
  EXPECT_EQ(record.step(2, "outcome"), "failure");
}

TEST(Job, MessagesOfSeveralLinesStayWhole) {
  TestJob job;
  job.run_step("echo '::error title=Two::one%0Atwo'");
  EXPECT_THAT(job.run().annotations("error"), ElementsAre("one\ntwo"));
}

TEST(Job, DebugLinesShowWhenAskedFor) {
  TestJob job;
  job.secrets["ACTIONS_STEP_DEBUG"] = "true";
  job.run_step("echo '::debug::shown'; echo $RUNNER_DEBUG");
  const JobRecord record = job.run();
  EXPECT_THAT(record.text(0, "c"), HasSubstr("##[debug]shown"));
  EXPECT_EQ(record.output_of(0), "1\n");
}

TEST(Job, CommandsCanBeStoppedAndEchoed) {
  TestJob job;
  job.run_step(
      "echo '::stop-commands::pause-token-1'\necho '::error::not one'\necho '::pause-token-1::'\n"
      "echo '::error::one'\necho '::echo::on'\necho '::set-output name=a::1'");
  const JobRecord record = job.run();
  EXPECT_THAT(record.annotations("error"), ElementsAre("one"));
  EXPECT_THAT(record.output_of(0), HasSubstr("::error::not one\n"));
  EXPECT_THAT(record.output_of(0), HasSubstr("::set-output name=a::1\n"));
}

TEST(Job, DisabledCommandsFailTheStep) {
  TestJob job;
  job.run_step("echo '::set-env name=A::1'", {{"continue-on-error", true}});
  job.run_step("echo '::add-path::/x'", {{"continue-on-error", true}});
  job.run_step("echo '::set-env name=A::1'", {{"env", {{"ACTIONS_ALLOW_UNSECURE_COMMANDS", "true"}}}});
  job.run_step("echo A=$A");
  const JobRecord record = job.run();
  EXPECT_EQ(record.step(0, "outcome"), "failure");
  EXPECT_EQ(record.step(1, "outcome"), "failure");
  EXPECT_THAT(record.text(0, "e"), HasSubstr("The `set-env` command is disabled"));
  EXPECT_EQ(record.output_of(3), "A=1\n");
}

TEST(Job, SecretsAreNowhere) {
  TestJob job;
  job.secrets = {{"KEY", "sw0rdfish-99"}};
  job.token = "tok-abcdefghij";
  job.spec.outputs = {{"leak", "${{ secrets.KEY }}"}, {"fine", "ok"}};
  job.run_step(
      "echo ${{ secrets.KEY }}; printf sw0rd; sleep 0.05; echo fish-99; echo -n ${{ secrets.KEY }} | base64\n"
      "echo \"::error::${{ secrets.KEY }}\"; echo out=${{ secrets.KEY }} >> $GITHUB_OUTPUT\n"
      "echo \"summary ${{ secrets.KEY }}\" >> $GITHUB_STEP_SUMMARY; echo $WEIR_TOKEN\n"
      "echo ::add-mask::later-secret; echo later-secret\necho K=${{ secrets.KEY }} >> $GITHUB_ENV",
      {{"id", "s"}, {"name", "Use ${{ secrets.KEY }}"}});
  job.run_step("test \"${{ steps.s.outputs.out }}\" = sw0rd\"\"fish-99 && echo same");

  const JobRecord record = job.run();

  EXPECT_EQ(record.output_of(1), "same\n") << "steps still see it";
  const std::string log = job.folder.read("job/log.txt");
  const std::string journal = job.folder.read("job/journal.jsonl");
  for (const char* secret : {"sw0rdfish-99", "c3cwcmRmaXNoLTk5", "tok-abcdefghij", "later-secret"}) {
    if (std::string_view(secret) != "later-secret") EXPECT_THAT(log, Not(HasSubstr(secret)));
    EXPECT_THAT(journal, Not(HasSubstr(secret)));
  }
  EXPECT_EQ(record.output("leak"), "<none>");
  EXPECT_EQ(record.output("fine"), "ok");
  EXPECT_THAT(record.annotations("warning"), ElementsAre("Skip output 'leak' since it may contain secret."));
}

TEST(Job, TheEnvironmentsUrlIsToldUnlessItHoldsASecret) {
  TestJob job;
  job.secrets = {{"KEY", "sw0rdfish-99"}};
  job.spec.environment_url = "https://example.com/${{ steps.s.outputs.place }}";
  job.run_step("echo place=home >> $GITHUB_OUTPUT", {{"id", "s"}});
  EXPECT_EQ(job.run().finished("environment_url"), "https://example.com/home");

  TestJob leaking;
  leaking.secrets = job.secrets;
  leaking.spec.environment_url = "https://example.com/${{ secrets.KEY }}";
  leaking.run_step("true");
  const JobRecord record = leaking.run();
  EXPECT_EQ(record.finished("environment_url"), "");
  EXPECT_THAT(record.annotations("warning"), ElementsAre("Skip the environment's url since it may contain a secret."));
}

TEST(Job, SummariesAreRecordedAndLimited) {
  TestJob job;
  job.run_step("echo '# Title' >> $GITHUB_STEP_SUMMARY; echo '| a |' >> $GITHUB_STEP_SUMMARY");
  job.run_step("head -c 1100000 /dev/zero | tr '\\0' x >> $GITHUB_STEP_SUMMARY");
  const JobRecord record = job.run();
  ASSERT_EQ(record.all("summary").size(), 1U);
  EXPECT_EQ(json_string_or(*record.all("summary")[0], "text", ""), "# Title\n| a |\n");
  EXPECT_THAT(record.annotations("error"), ElementsAre(HasSubstr("$GITHUB_STEP_SUMMARY upload aborted")));
  EXPECT_EQ(record.conclusion(), "success");
}

TEST(Job, OutputIsOrderedReadableAndBounded) {
  TestJob job;
  job.run_step(
      "echo a; echo b >&2; echo c\nprintf '10%%\\r50%%\\r100%%\\n'\nprintf 'bad \\xff\\n'\n"
      "head -c 200000 /dev/zero | tr '\\0' y; echo; printf 'no newline'");
  const JobRecord record = job.run();
  const std::string text = record.output_of(0);
  EXPECT_TRUE(text.starts_with("a\nb\nc\n100%\nbad \xEF\xBF\xBD\n"));
  EXPECT_THAT(text, HasSubstr("[line too long: 134464 more bytes left out]"));
  EXPECT_TRUE(text.ends_with("no newline\n"));
}

TEST(Job, AConditionThatCannotBeEvaluatedFailsTheStep) {
  TestJob job;
  job.run_step("echo never", {{"if", "fromJSON('{') == 1"}});
  job.run_step("echo ${{ fromJSON('nope') }}", {{"if", "always()"}});
  const JobRecord record = job.run();
  EXPECT_EQ(record.step(0), "failure");
  EXPECT_EQ(record.step(1), "failure");
  EXPECT_THAT(record.output_of(0), IsEmpty());
}

TEST(Job, HashFilesLooksIntoTheWorkspace) {
  TestJob job;
  job.run_step("echo numpy > requirements.txt");
  job.run_step("echo '${{ hashFiles('requirements.txt') }}'");
  const std::string hash = job.run().output_of(1);
  EXPECT_EQ(hash.size(), 65U);
}

TEST(Job, ABackgroundProcessDoesNotHoldUpTheStepAndIsEndedWithTheJob) {
  TestJob job;
  job.run_step("(for i in $(seq 600); do sleep 0.1; echo beat; done) & echo $! > pid; echo started");
  job.run_step("kill -0 $(cat pid) && echo alive; sleep 0.3");
  const auto begin = std::chrono::steady_clock::now();
  const JobRecord record = job.run();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{20});
  EXPECT_THAT(record.output_of(1), HasSubstr("alive"));
  EXPECT_THAT(record.text(-1), HasSubstr("Terminate orphan process"));
}

TEST(Job, AJobRunsOnceOnly) {
  TestJob job;
  job.run_step("true");
  job.run();
  EXPECT_EQ(job.exit_code, 0);
  job.run();
  EXPECT_EQ(job.exit_code, 1);
}

TEST(Job, VariablesForActionsStayOutOfScriptsButForTheIdToken) {
  TestJob job;
  job.actions = {{"ACTIONS_RUNTIME_TOKEN", "runtime-secret"},
                 {"ACTIONS_ID_TOKEN_REQUEST_TOKEN", "request-secret"},
                 {"ACTIONS_ID_TOKEN_REQUEST_URL", "http://127.0.0.1:9/id?x=1"}};
  job.run_step("env | grep ^ACTIONS_ | sort; echo runtime-secret ${#ACTIONS_ID_TOKEN_REQUEST_TOKEN}");
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(0),
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN=***\nACTIONS_ID_TOKEN_REQUEST_URL=http://127.0.0.1:9/id?x=1\n*** 14\n");
}

TEST(Job, AnActionThatCannotBeHadIsRefusedByNameBeforeTheFirstStep) {
  TestJob job;
  job.run_step("echo an hour of training");
  job.uses_step("someone/something@v2");
  const JobRecord record = job.run();
  EXPECT_EQ(record.conclusion(), "failure");
  EXPECT_THAT(record.text(), Not(HasSubstr("training")));
  EXPECT_THAT(record.annotations("error"), ElementsAre(HasSubstr("`uses: someone/something@v2` cannot be had here")));
}

TEST(Job, AnActionThatCannotBeHadMattersWhenItsStepIsReachedIfThatIsNotCertain) {
  TestJob job;
  job.uses_step("someone/something@v2", {}, {{"if", "github.event_name == 'pull_request'"}});
  job.uses_step("someone/other@v2", {}, {{"continue-on-error", true}});
  job.run_step("echo between");
  job.uses_step("someone/last@v2", {}, {{"if", "always()"}});
  const JobRecord record = job.run();
  EXPECT_EQ(record.step(0), "skipped");
  EXPECT_EQ(record.step(1), "success");
  EXPECT_EQ(record.step(2), "success");
  EXPECT_EQ(record.step(3), "failure");
  EXPECT_THAT(record.annotations("error"),
              ElementsAre(HasSubstr("someone/other@v2"), HasSubstr("`uses: someone/last@v2` cannot be had here")));
}

}  // namespace
}  // namespace weir::runner
