#include "runner/reads.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <memory>

#include "io/descriptor.h"
#include "io/file.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMark = ".git/weir-checkout";
constexpr std::size_t kReadMax = 2'000;

bool not_before(const timespec& time, const timespec& mark) {
  return time.tv_sec != mark.tv_sec ? time.tv_sec > mark.tv_sec : time.tv_nsec >= mark.tv_nsec;
}

class Walk {
 public:
  explicit Walk(const timespec& mark) : mark_(mark) {}

  // False if there is too much of it.
  bool visit(const io::Descriptor& folder, const std::string& prefix) {
    struct stat info{};
    // Looked at before it is listed here.
    if (::fstat(folder.get(), &info) == 0 && not_before(info.st_atim, mark_)) {
      folders_.emplace_back(prefix.empty() ? std::string() : prefix.substr(0, prefix.size() - 1));
    }
    const std::unique_ptr<DIR, int (*)(DIR*)> listing(::fdopendir(::dup(folder.get())), ::closedir);
    if (!listing) return false;
    while (const dirent* entry = ::readdir(listing.get())) {
      const std::string_view name = entry->d_name;
      if (name == "." || name == ".." || (prefix.empty() && name == ".git")) continue;
      if (++entries_ > kEntriesMax) return false;
      if (!visit_entry(folder, entry->d_name, prefix + std::string(name))) return false;
    }
    return true;
  }

  [[nodiscard]] json::value take() {
    return json::object{{"files", std::move(files_)}, {"folders", std::move(folders_)}};
  }

 private:
  bool visit_entry(const io::Descriptor& folder, const char* name, const std::string& path) {
    struct stat info{};
    if (::fstatat(folder.get(), name, &info, AT_SYMLINK_NOFOLLOW) != 0) return true;  // gone meanwhile
    if (S_ISDIR(info.st_mode)) {
      const io::Descriptor inner(::openat(folder.get(), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      return !inner || visit(inner, path + "/");
    }
    if (!S_ISREG(info.st_mode) || !not_before(info.st_atim, mark_)) return true;
    files_.emplace_back(path);
    return files_.size() <= kReadMax;
  }

  timespec mark_;
  std::size_t entries_ = 0;
  json::array files_;
  json::array folders_;
};

}  // namespace

void mark_unread(const fs::path& work_tree, std::string_view commit) {
  // Its time of change is the mark. Where it cannot be made, nothing is known of what is read.
  const io::Descriptor file(
      ::open((work_tree / kMark).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file) [[maybe_unused]]
    const auto written = io::write_all(file.get(), commit, "the mark of a checkout");
}

void forget_unread(const fs::path& work_tree) {
  std::error_code ignored;  // there was no mark
  fs::remove(work_tree / kMark, ignored);
}

json::value reads_of(const fs::path& work_tree, std::string_view commit) {
  struct statvfs system{};
  if (::statvfs(work_tree.c_str(), &system) != 0 || (system.f_flag & ST_NOATIME) != 0) return nullptr;
  struct stat info{};
  const auto of = io::read_file(work_tree / kMark, 100);
  if (!of || *of != commit || ::stat((work_tree / kMark).c_str(), &info) != 0) return nullptr;
  const io::Descriptor folder(::open(work_tree.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return nullptr;
  Walk walk(info.st_mtim);
  return walk.visit(folder, "") ? walk.take() : json::value(nullptr);
}

}  // namespace weir::runner
