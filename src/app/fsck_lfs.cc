#include "app/fsck_lfs.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "base/hash.h"
#include "io/descriptor.h"
#include "io/git_process.h"
#include "io/process.h"
#include "runner/lfs_files.h"

namespace weir::app {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kQuickBytes = 16 << 20;
constexpr std::int64_t kPointerBytesMax = 1'024;  // git-lfs reads no more
constexpr std::size_t kNamedMax = 20;             // missing objects of a repository that are named one by one

constexpr std::string_view kRestore =
    "Git LFS: check the disk (dmesg, smartctl), remove the named files that are there, and put the right ones back "
    "from "
    "a backup of repos/; or let somebody who has them send them once more: git lfs push --all URL.";

void add_problem(FsckReport& report, std::string problem) {
  report.problems.push_back(std::move(problem));
  if (std::ranges::find(report.advice, kRestore) == report.advice.end()) report.advice.emplace_back(kRestore);
}

// A file that some branch has as a pointer.
struct Named {
  std::int64_t size_bytes = 0;
  std::string where;  // "models/large.bin on main"
};
using Pointers = std::map<std::string, Named>;  // by the object's id

Result<std::string> ask(const fs::path& git_dir, std::vector<std::string> arguments, std::string_view input = {}) {
  io::ProcessOptions options;
  options.argv = {"git", "--git-dir=" + git_dir.string()};
  std::ranges::move(arguments, std::back_inserter(options.argv));
  options.env = io::git_environment({});
  return io::run_checked(std::move(options), input);
}

std::string_view take(std::string_view& text, char end) {
  const auto at = text.find(end);
  const auto field = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return field;
}

// Blobs of branches that are small enough for pointers, each with the first place where one has it.
Result<std::map<std::string, std::string>> small_blobs(const fs::path& git_dir) {
  std::map<std::string, std::string> found;
  const auto branches = WEIR_TRY(ask(git_dir, {"for-each-ref", "--format=%(refname)", "refs/heads/"}));
  for (std::string_view rest = branches; !rest.empty();) {
    const auto branch = take(rest, '\n');
    const auto listed = WEIR_TRY(ask(git_dir, {"ls-tree", "-r", "-l", "-z", std::string(branch)}));
    for (std::string_view files = listed; !files.empty();) {
      std::string_view line = take(files, '\0');  // "100644 blob <id>     130\tpath"
      take(line, ' ');
      const bool is_blob = take(line, ' ') == "blob";
      const auto id = take(line, ' ');
      line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
      const auto digits = take(line, '\t');
      std::int64_t size = 0;
      std::from_chars(digits.data(), digits.data() + digits.size(), size);
      if (!is_blob || size == 0 || size > kPointerBytesMax) continue;
      found.try_emplace(std::string(id),
                        fmt::format("{} on {}", line, branch.substr(std::string_view("refs/heads/").size())));
    }
  }
  return found;
}

Result<Pointers> pointers_of(const fs::path& git_dir) {
  Pointers pointers;
  const auto blobs = WEIR_TRY(small_blobs(git_dir));
  if (blobs.empty()) return pointers;
  std::string ids;
  for (const auto& [id, where] : blobs) ids += id + "\n";
  const auto texts = WEIR_TRY(ask(git_dir, {"cat-file", "--batch"}, ids));
  std::string_view rest = texts;
  for (const auto& [id, where] : blobs) {
    std::string_view head = take(rest, '\n');  // "<id> blob 130"
    const auto digits = head.substr(head.rfind(' ') + 1);
    std::size_t size = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), size);
    if (size > rest.size()) return fail(Code::kCorrupt, "git gave less of {} than it has", id);
    if (const auto pointer = runner::parse_lfs_pointer(rest.substr(0, size))) {
      pointers.try_emplace(pointer->oid, Named{pointer->size_bytes, where});
    }
    rest.remove_prefix(std::min(rest.size(), size + 1));
  }
  return pointers;
}

Result<std::string> sha256_of(const fs::path& path) {
  const io::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno(errno, fmt::format("cannot read {}", path.string()));
  Sha256 hash;
  std::vector<char> piece(1U << 20);
  for (;;) {
    const auto got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, fmt::format("cannot read {}", path.string()));
    if (got == 0) return hash.finish_hex();
    hash.update({piece.data(), static_cast<std::size_t>(got)});
  }
}

// "repository models: object abc… (large.bin on main)"
std::string label_of(const std::string& repo, const std::string& oid, const Pointers& pointers) {
  const auto named = pointers.find(oid);
  return fmt::format("Git LFS, repository {}: object {} ({})", repo, oid,
                     named == pointers.end() ? "no branch names it" : named->second.where);
}

Result<void> check_object(const fs::path& file, const std::string& label, const Named* named,
                          const FsckOptions& options, FsckReport& report) {
  std::error_code error;
  const auto size = static_cast<std::int64_t>(fs::file_size(file, error));
  if (error) {
    add_problem(report, fmt::format("{}: {} cannot be looked at: {}", label, file.string(), error.message()));
    return {};
  }
  if (named != nullptr && named->size_bytes != size) {
    add_problem(report,
                fmt::format("{}: {} has {} bytes, {} are right", label, file.string(), size, named->size_bytes));
    return {};
  }
  if (!options.read_blobs && size > kQuickBytes) return {};
  ++report.lfs_objects_read;
  const auto hash = sha256_of(file);
  if (!hash) {
    add_problem(report, fmt::format("{}: {}", label, hash.error().message));
  } else if (*hash != file.filename().string()) {
    add_problem(report, fmt::format("{}: {} has other bytes: their SHA-256 is {}", label, file.string(), *hash));
  }
  return {};
}

Result<void> check_repository(const fs::path& git_dir, const FsckOptions& options, FsckReport& report) {
  const auto repo = git_dir.stem().string();
  const auto pointers = WEIR_TRY(pointers_of(git_dir));
  std::set<std::string> there;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(git_dir / "lfs" / "objects", error), end; !error && entry != end;
       entry.increment(error)) {
    if (!entry->is_regular_file(error)) continue;
    const auto oid = entry->path().filename().string();
    ++report.lfs_objects;
    there.insert(oid);
    const auto named = pointers.find(oid);
    WEIR_TRY(check_object(entry->path(), label_of(repo, oid, pointers),
                          named == pointers.end() ? nullptr : &named->second, options, report));
  }
  std::size_t missing = 0;
  for (const auto& [oid, named] : pointers) {
    if (there.contains(oid)) continue;
    if (++missing <= kNamedMax) add_problem(report, label_of(repo, oid, pointers) + ": it is not there");
  }
  if (missing > kNamedMax) {
    add_problem(report, fmt::format("Git LFS, repository {}: {} more objects that files on branches name are not there",
                                    repo, missing - kNamedMax));
  }
  return {};
}

}  // namespace

Result<void> check_lfs(const fs::path& repos, const FsckOptions& options, FsckReport& report) {
  std::vector<fs::path> all;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(repos, error)) {
    // What never had an object has none to miss: its pointers, if any, came without.
    if (entry.path().extension() == ".git" && fs::exists(entry.path() / "lfs" / "objects", error)) {
      all.push_back(entry.path());
    }
  }
  std::ranges::sort(all);
  for (const auto& git_dir : all) {
    if (const auto checked = check_repository(git_dir, options, report); !checked) {
      add_problem(report, fmt::format("Git LFS, repository {}: its branches cannot be read: {}",
                                      git_dir.stem().string(), checked.error().message));
    }
  }
  return {};
}

}  // namespace weir::app
