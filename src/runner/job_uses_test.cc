// Actions of the workspace and of other repositories, in real jobs with a real node.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include <set>

#include "io/descriptor.h"
#include "runner/remote_action.h"
#include "runner/test_job.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// A file of the workspace, there before the job starts.
void put(const TestJob& job, const std::string& name, std::string_view text) {
  job.folder.write("job/work/" + name, text);
}

void shell(const fs::path& folder, const std::string& script) {
  io::ProcessOptions options;
  options.argv = {
      "bash", "-ec",
      "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b\n" + script};
  options.working_dir = folder;
  const auto out = io::run_checked(std::move(options));
  ASSERT_TRUE(out.has_value()) << out.error().message;
}

// The rest of `steps:`, indented as it must be.
std::string composite(std::string_view head, std::string_view steps) {
  return fmt::format("name: n\ndescription: d\n{}\nruns:\n  using: composite\n  steps:\n{}", head, steps);
}

TEST(Composite, HasInputsStepsAndOutputsOfItsOwn) {
  TestJob job;
  put(job, "act/action.yml",
      composite("inputs:\n  who: {default: \"${{ github.actor }}\"}\n  times: {default: 2}\n"
                "outputs:\n  said: {value: \"${{ steps.say.outputs.said }}-${{ inputs.times }}\"}",
                "    - id: say\n      shell: bash\n      run: |\n"
                "        echo \"hello ${{ inputs.who }} [${{ steps.outer.outputs.x }}] $LEVEL $OWN\"\n"
                "        echo said=hi >> $GITHUB_OUTPUT; echo LATER=1 >> $GITHUB_ENV\n"
                "      env: {OWN: \"o${{ env.LEVEL }}\"}\n"
                "    - shell: sh\n      working-directory: act\n"
                "      run: 'pwd; echo later $LATER; test \"$GITHUB_ACTION_PATH\" = \"${{ github.action_path }}\"; ls "
                "$GITHUB_ACTION_PATH'\n"));
  job.spec.contexts["github"] = {{"actor", "alice"}};
  job.run_step("echo x=secret >> $GITHUB_OUTPUT", {{"id", "outer"}});
  job.uses_step("./act", {{"times", 3}}, {{"id", "act"}, {"env", {{"LEVEL", "l"}}}});
  job.run_step(
      "echo ${{ steps.act.outputs.said }} [${{ steps.say.outputs.said }}] [${{ inputs.who }}] $LATER [$LEVEL]");
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(1),
            fmt::format("hello alice [] l ol\n{}\nlater 1\naction.yml\n", (job.folder / "job/work/act").string()))
      << record.text();
  EXPECT_EQ(record.output_of(2), "hi-3 [] [] 1 []\n");
  EXPECT_EQ(record.step(1, "name"), "Run ./act");
  EXPECT_THAT(record.text(1, "c"),
              HasSubstr("##[group]Run ./act\nwith:\n  times: 3\n  who: alice\nenv:\n  LEVEL: l\n"));
}

TEST(Composite, FailuresInsideAreItsOwn) {
  TestJob job;
  put(job, "act/action.yaml",
      composite("",
                "    - {run: exit 1, shell: sh, continue-on-error: true, id: soft}\n"
                "    - {run: 'echo ${{ steps.soft.outcome }} ${{ steps.soft.conclusion }}', shell: sh}\n"
                "    - {run: exit 2, shell: sh}\n"
                "    - {run: echo never, shell: sh}\n"
                "    - {run: 'echo inner failure ${{ job.status }}', shell: sh, if: failure()}\n"
                "    - {run: echo always, shell: sh, if: always()}\n"));
  job.uses_step("./act", {}, {{"continue-on-error", true}});
  job.run_step("echo ${{ job.status }}");
  job.run_step("exit 1");
  // Inside, what failed outside does not count.
  put(job, "good/action.yml",
      composite("", "    - {run: echo runs, shell: sh}\n    - {run: echo not, shell: sh, if: failure()}\n"));
  job.uses_step("./good", {}, {{"if", "failure()"}});
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(0), "failure success\ninner failure success\nalways\n") << record.text();
  EXPECT_EQ(record.step(0, "outcome"), "failure");
  EXPECT_EQ(record.step(0), "success");
  EXPECT_EQ(record.output_of(1), "success\n");
  EXPECT_EQ(record.output_of(3), "runs\n");
  EXPECT_EQ(record.step(3), "success");
}

