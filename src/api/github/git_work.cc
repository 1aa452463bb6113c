#include "api/github/git_work.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <limits>
#include <map>
#include <utility>

#include "base/hash.h"
#include "io/git_process.h"
#include "io/process.h"

namespace weir::api::github {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFilesMax = 3'000;
constexpr std::size_t kPatchMax = 64U << 10;   // of one file
constexpr std::size_t kPatchesMax = 8U << 20;  // of one answer
constexpr std::string_view kEmptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
constexpr std::string_view kSync = "core.fsync=loose-object,reference";

Result<std::string> ask(const io::Git& git, std::vector<std::string> arguments, std::string_view input = {},
                        std::map<std::string, std::string> env = {}) {
  io::ProcessOptions options;
  options.argv = {"git", "--git-dir=" + git.git_dir().string(), "--literal-pathspecs", "-c", "core.quotePath=false"};
  std::ranges::move(arguments, std::back_inserter(options.argv));
  options.env = io::git_environment(std::move(env));
  return io::run_checked(std::move(options), input);
}

std::string strip(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

// The next field, which ends with `end`.
std::string_view take(std::string_view& text, char end) {
  const auto at = text.find(end);
  const auto field = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return field;
}

std::int64_t to_number(std::string_view text) {
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

// Patches in the order of the files, each beginning with "diff --git".
void add_patches(std::string_view text, std::vector<ChangedFile>& files) {
  constexpr std::string_view kHead = "diff --git ";
  std::size_t next = 0;
  std::size_t total = 0;
  while (!text.empty() && next < files.size()) {
    auto end = text.find("\ndiff --git ", 1);
    if (end != std::string_view::npos) ++end;
    const auto one = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end);
    if (!one.starts_with(kHead)) continue;
    auto& file = files[next++];
    const auto hunk = one.find("\n@@ ");
    if (hunk == std::string_view::npos) continue;
    auto patch = one.substr(hunk + 1);
    if (patch.ends_with('\n')) patch.remove_suffix(1);
    total += patch.size();
    if (patch.size() <= kPatchMax && total <= kPatchesMax) file.patch = patch;
  }
}

}  // namespace

Result<std::vector<ChangedFile>> changed_files(const io::Git& git, const std::string& before,
                                               const std::string& after) {
  const std::string from = before.empty() ? std::string(kEmptyTree) : before;
  std::vector<ChangedFile> files;
  const auto raw = WEIR_TRY(ask(git, {"diff-tree", "-r", "-z", "-M", "--no-abbrev", "--raw", from, after}));
  std::string_view rest = raw;
  while (rest.starts_with(':')) {
    // ":100644 100644 <before> <after> M"
    std::string_view facts = take(rest, '\0');
    take(facts, ' ');
    take(facts, ' ');
    take(facts, ' ');
    ChangedFile file;
    file.blob = take(facts, ' ');
    file.status = facts.empty() ? 'M' : facts.front();
    if (file.status == 'R' || file.status == 'C') file.before_path = take(rest, '\0');
    file.path = take(rest, '\0');
    files.push_back(std::move(file));
    if (files.size() > kFilesMax) {
      return fail(Code::kResourceExhausted, "more than {} files differ; ask git for them", kFilesMax);
    }
  }
  if (files.empty()) return files;
  const auto counts = WEIR_TRY(ask(git, {"diff-tree", "-r", "-z", "-M", "--numstat", from, after}));
  rest = counts;
  for (auto& file : files) {
    file.additions = to_number(take(rest, '\t'));
    file.deletions = to_number(take(rest, '\t'));
    // A renamed file's paths follow an empty one.
    if (take(rest, '\0').empty()) {
      take(rest, '\0');
      take(rest, '\0');
    }
  }
  const auto patches =
      WEIR_TRY(ask(git, {"diff-tree", "-r", "-M", "-p", "--no-ext-diff", "--no-textconv", "--no-color", from, after}));
  add_patches(patches, files);
  return files;
}

Result<std::vector<std::string>> log_ids(const io::Git& git, const LogQuery& query) {
  std::vector<std::string> arguments{"log", "--format=%H", fmt::format("--max-count={}", query.limit)};
  if (!query.since.empty()) arguments.push_back("--since=" + query.since);
  if (!query.until.empty()) arguments.push_back("--until=" + query.until);
  arguments.push_back(query.commit);
  if (!query.path.empty()) arguments.insert(arguments.end(), {"--", query.path});
  const auto text = WEIR_TRY(ask(git, std::move(arguments)));
  std::vector<std::string> ids;
  std::string_view rest = text;
  while (!rest.empty()) {
    if (const auto id = take(rest, '\n'); !id.empty()) ids.emplace_back(id);
  }
  return ids;
}

std::string nearest_tag(const io::Git& git, const std::string& commit, const std::string& but) {
  // No tag's name has a character that a pattern knows.
  return strip(ask(git, {"describe", "--tags", "--abbrev=0", "--exclude=" + but, commit}).value_or(""));
}

Result<std::string> write_blob(const io::Git& git, std::string_view bytes) {
  return strip(WEIR_TRY(ask(git, {"-c", std::string(kSync), "hash-object", "-w", "--no-filters", "--stdin"}, bytes)));
}

Result<std::string> tree_with(const io::Git& git, const std::string& commit, const std::string& path,
                              const std::optional<std::string>& blob) {
  std::string mode = "100644";
  if (!commit.empty()) {
    if (const auto there = WEIR_TRY(item_at(git, commit, path)); there && there->mode == "100755") mode = "100755";
  }
  const fs::path index = git.git_dir() / fmt::format("weir-index-{}", random_hex(6));
  const std::map<std::string, std::string> env{{"GIT_INDEX_FILE", index.string()}};
  const auto make = [&]() -> Result<std::string> {
    if (!commit.empty()) WEIR_TRY(ask(git, {"read-tree", commit}, {}, env));
    const auto line = blob ? fmt::format("{} {}\t{}", mode, *blob, path) + '\0'
                           : fmt::format("0 {}\t{}", std::string(40, '0'), path) + '\0';
    WEIR_TRY(ask(git, {"update-index", "-z", "--index-info"}, line, env));
    return strip(WEIR_TRY(ask(git, {"-c", std::string(kSync), "write-tree"}, {}, env)));
  };
  auto tree = make();
  std::error_code ignored;
  fs::remove(index, ignored);
  return tree;
}

namespace {

std::string_view kind_of(std::string_view mode) {
  if (mode == "160000") return "commit";
  return mode == "040000" ? "tree" : "blob";
}

// Objects must be there and of the kind that their modes say: git itself would write the tree all the same.
Result<void> check_objects(const io::Git& git, const std::vector<NewItem>& items) {
  std::string ids;
  std::vector<const NewItem*> asked;
  for (const auto& item : items) {
    if (!item.object || item.mode == "160000") continue;  // a submodule's commit is of another repository
    ids += *item.object + "\n";
    asked.push_back(&item);
  }
  if (asked.empty()) return {};
  const auto answer = WEIR_TRY(ask(git, {"cat-file", "--batch-check=%(objecttype)"}, ids));
  std::string_view rest = answer;
  for (const auto* item : asked) {
    if (const auto type = take(rest, '\n'); type != kind_of(item->mode)) {
      return fail(Code::kInvalidArgument, "tree.sha {} of {} is no {} of this repository", *item->object, item->path,
                  kind_of(item->mode));
    }
  }
  return {};
}

// A tree's files and folders, changed one after the other in an index of its own.
class TreeIndex {
 public:
  explicit TreeIndex(const io::Git& git)
      : git_(git), file_(git.git_dir() / fmt::format("weir-index-{}", random_hex(6))) {
    env_["GIT_INDEX_FILE"] = file_.string();
  }
  ~TreeIndex() {
    std::error_code ignored;
    fs::remove(file_, ignored);
  }
  TreeIndex(const TreeIndex&) = delete;
  TreeIndex& operator=(const TreeIndex&) = delete;

