// Built-in actions in real jobs, against a small server in this process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "io/git.h"
#include "runner/checkout.h"
#include "runner/python_find.h"
#include "runner/test_job.h"
#include "runner/test_server.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string shell(const fs::path& folder, const std::string& script) {
  io::ProcessOptions options;
  options.argv = {"bash", "-ec", script};
  options.working_dir = folder;
  auto out = io::run_checked(std::move(options));
  EXPECT_TRUE(out.has_value()) << (out ? "" : out.error().message);
  return out ? *out : "";
}

// A repository with two commits on main, a branch and a tag: that of a user, whose submodules are taken from there.
struct TestRepository {
  explicit TestRepository(TestJob& job) {
    fs::create_directories(job.folder / "repo");
    shell(job.folder / "repo",
          "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b\n"
          "git init -q -b main .; echo one > train.py; git add .; git commit -qm one; git tag v1\n"
          "git branch side; echo two > train.py; git commit -qam two");
    job.spec.git_dir = (job.folder / "repo/.git").string();
    job.folder.write(std::string("repo/.git/") + kSourceFile, job.spec.git_dir);
    job.spec.commit = shell(job.folder / "repo", "git rev-parse HEAD").substr(0, 40);
    first = shell(job.folder / "repo", "git rev-parse v1").substr(0, 40);
  }
  std::string first;
};

TEST(Checkout, BringsTheRunsCommitWithoutCredentialsInside) {
  TestJob job;
  const TestRepository repository(job);
  job.token = "job-token-abcdef";
  job.uses_step("actions/checkout@v4", {}, {{"id", "co"}});
  job.run_step(
      "cat train.py; git status --short; git rev-parse --abbrev-ref HEAD; git rev-parse origin/main\n"
      "echo commit ${{ steps.co.outputs.commit }}\n"
      "git config --get http.http://127.0.0.1:9/.extraheader | grep -c job-token");
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(1), fmt::format("two\nmain\n{0}\ncommit {0}\n1\n", job.spec.commit)) << record.text();
  EXPECT_EQ(shell(job.dir(), "grep -r job-token work || true"), "");
}

TEST(Checkout, TakesARefAndAPathAndTheWholeHistory) {
  TestJob job;
  const TestRepository repository(job);
  job.uses_step("actions/checkout@v4", {{"ref", "v1"}, {"path", "old"}, {"fetch-depth", "0"}});
  job.uses_step("actions/checkout@v4", {{"ref", repository.first}, {"path", "sha"}});
  job.run_step(
      "cat old/train.py sha/train.py; cd old; git branch -r; git log --oneline origin/main | wc -l; git describe "
      "--tags");
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(2), "one\none\n  origin/main\n  origin/side\n2\nv1\n") << record.text();
}

TEST(Checkout, WhatIsNotBuiltIsRefusedByName) {
  TestJob job;
  const TestRepository repository(job);
  const auto soft = json::object{{"continue-on-error", true}};
  job.uses_step("actions/checkout@v4", {{"repository", "other/../repo"}}, soft);
  job.uses_step("actions/checkout@v4", {{"repository", "other/repo"}, {"ssh-key", "secret"}}, soft);
  job.uses_step("actions/checkout@v4", {{"ref", "nowhere"}}, soft);
  job.uses_step("actions/checkout@v4", {{"path", "../climb"}}, soft);
  job.uses_step("actions/checkout@v4", {{"fetch-dept", "0"}}, soft);
  const JobRecord record = job.run();
  const auto errors = record.annotations("error");
  ASSERT_EQ(errors.size(), 4U) << record.text();
  EXPECT_THAT(errors[0], HasSubstr("'other/../repo'"));
  EXPECT_THAT(errors[1], HasSubstr("`ssh-key`"));
  EXPECT_THAT(errors[2], HasSubstr("branch or tag with the name 'nowhere'"));
  EXPECT_THAT(errors[3], HasSubstr("climbs out"));
  EXPECT_THAT(record.annotations("warning"),
              ElementsAre(HasSubstr("Unexpected input(s) 'fetch-dept', valid inputs are")));
}