TEST(Composite, TheJobsDefaultsDoNotReachIntoIt) {
  TestJob job;
  job.spec.defaults = {{"run", {{"working-directory", "act"}}}};
  put(job, "act/action.yml", composite("", "    - {run: 'basename $PWD', shell: sh}\n"));
  job.uses_step("./act");
  EXPECT_EQ(job.run().output_of(0), "work\n");
}

TEST(Composite, NestsTenDeepAndNoDeeper) {
  TestJob job;
  for (int i = 1; i <= 11; ++i) {
    put(job, fmt::format("a{}/action.yml", i),
        composite("", fmt::format("    - {{run: echo level {}, shell: sh}}\n    - uses: ./a{}\n", i, i + 1)));
  }
  put(job, "a12/action.yml", composite("", "    - {run: echo end, shell: sh}\n"));
  job.uses_step("./a3");
  job.uses_step("./a2");
  const JobRecord record = job.run();
  EXPECT_EQ(record.step(0), "success") << record.text();
  EXPECT_EQ(record.step(1), "failure");
  EXPECT_THAT(record.annotations("error"), ElementsAre(HasSubstr("more than 10 actions deep")));
}

TEST(Composite, TheStepsTimeAndTheJobsCancellationReachInside) {
  TestJob job;
  put(job, "act/action.yml",
      composite("",
                "    - {run: 'echo begun; sleep 600', shell: sh}\n"
                "    - {run: echo never, shell: sh, if: always()}\n"));
  job.uses_step("./act", {}, {{"timeout-minutes", 0.005}, {"continue-on-error", true}, {"name", "Slow"}});
  job.uses_step("./act");
  job.start();
  TestJob::wait_until([&] { return job.look().output_of(1) == "begun\n"; }, "the second action");
  job.signal(SIGTERM);
  const JobRecord record = job.finish();
  EXPECT_EQ(record.output_of(0), "begun\n");
  EXPECT_THAT(record.annotations("error"), testing::Contains("The action 'Slow' has timed out after 0.005 minutes."));
  EXPECT_EQ(record.step(0, "outcome"), "failure");
  EXPECT_EQ(record.step(1), "cancelled");
  EXPECT_EQ(record.output_of(1), "begun\nnever\n") << "always() runs after a cancellation, inside too";
}

TEST(LocalAction, IsReadWhenItsStepIsReachedAndProblemsAreShown) {
  TestJob job;
  const json::object soft{{"continue-on-error", true}};
  job.uses_step("./late", {}, soft);
  job.run_step("mkdir late; printf 'runs: {using: composite, steps: [{run: echo here, shell: sh}]}' > late/action.yml");
  job.uses_step("./late", {{"odd", 1}});
  job.run_step("printf 'runs:\\n  using: nodejs\\n' > late/action.yml");
  job.uses_step("./late", {}, soft);
  const JobRecord record = job.run();
  const auto errors = record.annotations("error");
  ASSERT_EQ(errors.size(), 2U) << record.text();
  EXPECT_THAT(errors[0], HasSubstr("Can't find 'action.yml', 'action.yaml' or 'Dockerfile' under './late'"));
  EXPECT_EQ(record.output_of(2), "here\n");
  EXPECT_THAT(record.annotations("warning"), ElementsAre("Unexpected input(s) 'odd', valid inputs are []"));
  EXPECT_THAT(errors[1], HasSubstr("./late/action.yml:2:10: error: \"using\" is \"nodejs\""));
}