  Result<void> read(const std::string& tree) {
    WEIR_TRY(ask(git_, {"read-tree", tree.empty() ? std::string("--empty") : tree}, {}, env_));
    return {};
  }

  Result<void> put(const NewItem& item) {
    if (!item.object) {
      if (WEIR_TRY(remove(item.path))) return {};
      return fail(Code::kInvalidArgument, "tree.path {} is not in the base tree, so it cannot be taken away",
                  item.path);
    }
    if (item.mode != "040000") {
      lines_ += fmt::format("{} {}\t{}", item.mode, *item.object, item.path) + '\0';
      return {};
    }
    WEIR_TRY(remove(item.path));
    const auto below = WEIR_TRY(ask(git_, {"ls-tree", "-r", "-z", *item.object}));
    for (std::string_view rest = below; !rest.empty();) {
      std::string_view line = take(rest, '\0');
      const auto facts = take(line, '\t');  // "100644 blob <id>"
      lines_ += fmt::format("{}\t{}/{}", facts, item.path, line) + '\0';
    }
    return {};
  }

  Result<std::string> write() {
    WEIR_TRY(flush());
    return strip(WEIR_TRY(ask(git_, {"-c", std::string(kSync), "write-tree"}, {}, env_)));
  }

 private:
  // A file, or all below a folder; false if nothing is there.
  Result<bool> remove(const std::string& path) {
    WEIR_TRY(flush());
    const auto there = WEIR_TRY(ask(git_, {"ls-files", "-z", "--cached", "--", path}, {}, env_));
    for (std::string_view rest = there; !rest.empty();) {
      lines_ += fmt::format("0 {}\t{}", std::string(40, '0'), take(rest, '\0')) + '\0';
    }
    return !there.empty();
  }
  // Many changes are one call of git.
  Result<void> flush() {
    if (lines_.empty()) return {};
    WEIR_TRY(ask(git_, {"update-index", "-z", "--add", "--replace", "--index-info"}, std::exchange(lines_, {}), env_));
    return {};
  }