// me/lib in a mirror, with the branch "next" and the tag v2, and a submodule of the run's repository that is it.
void publish_lib(TestJob& job) {
  shell(job.folder.path(),
        "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b\n"
        "mkdir -p mirror/me/lib; cd mirror/me/lib; git init -q -b trunk .; echo lib > lib.py; git add .\n"
        "git commit -qm lib; git tag v2; git checkout -q -b next; echo next > lib.py; git commit -qam next\n"
        "git checkout -q trunk; cd ../../../repo; echo filter > .gitignore\n"
        "git -c protocol.file.allow=always submodule --quiet add ../mirror/me/lib deps/lib; git commit -qam deps");
  job.spec.commit = shell(job.folder / "repo", "git rev-parse HEAD").substr(0, 40);
  job.spec.actions_url = "file://" + (job.folder / "mirror").string();
}

TEST(Checkout, BringsOtherRepositoriesFromWhereActionsComeFrom) {
  TestJob job;
  const TestRepository repository(job);
  publish_lib(job);
  const auto soft = json::object{{"continue-on-error", true}};
  job.uses_step("actions/checkout@v4");
  job.uses_step("actions/checkout@v4", {{"repository", "me/lib"}, {"path", "a"}}, {{"id", "lib"}});
  job.uses_step("actions/checkout@v4",
                {{"repository", "me/lib"}, {"path", "b"}, {"ref", "next"}, {"fetch-depth", "0"}});
  job.uses_step("actions/checkout@v4", {{"repository", "me/lib"}, {"path", "c"}, {"ref", "v2"}});
  job.uses_step("actions/checkout@v4", {{"repository", "me/lib"}, {"path", "d"}, {"ref", "none"}}, soft);
  job.uses_step("actions/checkout@v4", {{"repository", "me/none"}, {"path", "d"}}, soft);
  job.run_step(
      "cat train.py a/lib.py b/lib.py c/lib.py; git -C a branch --show-current; git -C b log --oneline | wc -l\n"
      "git -C c describe --tags; echo ${{ steps.lib.outputs.ref }}");
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(6), "two\nlib\nnext\nlib\ntrunk\n2\nv2\nrefs/heads/trunk\n") << record.text();
  EXPECT_THAT(record.annotations("error"),
              ElementsAre(HasSubstr("'none' could not be found in me/lib"), HasSubstr("me/none could not be fetched")));
}

TEST(Checkout, BringsSubmodulesWhereThereAreAny) {
  TestJob job;
  const TestRepository repository(job);
  job.uses_step("actions/checkout@v4", {{"submodules", "recursive"}, {"filter", "blob:none"}});
  const JobRecord none = job.run();
  EXPECT_EQ(none.conclusion(), "success") << none.text();
  EXPECT_THAT(none.annotations("warning"), ElementsAre());

  TestJob with;
  const TestRepository again(with);
  publish_lib(with);
  with.uses_step("actions/checkout@v4", {{"submodules", "true"}});
  with.run_step("cat deps/lib/lib.py; git status --short");
  const JobRecord record = with.run();
  EXPECT_EQ(record.output_of(1), "lib\n") << record.text();
  // The work tree has it, so that nobody needs to be asked; else it comes from where .gitmodules says.
  shell(with.folder.path(), "mv mirror gone");
  TestJob offline;
  offline.spec.git_dir = with.spec.git_dir;
  offline.spec.commit = with.spec.commit;
  offline.uses_step("actions/checkout@v4", {{"submodules", "recursive"}});
  offline.run_step("cat deps/lib/lib.py");
  EXPECT_EQ(offline.run().output_of(1), "lib\n");
  shell(with.folder.path(), "mv gone mirror; rm -rf repo/.git/modules");
  TestJob bare;
  bare.spec.git_dir = with.spec.git_dir;
  bare.spec.commit = with.spec.commit;
  bare.uses_step("actions/checkout@v4", {{"submodules", "true"}, {"fetch-depth", "0"}});
  bare.run_step("cat deps/lib/lib.py");
  const JobRecord asked = bare.run();
  EXPECT_EQ(asked.output_of(1), "lib\n") << asked.text();
}