TEST(LocalAction, MayBeTheOneOfTheRunsCommit) {
  TestJob job;
  const fs::path repository = job.folder / "repository";
  fs::create_directories(repository / "act");
  job.folder.write("repository/act/action.yml",
                   composite("", "    - {run: echo as committed, shell: sh}\n    - uses: $/other\n"));
  job.folder.write("repository/other/action.yml", composite("", "    - {run: echo beside it, shell: sh}\n"));
  shell(repository, "git init -q -b main .; git add .; git commit -qm one");
  io::ProcessOptions options;
  options.argv = {"git", "-C", repository.string(), "rev-parse", "HEAD"};
  job.spec.git_dir = (repository / ".git").string();
  job.spec.commit = io::run_checked(std::move(options)).value_or("").substr(0, 40);
  put(job, "act/action.yml", composite("", "    - {run: echo changed, shell: sh}\n"));
  job.uses_step("$/act");
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(0), "as committed\nbeside it\n") << record.text();
  EXPECT_THAT(record.text(0, "c"), HasSubstr("Run $/act"));
}

constexpr std::string_view kEcho = R"js(
const fs = require('fs');
const say = (name, text) => fs.appendFileSync(process.env[name], text + '\n');
console.log('main', process.env['INPUT_WHO-TO'], process.env.INPUT_TWO_WORDS, process.env.STATE_from_pre || '-');
console.log(process.env.GITHUB_ACTION, process.cwd() === process.env.GITHUB_WORKSPACE, process.env.LEVEL);
say('GITHUB_OUTPUT', 'time=noon'); say('GITHUB_STATE', 'kept=it'); say('GITHUB_ENV', 'FROM_ACTION=1');
console.log('::save-state name=old::way');
if (process.env.INPUT_FAIL === 'yes') { console.log('::error::no luck'); process.exit(3); }
)js";
constexpr std::string_view kPost =
    "console.log('post', process.env.STATE_kept, process.env.STATE_old, process.env['INPUT_WHO-TO'], "
    "process.env.STATE_from_pre || '-');";

void put_node_action(const TestJob& job, const std::string& folder, std::string_view more = "") {
  put(job, folder + "/action.yml",
      fmt::format("name: n\ndescription: d\ninputs:\n  who-to: {{default: world}}\n  two words: {{default: x y}}\n"
                  "  fail: {{deprecationMessage: do not}}\n"
                  "runs:\n  using: node20\n  main: dist/main.js\n  post: dist/post.js\n{}",
                  more));
  put(job, folder + "/dist/main.js", kEcho);
  put(job, folder + "/dist/post.js", kPost);
}

TEST(NodeAction, RunsWithItsInputsAndItsPostComesLast) {
  TestJob job;
  put_node_action(job, "act");
  job.uses_step("./act", {{"who-to", "${{ github.job }} ${{ job.status }}"}},
                {{"id", "js"}, {"env", {{"LEVEL", "l"}}}});
  job.run_step("echo ${{ steps.js.outputs.time }} $FROM_ACTION [$INPUT_FAIL] [$STATE_kept]; exit 1");
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(0), "main train success x y -\njs true l\n") << record.text();
  EXPECT_EQ(record.output_of(1), "noon 1 [] []\n");
  EXPECT_EQ(record.step(2, "name"), "Post Run ./act");
  EXPECT_EQ(record.output_of(2), "post it way train failure -\n") << "inputs are evaluated again";
}

TEST(NodeAction, PostsRunInReverseAlsoOfWhatFailedAndAsTheirConditionSays) {
  TestJob job;
  put_node_action(job, "one");
  put_node_action(job, "two", "  post-if: success()\n");
  put_node_action(job, "three");
  put(job, "both/action.yml",
      composite("inputs: {name: {}}", "    - uses: ./one\n      with: {who-to: \"inner of ${{ inputs.name }}\"}\n"));
  job.uses_step("./one", {{"who-to", "first"}});
  job.uses_step("./two");
  job.uses_step("./both", {{"name", "both"}});
  job.uses_step("./three", {{"who-to", "last"}, {"fail", "yes"}});
  const JobRecord record = job.run();
  EXPECT_EQ(record.step(3), "failure");
  EXPECT_THAT(record.annotations("error"), ElementsAre("no luck")) << "it said so itself";
  EXPECT_THAT(record.annotations("warning"),
              testing::Contains("Input 'fail' has been deprecated with message: do not"));
  EXPECT_EQ(record.output_of(4), "post it way last -\n");
  EXPECT_EQ(record.output_of(5), "post it way inner of both -\n");
  EXPECT_EQ(record.step(6), "skipped");
  EXPECT_EQ(record.output_of(7), "post it way first -\n");
}

