// Files that Git LFS keeps, in jobs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.h"
#include "io/process.h"
#include "runner/test_job.h"

namespace weir::runner {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

// A bare repository on the server's machine whose only commit has model.bin in LFS.
struct LfsRepository {
  explicit LfsRepository(TestJob& job) {
    const std::string id = sha256_hex(content);
    job.folder.write(
        "work/model.bin",
        fmt::format("version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n", id, content.size()));
    job.folder.write("work/.gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
    shell(job.folder / "work",
          "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b\n"
          "export GIT_CONFIG_NOSYSTEM=1 HOME=/nonexistent\n"
          "git init -q -b main .; git add .; git commit -qm one; git clone -q --bare . ../model.git");
    const fs::path git_dir = job.folder / "model.git";
    job.spec.git_dir = git_dir.string();
    job.spec.commit = shell(job.folder / "work", "git rev-parse HEAD").substr(0, 40);
    object = fs::path("model.git/lfs/objects") / id.substr(0, 2) / id.substr(2, 2) / id;
    job.folder.write(object, content);
  }

  static std::string shell(const fs::path& folder, const std::string& script) {
    io::ProcessOptions process;
    process.argv = {"sh", "-ec", script};
    process.working_dir = folder;
    const auto done = io::run_checked(std::move(process));
    EXPECT_TRUE(done) << done.error().message;
    return done.value_or("");
  }

  const std::string content = "the weights\n";
  fs::path object;
};

TEST(CheckoutLfs, BringsTheFilesAndGitSeesNoChange) {
  TestJob job;
  const LfsRepository repository(job);
  job.uses_step("actions/checkout@v4", {{"lfs", true}, {"path", "deep/er"}});
  job.run_step("cd deep/er; cat model.bin; git status --short; GIT_CONFIG_NOSYSTEM=1 HOME=/x git status --short");
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(1), "the weights\n") << record.text();
  EXPECT_THAT(record.output_of(0), HasSubstr("Git LFS: 1 file, 12 bytes"));
}

TEST(CheckoutLfs, WithoutItPointersStayPointers) {
  TestJob job;
  const LfsRepository repository(job);
  job.uses_step("actions/checkout@v4", {});
  job.run_step("head -n 1 model.bin; git status --short");
  EXPECT_EQ(job.run().output_of(1), "version https://git-lfs.github.com/spec/v1\n");
}

TEST(CheckoutLfs, AMissingObjectFailsTheStepByItsName) {
  TestJob job;
  const LfsRepository repository(job);
  fs::remove(job.folder / repository.object);
  job.uses_step("actions/checkout@v4", {{"lfs", "true"}});
  const JobRecord record = job.run();
  EXPECT_EQ(record.step(0), "failure");
  EXPECT_THAT(record.annotations("error"),
              ElementsAre(HasSubstr("Error downloading object: model.bin"), HasSubstr("git lfs push --all origin")));
}

TEST(CheckoutLfs, AJobWithoutACheckoutStepStartsWithTheFiles) {
  TestJob job;
  const LfsRepository repository(job);
  job.spec.strict = false;
  job.spec.implicit_checkout = true;
  job.run_step("cat model.bin");
  EXPECT_EQ(job.run().output_of(0), "the weights\n");

  TestJob other;
  const LfsRepository incomplete(other);
  fs::remove(other.folder / incomplete.object);
  other.spec.strict = false;
  other.spec.implicit_checkout = true;
  other.run_step("head -n 1 model.bin");
  const JobRecord record = other.run();
  EXPECT_EQ(record.output_of(0), "version https://git-lfs.github.com/spec/v1\n");
  EXPECT_THAT(record.text(-1), HasSubstr("Error downloading object: model.bin"));
}

}  // namespace
}  // namespace weir::runner
