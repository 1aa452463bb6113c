#include "app/push_copy.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <map>
#include <system_error>

#include "io/descriptor.h"
#include "io/file.h"
#include "runner/checkout.h"

namespace weir::app {
namespace {

namespace fs = std::filesystem;
using Refs = std::map<std::string, std::string>;

constexpr std::size_t kIdLength = 40;
constexpr int kMakeAttempts = 1'000;
constexpr const char* kRunsFile = "weir-runs";
constexpr const char* kRefsFile = "weir-refs";

bool is_object_id(std::string_view text) {
  return text.size() == kIdLength && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Calls `use` for each line.
template <typename Use>
void each_line(std::string_view text, const Use& use) {
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    use(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

void add_packed(const fs::path& file, Refs& refs) {
  const auto text = io::read_file(file);
  if (!text) return;
  each_line(*text, [&](std::string_view line) {
    if (line.size() > kIdLength + 1 && line[kIdLength] == ' ' && is_object_id(line.substr(0, kIdLength))) {
      refs[std::string(line.substr(kIdLength + 1))] = line.substr(0, kIdLength);
    }
  });
}

// Refs that lead to other refs are none of a remote's.
void add_loose(const fs::path& common, Refs& refs) {
  std::error_code error;
  fs::recursive_directory_iterator item(common / "refs", error);
  for (const fs::recursive_directory_iterator end; !error && item != end; item.increment(error)) {
    std::error_code gone;
    if (item->path().extension() == ".lock" || !item->is_regular_file(gone)) continue;
    const auto text = io::read_file(item->path(), 4'096);
    if (text && is_object_id(std::string_view(*text).substr(0, text->find('\n')))) {
      refs[item->path().lexically_relative(common).generic_string()] = text->substr(0, kIdLength);
    }
  }
}

// By hand, which takes a tenth of what git's start does.
Result<Refs> refs_of(const io::Git& git, const fs::path& common) {
  std::error_code ignored;
  if (fs::exists(common / "reftable", ignored)) return git.refs();
  Refs refs;
  add_packed(common / "packed-refs", refs);
  add_loose(common, refs);
  return refs;
}

// Of a work tree that `git worktree` made: the repository that it belongs to.
fs::path common_folder(const fs::path& git_dir) {
  const auto other = io::read_file(git_dir / "commondir", 4'096);
  if (!other) return git_dir;
  return (git_dir / other->substr(0, other->find('\n'))).lexically_normal();
}

// The next number that is free, also where another process looks for one.
Result<fs::path> make_folder(const fs::path& parent) {
  WEIR_TRY(io::make_dirs(parent));
  std::int64_t latest = 0;
  std::error_code error;
  for (fs::directory_iterator item(parent, error), end; !error && item != end; item.increment(error)) {
    const std::string name = item->path().filename().string();
    std::int64_t number = 0;
    std::from_chars(name.data(), name.data() + name.size(), number);
    latest = std::max(latest, number);
  }
  for (int attempt = 0; attempt < kMakeAttempts; ++attempt) {
    fs::path folder = parent / std::to_string(++latest);
    if (::mkdir(folder.c_str(), 0777) == 0) return folder;
    if (errno != EEXIST) return fail_errno(errno, fmt::format("cannot make {}", folder.string()));
  }
  return fail(Code::kInternal, "no name is free in {}", parent.string());
}

Result<void> put(const fs::path& path, std::string_view text, int how = O_TRUNC) {
  const io::Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | how, 0666));
  if (!file) return fail_errno(errno, fmt::format("cannot make {}", path.string()));
  return io::write_all(file.get(), text, path.string());
}

}  // namespace

Result<PushCopy> PushCopy::make(const fs::path& state, const io::Git& source, std::string_view head) {
  const fs::path common = common_folder(source.git_dir());
  std::string packed = "# pack-refs with: sorted \n";
  for (const auto& [name, sha] : WEIR_TRY(refs_of(source, common))) packed += fmt::format("{} {}\n", sha, name);
  PushCopy copy(WEIR_TRY(make_folder(push_copies(state))));
  const fs::path& folder = copy.folder_;
  WEIR_TRY(io::make_dirs(folder / "objects" / "info"));
  WEIR_TRY(io::make_dirs(folder / "refs"));
  WEIR_TRY(put(folder / "objects" / "info" / "alternates", (common / "objects").string() + "\n"));
  // Nothing that works on in the background after a push.
  WEIR_TRY(put(folder / "config",
               "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n[gc]\n\tauto = 0\n"
               "[receive]\n\tautogc = false\n[maintenance]\n\tauto = false\n"));
  WEIR_TRY(put(folder / "packed-refs", packed));
  WEIR_TRY(put(folder / kRefsFile, packed));
  WEIR_TRY(put(folder / runner::kSourceFile, source.git_dir().string() + "\n"));
  std::string head_text = fmt::format("ref: {}\n", head);
  if (head.empty()) head_text = WEIR_TRY(io::read_file(source.git_dir() / "HEAD", 4'096));
  WEIR_TRY(put(folder / "HEAD", head_text));
  return copy;
}

Result<void> PushCopy::serve(const std::vector<std::int64_t>& runs) const {
  std::string text;
  for (const auto run : runs) text += fmt::format("{}\n", run);
  return put(folder_ / kRunsFile, text, O_APPEND);
}

Result<std::vector<PushCopy::Change>> PushCopy::changes() const {
  Refs before;
  add_packed(folder_ / kRefsFile, before);
  const io::Git git(folder_);
  const Refs after = WEIR_TRY(refs_of(git, folder_));
  std::vector<Change> changes;
  for (const auto& [ref, sha] : after) {
    const auto found = before.find(ref);
    if (found != before.end() && found->second == sha) continue;
    Change change{.ref = ref, .is_new = found == before.end()};
    change.is_forced = !change.is_new && !git.is_ancestor(found->second, sha).value_or(false);
    changes.push_back(std::move(change));
  }
  for (const auto& [ref, sha] : before) {
    if (!after.contains(ref)) changes.push_back({.ref = ref, .is_gone = true});
  }
  std::ranges::sort(changes, {}, &Change::ref);
  return changes;
}

fs::path push_copies(const fs::path& state) {
  return state / "pushes";
}

std::vector<std::int64_t> runs_of_push_copy(const fs::path& folder) {
  std::vector<std::int64_t> runs;
  const auto text = io::read_file(folder / kRunsFile);
  if (!text) return runs;
  each_line(*text, [&](std::string_view line) {
    std::int64_t run = 0;
    const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), run);
    if (error == std::errc{} && end == line.data() + line.size()) runs.push_back(run);
  });
  return runs;
}

}  // namespace weir::app