TEST(NodeAction, ItsVariablesAreThoseOfActions) {
  TestJob job;
  job.actions = {{"ACTIONS_RUNTIME_TOKEN", "runtime-secret"}, {"ACTIONS_RESULTS_URL", "http://127.0.0.1:9/"}};
  put(job, "act/action.yml", "runs: {using: node16, main: m.js}");
  put(job, "act/m.js",
      "const e = process.env; console.log(e.ACTIONS_RESULTS_URL, e.ACTIONS_RUNTIME_TOKEN.length, e.GITHUB_ACTION, "
      "'[' + e.GITHUB_ACTION_REPOSITORY + ']', Number(process.versions.node.split('.')[0]) >= 20)");
  job.uses_step("./act");
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(0), "http://127.0.0.1:9/ 14 __self [] true\n") << record.text();
  EXPECT_THAT(record.text(0, "c"), HasSubstr("asks for node16"));
}

TEST(NodeAction, ASilentFailureAndAMissingFileAreNamed) {
  TestJob job;
  const json::object soft{{"continue-on-error", true}};
  put(job, "act/action.yml", "runs: {using: node20, main: m.js}");
  put(job, "act/m.js", "process.exit(4)");
  put(job, "gone/action.yml", "runs: {using: node20, main: m.js}");
  job.uses_step("./act", {}, soft);
  job.uses_step("./gone", {}, soft);
  EXPECT_THAT(job.run().annotations("error"), ElementsAre("./act ended with exit code 4", HasSubstr("File not found")));
}

TEST(NodeAction, CanBeCancelled) {
  TestJob job;
  put(job, "act/action.yml", "runs: {using: node20, main: m.js, post: p.js}");
  put(job, "act/m.js", "console.log('waiting'); setTimeout(() => {}, 600000);");
  put(job, "act/p.js", "console.log('cleaned')");
  job.uses_step("./act");
  job.start();
  job.wait_for("waiting");
  job.signal(SIGTERM);
  const JobRecord record = job.finish();
  EXPECT_EQ(record.step(0), "cancelled");
  EXPECT_EQ(record.output_of(1), "cleaned\n");
}

// A folder of repositories that stands for the internet.
class RemoteAction : public ::testing::Test {
 protected:
  RemoteAction() { use(job_); }
  void use(TestJob& job) const {
    job.spec.actions_dir = (world_ / "cache").string();
    job.spec.actions_url = fmt::format("file://{}", (world_ / "mirror").string());
  }
  // Commits the files below `name` and tags them.
  void publish(const std::string& name, const std::string& tag) const {
    shell(world_ / "mirror" / name,
          fmt::format("test -d .git || git init -q -b main .; git add -A; git commit -qm {0}; "
                      "git tag -f {0} > /dev/null",
                      tag));
  }
  void write(const std::string& name, std::string_view text) const { world_.write("mirror/" + name, text); }
  [[nodiscard]] std::string commit_of(const std::string& name) const {
    io::ProcessOptions options;
    options.argv = {"git", "-C", (world_ / "mirror" / name).string(), "rev-parse", "HEAD"};
    const auto out = io::run_checked(std::move(options));
    return out ? out->substr(0, 40) : "";
  }
  void publish_greeting(std::string_view greeting, const std::string& tag) const {
    write("me/greet/action.yml",
          composite("inputs: {name: {default: you}}", fmt::format("    - {{run: 'echo {} ${{{{ inputs.name }}}}; cat "
                                                                  "$GITHUB_ACTION_PATH/text', shell: sh}}\n",
                                                                  greeting)));
    write("me/greet/text", "text\n");
    write("me/greet/sub/action.yml", "runs: {using: node20, main: ../main.js}");
    write(
        "me/greet/main.js",
        "console.log(process.env.GITHUB_ACTION, process.env.GITHUB_ACTION_REPOSITORY, process.env.GITHUB_ACTION_REF)");
    publish("me/greet", tag);
  }

