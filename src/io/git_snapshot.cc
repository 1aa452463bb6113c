// A work tree as it stands, as a commit that no ref leads to.
#include "base/hash.h"
#include "io/git.h"
#include "io/git_process.h"
#include "io/process.h"

namespace weir::io {
namespace {

namespace fs = std::filesystem;

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

// Untracked folders of a work tree that are repositories without a commit: paths within it.
Result<std::vector<std::string>> commitless_repositories(const std::vector<std::string>& git,
                                                         const std::map<std::string, std::string>& env) {
  ProcessOptions list;
  list.argv = git;
  for (const char* word : {"ls-files", "--others", "--exclude-standard", "-z"}) list.argv.emplace_back(word);
  list.env = env;
  const auto listed = WEIR_TRY(run_checked(std::move(list)));
  std::vector<std::string> found;
  for (std::size_t at = 0; at < listed.size();) {
    const auto end = std::min(listed.find('\0', at), listed.size());
    const auto path = listed.substr(at, end - at);
    at = end + 1;
    if (!path.ends_with('/')) continue;  // git lists the files of others, and of repositories the folder
    ProcessOptions ask;
    ask.argv = git;
    for (const std::string& word : {std::string("-C"), path, std::string("rev-parse"), std::string("--verify"),
                                    std::string("--quiet"), std::string("HEAD")}) {
      ask.argv.push_back(word);
    }
    // Another repository than the one that `env` and `git` are about.
    std::erase_if(ask.argv, [](const std::string& word) { return word.starts_with("--git-dir="); });
    ask.env = git_environment({});
    if (WEIR_TRY(run_process(std::move(ask))).status.code != 0) found.push_back(path);
  }
  return found;
}

}  // namespace

Result<std::string> Git::snapshot(const fs::path& work_tree, std::vector<std::string>* left_out) const {
  const auto head = resolve("HEAD");
  const fs::path index = git_dir_ / fmt::format("weir-index-{}", random_hex(6));
  std::error_code ignored;
  // Starting from the real index spares hashing what has not changed.
  fs::copy_file(git_dir_ / "index", index, ignored);
  // With its time: git reads files anew that are not older than the index, since the clock's ticks are coarse.
  const auto index_time = fs::last_write_time(git_dir_ / "index", ignored);
  if (!ignored) fs::last_write_time(index, index_time, ignored);
  const std::map<std::string, std::string> env{{"GIT_INDEX_FILE", index.string()},
                                               {"GIT_WORK_TREE", work_tree.string()}};
  const auto write_tree = [&]() -> Result<std::string> {
    const std::vector<std::string> git{"git", "--git-dir=" + git_dir_.string(), "-C", work_tree.string()};
    const auto add = [&](const std::vector<std::string>& without) {
      ProcessOptions options;
      options.argv = git;
      for (const char* word : {"add", "--all", "--", "."}) options.argv.emplace_back(word);
      for (const auto& path : without) options.argv.push_back(":(exclude,literal)" + path);
      options.env = git_environment(env);
      return run_checked(std::move(options));
    };
    if (auto added = add({}); !added) {
      auto without = WEIR_TRY(commitless_repositories(git, git_environment(env)));
      if (without.empty()) return std::unexpected(std::move(added).error());
      WEIR_TRY(add(without));
      if (left_out != nullptr) *left_out = std::move(without);
    }
    return first_line(WEIR_TRY(run({"write-tree"}, {}, env)));
  };
  auto tree = write_tree();
  fs::remove(index, ignored);
  if (!tree) return std::unexpected(tree.error());
  if (head && WEIR_TRY(commit(*head)).tree == *tree) return *head;

  std::vector<std::string> arguments{"commit-tree", *tree, "-m", "Work tree as it stands"};
  if (head) {
    arguments.emplace_back("-p");
    arguments.push_back(*head);
  }
  std::map<std::string, std::string> author;
  for (const char* who : {"AUTHOR", "COMMITTER"}) {
    author[fmt::format("GIT_{}_NAME", who)] = "weir";
    author[fmt::format("GIT_{}_EMAIL", who)] = "weir@localhost";
  }
  return first_line(WEIR_TRY(run(std::move(arguments), {}, author)));
}

}  // namespace weir::io
