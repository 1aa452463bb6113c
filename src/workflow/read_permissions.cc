#include <fmt/format.h>

#include <algorithm>

#include "text/suggest.h"
#include "workflow/file_reader.h"

namespace weir::workflow {
namespace {

struct PermissionScope {
  std::string_view name;
  std::string_view levels[3];  // without those that it lacks
};

constexpr std::string_view kRead = "read";
constexpr std::string_view kWrite = "write";
constexpr std::string_view kNone = "none";

constexpr PermissionScope kScopes[] = {{"actions", {kRead, kWrite, kNone}},
                                       {"artifact-metadata", {kRead, kWrite, kNone}},
                                       {"attestations", {kRead, kWrite, kNone}},
                                       {"checks", {kRead, kWrite, kNone}},
                                       {"code-quality", {kRead, kWrite, kNone}},
                                       {"contents", {kRead, kWrite, kNone}},
                                       {"copilot-requests", {kWrite, kNone}},
                                       {"deployments", {kRead, kWrite, kNone}},
                                       {"discussions", {kRead, kWrite, kNone}},
                                       {"drives", {kRead, kWrite, kNone}},
                                       {"id-token", {kWrite, kNone}},
                                       {"issues", {kRead, kWrite, kNone}},
                                       {"models", {kRead, kNone}},
                                       {"packages", {kRead, kWrite, kNone}},
                                       {"pages", {kRead, kWrite, kNone}},
                                       {"pull-requests", {kRead, kWrite, kNone}},
                                       {"repository-projects", {kRead, kWrite, kNone}},
                                       {"security-events", {kRead, kWrite, kNone}},
                                       {"statuses", {kRead, kWrite, kNone}},
                                       {"vulnerability-alerts", {kRead, kNone}}};

std::span<const std::string_view> levels_of(const PermissionScope& scope) {
  const std::size_t count = scope.levels[2].empty() ? 2 : 3;
  return {scope.levels, count};
}

void read_level(FileReader& reader, const text::YamlEntry& entry, std::map<std::string, std::string>& out) {
  const auto scope = std::ranges::find(kScopes, entry.key, &PermissionScope::name);
  if (scope == std::end(kScopes)) {
    std::vector<std::string_view> names;
    for (const auto& known : kScopes) names.push_back(known.name);
    reader.schema().error(entry, fmt::format("unknown permission \"{}\"", entry.key),
                          text::did_you_mean(entry.key, names));
    return;
  }
  const std::string level = reader.text(*entry.value, fmt::format("the permission \"{}\"", entry.key), nullptr);
  const auto levels = levels_of(*scope);
  if (entry.value->is_scalar() && std::ranges::find(levels, level) == levels.end()) {
    reader.schema().error(
        *entry.value,
        fmt::format("the permission \"{}\" must be {}, not \"{}\"", entry.key, text::quoted_list(levels), level),
        text::did_you_mean(level, levels));
  }
  out[entry.key] = level;
}

}  // namespace

std::optional<types::CacheMode> read_cache_mode(FileReader& reader, const text::YamlNode& node, std::string_view what) {
  static constexpr std::string_view kModes[] = {kRead, kWrite, "write-only", kNone};
  if (node.is_scalar() && !node.is_null()) {
    if (const auto mode = types::parse_cache_mode(node.text())) return mode;
    reader.schema().error(node, fmt::format("{} must be {}, not \"{}\"", what, text::quoted_list(kModes), node.text()),
                          text::did_you_mean(node.text(), kModes));
  } else {
    reader.schema().error(node,
                          fmt::format("{} must be {}, not {}", what, text::quoted_list(kModes), node.kind_name()));
  }
  return std::nullopt;
}

std::map<std::string, std::string> read_permissions(FileReader& reader, const text::YamlNode& node,
                                                    std::string_view what) {
  std::map<std::string, std::string> out;
  if (node.is_scalar()) {
    const std::string level = reader.text(node, what, nullptr);
    if (level != "read-all" && level != "write-all") {
      reader.schema().error(node, fmt::format("{} must be \"read-all\", \"write-all\" or a map", what),
                            node.is_null() ? "write {} for no permission at all" : "");
    }
    out["*"] = level;
    return out;
  }
  if (!node.is_map()) {
    reader.schema().error(node, fmt::format("{} must be a map, not {}", what, node.kind_name()));
    return out;
  }
  for (const auto& entry : node.entries()) read_level(reader, entry, out);
  return out;
}

}  // namespace weir::workflow
