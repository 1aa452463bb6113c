#include "event/time_zones.h"

#include <algorithm>
#include <filesystem>

#include "io/file.h"
#include "text/suggest.h"

namespace weir::event {
namespace {

constexpr std::string_view kFolder = "/usr/share/zoneinfo";
constexpr std::string_view kHowWritten = "write a name of the IANA database, such as Europe/Berlin or Asia/Shanghai";

// Names come from workflow files: nothing in them may lead out of the folder.
bool is_zone_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '+' || c == '/';
  };
  return !name.empty() && name.size() <= 64 && name.front() != '/' && std::ranges::all_of(name, fits);
}

// Names that `wrong` may be meant for: those of its area if there is one, else those with its first letter. Looks at
// some thousand files: only for messages.
std::vector<std::string> names_near(std::string_view wrong) {
  namespace fs = std::filesystem;
  std::vector<std::string> names;
  std::error_code error;
  std::error_code ignored;  // of links that lead nowhere
  for (fs::recursive_directory_iterator at(kFolder, error), end; !error && at != end; at.increment(error)) {
    const auto name = at->path().lexically_relative(kFolder).string();
    // Copies of the same zones with other seconds, and tables.
    if (name == "posix" || name == "right") at.disable_recursion_pending();
    if (!at->is_regular_file(ignored)) continue;
    if (name.find('.') == std::string::npos && is_zone_name(name)) names.push_back(name);
  }
  std::ranges::sort(names);
  std::vector<std::string> near;
  const auto keep = [&](std::string_view start) {
    std::ranges::copy_if(names, std::back_inserter(near), [&](const auto& name) { return name.starts_with(start); });
  };
  if (const auto area = wrong.find('/'); area != std::string_view::npos) keep(wrong.substr(0, area + 1));
  if (near.empty()) keep(wrong.substr(0, 1));
  return near;
}

}  // namespace

Result<workflow::TimeZone> load_time_zone(std::string_view name) {
  const auto unknown = [&] { return fail(Code::kInvalidArgument, "\"{}\" is no time zone; {}", name, kHowWritten); };
  if (!is_zone_name(name)) return unknown();
  auto file = io::read_file(std::filesystem::path(kFolder) / name);
  if (!file) {
    std::error_code ignored;
    if (std::filesystem::is_directory(kFolder, ignored)) return unknown();
    return fail(Code::kFailedPrecondition, "this machine has no time zones in {}: install tzdata", kFolder);
  }
  auto zone = workflow::TimeZone::parse(*file);
  if (!zone) return unknown();
  return zone;
}

bool may_be_time_zone(std::string_view name) {
  const auto zone = load_time_zone(name);
  return zone || zone.error().code != Code::kInvalidArgument;
}

std::optional<std::string> time_zone_hint(std::string_view name) {
  if (may_be_time_zone(name)) return std::nullopt;
  auto hint = text::did_you_mean(name, names_near(name));
  return hint.empty() ? std::string(kHowWritten) : hint;
}

}  // namespace weir::event