TEST(Checkout, AJobWithoutItStartsWithTheCommitAndSaysSo) {
  TestJob job;
  const TestRepository repository(job);
  job.spec.strict = false;
  job.spec.implicit_checkout = true;
  job.run_step("cat train.py");
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(0), "two\n");
  EXPECT_THAT(record.text(-1), HasSubstr("No actions/checkout step"));
}

TEST(Checkout, StrictJobsStartEmpty) {
  TestJob job;
  const TestRepository repository(job);
  job.spec.implicit_checkout = true;
  job.run_step("ls -A | wc -l");
  EXPECT_EQ(job.run().output_of(0), "0\n");
}

class ActionTest : public ::testing::Test {
 protected:
  ActionTest() { use(job_); }
  void use(TestJob& job) {
    job.spec.server_url = server_.url();
    job.token = "job-token-abcdef";
  }
  TestServer server_;
  TestJob job_;
};

TEST_F(ActionTest, AnArtifactTravelsBetweenJobs) {
  job_.run_step(
      "mkdir -p models/deep; echo m > models/model.pkl; echo d > models/deep/数据.txt; echo s > models/.secret");
  job_.uses_step("actions/upload-artifact@v4", {{"name", "trained-model"}, {"path", "models/"}}, {{"id", "up"}});
  job_.run_step("echo id ${{ steps.up.outputs.artifact-id }}");
  const JobRecord uploaded = job_.run();
  ASSERT_EQ(uploaded.conclusion(), "success") << uploaded.text();
  EXPECT_EQ(uploaded.output_of(2), "id 1\n");
  ASSERT_EQ(server_.artifacts().size(), 1U);
  EXPECT_EQ(server_.artifacts()[0].at("files").get_array().size(), 2U) << "hidden files stay at home";
  EXPECT_THAT(server_.tokens(), Each("Bearer job-token-abcdef"));

  TestJob next;
  use(next);
  next.uses_step("actions/download-artifact@v4", {{"name", "trained-model"}, {"path", "models/"}}, {{"id", "down"}});
  next.run_step(
      "cat models/model.pkl models/deep/数据.txt; ls -A models | wc -l; test ${{ steps.down.outputs.download-path }} = "
      "$PWD/models");
  const JobRecord record = next.run();
  EXPECT_EQ(record.output_of(1), "m\nd\n2\n") << record.text();
  EXPECT_EQ(record.conclusion(), "success");
}

TEST_F(ActionTest, PathsInAnArtifactFollowTheLeastCommonAncestor) {
  job_.run_step(
      "mkdir -p out/a out/b; echo 1 > out/a/x.txt; echo 2 > out/b/y.txt; echo 3 > out/b/z.log; echo 4 > single.txt");
  job_.uses_step("actions/upload-artifact@v4", {{"name", "two"}, {"path", "out/a\nout/b\n!out/b/*.log"}});
  job_.uses_step("actions/upload-artifact@v4", {{"name", "one"}, {"path", "single.txt"}});
  job_.uses_step("actions/upload-artifact@v4", {{"name", "glob"}, {"path", "out/**/*.txt"}});
  job_.uses_step("actions/download-artifact@v4", {{"path", "got"}});
  job_.run_step("cd got; find . -type f | sort");
  const JobRecord record = job_.run();
  EXPECT_EQ(record.output_of(5), "./glob/a/x.txt\n./glob/b/y.txt\n./one/single.txt\n./two/a/x.txt\n./two/b/y.txt\n")
      << record.text();
}

TEST_F(ActionTest, DownloadsCanBeSelectedAndMerged) {
  job_.run_step("echo a > a; echo b > b; echo c > c");
  for (const char* name : {"a", "b", "c"}) {
    job_.uses_step("actions/upload-artifact@v4",
                   {{"name", fmt::format("{}-{}", name[0] == 'c' ? "other" : "part", name)}, {"path", name}});
  }
  job_.uses_step("actions/download-artifact@v4", {{"pattern", "part-*"}, {"path", "merged"}, {"merge-multiple", true}});
  job_.uses_step("actions/download-artifact@v4", {{"name", "absent"}}, {{"continue-on-error", true}});
  job_.run_step("ls merged");
  const JobRecord record = job_.run();
  EXPECT_EQ(record.output_of(6), "a\nb\n") << record.text();
  EXPECT_THAT(record.annotations("error"),
              ElementsAre(HasSubstr("Artifact 'absent' not found; this run has part-a, part-b, other-c")));
}

