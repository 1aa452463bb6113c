#include "event/time_zones.h"

#include <algorithm>
#include <filesystem>

#include "io/file.h"

namespace weir::event {
namespace {

constexpr std::string_view kFolder = "/usr/share/zoneinfo";

// Names come from workflow files: nothing in them may lead out of the folder.
bool is_zone_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '+' || c == '/';
  };
  return !name.empty() && name.size() <= 64 && name.front() != '/' && std::ranges::all_of(name, fits);
}

}  // namespace

Result<workflow::TimeZone> load_time_zone(std::string_view name) {
  const auto unknown = [&] {
    return fail(Code::kInvalidArgument,
                "\"{}\" is no time zone; write a name of the IANA database, such as Europe/Berlin or Asia/Shanghai",
                name);
  };
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

}  // namespace weir::event
