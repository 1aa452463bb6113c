#include <unistd.h>

#include <algorithm>

#include "base/hash.h"
#include "io/file.h"
#include "runner/action.h"
#include "runner/archive.h"
#include "runner/cache_trees.h"
#include "runner/glob.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

// Folders whose place differs from job to job, or from machine to machine. Names in an archive start with one of them:
// "env/lib/…", so that what was saved below one job's folder is found below another's.
struct Root {
  std::string_view name;
  fs::path folder;
};

std::vector<Root> roots_of(const ActionRequest& request) {
  std::vector<Root> roots;
  if (request.python) roots.push_back({"env", request.python->spec().folder});
  roots.push_back({"workspace", request.workspace});
  roots.push_back({"home", request.home()});
  roots.push_back({"root", "/"});
  return roots;
}

bool is_below(const fs::path& path, const fs::path& folder) {
  const auto [a, b] = std::ranges::mismatch(folder, path);
  return a == folder.end();
}

std::string archive_name(const std::vector<Root>& roots, const fs::path& path) {
  for (const auto& root : roots) {
    if (!is_below(path, root.folder)) continue;
    const std::string below = path.lexically_relative(root.folder).generic_string();
    return below == "." ? std::string(root.name) : fmt::format("{}/{}", root.name, below);
  }
  return path.string();
}

// The job's Python environment lies elsewhere in every job: keys and paths that hold its folder (as
// ${{ env.pythonLocation }} does) get the version instead, so that the next job finds them.
std::string stable_text(const ActionRequest& request, std::string text) {
  if (!request.python) return text;
  const std::string folder = request.python->spec().folder.string();
  const std::string stable = fmt::format("python-{}-x64", to_string(request.python->spec().interpreter.version));
  for (auto at = text.find(folder); at != std::string::npos; at = text.find(folder, at + stable.size())) {
    text.replace(at, folder.size(), stable);
  }
  return text;
}

struct CacheWish {
  std::string key;
  std::vector<std::string> restore_keys;
  std::vector<std::string> paths;
  std::string version;
};

Result<void> check_key(std::string_view key) {
  if (key.size() > 512) {
    return fail(Code::kInvalidArgument, "Key Validation Error: {} cannot be larger than 512 characters.", key);
  }
  if (key.find(',') != std::string_view::npos) {
    return fail(Code::kInvalidArgument, "Key Validation Error: {} cannot contain commas.", key);
  }
  return {};
}

Result<CacheWish> read_wish(const ActionRequest& request) {
  CacheWish wish;
  wish.key = stable_text(request, WEIR_TRY(request.required("key")));
  for (const auto& key : request.input_lines("restore-keys")) wish.restore_keys.push_back(stable_text(request, key));
  WEIR_TRY(request.required("path"));
  wish.paths = request.input_lines("path");
  WEIR_TRY(check_key(wish.key));
  for (const auto& key : wish.restore_keys) WEIR_TRY(check_key(key));
  std::string identity = "1|zstd";
  for (const auto& path : wish.paths) identity += "|" + stable_text(request, path);
  wish.version = sha256_hex(identity);
  return wish;
}

// A path and, if it is a folder, all below it; links stay links.
void add_tree(const ActionRequest& request, const std::vector<Root>& roots, const fs::path& path,
              std::vector<ArchiveEntry>& entries) {
  if (request.python && request.python->is_own_file(path)) return;
  const std::string name = archive_name(roots, path);
  if (name.find('/') != std::string::npos) entries.push_back({path, name});
  std::error_code error;
  if (!fs::is_directory(fs::symlink_status(path, error))) return;
  std::vector<fs::path> children;
  for (const auto& entry : fs::directory_iterator(path, error)) children.push_back(entry.path());
  std::ranges::sort(children);
  for (const auto& child : children) add_tree(request, roots, child, entries);
}

// Where a cache that lies in the workspace alone may be kept unpacked: what `paths` brought, as names there.
std::optional<std::vector<std::string>> tops_in_workspace(const std::vector<Root>& roots,
                                                          const std::vector<fs::path>& paths) {
  constexpr std::string_view kPrefix = "workspace/";
  std::vector<std::string> tops;
  for (const auto& path : paths) {
    const std::string name = archive_name(roots, path);
    if (!name.starts_with(kPrefix)) return std::nullopt;
    tops.push_back(name.substr(kPrefix.size()));
  }
  std::ranges::sort(tops);
  return tops;
}