TEST_F(ActionTest, NamesAreUsedOnceUnlessOverwrittenAndOldVersionsMerge) {
  const json::object soft{{"continue-on-error", true}};
  job_.run_step("echo a > a; echo b > b");
  job_.uses_step("actions/upload-artifact@v4", {{"name", "n"}, {"path", "a"}});
  job_.uses_step("actions/upload-artifact@v4", {{"name", "n"}, {"path", "b"}}, soft);
  job_.uses_step("actions/upload-artifact@v3", {{"name", "n"}, {"path", "b"}});
  job_.uses_step("actions/download-artifact@v3", {{"name", "n"}, {"path", "x"}});
  job_.run_step("ls x");
  job_.uses_step("actions/upload-artifact@v4", {{"name", "n"}, {"path", "b"}, {"overwrite", "true"}});
  job_.uses_step("actions/upload-artifact@v4", {{"name", "a/b"}, {"path", "b"}}, soft);
  job_.uses_step("actions/upload-artifact@v4", {{"path", "nothing*"}});
  job_.uses_step("actions/upload-artifact@v4", {{"path", "nothing*"}, {"if-no-files-found", "error"}}, soft);
  job_.uses_step("actions/upload-artifact@v4", {}, soft);
  const JobRecord record = job_.run();
  EXPECT_EQ(record.output_of(5), "a\nb\n") << record.text();
  const auto errors = record.annotations("error");
  ASSERT_EQ(errors.size(), 4U);
  EXPECT_THAT(errors[0], HasSubstr("an artifact with the name n already exists"));
  EXPECT_THAT(errors[1], HasSubstr("artifact name is not valid: a/b"));
  EXPECT_THAT(errors[2], HasSubstr("No files were found"));
  EXPECT_THAT(errors[3], HasSubstr("Input required and not supplied: path"));
  EXPECT_THAT(record.annotations("warning"),
              ElementsAre(HasSubstr("No files were found with the provided path: nothing*")));
}

TEST_F(ActionTest, AnActionWaitsForAServerThatIsAway) {
  job_.run_step("echo a > a");
  job_.uses_step("actions/upload-artifact@v4", {{"name", "n"}, {"path", "a"}});
  server_.stop();
  job_.start();
  job_.wait_for("With the provided path");
  server_.restart();
  EXPECT_EQ(job_.finish().conclusion(), "success");
  EXPECT_EQ(server_.artifacts().size(), 1U);
}

TEST_F(ActionTest, WaitingForAServerCanBeCancelled) {
  job_.run_step("echo a > a");
  job_.uses_step("actions/upload-artifact@v4", {{"name", "n"}, {"path", "a"}});
  server_.stop();
  job_.start();
  job_.wait_for("With the provided path");
  const auto begin = std::chrono::steady_clock::now();
  job_.signal(SIGTERM);
  const JobRecord record = job_.finish();
  EXPECT_EQ(record.step(1), "cancelled");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds{9});
}

