#include "runner/placer.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "io/file.h"

namespace weir::runner {

namespace fs = std::filesystem;

Result<Placer> Placer::create(std::vector<UnpackRoot> roots, bool allow_outside_links) {
  for (auto& root : roots) {
    WEIR_TRY(io::make_dirs(root.folder));
    std::error_code error;
    // Links above the folder are the user's own business; below it none is followed.
    root.folder = fs::canonical(root.folder, error);
    if (error) return fail_errno(error.value(), fmt::format("cannot reach {}", root.folder.string()));
  }
  return Placer(std::move(roots), allow_outside_links);
}

Result<Placer::Place> Placer::place(std::string_view name) const {
  for (const auto& root : roots_) {
    std::string_view rest = name;
    if (!root.name.empty()) {
      if (!rest.starts_with(root.name) || !rest.substr(root.name.size()).starts_with('/')) continue;
      rest.remove_prefix(root.name.size() + 1);
    }
    if (auto below = io::join_below(root.folder, rest); !below) {
      return fail(Code::kCorrupt, "{}: {}", kRefused, below.error().message);
    }
    fs::path relative = fs::path(rest).lexically_normal();
    if (!relative.has_filename()) relative = relative.parent_path();
    return Place{root.folder, relative};
  }
  return fail(Code::kCorrupt, "{}: \"{}\" is below none of its folders", kRefused, name);
}

Result<void> Placer::check(std::string_view name, Kind kind, std::string_view target) {
  const Place found = WEIR_TRY(place(name));
  if (kind == Kind::kOther) {
    return fail(Code::kCorrupt, "{}: \"{}\" is no file, folder or link", kRefused, name);
  }
  WEIR_TRY(check_parents(found));
  if (kind == Kind::kHardLink) return check_parents(WEIR_TRY(place(target)));
  if (kind != Kind::kLink) return {};
  links_.insert(found.target());
  if (allow_outside_links_) return {};
  const fs::path held = target;
  const fs::path reached = (found.relative.parent_path() / held).lexically_normal();
  if (held.is_absolute() || !io::join_below(found.folder, reached.string())) {
    return fail(Code::kCorrupt, "{}: the link \"{}\" leads out, to \"{}\"", kRefused, found.relative.string(), target);
  }
  return {};
}

Result<void> Placer::check_parents(const Place& found) {
  fs::path parent = found.folder;
  for (const auto& part : found.relative.parent_path()) {
    parent /= part;
    if (links_.contains(parent)) {
      return fail(Code::kCorrupt, "{}: \"{}\" leads through the link \"{}\"", kRefused, found.relative.string(),
                  parent.string());
    }
    if (!checked_.insert(parent).second) continue;
    struct stat info{};
    if (::lstat(parent.c_str(), &info) == 0 && S_ISLNK(info.st_mode)) {
      return fail(Code::kCorrupt, "{}: \"{}\" leads through {}, which is a link", kRefused, found.relative.string(),
                  parent.string());
    }
  }
  return {};
}

Result<void> Placer::clear(const fs::path& target) {
  WEIR_TRY(io::make_dirs(target.parent_path()));
  if (::unlink(target.c_str()) != 0 && errno != ENOENT) {
    return fail_errno(errno, fmt::format("cannot replace {}", target.string()));
  }
  return {};
}

}  // namespace weir::runner
