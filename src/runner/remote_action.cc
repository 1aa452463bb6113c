#include "runner/remote_action.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "base/hash.h"
#include "io/descriptor.h"
#include "io/file.h"
#include "io/process.h"
#include "runner/archive.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

constexpr auto kAskLimit = std::chrono::seconds{60};
constexpr auto kFetchLimit = std::chrono::minutes{10};
// A push waits for the workflows that it calls.
constexpr auto kWorkflowAskLimit = std::chrono::seconds{20};
constexpr auto kWorkflowFetchLimit = std::chrono::minutes{1};
constexpr std::uint64_t kAttributesMax = 1 << 20;  // bytes of a .gitattributes that is looked at
constexpr auto kLockPause = std::chrono::milliseconds{50};

bool is_commit(std::string_view ref) {
  return (ref.size() == 40 || ref.size() == 64) && ref.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.pop_back();
  return text;
}

// git with nobody to ask for a password, none of the caller's repository, and no helper programs as transports.
class ActionGit {
 public:
  ActionGit(const RemoteSource& source, fs::path git_dir) : git_dir_(std::move(git_dir)), env_(source.env) {
    std::erase_if(env_, [](const auto& item) {
      return item.first.starts_with("GIT_") && item.first != "GIT_SSH" && item.first != "GIT_SSH_COMMAND" &&
             !item.first.starts_with("GIT_SSL") && !item.first.starts_with("GIT_PROXY");
    });
    env_["GIT_TERMINAL_PROMPT"] = "0";
    env_["GIT_ASKPASS"] = "true";
    env_["GIT_ALLOW_PROTOCOL"] = "file:git:http:https:ssh";
    env_["GIT_HTTP_LOW_SPEED_LIMIT"] = "1000";
    env_["GIT_HTTP_LOW_SPEED_TIME"] = "30";
    env_["GIT_LFS_SKIP_SMUDGE"] = "1";  // its own settings would say where from
    env_["LC_ALL"] = "C";
    for (const auto& [name, value] : source.credentials) env_[name] = value;
  }

  [[nodiscard]] Result<std::string> run(std::vector<std::string> arguments, Duration limit,
                                        const std::map<std::string, std::string>& more = {}) const {
    io::ProcessOptions options;
    options.argv = {"git", "-c", "safe.directory=*", "-c", "protocol.version=2", "--git-dir", git_dir_.string()};
    options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
    options.env = env_;
    for (const auto& [name, value] : more) (*options.env)[name] = value;
    auto done = io::run_process(std::move(options), {}, limit);
    if (!done && done.error().code == Code::kNotFound) {
      return fail(Code::kNotFound, "what other repositories have needs the program git, which is not installed");
    }
    if (!done) return std::unexpected(done.error());
    if (done->status.code == 0) return std::move(done->out);
    std::string text = trimmed(std::move(done->err));
    std::ranges::replace_if(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
    while (text.ends_with('.')) text.pop_back();
    return fail(Code::kUnavailable, "{}", text.empty() ? "git failed" : text);
  }

 private:
  fs::path git_dir_;
  std::map<std::string, std::string> env_;
};

Result<io::FileLock> lock(const fs::path& path, const std::atomic<bool>& stop) {
  for (;;) {
    auto held = io::FileLock::acquire(path);
    if (held || held.error().code != Code::kFailedPrecondition) return held;
    if (stop) return fail(Code::kCancelled, "The operation was canceled.");
    std::this_thread::sleep_for(kLockPause);
  }
}

class RemoteStore {
 public:
  enum class Wanted : std::uint8_t { kTree, kCommit };

  RemoteStore(const RemoteSource& source, const UsesReference& uses, Wanted wanted)
      : uses_(uses),
        wanted_(wanted),
        url_(fmt::format("{}/{}", source.base_url, uses.repository)),
        root_(source.cache / sha256_hex(source.base_url).substr(0, 12) / uses.repository),
        git_(source, root_ / "git") {}