TEST_F(ActionTest, ACacheIsSavedAfterSuccessAndFoundByKeyAndPrefix) {
  job_.run_step("echo numpy > requirements.txt");
  job_.uses_step("actions/cache@v4",
                 {{"path", "deps\n~/no-such-folder"}, {"key", "deps-${{ hashFiles('requirements.txt') }}"}},
                 {{"id", "c"}});
  job_.run_step("echo hit=[${{ steps.c.outputs.cache-hit }}]; mkdir deps; echo built > deps/lib; ln -s lib deps/link");
  const JobRecord first = job_.run();
  ASSERT_EQ(first.conclusion(), "success") << first.text();
  EXPECT_EQ(first.output_of(2), "hit=[]\n");
  ASSERT_EQ(server_.caches().size(), 1U);
  EXPECT_EQ(first.step(3, "name"), "Post Run actions/cache@v4");

  TestJob second;
  use(second);
  second.run_step("echo numpy > requirements.txt");
  second.uses_step("actions/cache@v4",
                   {{"path", "deps\n~/no-such-folder"}, {"key", "deps-${{ hashFiles('requirements.txt') }}"}},
                   {{"id", "c"}});
  second.run_step("echo hit=[${{ steps.c.outputs.cache-hit }}]; cat deps/lib; readlink deps/link");
  const JobRecord record = second.run();
  EXPECT_EQ(record.output_of(2), "hit=[true]\nbuilt\nlib\n") << record.text();
  EXPECT_EQ(server_.caches().size(), 1U) << "a hit saves nothing";

  TestJob third;
  use(third);
  third.uses_step("actions/cache@v4",
                  {{"path", "deps\n~/no-such-folder"}, {"key", "deps-other"}, {"restore-keys", "nope-\ndeps-"}},
                  {{"id", "c"}});
  third.run_step("echo hit=[${{ steps.c.outputs.cache-hit }}]; cat deps/lib; exit 1");
  const JobRecord failed = third.run();
  EXPECT_EQ(failed.output_of(1), "hit=[false]\nbuilt\n");
  EXPECT_EQ(failed.step(2), "skipped") << "a failed job saves no cache";
  EXPECT_EQ(server_.caches().size(), 1U);
}

TEST_F(ActionTest, BuiltInOnesWorkInsideActionsAndInTheBackground) {
  job_.folder.write("job/work/act/action.yml",
                    "inputs: {key: {default: k}}\n"
                    "runs:\n  using: composite\n  steps:\n"
                    "    - {uses: actions/cache@v4, with: {path: deps, key: '${{ inputs.key }}'}, id: c}\n"
                    "    - {run: 'mkdir -p deps; echo built > deps/lib', shell: sh}\n");
  job_.run_step("echo a > a; echo b > b");
  job_.uses_step("./act", {{"key", "inner"}});
  for (const char* name : {"a", "b"}) {
    job_.uses_step("actions/upload-artifact@v4", {{"name", name}, {"path", name}},
                   {{"id", name}, {"background", true}});
  }
  job_.spec.steps.push_back(json::object{{"wait-all", true}});
  job_.run_step("echo [${{ steps.a.outputs.artifact-id }}] [${{ steps.b.outputs.artifact-id }}]");
  const JobRecord record = job_.run();
  ASSERT_EQ(record.conclusion(), "success") << record.text();
  EXPECT_EQ(server_.artifacts().size(), 2U);
  EXPECT_THAT(record.output_of(5), ::testing::AnyOf("[1] [2]\n", "[2] [1]\n"));
  EXPECT_EQ(record.step(6, "name"), "Post Run actions/cache@v4");
  EXPECT_EQ(server_.caches().size(), 1U);
}

TEST_F(ActionTest, NotificationsAreSent) {
  job_.uses_step("slack/notify-action@v1", {{"message", "Model 3 deployed to production"}});
  job_.uses_step("slack/notify-action@v1", {}, {{"continue-on-error", true}});
  const JobRecord record = job_.run();
  EXPECT_EQ(record.step(0), "success") << record.text();
  ASSERT_EQ(server_.notifications().size(), 1U);
  EXPECT_EQ(json_string_or(server_.notifications()[0], "message", ""), "Model 3 deployed to production");
  EXPECT_EQ(json_string_or(server_.notifications()[0], "severity", ""), "info");
  EXPECT_THAT(record.annotations("error"), ElementsAre(HasSubstr("message")));
}