  io::TestFolder world_;
  TestJob job_;
};

TEST_F(RemoteAction, IsTakenFromTheBaseAddressByTagBranchAndCommit) {
  publish_greeting("hello", "v1");
  const std::string first = commit_of("me/greet");
  publish_greeting("welcome", "v2");
  job_.uses_step("me/greet@v1", {{"name", "A"}});
  job_.uses_step("me/greet@main", {{"name", "B"}});
  job_.uses_step("Me/greet@" + first, {}, {{"if", "always()"}});
  job_.uses_step("me/greet/sub@v2");
  TestJob other;
  use(other);
  other.uses_step("me/greet@" + first);
  const JobRecord none = other.run();
  EXPECT_EQ(none.output_of(0), "hello you\ntext\n") << none.text();
  const JobRecord record = job_.run();
  EXPECT_EQ(record.output_of(0), "hello A\ntext\n") << record.text();
  EXPECT_EQ(record.output_of(1), "welcome B\ntext\n");
  EXPECT_EQ(record.step(2), "failure") << "names of folders have their case here";
  EXPECT_THAT(record.text(-1), HasSubstr("Action me/greet@v1 (SHA:" + first + ")"));
}

TEST_F(RemoteAction, JavaScriptKnowsWhereItCameFrom) {
  publish_greeting("hello", "v1");
  job_.uses_step("me/greet/sub@v1");
  const JobRecord record = job_.run();
  EXPECT_EQ(record.output_of(0), "__me_greet me/greet v1\n") << record.text();
}

TEST_F(RemoteAction, ATagIsAskedForEachTimeAndUsedAsLastSeenWhereNobodyAnswers) {
  publish_greeting("hello", "v1");
  job_.uses_step("me/greet@v1");
  EXPECT_EQ(job_.run().output_of(0), "hello you\ntext\n");
  publish_greeting("moved", "v1");
  TestJob second;
  use(second);
  second.uses_step("me/greet@v1");
  EXPECT_EQ(second.run().output_of(0), "moved you\ntext\n");

  fs::rename(world_ / "mirror", world_ / "away");
  TestJob third;
  use(third);
  third.uses_step("me/greet@v1");
  third.uses_step("me/other@v1", {}, {{"if", "always()"}});
  const JobRecord record = third.run();
  EXPECT_EQ(record.output_of(0), "moved you\ntext\n") << record.text();
  EXPECT_THAT(record.annotations("warning"), ElementsAre(HasSubstr("is used as it was last seen")));
  EXPECT_THAT(record.annotations("error"), ElementsAre(HasSubstr("--actions-url")));
  EXPECT_EQ(record.step(1), "failure");
}

