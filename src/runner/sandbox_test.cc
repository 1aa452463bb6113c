// Jobs whose steps run in a sandbox, with the real bubblewrap.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "io/descriptor.h"
#include "runner/confinement.h"
#include "runner/control_group.h"
#include "runner/program.h"
#include "runner/test_job.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

// A job in a sandbox, as the server makes it: its folder is below the state's.
class SandboxJob : public TestJob {
 public:
  SandboxJob() {
    fs::create_directories(folder / "keys");
    folder.write("keys/admin.token", "topsecret-admin");
    spec.sandbox = types::JobSandbox{
        .memory_bytes = 256 << 20, .processes = 64, .state_dir = fs::canonical(folder / ".").string()};
  }
};

class SandboxTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (find_program("bwrap", "/usr/local/bin:/usr/bin:/bin").empty()) GTEST_SKIP() << "there is no bubblewrap";
    if (!Confinement::available()) GTEST_SKIP() << "there is no Landlock";
    const auto group = ControlGroup::create("probe", {.memory_bytes = 1 << 20, .processes = 1});
    if (!group) GTEST_SKIP() << group.error().message;
  }

  SandboxJob job_;
};

TEST_F(SandboxTest, StepsWorkAsTheyDoElsewhere) {
  job_.run_step(
      R"(echo "value=7" >> "$GITHUB_OUTPUT"; echo "LATER=yes" >> "$GITHUB_ENV"; echo "$PWD/bin" >> "$GITHUB_PATH"
      echo "# Seen" >> "$GITHUB_STEP_SUMMARY"; mkdir bin; printf '#!/bin/sh\necho own\n' > bin/own; chmod +x bin/own
      echo kept > "$HOME/file"; echo temp > "$RUNNER_TEMP/file"; test -s "$GITHUB_EVENT_PATH")",
      {{"id", "first"}});
  job_.run_step("echo \"$LATER ${{ steps.first.outputs.value }} $(cat ~/file \"$RUNNER_TEMP/file\" | xargs)\"; own");
  job_.spec.outputs["value"] = "${{ steps.first.outputs.value }}";

  const auto record = job_.run();

  EXPECT_EQ(record.conclusion(), "success") << record.text();
  EXPECT_EQ(record.output_of(1), "yes 7 kept temp\nown\n");
  EXPECT_EQ(record.output("value"), "7");
  EXPECT_EQ(record.all("summary").size(), 1U);
  EXPECT_THAT(record.text(-1), HasSubstr("Steps run in a sandbox"));
}

TEST_F(SandboxTest, NothingOfTheServersIsThere) {
  const std::string state = (job_.folder / ".").string();
  ::setenv("WEIR_TEST_OF_SERVER", "server-variable", 1);
  job_.token = "job-token-of-the-test";
  const fs::path other = job_.folder / "jobs/1";
  fs::create_directories(other);
  job_.run_step("cat " + state + "/keys/admin.token " + (job_.dir() / "spec.json").string());
  job_.run_step("ls " + other.string());
  job_.run_step("env; cat /etc/shadow; ls /root /home /var/lib /run/systemd; true");
  job_.run_step("ls /proc | grep -c '^[0-9]'; tr '\\0' '\\n' < /proc/1/environ | grep server-variable || echo clean");

  for (auto& step : job_.spec.steps) step.get_object()["if"] = "always()";
  const auto record = job_.run();
  ::unsetenv("WEIR_TEST_OF_SERVER");

  EXPECT_EQ(record.step(0), "failure");
  EXPECT_EQ(record.step(1), "failure");
  EXPECT_THAT(record.text(),
              AllOf(Not(HasSubstr("topsecret-admin")), Not(HasSubstr("server-variable\n")), Not(HasSubstr("root:"))));
  EXPECT_THAT(record.output_of(2), AllOf(Not(HasSubstr("WEIR_TEST_OF_SERVER")), Not(HasSubstr("WEIR_TOKEN"))));
  // The shell, its helpers and bubblewrap itself.
  EXPECT_LT(std::stoi(record.output_of(3)), 8);
  EXPECT_THAT(record.output_of(3), HasSubstr("clean"));
}

TEST_F(SandboxTest, OnlyTheJobsOwnFoldersCanBeWrittenTo) {
  const std::string dir = job_.dir().string();
  job_.run_step(
      "for place in / /usr /etc /opt " + dir + " " + dir + "/runner " + dir +
          "/.. /proc/sys/kernel /proc/sys/vm; do\n"
          "  if touch $place/weir-was-here 2> /dev/null; then echo wrote $place; fi\ndone\n"
          "for file in /proc/sys/kernel/core_pattern /proc/sys/vm/swappiness /proc/sysrq-trigger /etc/hosts; do\n"
          "  if [ -e $file ] && (: >> $file) 2> /dev/null; then echo opened $file; fi\ndone\n"
          "rm -f \"$GITHUB_OUTPUT\" 2> /dev/null; ln -sf /etc/hosts \"$GITHUB_OUTPUT\" 2> /dev/null\n"
          "unshare -U true 2> /dev/null && echo unshared; echo end",
      {{"shell", "bash {0}"}});

  const auto record = job_.run();

  EXPECT_EQ(record.output_of(0), "end\n") << record.text();
}

