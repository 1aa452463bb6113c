#include "io/git.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "base/hash.h"
#include "io/checkout_cache.h"
#include "io/file.h"
#include "io/git_objects.h"
#include "io/process.h"

namespace weir::io {
namespace {

namespace fs = std::filesystem;

// A work tree with whatever the real git makes of it.
class GitTest : public testing::Test {
 protected:
  GitTest() : root_(fs::temp_directory_path() / ("weir-git-" + random_hex(6))) {
    fs::create_directories(root_);
    git({"init", "-q", "-b", "main"});
  }
  ~GitTest() override { EXPECT_TRUE(remove_tree(root_)); }

  std::string git(std::vector<std::string> arguments, std::string_view input = {}) {
    ProcessOptions options;
    options.argv = {"git", "-c", "user.name=A <B> C", "-c", "user.email=a@example.com"};
    for (auto& argument : arguments) options.argv.push_back(std::move(argument));
    options.working_dir = root_;
    auto said = run_checked(std::move(options), input);
    EXPECT_TRUE(said) << said.error().message;
    std::string text = said.value_or("");
    while (text.ends_with('\n')) text.pop_back();
    return text;
  }
  void write(const std::string& path, std::string_view text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path, std::ios::binary) << text;
  }
  std::string commit(const std::string& message) {
    git({"add", "-A"});
    git({"commit", "-q", "--allow-empty", "--cleanup=verbatim", "-F", "-"}, message);
    return git({"rev-parse", "HEAD"});
  }

