// Containers of jobs, services and actions: what is asked of podman, and what comes of it. A small program stands for
// podman and runs on this machine what would run in a container.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runner/test_job.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kPodman = R"sh(#!/bin/bash
echo "$*" >> "$(dirname "$0")/../asked"
command=$1; shift
made=$(dirname "$0")/../made
run() {
  folder=.
  entrypoint=
  while [[ $1 == -* ]]; do
    case $1 in
      --workdir) folder=$2 ;;
      --entrypoint) entrypoint=$2 ;;
      -e) [[ $2 == *=* ]] && export "$2" ;;
      -v) [[ $2 == *:/github/workspace ]] && work=${2%%:*} ;;
    esac
    shift 2
  done
  [ "$folder" = /github/workspace ] && folder=$work
  cd "$folder" || exit 127
  shift
  exec ${entrypoint:+"$entrypoint"} "$@"
}
case $command in
  info) echo 4.3 ;;
  network) if [ "$1" = inspect ]; then cat "$(dirname "$0")/knows-names"; fi ;;
  create) { declare -p -x; printf 'run'; printf ' %q' "$@"; } > "$made-$2"; echo pulling; echo "id-of-$2" ;;
  start) if [ "$1" = --attach ]; then source "$made-$2"; fi ;;
  inspect)
    case $2 in
      *Pid*) echo $PPID ;;
      *Healthcheck*) echo null ;;
      *Status*) echo running ;;
      *IPAddress*) echo "10.89.0.7 " ;;
    esac ;;
  port) echo "6379/tcp -> 0.0.0.0:49153" ;;
  logs) echo "said by $1" ;;
  build) while [[ $1 != --iidfile ]]; do shift; done; echo sha256:built > "$2" ;;
  exec) run "$@" ;;
esac
)sh";

class ContainerTest : public ::testing::Test {
 protected:
  ContainerTest() {
    job_.folder.write("tools-of-test/podman", kPodman);
    fs::permissions(job_.folder / "tools-of-test/podman", fs::perms::owner_all);
    job_.folder.write("tools-of-test/knows-names", "true\n");
    job_.prelude = fmt::format("PATH='{}':$PATH; export PATH", (job_.folder / "tools-of-test").string());
  }
  [[nodiscard]] std::string asked() const { return job_.folder.read("asked"); }
  TestJob job_;
};

TEST_F(ContainerTest, ScriptsRunInTheJobsContainer) {
  job_.spec.container = {{"image", "alpine:${{ matrix.version }}"},
                         {"env", {{"LEVEL", "l"}}},
                         {"options", "--cpus 1 --hostname \"my host\""},
                         {"volumes", {"/data:/data"}}};
  job_.spec.contexts["matrix"] = {{"version", "3.19"}};
  job_.run_step("echo $HOME ${{ job.container.id != '' }} ; echo x=1 >> $GITHUB_OUTPUT; echo /added >> $GITHUB_PATH",
                {{"id", "a"}, {"env", {{"OWN", "o"}}}});
  job_.run_step("echo ${{ steps.a.outputs.x }} ${PATH%%:*}; basename $PWD", {{"working-directory", "."}});
  const JobRecord record = job_.run();
  ASSERT_EQ(record.conclusion(), "success") << record.text();
  EXPECT_EQ(record.output_of(0), "/github/home true\n");
  EXPECT_EQ(record.output_of(1), "1 /added\nwork\n");
  const std::string podman = asked();
  EXPECT_THAT(podman, HasSubstr("--entrypoint tail docker.io/library/alpine:3.19 -f /dev/null"));
  EXPECT_THAT(podman,
              AllOf(HasSubstr("-v /data:/data"), HasSubstr("--cpus 1 --hostname my host"), HasSubstr("-e LEVEL")));
  EXPECT_THAT(podman, HasSubstr("exec --workdir"));
  EXPECT_THAT(podman, AllOf(HasSubstr("-e OWN"), Not(HasSubstr("-e PATH"))));
  EXPECT_THAT(podman, AllOf(HasSubstr("rm --force --time 0 --volumes weir-42-job-"), HasSubstr("network rm")));
}

TEST_F(ContainerTest, ServicesHaveNamesAndPorts) {
  job_.spec.services = {{"redis", {{"image", "redis"}, {"ports", {6379}}}}, {"none", {{"image", ""}}}};
  job_.run_step("echo port ${{ job.services.redis.ports['6379'] }} [${{ job.services.none.id }}]; exit 1");
  const JobRecord record = job_.run();
  EXPECT_EQ(record.output_of(0), "port 49153 []\n") << record.text();
  EXPECT_THAT(asked(), AllOf(HasSubstr("--network-alias redis"), HasSubstr("-p 6379"), HasSubstr("redis")));
  EXPECT_THAT(record.text(-1), HasSubstr("said by weir-42-service-")) << "also after a failure";
}