TEST_F(SandboxTest, ThereIsNoNetworkAndNobodyElseToEnd) {
  const io::Descriptor listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  ASSERT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  job_.run_step(fmt::format("if (exec 3<> /dev/tcp/127.0.0.1/{}) 2> /dev/null; then echo connected; fi; echo end",
                            ntohs(address.sin_port)),
                {{"shell", "bash"}});
  job_.run_step(fmt::format("kill -9 {} {} 2> /dev/null && echo killed; kill -9 -1; echo end", ::getpid(), ::getppid()),
                {{"shell", "bash {0}"}});
  job_.run_step("echo on", {{"if", "always()"}});

  const auto record = job_.run();

  EXPECT_EQ(record.output_of(0), "end\n");
  EXPECT_THAT(record.output_of(1), Not(HasSubstr("killed\n")));
  EXPECT_EQ(record.output_of(2), "on\n");
}

TEST_F(SandboxTest, AForkBombComesToAnEnd) {
  // Bounded also without a limit: 400 sleepers, where 64 are allowed.
  job_.run_step("i=0; while [ $i -lt 400 ]; do sleep 20 & i=$((i+1)); done; echo all", {{"timeout-minutes", 0.1}});
  job_.run_step("echo next", {{"if", "always()"}});

  const auto record = job_.run();

  EXPECT_EQ(record.step(0), "failure") << record.text();
  EXPECT_THAT(record.text(0), HasSubstr("limit of 64 processes"));
  EXPECT_EQ(record.output_of(1), "next\n");
}

TEST_F(SandboxTest, MemoryIsLimitedForAllProcessesTogether) {
  // Each of the three takes 120 MB, which is allowed; together they are too much.
  job_.run_step(
      "dd if=/dev/zero of=/dev/shm/a bs=1M count=120 2> /dev/null\n"
      "dd if=/dev/zero of=/dev/shm/b bs=1M count=120 2> /dev/null\n"
      "head -c 120000000 /dev/zero | tail -c 119000000 > /dev/null\necho survived",
      {{"shell", "bash -e -o pipefail {0}"}});
  job_.run_step("echo next", {{"if", "always()"}});

  const auto record = job_.run();

  EXPECT_EQ(record.step(0), "failure") << record.text();
  EXPECT_THAT(record.text(0), HasSubstr("limit of 256 MiB"));
  EXPECT_THAT(record.output_of(0), Not(HasSubstr("survived")));
  EXPECT_EQ(record.output_of(1), "next\n");
}

TEST_F(SandboxTest, WhatAStepLeavesInTheEnvironmentRunsInTheSandboxOnly) {
  job_.run_step(
      "mkdir -p bin; printf '#!/bin/sh\\necho hijacked > \"%s\"\\nexec /bin/sh \"$@\"\\n' " +
      job_.folder.path().string() +
      "/escaped > bin/bwrap; cp bin/bwrap bin/sh; cp bin/bwrap bin/env; "
      "chmod +x bin/*; echo \"$PWD/bin\" >> $GITHUB_PATH; "
      "printf 'LD_PRELOAD=/nowhere/evil.so\\nBASH_ENV=%s/bin/sh\\nENV=%s/bin/sh\\n' $PWD $PWD >> $GITHUB_ENV");
  job_.run_step("echo \"$LD_PRELOAD\"", {{"shell", "/bin/bash -e {0}"}});

  const auto record = job_.run();

  EXPECT_THAT(record.output_of(1), HasSubstr("/nowhere/evil.so"));
  EXPECT_FALSE(fs::exists(job_.folder / "escaped"));
}

TEST_F(SandboxTest, LinksLeadTheRunnerNowhere) {
  const std::string secret = (job_.folder / "keys/admin.token").string();
  job_.folder.write("target", "untouched");
  job_.run_step("mkdir -p act; ln -s " + secret + " act/action.yml; ln -s " + secret + " matcher.json; ln -s " +
                secret + " .python-version; ln -s " + (job_.folder / "target").string() +
                " \"$RUNNER_TEMP/step-1.sh\"");
  job_.run_step("echo '::add-matcher::matcher.json'; echo \"::add-matcher::" + secret + "\"");
  job_.uses_step("./act", {}, {{"if", "always()"}});
  job_.uses_step("actions/setup-python@v5", {{"python-version-file", ".python-version"}}, {{"if", "always()"}});
  job_.uses_step("actions/upload-artifact@v4", {{"path", secret}}, {{"if", "always()"}});
  job_.run_step("echo ${{ hashFiles('matcher.json') }}", {{"if", "always()"}});

  const auto record = job_.run();

  EXPECT_EQ(job_.folder.read("target"), "untouched");
  EXPECT_THAT(record.text(), Not(HasSubstr("topsecret-admin")));
  for (const int step : {2, 3, 4, 5}) EXPECT_EQ(record.step(step), "failure") << step << record.text(step);
  EXPECT_THAT(record.text(4), HasSubstr("Permission denied"));
}

