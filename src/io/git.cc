#include "io/git.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ranges>

#include "base/hash.h"
#include "io/checkout_cache.h"
#include "io/descriptor.h"
#include "io/file.h"
#include "io/git_process.h"
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

constexpr std::string_view kFolderMode = "040000";
constexpr std::size_t kListBytesMax = 256U << 20;
constexpr std::size_t kTreesKept = 64;
constexpr std::string_view kSubmoduleMode = "160000";

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

Result<void> require_object_id(std::string_view text) {
  if (is_object_id(text)) return {};
  return fail(Code::kInvalidArgument, "\"{}\" is not a full git object id", text.substr(0, 80));
}

}  // namespace

Git::Git(fs::path git_dir) : git_dir_(std::move(git_dir)), objects_(std::make_shared<GitObjects>(git_dir_, env_)) {}

Git::Git(fs::path git_dir, const fs::path& added)
    : git_dir_(std::move(git_dir)),
      env_{{"GIT_OBJECT_DIRECTORY", added.string()},
           {"GIT_ALTERNATE_OBJECT_DIRECTORIES", git_path(git_dir_ / "objects")}},
      objects_(std::make_shared<GitObjects>(git_dir_, env_)) {}

Result<std::string> Git::run(std::vector<std::string> arguments, std::string_view input,
                             std::map<std::string, std::string> env) const {
  ProcessOptions options;
  options.argv = {"git", "--git-dir=" + git_dir_.string(), "-c", "core.quotePath=false",
                  "-c",  "i18n.logOutputEncoding=UTF-8"};
  for (auto& argument : arguments) options.argv.push_back(std::move(argument));
  env.insert(env_.begin(), env_.end());
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
  [[maybe_unused]] const auto removed = remove_tree(draft);
  if (!made) return std::unexpected(made.error());
  WEIR_TRY(sync_path(git_dir.parent_path()));
  return Git(git_dir);
}

Result<std::string> Git::resolve(std::string_view revision) const {
  auto found = WEIR_TRY(objects_->read(std::string(revision) + "^{commit}"));
  if (!found) return fail(Code::kNotFound, "there is no commit \"{}\" in {}", revision, git_dir_.string());
  return std::move(found->id);
}

