// Checkouts of a part of a repository.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/process.h"
#include "runner/test_job.h"

namespace weir::runner {
namespace {

using ::testing::ElementsAre;

namespace fs = std::filesystem;

std::string shell(const fs::path& folder, const std::string& script) {
  io::ProcessOptions process;
  process.argv = {"sh", "-ec", script};
  process.working_dir = folder;
  const auto done = io::run_checked(std::move(process));
  EXPECT_TRUE(done) << done.error().message;
  return done.value_or("");
}

// README.md, data/{raw,clean}/a.csv and src/train.py; the same as me/lib where actions come from.
void make_repository(TestJob& job) {
  fs::create_directories(job.folder / "mirror/me/lib");
  shell(
      job.folder / "mirror/me/lib",
      "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b\n"
      "git init -q -b main .; mkdir -p data/raw data/clean src; echo r > data/raw/a.csv; echo c > data/clean/a.csv\n"
      "echo t > src/train.py; echo x > README.md; git add .; git commit -qm one; git config uploadpack.allowFilter 1");
  job.spec.git_dir = (job.folder / "mirror/me/lib/.git").string();
  job.spec.commit = shell(job.folder / "mirror/me/lib", "git rev-parse HEAD").substr(0, 40);
  job.spec.checkouts_dir = (job.folder / "checkouts").string();
  job.spec.actions_url = "file://" + (job.folder / "mirror").string();
}

constexpr std::string_view kList = "git status --porcelain; find . -type f -not -path './.git/*' | sort | tr '\\n' ' '";

TEST(SparseCheckout, LaysOutTheFoldersThatAreNamedAndTheirParentsFiles) {
  TestJob job;
  make_repository(job);
  job.uses_step("actions/checkout@v4", {{"sparse-checkout", "data/clean\n"}});
  job.run_step(kList);
  // What was kept of the commit is neither a part of it nor taken for one.
  job.uses_step("actions/checkout@v4");
  job.run_step(kList);
  job.uses_step("actions/checkout@v4", {{"sparse-checkout", "src"}});
  job.run_step(kList);
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(1), "./README.md ./data/clean/a.csv \n") << record.text();
  EXPECT_EQ(record.output_of(3), "./README.md ./data/clean/a.csv ./data/raw/a.csv ./src/train.py \n");
  EXPECT_EQ(record.output_of(5), "./README.md ./src/train.py \n");
  EXPECT_THAT(record.annotations("warning"), ElementsAre());
}

TEST(SparseCheckout, TakesPatternsAndOtherRepositories) {
  TestJob job;
  make_repository(job);
  const json::object patterns{{"sparse-checkout", "*.csv\n!data/raw/*\n"}, {"sparse-checkout-cone-mode", false}};
  job.uses_step("actions/checkout@v4", patterns);
  job.run_step(kList);
  job.spec.repository = "me/own";
  json::object other = patterns;
  other["repository"] = "me/lib";
  job.uses_step("actions/checkout@v4", other);
  job.run_step(kList);
  job.uses_step("actions/checkout@v4", {{"repository", "me/lib"}, {"sparse-checkout", "src"}});
  job.run_step(kList);
  const JobRecord record = job.run();
  EXPECT_EQ(record.output_of(1), "./data/clean/a.csv \n") << record.text();
  EXPECT_EQ(record.output_of(3), "./data/clean/a.csv \n") << record.text();
  EXPECT_EQ(record.output_of(5), "./README.md ./src/train.py \n");
}

}  // namespace
}  // namespace weir::runner