TEST_F(SandboxTest, ContainersAndActionsOfElsewhereAreRefused) {
  job_.spec.actions_url = "http://127.0.0.1:9";
  job_.spec.actions_dir = (job_.folder / "actions").string();
  job_.uses_step("somebody/else@v1", {}, {{"if", "always()"}});
  job_.uses_step("aws-actions/configure-aws-credentials@v4", {{"aws-region", "x"}}, {{"if", "always()"}});

  const auto record = job_.run();

  EXPECT_THAT(record.text(0), HasSubstr("`uses: somebody/else@v1` would be fetched from elsewhere"));
  EXPECT_THAT(record.text(1), HasSubstr("is not for the job of a pull request by somebody who may not push"));

  SandboxJob contained;
  contained.spec.container = {{"image", "alpine"}};
  contained.run_step("echo never");
  const auto refused = contained.run();
  EXPECT_EQ(refused.step(0), "none");
  EXPECT_THAT(refused.text(-1), HasSubstr("containers are not for the job of a pull request"));
}

TEST_F(SandboxTest, CancellationReachesTheStepsOwnProcesses) {
  job_.run_step("trap 'echo asked; exit 3' INT; echo ready; sleep 30 & wait", {{"shell", "bash {0}"}});

  job_.start();
  job_.wait_for("ready\n");
  job_.signal(SIGTERM);
  const auto record = job_.finish();

  EXPECT_EQ(record.conclusion(), "cancelled");
  EXPECT_THAT(record.text(0), HasSubstr("asked\n"));
}

TEST_F(SandboxTest, BackgroundStepsAreInItToo) {
  job_.run_step("cat " + (job_.folder / "keys/admin.token").string() + " && echo read; echo \"x=1\" >> $GITHUB_OUTPUT",
                {{"background", true}, {"id", "b"}});
  job_.spec.steps.push_back({{"wait", json::array{"b"}}});
  job_.run_step("echo got ${{ steps.b.outputs.x }}");

  const auto record = job_.run();

  EXPECT_THAT(record.text(), Not(HasSubstr("topsecret")));
  EXPECT_EQ(record.output_of(2), "got 1\n") << record.text();
}

TEST(Sandbox, WithoutBubblewrapNoStepRuns) {
  SandboxJob job;
  job.prelude = "export PATH=/nowhere";
  job.run_step("echo ran");

  const auto record = job.run();

  EXPECT_EQ(record.conclusion(), "failure");
  EXPECT_EQ(record.step(0), "none");
  EXPECT_THAT(record.annotations("error"), Each(HasSubstr("apt install bubblewrap")));
  EXPECT_EQ(record.annotations("error").size(), 1U);
}

TEST(ControlGroup, FindsWhereThisProcessIs) {
  const auto own = [](std::string_view controller, std::string_view cgroup, std::string_view mounts) {
    return ControlGroup::own_group(controller, cgroup, mounts).string();
  };
  constexpr std::string_view kOld =
      "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup "
      "rw,cpu,cpuacct\n33 31 0:30 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n";
  EXPECT_EQ(own("memory", "4:memory:/a/b\n2:cpu,cpuacct:/\n", kOld), "/sys/fs/cgroup/memory/a/b");
  EXPECT_EQ(own("cpuacct", "4:memory:/a/b\n2:cpu,cpuacct:/\n", kOld), "/sys/fs/cgroup/cpu,cpuacct");
  EXPECT_EQ(own("pids", "4:memory:/a/b\n", kOld), "");
  EXPECT_EQ(own("", "0::/user.slice/s.scope\n", "26 23 0:2 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"),
            "/sys/fs/cgroup/user.slice/s.scope");
  // In a container a part of the tree is mounted.
  EXPECT_EQ(own("memory", "4:memory:/docker/1/in\n", "33 31 0:30 /docker/1 /cg ro - cgroup cgroup rw,memory\n"),
            "/cg/in");
}

TEST(Confinement, LinksLeadNowhereFromAConfinedThread) {
  if (!Confinement::available()) GTEST_SKIP();
  io::TestFolder folder;
  fs::create_directories(folder / "own");
  folder.write("secret", "x");
  folder.write("own/file", "y");
  fs::create_symlink(folder / "secret", folder / "own/link");
  const auto confinement =
      std::make_shared<const Confinement>(std::vector<fs::path>{folder / "own"}, std::vector<fs::path>{});
  const auto read = [&](const char* name) {
    return run_confined(confinement, [&] { return io::read_file(folder / name); });
  };
  EXPECT_EQ(read("own/file").value_or("-"), "y");
  EXPECT_FALSE(read("own/link").has_value());
  EXPECT_FALSE(run_confined(confinement, [&] { return io::write_file_atomic(folder / "new", "z"); }).has_value());
  EXPECT_TRUE(run_confined(confinement, [&] { return io::write_file_atomic(folder / "own/new", "z"); }).has_value());
  EXPECT_TRUE(io::read_file(folder / "own/link").has_value()) << "only that thread is";
}

}  // namespace
}  // namespace weir::runner