  fs::path root_;
};

TEST_F(GitTest, TellsWhatGitTells) {
  write("a file", "1\n");
  write("deep/er/x.bin", std::string("\0\n\xff", 3));
  write("deep/y", "");
  fs::create_symlink("a file", root_ / "link");
  const auto first = commit("First\n\nwith a body\n");
  write("deep/er/x.bin", "changed");
  const auto second = commit("Grüße\n");
  const Git repository(root_ / ".git");

  for (const auto& sha : {first, second}) {
    const auto told = repository.commit(sha);
    ASSERT_TRUE(told) << told.error().message;
    EXPECT_EQ(told->sha, sha);
    const auto expected = git({"show", "--no-patch", "--format=%T|%P|%an|%ae|%at|%ct|%B", sha});
    std::string parents;
    for (const auto& parent : told->parents) parents += (parents.empty() ? "" : " ") + parent;
    EXPECT_EQ(fmt::format("{}|{}|{}|{}|{}|{}|{}", told->tree, parents, told->author_name, told->author_email,
                          told->author_time_s, told->committer_time_s, told->message),
              expected);

    std::string listed;
    for (const auto& entry : *repository.list(sha)) {
      listed += fmt::format("{} {}\t{}\n", entry.mode, entry.object, entry.path);
    }
    EXPECT_EQ(listed, git({"ls-tree", "-r", "--format=%(objectmode) %(objectname)%x09%(path)", sha}) + "\n");
    EXPECT_EQ(*repository.show(sha, "deep/er/x.bin"), git({"show", sha + ":deep/er/x.bin"}));
  }
  EXPECT_EQ(repository.list(first, "deep")->size(), 2U);
  EXPECT_EQ(repository.list(first, "deep")->front().path, "deep/er/x.bin");
  EXPECT_TRUE(repository.list(first, "nowhere")->empty());
  EXPECT_EQ(*repository.show(first, "a file"), "1\n");
  EXPECT_EQ(*repository.show(first, "deep/y"), "");
  EXPECT_EQ(*repository.head_ref(), "refs/heads/main");
}

TEST_F(GitTest, KnowsWhatIsNotThere) {
  write("a", "1");
  const auto sha = commit("one");
  const Git repository(root_ / ".git");
  for (const char* path : {"b", "a/b", "", "/a", "../a", "a\nb"}) {
    EXPECT_EQ(repository.show(sha, path).error().code, Code::kNotFound) << path;
  }
  for (const char* revision : {"nobody", "--help", "HEAD\nHEAD", ""}) {
    EXPECT_EQ(repository.resolve(revision).error().code, Code::kNotFound) << revision;
  }
  EXPECT_EQ(repository.commit(std::string(40, '1')).error().code, Code::kNotFound);
  EXPECT_EQ(repository.commit("HEAD").error().code, Code::kInvalidArgument);
  EXPECT_EQ(Git(root_ / "no.git").resolve("HEAD").error().code, Code::kFailedPrecondition);
}

TEST_F(GitTest, SeesWhatIsCommittedMeanwhile) {
  const auto first = commit("one");
  const Git repository(root_ / ".git");
  EXPECT_EQ(*repository.resolve("HEAD"), first);
  const auto second = commit("two");
  EXPECT_EQ(*repository.resolve("HEAD"), second);
  git({"gc", "-q", "--prune=now"});
  const auto third = commit("three");
  EXPECT_EQ(*repository.resolve("HEAD"), third);
  EXPECT_EQ(repository.commit(first)->message, "one");
}

TEST_F(GitTest, TellsALostTreeFromALostFile) {
  write("deep/a", "1");
  const auto sha = commit("one");
  const auto tree = git({"rev-parse", "HEAD:deep"});
  fs::remove(root_ / ".git/objects" / tree.substr(0, 2) / tree.substr(2));
  const Git repository(root_ / ".git");
  EXPECT_EQ(repository.show(sha, "deep/a").error().code, Code::kFailedPrecondition);
  EXPECT_EQ(repository.show(sha, "other").error().code, Code::kNotFound);
}

TEST_F(GitTest, ReadsCommitsInOldEncodings) {
  git({"config", "i18n.commitEncoding", "ISO-8859-1"});
  const auto sha = commit("Gr\xfc\xdf\x65");
  EXPECT_EQ(Git(root_ / ".git").commit(sha)->message, "Grüße");
}

TEST_F(GitTest, RefusesWhatIsTooLargeAndGoesOn) {
  write("large", std::string(300'000, 'x'));
  const auto sha = commit("one");
  GitObjects objects(root_ / ".git");
  EXPECT_EQ(objects.read(sha + ":large", 1'000).error().code, Code::kResourceExhausted);
  const auto read = objects.read(sha + ":large");
  ASSERT_TRUE(read);
  EXPECT_EQ((*read)->bytes.size(), 300'000U);
}

TEST_F(GitTest, ACommitIsReadListedAndCheckedOutWithoutCopyingObjects) {
  write("src/a.py", "print(1)\n");
  write("read me.txt", "x");
  git({"add", "-A"});
  git({"commit", "-qm", "First\n\nbody"});

  const auto repository = Git::discover(root_ / "src");
  ASSERT_TRUE(repository) << repository.error().message;
  const auto sha = repository->resolve("main");
  ASSERT_TRUE(sha);
  const auto commit = repository->commit(*sha);
  ASSERT_TRUE(commit);
  EXPECT_EQ(commit->message, "First\n\nbody");
  EXPECT_EQ(repository->show(*sha, "src/a.py").value_or(""), "print(1)\n");
  EXPECT_EQ(repository->list(*sha)->size(), 2U);
  EXPECT_EQ(repository->list(*sha, "src/")->at(0).path, "src/a.py");
  EXPECT_EQ(repository->head_ref().value_or(""), "refs/heads/main");

  const auto target = root_ / ".git" / "job";
  const auto done = repository->checkout_to(
      target, {.sha = *sha, .ref = "refs/heads/main", .refs = {{"refs/heads/main", *sha}}, .config = {}},
      CheckoutCache());
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(read_file(target / "src/a.py").value_or(""), "print(1)\n");
  const auto status = run_checked({.argv = {"git", "-C", target.string(), "status", "--porcelain", "-b"}});
  ASSERT_TRUE(status);
  EXPECT_EQ(*status, "## main\n");
  // Scripts go back to where they were.
  ASSERT_TRUE(run_checked({.argv = {"git", "-C", target.string(), "checkout", "-q", "-b", "other"}}));
  const auto back = run_checked({.argv = {"git", "-C", target.string(), "checkout", "-q", "-"}});
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(run_checked({.argv = {"git", "-C", target.string(), "branch", "--show-current"}}).value_or(""), "main\n");
}

TEST_F(GitTest, ASnapshotHoldsWhatIsNotCommittedAndLeavesTheIndexAlone) {
  write(".gitignore", "ignored.txt\n");
  write("a.txt", "1");
  git({"add", "-A"});
  git({"commit", "-qm", "First"});
  const auto repository = Git::discover(root_);
  ASSERT_TRUE(repository);
  EXPECT_EQ(repository->snapshot(root_).value_or(""), repository->resolve("HEAD").value_or("?"));

  write("a.txt", "2");
  write("new.txt", "n");
  write("ignored.txt", "i");
  const auto sha = repository->snapshot(root_);
  ASSERT_TRUE(sha) << sha.error().message;
  EXPECT_EQ(repository->show(*sha, "a.txt").value_or(""), "2");
  EXPECT_EQ(repository->show(*sha, "new.txt").value_or(""), "n");
  EXPECT_FALSE(repository->show(*sha, "ignored.txt"));
  EXPECT_EQ(git({"status", "--porcelain"}), " M a.txt\n?? new.txt");
  EXPECT_EQ(repository->changed_paths(*repository->resolve("HEAD"), *sha).value(),
            (std::vector<std::string>{"a.txt", "new.txt"}));
}

TEST_F(GitTest, TreesThatNameEachOtherAreNotFollowedWithoutEnd) {
  std::string tree = git({"mktree"});  // empty
  for (int level = 0; level < 12; ++level) {
    std::string entries;
    for (int i = 0; i < 10; ++i) entries += fmt::format("040000 tree {}\t{}\n", tree, i);
    tree = git({"mktree"}, entries);
  }
  const auto sha = git({"commit-tree", tree, "-m", "bomb"});
  EXPECT_EQ(Git(root_ / ".git").list(sha).error().code, Code::kResourceExhausted);
}

class CheckoutCacheTest : public GitTest {
 protected:
  // Checks `sha` out into a fresh folder, as a job would.
  fs::path check_out(const std::string& sha) {
    fs::path target = root_ / ".git" / fmt::format("job-{}", ++jobs_);
    const auto done =
        Git(root_ / ".git").checkout_to(target, {.sha = sha, .ref = {}, .refs = {}, .config = {}}, cache_);
    EXPECT_TRUE(done) << done.error().message;
    return target;
  }
  static std::string in(const fs::path& folder, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"git", "-C", folder.string()});
    auto said = run_checked({.argv = std::move(arguments)});
    EXPECT_TRUE(said) << said.error().message;
    return said.value_or("");
  }
  // An empty work tree with a .git of its own.
  fs::path empty_tree() {
    fs::path target = root_ / ".git" / fmt::format("job-{}", ++jobs_);
    fs::create_directories(target / ".git");
    return target;
  }
  bool is_kept(const std::string& sha) { return cache_.restore(sha, empty_tree()).value(); }

  CheckoutCache cache_{root_ / ".git" / "checkouts"};
  int jobs_ = 0;
};

TEST_F(CheckoutCacheTest, GivesTheWorkTreeThatGitGave) {
  write("deep/er/a file.py", "print(1)\n");
  write("deep/empty", "");
  write("bin/run", "#!/bin/sh\n");
  write(std::string(300, 'x').insert(200, "/"), std::string("\0\xff", 2));
  fs::permissions(root_ / "bin/run", fs::perms::owner_all);
  fs::create_symlink("../deep", root_ / "bin/link");
  const auto sha = commit("one");
  EXPECT_FALSE(is_kept(sha));
  const auto first = check_out(sha);
  EXPECT_TRUE(is_kept(sha));
  const auto second = check_out(sha);
  EXPECT_EQ(in(second, {"ls-files", "--stage"}), in(first, {"ls-files", "--stage"}));
  for (const auto& tree : {first, second}) {
    EXPECT_EQ(in(tree, {"status", "--porcelain"}), "");
    EXPECT_EQ(in(tree, {"-c", "index.skipHash=false", "fsck", "--connectivity-only"}), "");  // the index's checksum too
    EXPECT_EQ(read_file(tree / "deep/er/a file.py").value_or(""), "print(1)\n");
    EXPECT_EQ(fs::read_symlink(tree / "bin/link"), "../deep");
    EXPECT_EQ(fs::status(tree / "bin/run").permissions() & fs::perms::owner_exec, fs::perms::owner_exec);
    EXPECT_EQ(fs::status(tree / "deep/empty").permissions() & fs::perms::owner_exec, fs::perms::none);
  }
  std::ofstream(second / "deep/empty") << "x";
  EXPECT_EQ(in(second, {"status", "--porcelain"}), " M deep/empty\n");
  // The index knows its files: git does not read them again.
  const auto index = in(second, {"ls-files", "--debug", "bin/run"});
  struct stat info{};
  ASSERT_EQ(::stat((second / "bin/run").c_str(), &info), 0);
  EXPECT_NE(index.find(fmt::format("ino: {}", info.st_ino)), std::string::npos) << index;
}

TEST_F(CheckoutCacheTest, LeavesToGitWhatOnlyGitCanDo) {
  write(".gitattributes", "*.bin filter=lfs\n");
  const auto filtered = commit("filtered");
  check_out(filtered);
  EXPECT_FALSE(is_kept(filtered));

  fs::remove(root_ / ".gitattributes");
  write("large", std::string(5U << 20, 'x'));
  const auto large = commit("large");
  check_out(large);
  EXPECT_FALSE(is_kept(large));

  fs::remove(root_ / "large");
  for (int i = 0; i < 1'001; ++i) write(fmt::format("many/{}", i), "");
  const auto many = commit("many");
  check_out(many);
  EXPECT_FALSE(is_kept(many));

  fs::remove_all(root_ / "many");
  git({"update-index", "--add", "--cacheinfo", "160000," + many + ",module"});
  git({"commit", "-qm", "module"});
  const auto module = git({"rev-parse", "HEAD"});
  check_out(module);
  EXPECT_FALSE(is_kept(module));
}

TEST_F(CheckoutCacheTest, DamageAndStrangersAreNoticed) {
  write("a", "1");
  const auto sha = commit("one");
  check_out(sha);
  const auto kept = root_ / ".git" / "checkouts" / sha;
  const auto whole = read_file(kept).value();
  for (const std::size_t size : {std::size_t{0}, std::size_t{30}, whole.size() / 2, whole.size() - 1}) {
    std::ofstream(kept, std::ios::binary) << whole.substr(0, size);
    EXPECT_FALSE(is_kept(sha)) << size;
  }
  auto changed = whole;
  changed[whole.size() - 21] = '2';  // the content of "a"
  std::ofstream(kept, std::ios::binary) << changed;
  EXPECT_FALSE(is_kept(sha));
  EXPECT_EQ(read_file(check_out(sha) / "a").value_or(""), "1");
  EXPECT_TRUE(is_kept(sha));  // and kept anew

  const auto occupied = empty_tree();
  std::ofstream(occupied / "mine") << "x";
  EXPECT_FALSE(cache_.restore(sha, occupied).value());
  EXPECT_FALSE(fs::exists(occupied / "a"));
}

TEST(GitTree, RefusesDamage) {
  const std::string id(20, '\1');
  EXPECT_EQ(parse_git_tree("100644 a" + std::string(1, '\0') + id, 20)->size(), 1U);
  for (const std::string& bytes : {std::string("100644 a"), "100644 a" + std::string(1, '\0') + id.substr(1),
                                   "100644a" + std::string(1, '\0') + id, "100644 " + std::string(1, '\0') + id,
                                   " a" + std::string(1, '\0') + id}) {
    EXPECT_EQ(parse_git_tree(bytes, 20).error().code, Code::kCorrupt);
  }
}

}  // namespace
}  // namespace weir::io
