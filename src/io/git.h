#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "io/git_objects.h"

namespace weir::io {

class CheckoutCache;

struct GitTreeEntry {
  std::string path;
  std::string mode;  // "100644", "100755", "120000", "160000"
  std::string object;
};

// What a work tree is to hold.
struct GitCheckout {
  std::string sha;                          // a commit
  std::string ref;                          // HEAD: "refs/heads/main"; another or none: HEAD is detached
  std::map<std::string, std::string> refs;  // recorded, with the object that each leads to
  std::string config;                       // more lines for .git/config
  std::vector<std::string> sparse;          // which folders, or patterns, are laid out (git-sparse-checkout); none: all
  bool sparse_cone = true;                  // `sparse` names folders
};

// One repository, through the `git` program: one process that reads objects, shared by copies of this object and ended
// with the last of them, and one for everything else that is asked. Functions block. Any thread.
// Names from outside reach git only behind "--end-of-options" or as full object ids.
class Git {
 public:
  // `git_dir` of an existing repository: a bare one, or the .git of a work tree.
  explicit Git(std::filesystem::path git_dir);
  // The same with the objects of `added`, a folder as git's `objects`, which are not in the repository yet. For
  // reading.
  Git(std::filesystem::path git_dir, const std::filesystem::path& added);

  // The repository that holds `folder`. kNotFound with what to do ("git init") if there is none.
  static Result<Git> discover(const std::filesystem::path& folder);
  // Makes a bare repository with `default_branch`; fine if it is there.
  static Result<Git> init_bare(const std::filesystem::path& git_dir, std::string_view default_branch = "main");

  [[nodiscard]] const std::filesystem::path& git_dir() const { return git_dir_; }

  // Full object id of a commit-ish. kNotFound if there is none.
  [[nodiscard]] Result<std::string> resolve(std::string_view revision) const;
  [[nodiscard]] Result<GitCommit> commit(std::string_view sha) const;
  // Commits that `after` has and `before` has not (all zeros or empty: all of `after`'s), newest first, at most
  // `limit`.
  [[nodiscard]] Result<std::vector<GitCommit>> commits_between(std::string_view before, std::string_view after,
                                                               int limit) const;
  // The symbolic HEAD: "refs/heads/main".
  [[nodiscard]] Result<std::string> head_ref() const;
  // Every ref below refs/ with its object id.
  [[nodiscard]] Result<std::map<std::string, std::string>> refs() const;
  // Bytes of a file at a commit. kNotFound if it is not there.
  [[nodiscard]] Result<std::string> show(std::string_view sha, std::string_view path) const;
  // The id of what is at `path` at a commit or tag: of a folder, its tree. Nothing if nothing is there.
  [[nodiscard]] Result<std::optional<std::string>> object_at(std::string_view sha, std::string_view path) const;
  // Files below `folder` ("" = all) at a commit.
  [[nodiscard]] Result<std::vector<GitTreeEntry>> list(std::string_view sha, std::string_view folder = "") const;
  // Paths that differ between two commits; all files of `after` when `before` is empty or all zeros.
  [[nodiscard]] Result<std::vector<std::string>> changed_paths(std::string_view before, std::string_view after) const;
  // A commit, on no branch, of the work tree as it stands: tracked, changed and untracked files, without ignored ones.
  // Neither index nor work tree are touched. Gives HEAD's id when nothing has changed. Works before the first commit.
  // Untracked repositories inside that have no commit yet, which git cannot add, are left out and named in `left_out`.
  [[nodiscard]] Result<std::string> snapshot(const std::filesystem::path& work_tree,
                                             std::vector<std::string>* left_out = nullptr) const;

  // ---- writing; what these make is synced before they return

  // What merging two commits gives: its tree, or the paths that conflict.
  struct Merge {
    std::string tree;  // "" with conflicts
    std::vector<std::string> conflicts;
  };
  [[nodiscard]] Result<Merge> merge(std::string_view ours, std::string_view theirs) const;
  // Makes a commit, on no branch.
  struct NewCommit {
    std::string tree;
    std::vector<std::string> parents;
    std::string message;
    std::string author_name;
    std::string author_email;
    TimePoint time;
  };
  [[nodiscard]] Result<std::string> make_commit(const NewCommit& commit) const;
  // Who puts commits of others onto a branch, and when.
  struct Committer {
    std::string name;
    std::string email;
    TimePoint time;
  };
  // What putting the commits that `head` has and `base` lacks onto `base` gives, one by one, oldest first: authors,
  // their times and messages stay, signatures go. Merge commits, and commits whose change is there already, are left
  // out.
  struct Rebase {
    std::string commit;      // the newest one; `base` if nothing was left; "" with conflicts
    std::string stopped_at;  // with conflicts: the commit that has them
    std::vector<std::string> conflicts;
  };
  // kFailedPrecondition for more than kRebasedMax commits, or one that has no parent.
  static constexpr int kRebasedMax = 500;
  [[nodiscard]] Result<Rebase> rebase(std::string_view base, std::string_view head, const Committer& committer) const;
  // Moves a ref from `before` (all zeros: it must not be there) to `after` (all zeros: it goes).
  // kFailedPrecondition if it was elsewhere.
  [[nodiscard]] Result<void> move_ref(std::string_view ref, std::string_view before, std::string_view after) const;
  // Fetches from `url` by `refspecs`; branches that are gone there go here. `token`: the password of "x-access-token",
  // which GitHub, GitLab and Gitea take from anybody who has one; never on a command line. kUnavailable with git's
  // words, from which addresses' passwords are removed, also when the other side stays silent for a minute.
  [[nodiscard]] Result<void> fetch(std::string_view url, const std::vector<std::string>& refspecs,
                                   std::string_view token) const;
  // Whether `commit` is part of `of`'s history.
  [[nodiscard]] Result<bool> is_ancestor(std::string_view commit, std::string_view of) const;
  // The newest common commit; "" if there is none.
  [[nodiscard]] Result<std::string> merge_base(std::string_view a, std::string_view b) const;

  // Fills `target`: a work tree whose .git borrows this repository's objects (no copy), with no credentials inside.
  // What is read afterwards has a later access time than anything had before, by the clock that files get their times
  // from.
  [[nodiscard]] Result<void> checkout_to(const std::filesystem::path& target, const GitCheckout& checkout,
                                         const CheckoutCache& cache) const;

 private:
  [[nodiscard]] Result<std::string> run(std::vector<std::string> arguments, std::string_view input = {},
                                        std::map<std::string, std::string> env = {}) const;
  [[nodiscard]] Result<std::vector<GitTreeItem>> tree(const std::string& object) const;
  // What is at `path` ("" = the whole tree); nothing if nothing is.
  [[nodiscard]] Result<std::optional<GitTreeItem>> find(std::string_view sha, std::string_view path) const;
  std::filesystem::path git_dir_;
  std::map<std::string, std::string> env_;
  std::shared_ptr<GitObjects> objects_;
};

}  // namespace weir::io