  // Says that it is used now, and by whom until the result has gone.
  Result<std::shared_ptr<const void>> use() {
    const fs::path path = root_ / "used";
    for (;;) {
      WEIR_TRY(io::make_dirs(root_));
      auto file = std::make_shared<io::Descriptor>(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
      if (!*file || ::flock(file->get(), LOCK_SH) != 0) {
        return fail_errno(errno, fmt::format("cannot use {}", root_.string()));
      }
      struct stat held{};
      struct stat named{};
      // Who removes it moves it away first.
      if (::fstat(file->get(), &held) != 0 || ::stat(path.c_str(), &named) != 0 || held.st_ino != named.st_ino)
        continue;
      ::futimens(file->get(), nullptr);
      return std::shared_ptr<const void>(std::move(file));
    }
  }

  // Whether anything of the repository is here.
  [[nodiscard]] bool is_known() const { return fs::exists(root_ / "git" / "HEAD"); }

  // The commit that the ref means; what is wanted of it is here then.
  Result<std::string> get(Asking asking, const std::atomic<bool>& stop, Reporter& reporter) {
    if (is_commit(uses_.ref) && has(uses_.ref)) return uses_.ref;
    if (asking == Asking::kOnlyKept) {
      auto last = last_seen();
      if (!last.empty()) return last;
      return fail(Code::kNotFound, "{} is not here, and nobody is asked for it", url_);
    }
    WEIR_TRY(io::make_dirs(root_ / "refs"));
    WEIR_TRY(io::make_dirs(root_ / "trees"));
    const auto held = WEIR_TRY(lock(root_ / "lock", stop));
    if (!fs::exists(root_ / "git" / "HEAD")) {
      WEIR_TRY(git_.run({"init", "--quiet", "--bare", "--template=", (root_ / "git").string()}, kAskLimit));
    }
    if (is_commit(uses_.ref)) {
      if (!has(uses_.ref)) WEIR_TRY(bring(uses_.ref, ""));
      return uses_.ref;
    }
    auto found = ask();
    if (!found && found.error().code == Code::kUnavailable) {
      auto last = last_seen();
      if (last.empty()) return std::unexpected(found.error());
      reporter.annotate("warning", fmt::format("{} cannot be reached ({}): {} is used as it was last seen, at {}", url_,
                                               found.error().message, uses_.text, last.substr(0, 12)));
      return last;
    }
    const Found target = WEIR_TRY(std::move(found));
    if (!has(target.commit)) WEIR_TRY(bring(target.commit, target.name));
    WEIR_TRY(io::write_file_atomic(ref_file(), target.commit + "\n"));
    return target.commit;
  }

  [[nodiscard]] fs::path folder_of(std::string_view commit) const { return root_ / "trees" / commit; }
  [[nodiscard]] fs::path git_dir() const { return root_ / "git"; }

 private:
  struct Found {
    std::string commit;
    std::string name;  // "refs/tags/v4"
  };

  [[nodiscard]] bool has_tree(std::string_view commit) const { return fs::is_directory(folder_of(commit)); }
  [[nodiscard]] bool has_commit(std::string_view commit) const {
    return fs::exists(git_dir() / "HEAD") &&
           git_.run({"cat-file", "-e", fmt::format("{}^{{commit}}", commit)}, kAskLimit).has_value();
  }
  [[nodiscard]] bool has(std::string_view commit) const {
    return wanted_ == Wanted::kTree ? has_tree(commit) : has_commit(commit);
  }
  // Where the ref led when somebody last answered; "" if that is not here.
  [[nodiscard]] std::string last_seen() const {
    const auto last = io::read_file(ref_file(), 100);
    auto commit = last ? trimmed(*last) : std::string();
    return is_commit(commit) && has(commit) ? commit : std::string();
  }
  // Of a fixed length and without slashes, whatever the ref is called.
  [[nodiscard]] fs::path ref_file() const { return root_ / "refs" / sha256_hex(uses_.ref).substr(0, 32); }

  [[nodiscard]] Duration ask_limit() const { return wanted_ == Wanted::kTree ? kAskLimit : kWorkflowAskLimit; }

  // What the ref leads to: a tag before a branch, as git itself takes them.
  [[nodiscard]] Result<Found> ask() const {
    const std::string tag = "refs/tags/" + uses_.ref;
    const std::string branch = "refs/heads/" + uses_.ref;
    const auto text =
        WEIR_TRY(git_.run({"ls-remote", "--quiet", "--end-of-options", url_, tag, tag + "^{}", branch}, ask_limit()));
    std::map<std::string, std::string, std::less<>> found;
    std::string_view rest = text;
    while (!rest.empty()) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(rest.size(), line.size() + 1));
      const auto tab = line.find('\t');
      if (tab == std::string_view::npos || !is_commit(line.substr(0, tab))) continue;
      found.emplace(line.substr(tab + 1), line.substr(0, tab));
    }
    if (const auto peeled = found.find(tag + "^{}"); peeled != found.end()) return Found{peeled->second, tag};
    for (const auto& name : {tag, branch}) {
      if (const auto direct = found.find(name); direct != found.end()) return Found{direct->second, name};
    }
    return fail(Code::kNotFound, "{} has neither a branch nor a tag \"{}\"", url_, uses_.ref);
  }

