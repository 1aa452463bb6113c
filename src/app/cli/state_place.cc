#include "app/cli/state_place.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string_view>

#include "app/cli/print.h"
#include "base/hash.h"
#include "io/file.h"

namespace weir::app {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kLink = "elsewhere";
constexpr std::string_view kPlain = "/._-+=@%,";

bool is_plain(char c) {
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  return letter || static_cast<unsigned char>(c) >= 0x80 || kPlain.find(c) != std::string_view::npos;
}

// What is made there is nobody's source.
Result<void> make_ignored(const fs::path& folder) {
  WEIR_TRY(io::make_dirs(folder));
  if (!fs::exists(folder / ".gitignore")) std::ofstream(folder / ".gitignore") << "*\n";
  return {};
}

// Folders that others may write to are only good for what is ours alone.
Result<void> make_own(const fs::path& folder) {
  WEIR_TRY(io::make_dirs(folder));
  struct stat info{};
  if (::lstat(folder.c_str(), &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != ::geteuid()) {
    return fail(Code::kPermissionDenied, "{} is somebody else's", folder.string());
  }
  std::error_code error;
  fs::permissions(folder, fs::perms::owner_all, error);
  if (error) return fail(Code::kPermissionDenied, "cannot close {} to others: {}", folder.string(), error.message());
  return {};
}

// Where programs keep their state for a user, as the XDG base directory specification has it.
Result<fs::path> own_states() {
  const auto from = [](const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? fs::path() : fs::path(value);
  };
  fs::path states = from("XDG_STATE_HOME");
  if (!states.is_absolute() || !is_plain_path(states)) states = from("HOME") / ".local/state";
  if (states.is_absolute() && is_plain_path(states) && io::make_dirs(states / "weir")) return states / "weir";
  fs::path shared = fmt::format("/var/tmp/weir-{}", ::geteuid());
  WEIR_TRY(make_own(shared));
  return shared;
}

std::string plain_name(const fs::path& work_tree) {
  std::string name;
  for (const char c : work_tree.filename().string()) name += is_plain(c) && c != '/' ? c : '-';
  return name;
}

}  // namespace

bool is_plain_path(const fs::path& path) {
  const auto text = path.string();
  return std::ranges::all_of(text, is_plain);
}

fs::path followed_state(const fs::path& state) {
  std::error_code error;
  auto target = fs::read_symlink(state / kLink, error);
  return error ? state : target;
}

Result<fs::path> named_state(const fs::path& state) {
  auto target = followed_state(state);
  WEIR_TRY(make_ignored(target));
  return target;
}

Result<fs::path> state_of_work_tree(const fs::path& work_tree) {
  fs::path state = work_tree / ".weir";
  WEIR_TRY(make_ignored(state));
  if (is_plain_path(work_tree)) return state;
  auto target = followed_state(state);
  if (target != state) {
    WEIR_TRY(io::make_dirs(target));
    return target;
  }
  if (fs::exists(state / "weir.db")) {
    print_note(
        fmt::format("the path {} has a character that shells do not take without quotes, and steps may fail for "
                    "it; remove {}, and what the next run keeps lies elsewhere",
                    work_tree.string(), state.string()));
    return state;
  }
  target = WEIR_TRY(own_states()) / fmt::format("{}-{}", plain_name(work_tree), random_hex(4));
  WEIR_TRY(make_own(target));
  std::error_code error;
  fs::create_directory_symlink(target, state / kLink, error);
  if (error) {
    fs::remove(target, error);
    auto other = followed_state(state);  // another run that began at the same time made it
    if (other == state)
      return fail(Code::kUnavailable, "cannot make {}: {}", (state / kLink).string(), error.message());
    return other;
  }
  print_note(
      fmt::format("the path {} has a character that shells do not take without quotes: what jobs use and leave "
                  "lies in {}",
                  work_tree.string(), target.string()));
  return target;
}

}  // namespace weir::app