// Gives the tree that was packed, if the next job may have it.
Result<std::optional<PlacedTree>> save(const ActionRequest& request, const CacheWish& wish) {
  if (const auto mode = request.spec->cache_mode; !types::may_save(mode)) {
    request.reporter->line(fmt::format("Cache save skipped: the effective cache-mode '{}' does not permit writes.",
                                       types::cache_mode_name(mode)));
    return std::nullopt;
  }
  std::string patterns;
  for (const auto& path : wish.paths) patterns += path + "\n";
  const Glob glob = WEIR_TRY(Glob::parse(patterns, request.workspace, request.home()));
  const auto roots = roots_of(request);
  std::vector<ArchiveEntry> entries;
  std::vector<fs::path> found;
  for (const auto& path : WEIR_TRY(glob.search({.implicit_descendants = false}))) {
    // "dir/**" finds files that "dir" has brought along already.
    const std::string name = archive_name(roots, path);
    if (std::ranges::find(entries, name, &ArchiveEntry::name) != entries.end()) continue;
    // What lies there could not be read anyway.
    if (request.confinement && name.starts_with("root/")) {
      return fail(Code::kPermissionDenied, "{} is not the job's: what runs in a sandbox caches its own files only",
                  path);
    }
    add_tree(request, roots, path, entries);
    found.emplace_back(path);
  }
  if (entries.empty()) {
    return fail(Code::kNotFound,
                "Path Validation Error: Path(s) specified in the action for caching do(es) not exist, "
                "hence no cache is being saved.");
  }
  const CacheTrees trees(request.spec->cache_trees_dir);
  std::optional<PlacedTree> tree;
  if (const auto tops = tops_in_workspace(roots, found); tops && trees.enabled()) {
    tree = CacheTrees::look_at(*tops, request.workspace);
  }
  const TransferFile archive(request);
  const PackResult packed = WEIR_TRY(
      pack(entries, archive.path(), {.follow_symbolic_links = false, .hash = false, .stop = request.stop.get()}));
  ServerClient server = request.server();
  const std::string sha256 = WEIR_TRY(server.put_file(archive.path(), request.local()));
  const auto answer = WEIR_TRY(server.post(
      "/caches",
      {{"key", wish.key}, {"version", wish.version}, {"sha256", sha256}, {"size_bytes", packed.size_bytes}}));
  if (answer.status == 409) {
    request.reporter->line(fmt::format("Cache {} was saved by another job meanwhile", wish.key));
    return std::nullopt;
  }
  if (answer.status != 200 && answer.status != 201) {
    return std::unexpected(answer_error(answer, "the server did not take the cache"));
  }
  request.reporter->line(fmt::format("Cache saved with key: {} ({} bytes)", wish.key, packed.size_bytes));
  if (tree) tree->sha256 = sha256;
  return tree;
}

// A job that ended well leaves the files of its cache to the next one.
std::function<void()> keep_at_end(const ActionRequest& request, std::optional<PlacedTree> tree) {
  if (!tree || tree->sha256.empty()) return {};
  return [trees = CacheTrees(request.spec->cache_trees_dir), tree = *std::move(tree), workspace = request.workspace] {
    [[maybe_unused]] const bool kept = trees.give(tree, workspace);
  };
}

struct Restored {
  std::string key;  // "": there is none
  std::optional<PlacedTree> tree;
};

// Unpacks a cache that lies in the workspace alone beside it, and moves it there. Nothing for another cache.
Result<std::optional<PlacedTree>> unpack_beside(const ActionRequest& request, const CacheTrees& trees,
                                                const fs::path& archive, const std::string& sha256) {
  const fs::path staging = WEIR_TRY(trees.make_staging());
  const auto unpacked = unpack_rooted(archive, {{.name = "workspace", .folder = staging}},
                                      {.fresh = true, .allow_outside_links = true, .stop = request.stop.get()});
  if (unpacked) return trees.place(sha256, staging, request.workspace);
  [[maybe_unused]] const auto removed = io::remove_tree(staging);
  if (unpacked.error().code == Code::kCancelled) return std::unexpected(unpacked.error());
  return std::nullopt;
}