TEST_F(ActionTest, TheGateSpeaksInLogSummaryAndOutputs) {
  server_.answer_gate_with(
      {{"passed", false},
       {"model", "flight-delay"},
       {"findings", {{{"rule", "auc >= 0.9"}, {"passed", false}, {"reason", "auc is 0.71, limit 0.9"}}}},
       {"warnings", {"rows unknown"}},
       {"text", "rule  verdict\nauc   refused"},
       {"markdown", "| rule |"}});
  job_.run_step("echo '{\"auc\": 0.71}' > metrics.json");
  job_.uses_step(
      "weir/gate@v1",
      {{"model", "flight-delay"}, {"rules", "auc >= 0.9\n- auc >= champion.auc - 0.01"}, {"metrics", "metrics.json"}},
      {{"id", "gate"}});
  job_.run_step("echo ${{ steps.gate.outputs.verdict }} ${{ steps.gate.outputs.passed }}", {{"if", "always()"}});
  const JobRecord record = job_.run();
  EXPECT_EQ(record.step(1), "failure");
  EXPECT_THAT(record.output_of(1), HasSubstr("rule  verdict\nauc   refused\n"));
  EXPECT_EQ(record.output_of(2), "refused false\n");
  ASSERT_EQ(record.all("summary").size(), 1U);
  EXPECT_THAT(record.annotations("error"), ElementsAre(HasSubstr("auc is 0.71, limit 0.9")));
  EXPECT_THAT(record.annotations("warning"), ElementsAre("rows unknown"));
  ASSERT_EQ(server_.gate_questions().size(), 1U);
  EXPECT_EQ(server_.gate_questions()[0].at("rules").get_array().size(), 2U);
  EXPECT_EQ(server_.gate_questions()[0].at("rules").at(1), "auc >= champion.auc - 0.01");
  EXPECT_DOUBLE_EQ(server_.gate_questions()[0].at("metrics").at("auc").as_double(), 0.71);
}

TEST_F(ActionTest, AGateThatDoesNotKnowTheModelSaysWhy) {
  job_.uses_step("weir/gate@v1", {{"model", "what"}});
  const JobRecord record = job_.run();
  EXPECT_THAT(record.annotations("error"), ElementsAre(HasSubstr("no such model")));
}

TEST(Python, AJobHasAnEnvironmentOfItsOwn) {
  TestJob job;
  job.spec.strict = false;
  job.run_step("python -c 'import sys; print(sys.prefix)'; echo $VIRTUAL_ENV; command -v pip");
  const JobRecord record = job.run();
  const std::string venv = (job.dir() / "venv").string();
  EXPECT_EQ(record.output_of(0), fmt::format("{0}\n{0}\n{0}/bin/pip\n", venv)) << record.text();
  EXPECT_FALSE(record.all("job_finished")[0]->contains("layer")) << "nothing was installed";
}

TEST(Python, SetupPythonTellsWhereItIsAndWarnsWhenItMustSubstitute) {
  TestJob job;
  job.uses_step("actions/setup-python@v5", {{"python-version", "3.x"}, {"cache", "pip"}}, {{"id", "py"}});
  job.run_step(
      "echo $pythonLocation; ${{ steps.py.outputs.python-path }} -c 'import sys; print(\"%d.%d.%d\" % "
      "sys.version_info[:3])'\n"
      "echo ${{ steps.py.outputs.python-version }}; test \"$pythonLocation\" = \"${{ env.pythonLocation }}\"");
  job.uses_step("actions/setup-python@v5", {{"python-version", "3.4"}});
  job.uses_step("actions/setup-python@v5", {{"python-version", "nonsense"}}, {{"continue-on-error", true}});
  job.uses_step("actions/setup-python@v5", {{"python-version-file", "absent"}}, {{"continue-on-error", true}});
  const JobRecord record = job.run();
  ASSERT_EQ(record.conclusion(), "success") << record.text();
  const std::string out = record.output_of(1);
  EXPECT_TRUE(out.starts_with((job.dir() / "venv").string() + "\n3."));
  const auto lines = std::ranges::count(out, '\n');
  EXPECT_EQ(lines, 3);
  EXPECT_THAT(record.annotations("warning"),
              ElementsAre(HasSubstr("Python '3.4' is not installed on this machine; 3.")));
  EXPECT_THAT(record.annotations("error"),
              ElementsAre(HasSubstr("\"nonsense\" is no version"), HasSubstr("absent doesn't exist")));
}