Result<GitCommit> Git::commit(std::string_view sha) const {
  WEIR_TRY(require_object_id(sha));
  const auto object = WEIR_TRY(objects_->read(std::string(sha) + "^{commit}"));
  if (!object) return fail(Code::kNotFound, "there is no commit \"{}\" in {}", sha, git_dir_.string());
  if (auto commit = parse_git_commit(*object)) return *std::move(commit);
  const std::string text =
      WEIR_TRY(run({"show", "--no-patch", "--no-show-signature", std::string(kCommitFormat), object->id}));
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
  // Other ways of keeping refs than in files have a HEAD that names no valid branch.
  constexpr std::string_view kBranch = "ref: refs/heads/";
  const auto head = read_file(git_dir_ / "HEAD", 4'096);
  if (head && head->starts_with(kBranch) && !head->substr(kBranch.size()).starts_with('.')) {
    return std::string(strip(std::string_view(*head).substr(5)));
  }
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

Result<std::vector<GitTreeItem>> Git::tree(const std::string& object) const {
  const auto found = WEIR_TRY(objects_->read(object + "^{tree}"));
  // Only a tree that was read tells that a file is not there: a repository that cannot be read must not.
  if (!found) return fail(Code::kFailedPrecondition, "the tree {} of {} cannot be read", object, git_dir_.string());
  return parse_git_tree(found->bytes, found->id.size() / 2);
}

Result<std::optional<GitTreeItem>> Git::find(std::string_view sha, std::string_view path) const {
  WEIR_TRY(require_object_id(sha));
  GitTreeItem item{.name = {}, .mode = std::string(kFolderMode), .object = std::string(sha)};
  for (const auto part : split(path, '/')) {
    if (item.mode != kFolderMode) return std::optional<GitTreeItem>();
    auto items = WEIR_TRY(tree(item.object));
    const auto found = std::ranges::find(items, part, &GitTreeItem::name);
    if (found == items.end()) return std::optional<GitTreeItem>();
    item = std::move(*found);
  }
  return item;
}

Result<std::optional<std::string>> Git::object_at(std::string_view sha, std::string_view path) const {
  auto found = WEIR_TRY(find(sha, path));
  return found ? std::optional(std::move(found->object)) : std::nullopt;
}

Result<std::string> Git::show(std::string_view sha, std::string_view path) const {
  const auto file = WEIR_TRY(find(sha, path));
  if (!file || file->mode == kFolderMode || file->mode == kSubmoduleMode) {
    return fail(Code::kNotFound, "there is no file {} at commit {}", path, sha.substr(0, 12));
  }
  auto object = objects_->read(file->object);
  if (!object && object.error().code == Code::kResourceExhausted) {
    return fail(Code::kInvalidArgument, "the file {} at commit {} is too large to be read ({})", path,
                sha.substr(0, 12), object.error().message);
  }
  if (!object) return std::unexpected(object.error());
  if (!*object) {
    return fail(Code::kFailedPrecondition, "the file {} at commit {} cannot be read from {}", path, sha.substr(0, 12),
                git_dir_.string());
  }
  return std::move((*object)->bytes);
}

Result<std::vector<GitTreeEntry>> Git::list(std::string_view sha, std::string_view folder) const {
  std::vector<GitTreeEntry> entries;
  while (folder.ends_with('/')) folder.remove_suffix(1);
  const auto root = WEIR_TRY(find(sha, folder));
  if (!root) return entries;
  std::size_t bytes = 0;
  std::map<std::string, std::vector<GitTreeItem>> trees;
  std::vector<GitTreeEntry> open{{std::string(folder), root->mode, root->object}};
  while (!open.empty()) {
    auto entry = std::move(open.back());
    open.pop_back();
    // A few trees that name each other again and again stand for more files than any machine can hold.
    bytes += entry.path.size() + sizeof(entry);
    if (bytes > kListBytesMax) {
      return fail(Code::kResourceExhausted, "commit {} has too many files to be listed", sha.substr(0, 12));
    }
    if (entry.mode != kFolderMode) {
      entries.push_back(std::move(entry));
      continue;
    }
    auto known = trees.find(entry.object);
    if (known == trees.end()) {
      if (trees.size() >= kTreesKept) trees.clear();
      known = trees.emplace(entry.object, WEIR_TRY(tree(entry.object))).first;
    }
    for (const auto& item : std::views::reverse(known->second)) {  // the last one first comes off the stack last
      open.push_back(
          {entry.path.empty() ? item.name : fmt::format("{}/{}", entry.path, item.name), item.mode, item.object});
    }
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

namespace {

// git itself syncs what it makes only where it is asked to.
constexpr std::string_view kSync = "core.fsync=objects,reference";

Result<void> check_object_id(std::string_view id) {
  const bool hex = id.size() == 40 && id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  if (hex) return {};
  return fail(Code::kInvalidArgument, "\"{}\" is no object id", id.substr(0, 80));
}

// Runs git and gives its exit code with what it printed; codes above 1 are errors.
struct Answer {
  int code = 0;
  std::string text;
};
Result<Answer> ask(const fs::path& git_dir, const std::map<std::string, std::string>& env,
                   std::vector<std::string> arguments) {
  ProcessOptions options;
  options.argv = {"git", "--git-dir=" + git_dir.string()};
  options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
  options.env = git_environment(env);
  auto captured = WEIR_TRY(run_process(std::move(options)));
  if (captured.status.code > 1 || captured.status.signal != 0) {
    return fail(Code::kInternal, "git {} failed: {}", fmt::join(arguments, " "), strip(captured.err));
  }
  return Answer{captured.status.code, std::move(captured.out)};
}

}  // namespace

Result<Git::Merge> Git::merge(std::string_view ours, std::string_view theirs) const {
  WEIR_TRY(check_object_id(ours));
  WEIR_TRY(check_object_id(theirs));
  const auto answer = WEIR_TRY(ask(git_dir_, env_,
                                   {"-c", std::string(kSync), "merge-tree", "--write-tree", "--name-only", "-z",
                                    "--no-messages", std::string(ours), std::string(theirs)}));
  // The tree, then with conflicts their paths; each ends with a NUL byte.
  Merge merge;
  std::string_view rest = answer.text;
  for (bool first = true; !rest.empty(); first = false) {
    const auto end = std::min(rest.find('\0'), rest.size());
    const auto part = rest.substr(0, end);
    if (first) merge.tree = part;
    if (!first && !part.empty()) merge.conflicts.emplace_back(part);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (answer.code == 1) merge.tree.clear();
  return merge;
}

Result<std::string> Git::make_commit(const NewCommit& commit) const {
  WEIR_TRY(check_object_id(commit.tree));
  std::vector<std::string> arguments{"-c", std::string(kSync), "commit-tree", commit.tree};
  for (const auto& parent : commit.parents) {
    WEIR_TRY(check_object_id(parent));
    arguments.insert(arguments.end(), {"-p", parent});
  }
  arguments.insert(arguments.end(), {"-F", "-"});
  const auto when =
      fmt::format("{} +0000", std::chrono::duration_cast<std::chrono::seconds>(commit.time.time_since_epoch()).count());
  return std::string(strip(WEIR_TRY(run(std::move(arguments), commit.message,
                                        {{"GIT_AUTHOR_NAME", commit.author_name},
                                         {"GIT_AUTHOR_EMAIL", commit.author_email},
                                         {"GIT_AUTHOR_DATE", when},
                                         {"GIT_COMMITTER_NAME", commit.author_name},
                                         {"GIT_COMMITTER_EMAIL", commit.author_email},
                                         {"GIT_COMMITTER_DATE", when}}))));
}

namespace {

// A commit object's bytes for another place: its author and message stay, its signature would be a lie.
std::string rewrite_commit(std::string_view bytes, std::string_view tree, std::string_view parent,
                           std::string_view committer) {
  const auto end = std::min(bytes.find("\n\n"), bytes.size());
  std::string out = fmt::format("tree {}\nparent {}\n", tree, parent);
  for (const auto line : split(bytes.substr(0, end), '\n')) {
    if (line.starts_with("author ")) out += fmt::format("{}\ncommitter {}\n", line, committer);
    if (line.starts_with("encoding ")) out += fmt::format("{}\n", line);
  }
  out += bytes.substr(std::min(end + 1, bytes.size()));
  return out;
}

std::string committer_line(const Git::Committer& committer) {
  std::string name = committer.name;
  std::erase_if(name, [](unsigned char c) { return c < 0x20 || c == '<' || c == '>'; });
  return fmt::format("{} <{}> {} +0000", name, committer.email,
                     std::chrono::duration_cast<std::chrono::seconds>(committer.time.time_since_epoch()).count());
}

}  // namespace

Result<Git::Rebase> Git::rebase(std::string_view base, std::string_view head, const Committer& committer) const {
  WEIR_TRY(check_object_id(base));
  WEIR_TRY(check_object_id(head));
  const std::string text = WEIR_TRY(run({"rev-list", "--reverse", "--topo-order", "--no-merges", "--cherry-pick",
                                         "--right-only", fmt::format("{}...{}", base, head)}));
  const auto commits = split(text, '\n');
  if (std::ssize(commits) > kRebasedMax) {
    return fail(Code::kFailedPrecondition, "{} commits are more than the {} that are rebased at once", commits.size(),
                kRebasedMax);
  }
  const auto who = committer_line(committer);
  Rebase done{.commit = std::string(base)};
  for (const auto sha : commits) {
    const auto object = WEIR_TRY(objects_->read(sha));
    const auto known = WEIR_TRY(commit(sha));
    if (!object || known.parents.empty()) {
      return fail(Code::kFailedPrecondition, "commit {} has no parent, so it cannot be put elsewhere",
                  sha.substr(0, 12));
    }
    const auto onto = WEIR_TRY(commit(done.commit));
    // What the branch is now, as if it had been made of the commit's parent: then that is what the two have in common.
    const auto stand_in = std::string(strip(WEIR_TRY(
        run({"hash-object", "-t", "commit", "-w", "--stdin"},
            fmt::format("tree {}\nparent {}\nauthor {}\ncommitter {}\n\n", onto.tree, known.parents[0], who, who)))));
    auto merged = WEIR_TRY(merge(stand_in, sha));
    if (!merged.conflicts.empty()) return Rebase{"", std::string(sha), std::move(merged.conflicts)};
    const bool was_empty = WEIR_TRY(commit(known.parents[0])).tree == known.tree;
    if (merged.tree == onto.tree && !was_empty) continue;
    done.commit =
        std::string(strip(WEIR_TRY(run({"-c", std::string(kSync), "hash-object", "-t", "commit", "-w", "--stdin"},
                                       rewrite_commit(object->bytes, merged.tree, done.commit, who)))));
  }
  return done;
}

Result<void> Git::move_ref(std::string_view ref, std::string_view before, std::string_view after) const {
  WEIR_TRY(check_object_id(before));
  WEIR_TRY(check_object_id(after));
  const bool goes = after.find_first_not_of('0') == std::string_view::npos;
  std::vector<std::string> arguments{"-c", std::string(kSync), "update-ref", "--no-deref"};
  if (goes) {
    arguments.insert(arguments.end(), {"-d", std::string(ref), std::string(before)});
  } else {
    arguments.insert(arguments.end(), {std::string(ref), std::string(after), std::string(before)});
  }
  auto moved = run(std::move(arguments));
  if (moved) return {};
  return fail(Code::kFailedPrecondition, "{} was moved meanwhile, or cannot be: {}", ref, moved.error().message);
}

Result<void> Git::fetch(std::string_view url, const std::vector<std::string>& refspecs, std::string_view token) const {
  ProcessOptions options;
  options.argv = {"git",
                  "--git-dir=" + git_dir_.string(),
                  "-c",
                  std::string(kSync),
                  "-c",
                  "protocol.ext.allow=never",
                  "fetch",
                  "--quiet",
                  "--prune",
                  "--no-tags",
                  "--no-write-fetch-head",
                  "--end-of-options",
                  std::string(url)};
  options.argv.insert(options.argv.end(), refspecs.begin(), refspecs.end());
  std::map<std::string, std::string> env{{"GIT_TERMINAL_PROMPT", "0"},
                                         {"GIT_SSH_COMMAND", "ssh -oBatchMode=yes -oServerAliveInterval=20"},
                                         {"GIT_HTTP_LOW_SPEED_LIMIT", "1"},
                                         {"GIT_HTTP_LOW_SPEED_TIME", "60"}};
  if (!token.empty()) {
    env["GIT_CONFIG_COUNT"] = "1";
    env["GIT_CONFIG_KEY_0"] = "http.extraHeader";
    env["GIT_CONFIG_VALUE_0"] =
        fmt::format("Authorization: Basic {}", base64_encode("x-access-token:" + std::string(token)));
  }
  options.env = git_environment(std::move(env));
  auto captured = WEIR_TRY(run_process(std::move(options)));
  if (captured.status.code == 0 && captured.status.signal == 0) return {};
  auto words = std::string(strip(captured.err));
  // user:password@ of an address.
  if (const auto scheme = url.find("://"), sign = url.find('@');
      scheme != std::string_view::npos && sign != std::string_view::npos) {
    const auto secret = url.substr(scheme + 3, sign - scheme - 3);
    for (auto found = words.find(secret); found != std::string::npos; found = words.find(secret)) {
      words.replace(found, secret.size(), "***");
      if (secret.empty() || secret == "***") break;
    }
  }
  if (words.find("could not read Username") != std::string::npos) {
    words = token.empty() ? "a token is wanted, and none was given" : "the token that was given is not taken";
  }
  return fail(Code::kUnavailable, "git cannot fetch: {}", words.substr(0, 2'000));
}

Result<bool> Git::is_ancestor(std::string_view commit, std::string_view of) const {
  WEIR_TRY(check_object_id(commit));
  WEIR_TRY(check_object_id(of));
  return WEIR_TRY(ask(git_dir_, env_, {"merge-base", "--is-ancestor", std::string(commit), std::string(of)})).code == 0;
}

Result<std::string> Git::merge_base(std::string_view a, std::string_view b) const {
  WEIR_TRY(check_object_id(a));
  WEIR_TRY(check_object_id(b));
  return std::string(strip(WEIR_TRY(ask(git_dir_, env_, {"merge-base", std::string(a), std::string(b)})).text));
}

namespace {

// Files get their times from a clock that goes on every few milliseconds.
void wait_for_tick() {
  timespec before{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &before);
  for (timespec now = before; now.tv_sec == before.tv_sec && now.tv_nsec == before.tv_nsec;) {
    const timespec pause{.tv_sec = 0, .tv_nsec = 500'000};
    ::nanosleep(&pause, nullptr);
    ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  }
}

// Says which files a work tree that is still empty is to have.
Result<void> set_sparse(const fs::path& target, const GitCheckout& checkout) {
  std::string lines;
  for (const auto& line : checkout.sparse) lines.append(line).push_back('\n');
  ProcessOptions options;
  options.argv = {"git",
                  "-C",
                  target.string(),
                  "-c",
                  "core.hooksPath=/dev/null",
                  "sparse-checkout",
                  "set",
                  "--stdin",
                  checkout.sparse_cone ? "--cone" : "--no-cone"};
  options.env = git_environment({});
  WEIR_TRY(run_checked(std::move(options), lines));
  return {};
}

}  // namespace

Result<void> Git::checkout_to(const fs::path& target, const GitCheckout& checkout, const CheckoutCache& cache) const {
  WEIR_TRY(require_object_id(checkout.sha));
  // The few files of a .git folder, written by hand: a tenth of what `git clone --shared` takes. Nothing here needs to
  // survive a power cut: a job's workspace is made anew.
  const fs::path dot_git = target / ".git";
  WEIR_TRY(make_dirs(dot_git / "objects" / "info"));
  WEIR_TRY(make_dirs(dot_git / "refs"));
  std::string objects = (git_dir_ / "objects").string();
  if (auto common = read_file(git_dir_ / "commondir"); common) {
    objects = (git_dir_ / strip(*common) / "objects").lexically_normal().string();
  }
  const auto put = [&](const fs::path& name, std::string_view text) -> Result<void> {
    const fs::path path = dot_git / name;
    const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (!file) return fail_errno(errno, fmt::format("cannot make {}", path.string()));
    return write_all(file.get(), text, path.string());
  };
  WEIR_TRY(put("objects/info/alternates", objects + "\n"));
  WEIR_TRY(put("config", fmt::format("[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n"
                                     "\tlogallrefupdates = true\n{}",
                                     checkout.config)));
  const bool on_branch = checkout.ref.starts_with("refs/heads/") && checkout.ref.find("..") == std::string::npos;
  WEIR_TRY(put("HEAD", on_branch ? fmt::format("ref: {}\n", checkout.ref) : checkout.sha + "\n"));
  // Without "peeled" in its header git looks at tags itself.
  std::string packed = "# pack-refs with: sorted \n";
  for (const auto& [name, sha] : checkout.refs) packed += fmt::format("{} {}\n", sha, name);
  WEIR_TRY(put("packed-refs", packed));

  const bool whole = checkout.sparse.empty();
  if (whole && WEIR_TRY(cache.restore(checkout.sha, target))) return {};
  if (!whole) WEIR_TRY(set_sparse(target, checkout));
  ProcessOptions options;
  options.argv = {"git", "-C", target.string(), "-c", "core.hooksPath=/dev/null"};
  // What Git LFS keeps stays a pointer: the machine's git-lfs would ask a server for it, one that the commit can name.
  for (const char* setting : {"filter.lfs.smudge=", "filter.lfs.process=", "filter.lfs.required=false"}) {
    options.argv.insert(options.argv.end(), {"-c", setting});
  }
  // The form of the index that is read here.
  for (const char* setting : {"index.version=2", "core.splitIndex=false"}) {
    options.argv.insert(options.argv.end(), {"-c", setting});
  }
  options.argv.insert(options.argv.end(), {"read-tree", "-u", "--reset", checkout.sha});
  options.env = git_environment({});
  WEIR_TRY(run_checked(std::move(options)));
  if (whole) cache.keep(checkout.sha, target);
  wait_for_tick();
  return {};
}

}  // namespace weir::io