  // Makes what is wanted of a commit. `name`: a ref that leads to it; "" if none is known.
  Result<void> bring(const std::string& commit, const std::string& name) {
    if (!has_commit(commit)) WEIR_TRY(fetch(commit, name));
    if (wanted_ == Wanted::kTree) WEIR_TRY(lay_out(commit));
    return {};
  }

  Result<void> fetch(const std::string& commit, const std::string& name) {
    const std::vector<std::string> head{"fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-auto-gc"};
    const auto fetch_with = [&](std::vector<std::string> more) {
      auto arguments = head;
      arguments.insert(arguments.end(), more.begin(), more.end());
      return git_.run(std::move(arguments), wanted_ == Wanted::kTree ? Duration{kFetchLimit} : kWorkflowFetchLimit);
    };
    const std::string wish = fmt::format("+{}:refs/weir/{}", name.empty() ? commit : name, commit);
    auto got = fetch_with({"--depth=1", "--end-of-options", url_, wish});
    if (!got && name.empty()) {
      // Some servers give refs only: then all of them, among which the commit hopefully is.
      auto all =
          fetch_with({"--end-of-options", url_, "+refs/heads/*:refs/remotes/h/*", "+refs/tags/*:refs/remotes/t/*"});
      if (!all) return std::unexpected(got.error());
      if (!git_.run({"rev-parse", "--quiet", "--verify", "--end-of-options", commit + "^{commit}"}, kAskLimit)) {
        return fail(Code::kNotFound, "{} has no commit {}", url_, commit);
      }
    } else if (!got) {
      return std::unexpected(got.error());
    }
    return {};
  }

  Result<void> lay_out(const std::string& commit) {
    const fs::path temporary = root_ / "trees" / fmt::format(".{}-{}", commit.substr(0, 12), random_hex(4));
    const fs::path index = root_ / fmt::format("index-{}", random_hex(4));
    const std::map<std::string, std::string> with_index{{"GIT_INDEX_FILE", index.string()}};
    const auto go = [&]() -> Result<void> {
      WEIR_TRY(io::make_dirs(temporary));
      WEIR_TRY(git_.run({"read-tree", commit}, kAskLimit, with_index));
      WEIR_TRY(git_.run({"--work-tree", temporary.string(), "checkout-index", "--all"}, kFetchLimit, with_index));
      const auto attributes = io::read_file(temporary / ".gitattributes", kAttributesMax);
      if (attributes && attributes->find("export-subst") != std::string::npos)
        return lay_out_archive(commit, temporary);
      return {};
    };
    auto done = go();
    ::unlink(index.c_str());
    if (done) {
      make_read_only(temporary);
      std::error_code error;
      fs::rename(temporary, folder_of(commit), error);
      if (!error || has_tree(commit)) return {};
      done = fail(Code::kInternal, "cannot keep {}: {}", folder_of(commit).string(), error.message());
    }
    [[maybe_unused]] const auto removed = io::remove_tree(temporary);
    return done;
  }