TEST_F(RemoteAction, WhatWasUsedLongestAgoGoesWhenThereIsTooMuch) {
  for (const char* name : {"me/old", "me/held", "me/new"}) {
    write(std::string(name) + "/action.yml", composite("", "    - {run: echo here, shell: sh}\n"));
    write(std::string(name) + "/weight", std::string(200'000, 'x'));
    publish(name, "v1");
    job_.uses_step(std::string(name) + "@v1");
  }
  EXPECT_EQ(job_.run().output_of(2), "here\n");
  const fs::path base = *fs::directory_iterator(world_ / "cache");
  const auto kept = [&] {
    std::set<std::string> names;
    for (const auto& item : fs::directory_iterator(base / "me")) names.insert(item.path().filename());
    return names;
  };
  const auto used_at = [&](const char* name, std::chrono::hours ago) {
    fs::last_write_time(base / "me" / name / "used", fs::file_time_type::clock::now() - ago);
  };
  used_at("old", std::chrono::hours{3});
  used_at("held", std::chrono::hours{2});
  // What a fetch leaves that is killed.
  fs::create_directories(base / "me/new/trees/.draft");
  fs::create_directories(world_ / "cache/.gone-1/half");
  const std::atomic<bool> stop = false;
  EXPECT_EQ(trim_fetched(world_ / "cache", 1 << 30, stop).value(), 0);
  EXPECT_EQ(kept(), (std::set<std::string>{"held", "new", "old"}));
  EXPECT_FALSE(fs::exists(base / "me/new/trees/.draft"));
  EXPECT_FALSE(fs::exists(world_ / "cache/.gone-1"));
  {
    const io::Descriptor user(::open((base / "me/held/used").c_str(), O_RDWR | O_CLOEXEC));
    ASSERT_EQ(::flock(user.get(), LOCK_SH), 0);
    EXPECT_GT(trim_fetched(world_ / "cache", 1'000, stop).value(), 400'000);
    EXPECT_EQ(kept(), (std::set<std::string>{"held"})) << "a job is at work with it";
  }
  EXPECT_GT(trim_fetched(world_ / "cache", 1'000, stop).value(), 200'000);
  EXPECT_THAT(kept(), IsEmpty());
  TestJob again;
  use(again);
  again.uses_step("me/held@v1");
  EXPECT_EQ(again.run().output_of(0), "here\n");
}

TEST_F(RemoteAction, WhatCannotBeHadFailsItsStepOnlyAndSaysWhatToDo) {
  publish_greeting("hello", "v1");
  const json::object soft{{"continue-on-error", true}};
  job_.uses_step("me/greet@v9", {}, soft);
  job_.uses_step("me/none@v1", {}, {{"if", "false"}});
  for (const char* uses : {"me/greet@--upload-pack=touch${IFS}x", "me/../greet@v1", "-o/x@v1", "me/greet/../x@v1",
                           "greet@v1", "me/greet", "me/greet@a..b"}) {
    job_.uses_step(uses, {}, soft);
  }
  job_.run_step("echo goes on");
  const JobRecord record = job_.run();
  const auto errors = record.annotations("error");
  ASSERT_EQ(errors.size(), 8U) << record.text();
  EXPECT_THAT(errors[0], HasSubstr("has neither a branch nor a tag \"v9\""));
  EXPECT_THAT(errors[1], HasSubstr("has a version that no branch, tag or commit can have"));
  EXPECT_THAT(errors[2], HasSubstr("names no repository"));
  EXPECT_EQ(record.step(1), "skipped");
  EXPECT_EQ(record.output_of(9), "goes on\n");
}

TEST_F(RemoteAction, IsNamedToTheStepThatUsesIt) {
  write("me/say/action.yml",
        "inputs: {text: {default: \"${{ github.action_ref }}\"}, more: {}}\n"
        "runs: {using: node20, main: m.js}");
  write("me/say/m.js", "console.log(process.env.INPUT_TEXT, process.env.INPUT_MORE)");
  publish("me/say", "v1");
  job_.uses_step("me/say@v1", {{"more", "${{ github.action_repository }}"}});
  job_.run_step("echo [${{ github.action_repository }}${{ github.action_ref }}]");
  const JobRecord record = job_.run();
  EXPECT_EQ(record.output_of(0), "v1 me/say\n") << record.text();
  EXPECT_EQ(record.output_of(1), "[]\n");
}

TEST_F(RemoteAction, CompositeOnesBringTheirOwn) {
  publish_greeting("hello", "v1");
  write("me/outer/action.yml",
        composite("", "    - uses: me/greet@v1\n      with: {name: inner}\n    - uses: $/part\n"));
  write("me/outer/part/action.yml",
        composite("", "    - {run: 'echo part of ${{ github.action_repository }}', shell: sh}\n"));
  publish("me/outer", "v3");
  put(job_, "local/action.yml", composite("", "    - uses: me/outer@v3\n"));
  job_.uses_step("./local");
  const JobRecord record = job_.run();
  EXPECT_EQ(record.output_of(0),
            "Action me/outer@v3 (SHA:" + commit_of("me/outer") + ")\nAction me/greet@v1 (SHA:" + commit_of("me/greet") +
                ")\nAction me/outer/part@v3 (SHA:" + commit_of("me/outer") + ")\nhello inner\ntext\npart of me/outer\n")
      << record.text();
}

TEST_F(RemoteAction, PreRunsBeforeTheFirstStepAndSharesItsState) {
  write("me/js/action.yml",
        "inputs: {who-to: {default: w}, two words: {default: t}}\n"
        "runs: {using: node20, pre: pre.js, main: main.js, post: post.js, pre-if: \"runner.os == 'Linux'\"}");
  write("me/js/pre.js",
        "require('fs').appendFileSync(process.env.GITHUB_STATE, 'from_pre=p\\n'); console.log('pre', "
        "process.env['INPUT_WHO-TO'])");
  write("me/js/main.js", kEcho);
  write("me/js/post.js", kPost);
  publish("me/js", "v1");
  job_.run_step("echo first");
  job_.uses_step("me/js@v1", {{"who-to", "${{ github.job }}"}});
  job_.uses_step("me/js@v1", {}, {{"if", "false"}});
  const JobRecord record = job_.run();
  const auto starts = record.all("step_started");
  ASSERT_EQ(starts.size(), 7U) << record.text();
  EXPECT_EQ(json_string_or(*starts[0], "name", ""), "Pre Run me/js@v1");
  EXPECT_EQ(record.output_of(3), "pre train\n");
  EXPECT_THAT(record.output_of(1), HasSubstr("main train t p\n"));
  EXPECT_EQ(record.step(2), "skipped");
  EXPECT_EQ(record.output_of(6), "post it way train p\n");
  EXPECT_EQ(record.output_of(5), "post undefined undefined w p\n") << "it began, so it ends too";
}

TEST_F(RemoteAction, FilesAreNotChangedForTheNextJob) {
  publish_greeting("hello", "v1");
  job_.uses_step("me/greet@v1");
  job_.run();
  for (const auto& item : fs::recursive_directory_iterator(world_ / "cache")) {
    if (item.path().filename() != "text") continue;
    EXPECT_EQ(item.status().permissions() & fs::perms::owner_write, fs::perms::none);
  }
}

TEST(ProvidedAction, SetupDvcAndSetupCmlTakeWhatIsThere) {
  TestJob job;
  for (const char* name : {"dvc", "cml"}) {
    put(job, fmt::format("bin/{}", name), "#!/bin/sh\necho 3.1.4\n");
  }
  job.run_step("chmod +x bin/*; echo $PWD/bin >> $GITHUB_PATH");
  job.uses_step("iterative/setup-dvc@v1");
  job.uses_step("iterative/setup-cml@v2", {{"version", "v3.1.4"}});
  const JobRecord record = job.run();
  EXPECT_THAT(record.output_of(1), HasSubstr("dvc 3.1.4 is there"));
  EXPECT_THAT(record.output_of(2), HasSubstr("cml 3.1.4 is there"));
}

TEST(ProvidedAction, SetupUvTakesTheProgramThatFitsAndSaysWhatIsMissing) {
  TestJob job;
  put(job, "bin/uv",
      "#!/bin/sh\ncase $1 in --version) echo 'uv 0.9.3 (x)';; venv) mkdir -p $2/bin; echo made $2;; esac\n");
  put(job, "bin/python3", "#!/bin/sh\necho asked for: \"$@\"; exit 1\n");
  put(job, "pyproject.toml", "[tool.uv]\nrequired-version = \"==0.9.3\"\n");
  job.run_step("chmod +x bin/*; echo $PWD/bin >> $GITHUB_PATH");
  job.uses_step("astral-sh/setup-uv@v6",
                {{"python-version", "3.12"}, {"enable-cache", "true"}, {"activate-environment", "true"}},
                {{"id", "uv"}});
  job.run_step("echo ${{ steps.uv.outputs.uv-version }} $UV_PYTHON; [ $VIRTUAL_ENV = $PWD/.venv ] && echo active");
  const json::object soft{{"continue-on-error", true}};
  job.uses_step("astral-sh/setup-uv@v6", {{"version", "0.9.x"}});
  job.uses_step("astral-sh/setup-uv@v6", {{"version", "0.8"}}, soft);
  job.uses_step("astral-sh/setup-uv@v6", {{"version", "0.10.1"}}, soft);
  const JobRecord record = job.run();
  EXPECT_THAT(record.output_of(1), HasSubstr("uv 0.9.3 is there")) << record.text();
  EXPECT_EQ(record.output_of(2), "0.9.3 3.12\nactive\n") << record.text();
  EXPECT_THAT(record.output_of(3), HasSubstr("uv 0.9.3 is there"));
  EXPECT_THAT(record.output_of(4), HasSubstr("uv==0.8.*"));
  EXPECT_THAT(record.output_of(5), HasSubstr("uv==0.10.1"));
  EXPECT_THAT(record.annotations("error"), ElementsAre(HasSubstr("pip could not install uv==0.8.*"), testing::_,
                                                       HasSubstr("pip could not install uv==0.10.1"), testing::_));
}

TEST(ProvidedAction, UvTakesTheJobsEnvironmentForTheMachinesPythonOnly) {
  TestJob job;
  put(job, "bin/uv", "#!/bin/sh\n[ $1 = --version ] && echo uv 0.9.3 || echo \"$@ [$VIRTUAL_ENV] [$UV_PYTHON]\"\n");
  job.run_step("chmod +x bin/*; echo $PWD/bin >> $GITHUB_PATH; echo VIRTUAL_ENV=/own >> $GITHUB_ENV");
  job.uses_step("astral-sh/setup-uv@v6");
  job.run_step(
      "uv pip install --system 'a b'\nuv -q pip install x\nUV_SYSTEM_PYTHON=1 uv pip list\nuv sync --system\n");
  job.run_step("uv pip install --system x", {{"env", {{"VIRTUAL_ENV", "/other"}}}});
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(2),
            "pip install a b [/own] [/own/bin/python]\n-q pip install x [] []\npip list [/own] [/own/bin/python]\n"
            "sync --system [] []\n")
      << record.text();
  EXPECT_EQ(record.output_of(3), "pip install --system x [/other] []\n");
}

TEST(BuiltinAction, AwsCredentialsComeFromInputs) {
  TestJob job;
  const json::object soft{{"continue-on-error", true}};
  job.uses_step(
      "aws-actions/configure-aws-credentials@v4",
      {{"aws-region", "eu-central-1"}, {"aws-access-key-id", "AKIAEXAMPLE"}, {"aws-secret-access-key", "s3cr3t-key"}});
  job.run_step(
      "echo $AWS_REGION $AWS_DEFAULT_REGION ${#AWS_ACCESS_KEY_ID} ${#AWS_SECRET_ACCESS_KEY} $AWS_SECRET_ACCESS_KEY");
  job.uses_step("aws-actions/configure-aws-credentials@v4",
                {{"aws-region", "x"}, {"role-to-assume", "arn:aws:iam::1:role/r"}},
                {{"continue-on-error", true}, {"env", {{"PATH", "/nowhere"}}}});
  job.uses_step("aws-actions/configure-aws-credentials@v4", {{"aws-region", "x"}, {"aws-profile", "p"}}, soft);
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(1), "eu-central-1 eu-central-1 11 10 ***\n");
  EXPECT_THAT(record.annotations("error"), ElementsAre(HasSubstr("`role-to-assume` needs AWS's command line client"),
                                                       HasSubstr("`aws-profile` is not built in")));
}

TEST(BuiltinAction, SetupNodePutsTheVersionOnThePath) {
  TestJob job;
  job.folder.write("tools/node/30.1.2/x64/bin/node", "#!/bin/sh\necho thirty\n");
  fs::permissions(job.folder / "tools/node/30.1.2/x64/bin/node", fs::perms::owner_all);
  put(job, ".nvmrc", "v30\n");
  job.uses_step("actions/setup-node@v4", {{"node-version", "30.x"}, {"registry-url", "http://127.0.0.1:9/npm"}},
                {{"id", "node"}});
  job.run_step("node; echo ${{ steps.node.outputs.node-version }}; cat $NPM_CONFIG_USERCONFIG");
  job.uses_step("actions/setup-node@v4", {{"node-version-file", ".nvmrc"}});
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(1),
            "thirty\nv30.1.2\n//127.0.0.1:9/npm/:_authToken=${NODE_AUTH_TOKEN}\nregistry=http://127.0.0.1:9/npm/\n")
      << record.text();
  EXPECT_EQ(record.step(2), "success");
}

}  // namespace
}  // namespace weir::runner