Result<Restored> restore(const ActionRequest& request, const CacheWish& wish) {
  if (const auto mode = request.spec->cache_mode; !types::may_restore(mode)) {
    request.reporter->line(fmt::format("Cache restore skipped: the effective cache-mode '{}' does not permit reads.",
                                       types::cache_mode_name(mode)));
    return Restored{};
  }
  json::array restore_keys;
  for (const auto& key : wish.restore_keys) restore_keys.emplace_back(key);
  ServerClient server = request.server();
  const auto answer = WEIR_TRY(
      server.post("/caches/lookup", {{"key", wish.key}, {"restore_keys", restore_keys}, {"version", wish.version}}));
  if (answer.status == 404) return Restored{};
  if (answer.status != 200) return std::unexpected(answer_error(answer, "cannot look up the cache"));
  std::string found = json_string_or(answer.body, "key", "");
  if (WEIR_TRY(request.input_bool("lookup-only", false))) {
    request.reporter->line(fmt::format("Cache found and can be restored from key: {}", found));
    return Restored{.key = found, .tree = {}};
  }
  const std::string sha256 = json_string_or(answer.body, "sha256", "");
  const CacheTrees trees(request.spec->cache_trees_dir);
  auto tree = WEIR_TRY(trees.take(sha256, request.workspace));
  const bool kept = tree.has_value();
  if (!kept) {
    const TransferFile download(request);
    const auto archive = WEIR_TRY(server.get_file(sha256, download.path(), request.local()));
    if (trees.enabled()) tree = WEIR_TRY(unpack_beside(request, trees, archive, sha256));
    if (!tree) {
      std::vector<UnpackRoot> roots;
      for (const auto& root : roots_of(request)) roots.push_back({std::string(root.name), root.folder});
      WEIR_TRY(unpack_rooted(archive, roots, {.allow_outside_links = true, .stop = request.stop.get()}));
    }
  }
  request.reporter->line(
      fmt::format("Cache restored from key: {}{}", found, kept ? " (as an earlier job left it)" : ""));
  return Restored{.key = found, .tree = std::move(tree)};
}

Result<ActionResult> run_restore(const ActionRequest& request, bool save_at_end) {
  const CacheWish wish = WEIR_TRY(read_wish(request));
  auto found = restore(request, wish);
  if (!found && found.error().code == Code::kCancelled) return std::unexpected(found.error());
  if (!found) {
    // A cache is a help, not a need.
    request.reporter->annotate("warning", fmt::format("Failed to restore: {}", found.error().message));
    found = Restored{};
  }
  ActionResult result;
  result.at_end = keep_at_end(request, found->tree);
  result.outputs.emplace_back("cache-primary-key", wish.key);
  const bool exact = equal_ignoring_case(found->key, wish.key);
  if (found->key.empty()) {
    std::string keys = wish.key;
    for (const auto& key : wish.restore_keys) keys += ", " + key;
    if (WEIR_TRY(request.input_bool("fail-on-cache-miss", false))) {
      return fail(Code::kNotFound, "Failed to restore cache entry. Exiting as fail-on-cache-miss is set. Input key: {}",
                  wish.key);
    }
    request.reporter->line(fmt::format("Cache not found for input keys: {}", keys));
  } else {
    result.outputs.emplace_back("cache-hit", exact ? "true" : "false");
    result.outputs.emplace_back("cache-matched-key", found->key);
    result.python_files_changed = request.python != nullptr;
  }
  if (!save_at_end) return result;
  result.post = [wish, exact](const ActionRequest& later) -> Result<ActionResult> {
    if (exact) {
      later.reporter->line(fmt::format("Cache hit occurred on the primary key {}, not saving cache.", wish.key));
      return ActionResult{};
    }
    auto saved = save(later, wish);
    if (!saved && saved.error().code == Code::kCancelled) return std::unexpected(saved.error());
    if (!saved) later.reporter->annotate("warning", saved.error().message);
    ActionResult done;
    if (saved) done.at_end = keep_at_end(later, *std::move(saved));
    return done;
  };
  return result;
}

Result<ActionResult> run_save(const ActionRequest& request) {
  const CacheWish wish = WEIR_TRY(read_wish(request));
  auto saved = save(request, wish);
  if (!saved && saved.error().code == Code::kCancelled) return std::unexpected(saved.error());
  if (!saved) request.reporter->annotate("warning", fmt::format("Cache save failed: {}", saved.error().message));
  ActionResult done;
  if (saved) done.at_end = keep_at_end(request, *std::move(saved));
  return done;
}

}  // namespace

BuiltinAction cache_action() {
  return {"actions/cache",
          {"path", "key", "restore-keys", "upload-chunk-size", "enableCrossOsArchive", "fail-on-cache-miss",
           "lookup-only", "save-always"},
          [](const ActionRequest& request) { return run_restore(request, true); }};
}

BuiltinAction cache_restore_action() {
  return {"actions/cache/restore",
          {"path", "key", "restore-keys", "enableCrossOsArchive", "fail-on-cache-miss", "lookup-only"},
          [](const ActionRequest& request) { return run_restore(request, false); }};
}

BuiltinAction cache_save_action() {
  return {"actions/cache/save", {"path", "key", "upload-chunk-size", "enableCrossOsArchive"}, run_save};
}

}  // namespace weir::runner
