#include "io/git.h"

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>

#include "base/hash.h"
#include "io/file.h"
#include "io/process.h"

namespace weir::io {
namespace {

namespace fs = std::filesystem;

bool is_object_id(std::string_view text) {
  return (text.size() == 40 || text.size() == 64) &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool all_zeros(std::string_view text) {
  return text.find_first_not_of('0') == std::string_view::npos;
}

std::string_view strip(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return parts;
}

std::int64_t to_number(std::string_view text) {
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// Every field ends with a NUL byte, the last too.
constexpr std::string_view kCommitFormat = "--format=%H%x00%T%x00%P%x00%an%x00%ae%x00%at%x00%ct%x00%B%x00";

std::vector<GitCommit> read_commits(std::string_view text) {
  std::vector<GitCommit> commits;
  const auto parts = split(text, '\0');
  for (std::size_t i = 0; i + 8 <= parts.size(); i += 8) {
    GitCommit& commit = commits.emplace_back();
    commit.sha = parts[i].substr(std::min(parts[i].size(), parts[i].find_first_not_of('\n')));
    commit.tree = parts[i + 1];
    for (const auto parent : split(parts[i + 2], ' ')) commit.parents.emplace_back(parent);
    commit.author_name = parts[i + 3];
    commit.author_email = parts[i + 4];
    commit.author_time_s = to_number(parts[i + 5]);
    commit.committer_time_s = to_number(parts[i + 6]);
    commit.message = strip(parts[i + 7]);
  }
  return commits;
}

// The process's environment, without what would point git at another repository, plus `extra`.
std::map<std::string, std::string> git_environment(std::map<std::string, std::string> extra) {
  std::map<std::string, std::string> env = std::move(extra);
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto equals = text.find('=');
    if (equals == std::string_view::npos || text.starts_with("GIT_")) continue;
    env.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  env.emplace("GIT_TERMINAL_PROMPT", "0");
  env.emplace("LC_ALL", "C");
  return env;
}

Result<void> require_object_id(std::string_view text) {
  if (is_object_id(text)) return {};
  return fail(Code::kInvalidArgument, "\"{}\" is not a full git object id", text.substr(0, 80));
}

}  // namespace

Result<std::string> Git::run(std::vector<std::string> arguments, std::string_view input,
                             std::map<std::string, std::string> env) const {
  ProcessOptions options;
  options.argv = {"git", "--git-dir=" + git_dir_.string(), "-c", "core.quotePath=false"};
  for (auto& argument : arguments) options.argv.push_back(std::move(argument));
  options.env = git_environment(std::move(env));
  return run_checked(std::move(options), input);
}

Result<Git> Git::discover(const fs::path& folder) {
  ProcessOptions options;
  options.argv = {"git", "-C", folder.string(), "rev-parse", "--absolute-git-dir"};
  options.env = git_environment({});
  auto captured = WEIR_TRY(run_process(std::move(options)));
  if (captured.status.code != 0) {
    return fail(Code::kNotFound, "{} is not in a git repository; run `git init` there first", folder.string());
  }
  return Git(fs::path(strip(captured.out)));
}

Result<Git> Git::init_bare(const fs::path& git_dir, std::string_view default_branch) {
  if (fs::exists(git_dir / "HEAD")) return Git(git_dir);
  WEIR_TRY(make_dirs(git_dir.parent_path()));
  // Aside, then renamed: a repository that a full disk or a crash left half-made would never be completed.
  const fs::path draft = git_dir.parent_path() / fmt::format(".{}.{}.tmp", git_dir.filename().string(), random_hex(6));
  ProcessOptions options;
  options.argv = {"git",         "init", "--quiet", "--bare", fmt::format("--initial-branch={}", default_branch),
                  draft.string()};
  options.env = git_environment({});
  auto made = run_checked(std::move(options));
  // Another thread may have been faster with the same.
  if (made && ::rename(draft.c_str(), git_dir.c_str()) != 0 && !fs::exists(git_dir / "HEAD")) {
    made = fail_errno(errno, fmt::format("cannot make {}", git_dir.string()));
  }
  (void)remove_tree(draft);
  if (!made) return std::unexpected(made.error());
  WEIR_TRY(sync_path(git_dir.parent_path()));
  return Git(git_dir);
}

Result<std::string> Git::resolve(std::string_view revision) const {
  auto out = run({"rev-parse", "--verify", "--quiet", "--end-of-options", std::string(revision) + "^{commit}"});
  if (!out) return fail(Code::kNotFound, "there is no commit \"{}\" in {}", revision, git_dir_.string());
  return std::string(strip(*out));
}

Result<GitCommit> Git::commit(std::string_view sha) const {
  WEIR_TRY(require_object_id(sha));
  const std::string text =
      WEIR_TRY(run({"show", "--no-patch", "--no-show-signature", std::string(kCommitFormat), std::string(sha)}));
  auto commits = read_commits(text);
  if (commits.empty()) return fail(Code::kInternal, "git gave no commit {}", sha);
  return std::move(commits.front());
}

Result<std::vector<GitCommit>> Git::commits_between(std::string_view before, std::string_view after, int limit) const {
  WEIR_TRY(require_object_id(after));
  std::vector<std::string> arguments{"log", "--no-show-signature", std::string(kCommitFormat),
                                     fmt::format("--max-count={}", limit), std::string(after)};
  if (!before.empty() && !all_zeros(before)) {
    WEIR_TRY(require_object_id(before));
    arguments.push_back("^" + std::string(before));
  }
  return read_commits(WEIR_TRY(run(std::move(arguments))));
}

Result<std::string> Git::head_ref() const {
  return std::string(strip(WEIR_TRY(run({"symbolic-ref", "--quiet", "HEAD"}))));
}

Result<std::map<std::string, std::string>> Git::refs() const {
  const std::string text = WEIR_TRY(run({"for-each-ref", "--format=%(objectname) %(refname)"}));
  std::map<std::string, std::string> refs;
  for (const auto line : split(text, '\n')) {
    if (const auto space = line.find(' '); space != std::string_view::npos) {
      refs.emplace(line.substr(space + 1), line.substr(0, space));
    }
  }
  return refs;
}

Result<std::string> Git::show(std::string_view sha, std::string_view path) const {
  WEIR_TRY(require_object_id(sha));
  auto bytes = run({"cat-file", "blob", fmt::format("{}:{}", sha, path)});
  if (bytes) return bytes;
  if (bytes.error().code == Code::kResourceExhausted) {
    return fail(Code::kInvalidArgument, "the file {} at commit {} is too large to be read ({})", path,
                sha.substr(0, 12), bytes.error().message);
  }
  // Only a tree that was read tells that the file is not there: a git that failed for another reason must not.
  for (const auto& entry : WEIR_TRY(list(sha, path))) {
    if (entry.path == path) return bytes;
  }
  return fail(Code::kNotFound, "there is no file {} at commit {}", path, sha.substr(0, 12));
}

Result<std::vector<GitTreeEntry>> Git::list(std::string_view sha, std::string_view folder) const {
  WEIR_TRY(require_object_id(sha));
  std::vector<std::string> arguments{"ls-tree", "-r", "-z", "--full-tree", std::string(sha)};
  if (!folder.empty()) {
    arguments.emplace_back("--");
    arguments.emplace_back(folder);
  }
  const std::string text = WEIR_TRY(run(std::move(arguments)));
  std::vector<GitTreeEntry> entries;
  for (const auto line : split(text, '\0')) {
    const auto tab = line.find('\t');
    const auto fields = split(line.substr(0, tab), ' ');
    if (tab == std::string_view::npos || fields.size() < 3) continue;
    entries.push_back({std::string(line.substr(tab + 1)), std::string(fields[0]), std::string(fields[2])});
  }
  return entries;
}

Result<std::vector<std::string>> Git::changed_paths(std::string_view before, std::string_view after) const {
  std::vector<std::string> paths;
  if (before.empty() || all_zeros(before)) {
    for (auto& entry : WEIR_TRY(list(after))) paths.push_back(std::move(entry.path));
    return paths;
  }
  WEIR_TRY(require_object_id(before));
  WEIR_TRY(require_object_id(after));
  const std::string text =
      WEIR_TRY(run({"diff-tree", "-r", "-z", "--name-only", "--no-renames", std::string(before), std::string(after)}));
  for (const auto path : split(text, '\0')) paths.emplace_back(path);
  return paths;
}

Result<std::string> Git::snapshot(const fs::path& work_tree) const {
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
    ProcessOptions add;
    add.argv = {"git", "--git-dir=" + git_dir_.string(), "-C", work_tree.string(), "add", "--all", "."};
    add.env = git_environment(env);
    WEIR_TRY(run_checked(std::move(add)));
    return std::string(strip(WEIR_TRY(run({"write-tree"}, {}, env))));
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
  return std::string(strip(WEIR_TRY(run(std::move(arguments), {}, author))));
}

Result<void> Git::checkout_to(const fs::path& target, std::string_view sha, std::string_view ref) const {
  WEIR_TRY(require_object_id(sha));
  // The few files of a .git folder, written by hand: a tenth of what `git clone --shared` takes. Nothing here needs to
  // survive a power cut: a job's workspace is made anew.
  const fs::path dot_git = target / ".git";
  WEIR_TRY(make_dirs(dot_git / "objects" / "info"));
  WEIR_TRY(make_dirs(dot_git / "refs" / "heads"));
  std::string objects = (git_dir_ / "objects").string();
  if (auto common = read_file(git_dir_ / "commondir"); common) {
    objects = (git_dir_ / strip(*common) / "objects").lexically_normal().string();
  }
  const auto put = [](const fs::path& path, const std::string& text) -> Result<void> {
    FILE* file = std::fopen(path.c_str(), "we");
    if (file == nullptr) return fail_errno(errno, fmt::format("cannot make {}", path.string()));
    std::fwrite(text.data(), 1, text.size(), file);
    if (std::fclose(file) != 0) return fail_errno(errno, fmt::format("cannot write {}", path.string()));
    return {};
  };
  WEIR_TRY(put(dot_git / "objects" / "info" / "alternates", objects + "\n"));
  WEIR_TRY(
      put(dot_git / "config",
          "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = false\n"));
  WEIR_TRY(put(dot_git / "HEAD", std::string(sha) + "\n"));
  if (ref.starts_with("refs/") && ref.find("..") == std::string_view::npos) {
    WEIR_TRY(
        put(dot_git / "packed-refs", fmt::format("# pack-refs with: peeled fully-peeled sorted\n{} {}\n", sha, ref)));
    if (ref.starts_with("refs/heads/")) WEIR_TRY(put(dot_git / "HEAD", fmt::format("ref: {}\n", ref)));
  }
  ProcessOptions options;
  options.argv = {"git", "-C",      target.string(), "-c", "core.hooksPath=/dev/null", "read-tree",
                  "-u",  "--reset", std::string(sha)};
  options.env = git_environment({});
  WEIR_TRY(run_checked(std::move(options)));
  return {};
}

}  // namespace weir::io