  // GitHub hands actions out as archives, in which files may tell their commit and its tags (export-subst): packages
  // that are installed from there learn their version by it.
  Result<void> lay_out_archive(const std::string& commit, const fs::path& folder) {
    // Only those that are named by tags can be told; without them the archive says less, as it does on GitHub.
    if (const auto text = git_.run({"ls-remote", "--quiet", "--tags", "--end-of-options", url_}, kAskLimit)) {
      std::string_view rest = *text;
      while (!rest.empty()) {
        const std::string_view line = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        const auto tab = line.find('\t');
        if (tab == std::string_view::npos || line.substr(0, tab) != commit) continue;
        std::string name(line.substr(tab + 1));
        if (name.ends_with("^{}")) name.resize(name.size() - 3);
        if (!name.starts_with("refs/tags/")) continue;
        WEIR_TRY(git_.run({"update-ref", "--end-of-options", name, commit}, kAskLimit));
      }
    }
    const fs::path archive = folder.string() + ".tar";
    const auto go = [&]() -> Result<void> {
      WEIR_TRY(git_.run({"archive", "--format=tar", "--output=" + archive.string(), commit}, kFetchLimit));
      WEIR_TRY(io::remove_tree(folder));
      WEIR_TRY(unpack(archive, folder, {.fresh = true, .allow_outside_links = true}));
      return {};
    };
    auto done = go();
    ::unlink(archive.c_str());
    return done;
  }

  // Jobs share the files: none is to change them for the others. (The folder itself must still be moved.)
  static void make_read_only(const fs::path& folder) {
    constexpr auto kWriting = fs::perms::owner_write | fs::perms::group_write | fs::perms::others_write;
    std::error_code error;
    for (fs::recursive_directory_iterator item(folder, error), end; !error && item != end; item.increment(error)) {
      if (!item->is_symlink()) fs::permissions(item->path(), kWriting, fs::perm_options::remove, error);
    }
  }

  const UsesReference& uses_;
  Wanted wanted_;
  std::string url_;
  fs::path root_;
  ActionGit git_;
};

}  // namespace

Result<RemoteTree> fetch_action(const RemoteSource& source, const UsesReference& uses, const std::atomic<bool>& stop,
                                Reporter& reporter) {
  if (source.cache.empty() || source.base_url.empty()) {
    return fail(Code::kUnimplemented, "`uses: {}` cannot be had here: this server fetches no actions. {}", uses.text,
                instead_of(uses.name));
  }
  RemoteStore store(source, uses, RemoteStore::Wanted::kTree);
  auto held = WEIR_TRY(store.use());
  auto got = store.get(Asking::kAsk, stop, reporter);
  if (got) return RemoteTree{store.folder_of(*got), *got, std::move(held)};
  if (got.error().code == Code::kCancelled) return std::unexpected(got.error());
  if (source.is_server) {
    return fail(
        got.error().code,
        "`uses: {}` names a repository of this server, but cannot be had from it: {}. Push it to {}/{}, with what "
        "the `@` names as a branch or tag",
        uses.text, got.error().message, source.base_url, uses.repository);
  }
  return fail(
      got.error().code,
      "`uses: {}` cannot be had from {}: {}. If that address cannot be reached from here, keep a mirror, a clone "
      "of the repository as DIR/{}, and start weir with --actions-url file://DIR (or WEIR_ACTIONS_URL); or {}",
      uses.text, source.base_url, got.error().message, uses.repository, instead_of(uses.name));
}