TEST_F(ContainerTest, NamesOfServicesAreToldWhereTheNetworkDoesNotKnowThem) {
  job_.folder.write("tools-of-test/knows-names", "false\n");
  job_.spec.container = "alpine";
  job_.spec.services = {{"redis", {{"image", "ghcr.io/some/redis"}}}};
  job_.run_step("true");
  const JobRecord record = job_.run();
  EXPECT_EQ(record.conclusion(), "success") << record.text();
  EXPECT_THAT(asked(), AllOf(HasSubstr("--add-host redis:10.89.0.7"), HasSubstr("ghcr.io/some/redis")));
}

// What a container is told must not be heeded by podman itself.
TEST_F(ContainerTest, VariablesOfTheContainerAreNotPodmansOwn) {
  job_.spec.container = {{"image", "alpine"}, {"env", {{"PATH", "/of/image"}, {"XDG_RUNTIME_DIR", "/x"}, {"A", "b"}}}};
  job_.run_step("true");
  const JobRecord record = job_.run();
  EXPECT_EQ(record.conclusion(), "success") << record.text();
  EXPECT_THAT(asked(),
              AllOf(HasSubstr("-e HOME=/github/home -e PATH=/of/image -e XDG_RUNTIME_DIR=/x"), HasSubstr("-e A ")));
}

TEST_F(ContainerTest, CredentialsStandInNoCommandLine) {
  job_.secrets = {{"PASSWORD", "pass-word-1"}};
  job_.spec.container = {{"image", "registry.example:5000/a/b:1"},
                         {"credentials", {{"username", "ada"}, {"password", "${{ secrets.PASSWORD }}"}}}};
  job_.run_step("true");
  const JobRecord record = job_.run();
  EXPECT_EQ(record.conclusion(), "success") << record.text();
  EXPECT_THAT(asked(), AllOf(HasSubstr("--authfile"), Not(HasSubstr("pass-word-1"))));
}

TEST_F(ContainerTest, AnActionRunsItsImageWithItsInputs) {
  job_.folder.write(
      "job/work/act/action.yml",
      "inputs: {who: {default: you}}\n"
      "runs:\n  using: docker\n  image: Dockerfile\n  entrypoint: sh\n"
      "  args: ['-c', 'echo $INPUT_WHO $MODE $GITHUB_WORKSPACE \"$@\"; echo x=1 >> $GITHUB_OUTPUT; echo k=v "
      ">> $GITHUB_STATE', sh, '${{ inputs.who }} x']\n"
      "  env: {MODE: 'm-${{ inputs.who }}'}\n  post-entrypoint: env\n");
  job_.folder.write("job/work/act/Dockerfile", "FROM alpine:3\n");
  job_.uses_step("./act", {{"who", "Ada"}}, {{"id", "act"}});
  job_.uses_step("docker://alpine:3", {{"entrypoint", "/bin/echo"}, {"args", "one \"two words\""}});
  job_.run_step("echo ${{ steps.act.outputs.x }}");
  const JobRecord record = job_.run();
  EXPECT_THAT(record.output_of(0), HasSubstr("Ada m-Ada /github/workspace Ada x\n")) << record.text();
  EXPECT_EQ(record.output_of(1), "one two words\n");
  EXPECT_EQ(record.output_of(2), "1\n");
  EXPECT_EQ(record.step(3, "name"), "Post Run ./act");
  const std::string podman = asked();
  EXPECT_THAT(podman, AllOf(HasSubstr("build -t localhost/weir-action:"),
                            HasSubstr("--build-context alpine:3=docker-image://docker.io/library/alpine:3")));
  EXPECT_EQ(podman.find("\nbuild "), podman.rfind("\nbuild ")) << "once a job";
  EXPECT_THAT(podman, HasSubstr("--entrypoint env sha256:built"));
  EXPECT_THAT(podman, AllOf(HasSubstr("-e STATE_k"), HasSubstr("-e INPUT_WHO")));
}

TEST(Container, WithoutPodmanNothingRuns) {
  for (const char* what : {"container", "service", "action"}) {
    TestJob job;
    // Programs of the system, but no podman.
    job.folder.write("empty/x", "");
    fs::create_directories(job.folder / "bin");
    for (const char* name : {"bash", "sh", "env"}) {
      fs::create_symlink(fs::exists(fmt::format("/usr/bin/{}", name)) ? fmt::format("/usr/bin/{}", name)
                                                                      : fmt::format("/bin/{}", name),
                         job.folder / "bin" / name);
    }
    job.prelude = fmt::format("PATH='{}'; export PATH", (job.folder / "bin").string());
    if (std::string_view(what) == "container") job.spec.container = "alpine";
    if (std::string_view(what) == "service") job.spec.services = {{"db", {{"image", "postgres"}}}};
    job.run_step("echo never");
    if (std::string_view(what) == "action") job.uses_step("docker://alpine:3");
    const JobRecord record = job.run();
    EXPECT_EQ(record.conclusion(), "failure");
    EXPECT_EQ(record.step(0), "none") << "no step runs";
    EXPECT_THAT(record.annotations("error"), ElementsAre(HasSubstr("needs containers: podman is not installed")));
  }
}

}  // namespace
}  // namespace weir::runner