  const io::Git& git_;
  fs::path file_;
  std::map<std::string, std::string> env_;
  std::string lines_;
};

}  // namespace

Result<std::string> tree_with(const io::Git& git, const std::string& base, const std::vector<NewItem>& items) {
  WEIR_TRY(check_objects(git, items));
  TreeIndex index(git);
  WEIR_TRY(index.read(base));
  for (const auto& item : items) WEIR_TRY(index.put(item));
  return index.write();
}

Result<std::string> write_commit(const io::Git& git, const NewCommit& commit) {
  std::string text = fmt::format("tree {}\n", commit.tree);
  for (const auto& parent : commit.parents) text += fmt::format("parent {}\n", parent);
  for (const auto& [role, person] : {std::pair{"author", &commit.author}, std::pair{"committer", &commit.committer}}) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(person->time.time_since_epoch()).count();
    text += fmt::format("{} {} <{}> {} +0000\n", role, person->name, person->email, seconds);
  }
  text += "\n" + commit.message;
  return strip(WEIR_TRY(ask(git, {"-c", std::string(kSync), "hash-object", "-t", "commit", "-w", "--stdin"}, text)));
}

namespace {

// Names are the last part of a path, unless whole paths are wanted.
Result<std::vector<PathItem>> list_tree(const io::Git& git, std::vector<std::string> arguments,
                                        std::size_t most = std::numeric_limits<std::size_t>::max(),
                                        bool whole_paths = false) {
  const auto text = WEIR_TRY(ask(git, std::move(arguments)));
  std::vector<PathItem> items;
  std::string_view rest = text;
  while (!rest.empty() && items.size() <= most) {
    // "100644 blob <id>      12\tname", sizes padded on the left
    std::string_view line = take(rest, '\0');
    PathItem item;
    item.mode = take(line, ' ');
    item.type = take(line, ' ');
    item.object = take(line, ' ');
    while (line.starts_with(' ')) line.remove_prefix(1);
    item.size_bytes = to_number(take(line, '\t'));
    const auto slash = line.rfind('/');
    item.name = whole_paths || slash == std::string_view::npos ? line : line.substr(slash + 1);
    items.push_back(std::move(item));
  }
  return items;
}

}  // namespace