TEST(Python, WhatAJobInstalledBecomesALayer) {
  TestJob job;
  job.spec.strict = false;
  // As good as an installation, without pip.
  job.run_step(
      "site=$(python -c 'import site; print(site.getsitepackages()[0])'); mkdir $site/mine; echo 'x = 7' > "
      "$site/mine/__init__.py");
  const JobRecord first = job.run();
  ASSERT_EQ(first.conclusion(), "success") << first.text();
  const std::string layer = json_string_or(*first.all("job_finished")[0], "layer", "");
  EXPECT_EQ(layer, (job.folder / "envs/layers/42").string());

  TestJob next;
  next.spec.strict = false;
  next.spec.python_layers = {layer};
  next.run_step("python -c 'import mine; print(mine.x)'");
  const JobRecord record = next.run();
  EXPECT_EQ(record.output_of(0), "7\n") << record.text();
  EXPECT_THAT(record.text(-1), HasSubstr("starts with the packages of job 42"));
  EXPECT_EQ(record.all("job_finished")[0]->at("layers").get_array().size(), 1U);

  TestJob strict;
  strict.spec.python_layers = {layer};
  strict.run_step("python3 -c 'import mine'");
  EXPECT_EQ(strict.run().conclusion(), "failure");
}

TEST(Python, AJobWithoutSetupPythonTakesThePythonOfTheJobsThatItNeeds) {
  const PythonPlaces places{.path = std::getenv("PATH"),
                            .home = std::getenv("HOME"),
                            .tool_dir = {},
                            .pyenv_root = {},
                            .uv_dir = {},
                            .memory_file = {}};
  const auto usual = default_interpreter(places);
  std::optional<Interpreter> other;
  for (auto& interpreter : installed_interpreters(places)) {
    if (usual && !interpreter.version.same_minor(usual->version)) other = interpreter;
  }
  if (!other) GTEST_SKIP() << "needs two versions of Python";
  const std::string version = minor_version(other->version);
  TestJob job;
  job.spec.strict = false;
  job.uses_step("actions/setup-python@v5", {{"python-version", version}});
  job.run_step("site=$(python -c 'import site; print(site.getsitepackages()[0])'); echo 'x = 7' > $site/mine.py");
  const std::string layer = json_string_or(*job.run().all("job_finished").at(0), "layer", "");

  TestJob next;
  next.spec.strict = false;
  next.spec.python_layers = {layer};
  next.run_step("python -c 'import mine, sys; print(mine.x, \"%d.%d\" % sys.version_info[:2])'");
  const JobRecord record = next.run();
  EXPECT_EQ(record.output_of(0), "7 " + version + "\n") << record.text();
}

// The fifth document's way: cache the whole environment under a key that names its place.
TEST_F(ActionTest, TheEnvironmentOfPythonCanBeCachedByItsLocation) {
  const auto add_steps = [&](TestJob& job) {
    use(job);
    job.run_step("echo one > requirements.txt");
    job.uses_step("actions/setup-python@v5", {{"python-version", "3.x"}});
    job.uses_step("actions/cache@v2",
                  {{"path", "${{ env.pythonLocation }}"},
                   {"key", "${{ env.pythonLocation }}-${{ hashFiles('requirements.txt') }}"}},
                  {{"id", "cache"}});
  };
  add_steps(job_);
  job_.run_step(
      "site=$(python -c 'import site; print(site.getsitepackages()[0])'); echo 'x = 7' > $site/mine.py\n"
      "printf '#!%s\\nimport mine, sys; print(mine.x, sys.prefix)\\n' $pythonLocation/bin/python > "
      "$pythonLocation/bin/mine\n"
      "chmod +x $pythonLocation/bin/mine; mine");
  const JobRecord first = job_.run();
  EXPECT_EQ(first.output_of(3), fmt::format("7 {}\n", (job_.dir() / "venv").string())) << first.text();

  TestJob next;
  add_steps(next);
  next.run_step("echo hit=${{ steps.cache.outputs.cache-hit }}; mine; python -c 'import sys; print(sys.prefix)'");
  const JobRecord record = next.run();
  EXPECT_EQ(record.output_of(3), fmt::format("hit=true\n7 {0}\n{0}\n", (next.dir() / "venv").string()))
      << record.text();
}

}  // namespace
}  // namespace weir::runner