Result<RemoteCommit> fetch_workflows(const RemoteSource& source, const UsesReference& uses, Asking asking,
                                     const std::atomic<bool>& stop, Reporter& reporter) {
  RemoteStore store(source, uses, RemoteStore::Wanted::kCommit);
  if (asking == Asking::kOnlyKept && !store.is_known()) {
    return fail(Code::kNotFound, "{} is not here, and nobody is asked for it", uses.repository);
  }
  auto held = WEIR_TRY(store.use());
  auto commit = WEIR_TRY(store.get(asking, stop, reporter));
  return RemoteCommit{store.git_dir(), std::move(commit), std::move(held)};
}

namespace {

struct KeptRepository {
  fs::path root;
  fs::file_time_type used;
  std::int64_t size_bytes = 0;
};

std::int64_t size_of(const fs::path& root) {
  std::int64_t total = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator item(root, error), end; !error && item != end; item.increment(error)) {
    std::error_code gone;
    if (!item->is_symlink(gone) && item->is_regular_file(gone)) {
      const auto size = item->file_size(gone);
      if (!gone) total += static_cast<std::int64_t>(size);
    }
  }
  return total;
}

std::vector<fs::path> folders_in(const fs::path& folder) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator item(folder, error), end; !error && item != end; item.increment(error)) {
    std::error_code gone;
    if (item->is_directory(gone) && !item->is_symlink(gone)) found.push_back(item->path());
  }
  return found;
}

std::vector<KeptRepository> kept_repositories(const fs::path& cache) {
  std::vector<KeptRepository> all;
  for (const auto& base : folders_in(cache)) {
    if (base.filename().string().starts_with(".")) continue;
    for (const auto& owner : folders_in(base)) {
      for (const auto& root : folders_in(owner)) {
        std::error_code never;
        all.push_back({.root = root, .used = fs::last_write_time(root / "used", never), .size_bytes = size_of(root)});
        if (never) all.back().used = fs::file_time_type::min();
      }
    }
  }
  std::ranges::sort(all, {}, &KeptRepository::used);
  return all;
}

// Work that was under way when its process was killed.
void remove_drafts(const fs::path& root) {
  const auto nobody_works = io::FileLock::acquire(root / "lock");
  if (!nobody_works) return;
  std::error_code error;
  for (const auto& folder : {root, root / "trees"}) {
    for (fs::directory_iterator item(folder, error), end; !error && item != end; item.increment(error)) {
      const auto name = item->path().filename().string();
      const bool draft = folder == root ? name.starts_with("index-") : name.starts_with(".");
      if (draft) [[maybe_unused]]
        const auto removed = io::remove_tree(item->path());
    }
  }
}

// False if somebody uses it.
bool move_away(const fs::path& root, const fs::path& to) {
  const io::Descriptor used(::open((root / "used").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!used || ::flock(used.get(), LOCK_EX | LOCK_NB) != 0) return false;
  std::error_code error;
  fs::rename(root, to, error);
  return !error;
}

}  // namespace

Result<std::int64_t> trim_fetched(const fs::path& cache, std::int64_t bytes_max, const std::atomic<bool>& stop) {
  constexpr std::string_view kGone = ".gone-";
  for (const auto& folder : folders_in(cache)) {
    if (folder.filename().string().starts_with(kGone)) WEIR_TRY(io::remove_tree(folder));
  }
  const auto all = kept_repositories(cache);
  std::int64_t total = 0;
  for (const auto& one : all) total += one.size_bytes;
  std::int64_t removed = 0;
  for (const auto& one : all) {
    if (stop) break;
    const fs::path gone = cache / (std::string(kGone) + random_hex(8));
    if (total > bytes_max && move_away(one.root, gone)) {
      WEIR_TRY(io::remove_tree(gone));
      total -= one.size_bytes;
      removed += one.size_bytes;
    } else {
      remove_drafts(one.root);
    }
  }
  return removed;
}

}  // namespace weir::runner