Result<std::optional<PathItem>> item_at(const io::Git& git, const std::string& commit, const std::string& path) {
  if (path.empty()) return PathItem{.type = "tree", .mode = "040000", .object = WEIR_TRY(git.commit(commit)).tree};
  auto items = WEIR_TRY(list_tree(git, {"ls-tree", "-z", "-l", "--full-tree", commit, "--", path}));
  if (items.empty()) return std::nullopt;
  return std::move(items.front());
}

Result<std::vector<PathItem>> folder_at(const io::Git& git, const std::string& commit, const std::string& path) {
  std::vector<std::string> arguments{"ls-tree", "-z", "-l", "--full-tree", commit};
  if (!path.empty()) arguments.insert(arguments.end(), {"--", path + "/"});
  return list_tree(git, std::move(arguments));
}

Result<std::vector<PathItem>> tree_at(const io::Git& git, const std::string& tree, bool recursive, std::size_t most) {
  std::vector<std::string> arguments{"ls-tree", "-z", "-l", "--full-tree"};
  if (recursive) arguments.insert(arguments.end(), {"-r", "-t"});
  arguments.push_back(tree);
  return list_tree(git, std::move(arguments), most, true);
}

Result<ObjectFacts> object_facts(const io::Git& git, const std::string& id) {
  const bool full = id.size() == 40 && id.find_first_not_of("0123456789abcdef") == std::string::npos;
  std::string answer;  // "<id> blob 12" or "<id> missing"
  if (full) answer = WEIR_TRY(ask(git, {"cat-file", "--batch-check"}, id + "\n"));
  std::string_view line = answer;
  take(line, ' ');
  ObjectFacts facts{.type = std::string(take(line, ' '))};
  if (line.empty()) return fail(Code::kNotFound, "Not Found: there is no object {}", id.substr(0, 80));
  facts.size_bytes = to_number(line);
  return facts;
}

Result<std::string> blob_bytes(const io::Git& git, const std::string& id) {
  return ask(git, {"cat-file", "blob", id});
}

Result<void> check_path(std::string_view path) {
  const auto refuse = [&]() { return fail(Code::kInvalidArgument, "path \"{}\" is malformed", path.substr(0, 200)); };
  if (path.empty() || path.size() > 4'096) return refuse();
  if (std::ranges::any_of(path, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
    return refuse();
  }
  std::string_view rest = path;
  while (true) {
    const auto slash = rest.find('/');
    std::string part(rest.substr(0, slash));
    std::ranges::transform(part, part.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (part.empty() || part == "." || part == ".." || part == ".git") return refuse();
    if (slash == std::string_view::npos) return {};
    rest.remove_prefix(slash + 1);
  }
}

Result<void> check_ref(const io::Git& git, std::string_view ref) {
  const bool known = ref.starts_with("refs/heads/") || ref.starts_with("refs/tags/");
  if (known && ref.size() <= 1'000 && ask(git, {"check-ref-format", std::string(ref)})) return {};
  return fail(Code::kInvalidArgument, "\"{}\" is no name of a branch (refs/heads/…) or a tag (refs/tags/…)",
              ref.substr(0, 200));
}

}  // namespace weir::api::github
