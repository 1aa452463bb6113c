// The keys of `keep:`, what stays of a repository's runs and how long.
#include <array>

#include "base/size.h"
#include "config/reader.h"

namespace weir::config {
namespace {

using text::YamlEntry;

constexpr std::string_view kForever = "forever";
constexpr int kRunsMost = 1'000'000;
constexpr auto kTimeLeast = std::chrono::days{1};
constexpr auto kTimeMost = std::chrono::days{3650};
constexpr std::int64_t kCacheLeast = std::int64_t{1} << 20;

void read_time(Reader& reader, const YamlEntry& entry, std::optional<Duration>& time) {
  const auto text = reader.scalar(*entry.value, "a time such as 90d, or forever");
  if (!text) return;
  if (*text == kForever) {
    time.reset();
    return;
  }
  const auto parsed = parse_duration(*text);
  if (!parsed) {
    reader.error(*entry.value, fmt::format("this must be a time such as 90d or 52w, or forever, not \"{}\"", *text));
  } else if (*parsed < kTimeLeast || *parsed > kTimeMost) {
    reader.error(*entry.value, fmt::format("{} are kept from 1d to 3650d, not {}", entry.key, *text),
                 "`forever` keeps them until they are deleted by hand");
  } else {
    time = *parsed;
  }
}

void read_caches(Reader& reader, const YamlEntry& entry, Keep& keep) {
  std::int64_t bytes = keep.cache_bytes;
  reader.read_size(*entry.value, bytes);
  if (bytes < kCacheLeast) {
    reader.error(*entry.value, fmt::format("caches get {} at least, not {}", size_text(kCacheLeast), size_text(bytes)));
  } else {
    keep.cache_bytes = bytes;
  }
}

}  // namespace

std::span<const Key<Keep>> keep_keys() {
  static constexpr std::array kKeys = {
      Key<Keep>{"runs", "The newest runs of each workflow that stay whole, at any age.",
                R"({"type": "integer", "minimum": 0, "maximum": 1000000, "default": 50, "examples": [200]})",
                [](Reader& reader, const YamlEntry& entry, Keep& keep) {
                  reader.read_count(*entry.value, keep.runs, 0, kRunsMost);
                }},
      Key<Keep>{"workspaces", "How long after their run's end the files of other runs' jobs stay.",
                R"({"$ref": "#/$defs/kept", "default": "90d", "examples": ["14d"]})",
                [](Reader& reader, const YamlEntry& entry, Keep& keep) { read_time(reader, entry, keep.workspaces); }},
      Key<Keep>{"logs",
                "How long after their run's end the logs of other runs' jobs stay; not shorter than workspaces.",
                R"({"$ref": "#/$defs/kept", "default": "400d", "examples": ["90d"]})",
                [](Reader& reader, const YamlEntry& entry, Keep& keep) { read_time(reader, entry, keep.logs); }},
      Key<Keep>{"artifacts", "How long artifacts stay that say no retention-days.",
                R"({"$ref": "#/$defs/kept", "default": "forever", "examples": ["90d"]})",
                [](Reader& reader, const YamlEntry& entry, Keep& keep) { read_time(reader, entry, keep.artifacts); }},
      Key<Keep>{"caches", "Bytes of the repository's caches; those used longest ago go first.",
                R"({"$ref": "#/$defs/size", "default": "10G", "examples": ["2G"]})", read_caches},
  };
  return kKeys;
}

void read_keep(Reader& reader, const YamlEntry& entry, Config& config) {
  read_map(reader, *entry.value, keep_keys(), config.keep, "keep");
  const auto& keep = config.keep;
  const bool shorter = keep.logs && (!keep.workspaces || *keep.logs < *keep.workspaces);
  if (!shorter || !entry.value->is_map()) return;
  const auto* logs = entry.value->find("logs");
  const auto* workspaces = entry.value->find("workspaces");
  reader.error(logs != nullptr         ? *logs
               : workspaces != nullptr ? *workspaces
                                       : entry,
               "logs cannot go before workspaces", "give `logs` the same time as `workspaces`, or a longer one");
}

}  // namespace weir::config
