// The keys of `data:`, what is watched for updates.
#include <algorithm>
#include <array>

#include "config/reader.h"

namespace weir::config {
namespace {

using text::YamlEntry;

constexpr auto kEveryLeast = std::chrono::seconds{1};
constexpr auto kSettleMost = std::chrono::hours{24};
constexpr std::size_t kWatchMax = 2'000;  // bytes

bool climbs(std::string_view path) {
  while (!path.empty()) {
    const auto end = std::min(path.find('/'), path.size());
    if (path.substr(0, end) == "..") return true;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return false;
}

// What is wrong with it, and what to do; both "" if nothing is.
std::pair<std::string, std::string> problem_of(std::string_view watch) {
  const auto colon = watch.find("://");
  if (watch.empty()) return {"a watch needs a path or an address", "e.g. /srv/data/arrivals or data/raw.dvc"};
  if (watch.size() > kWatchMax) return {fmt::format("a watch has {} bytes at most", kWatchMax), ""};
  if (std::ranges::any_of(watch, [](unsigned char c) { return c < 0x20; })) {
    return {"a watch holds no control characters", ""};
  }
  if (colon != std::string_view::npos) {
    const auto scheme = watch.substr(0, colon);
    if (scheme == "http" || scheme == "https") {
      const auto host = watch.substr(colon + 3, watch.find_first_of("/?#", colon + 3) - (colon + 3));
      if (host.empty()) return {fmt::format("\"{}\" names no host", watch), ""};
      if (host.find('@') != std::string_view::npos) return {"an address that is watched holds no password", ""};
      if (watch.find_first_of(" #") != std::string_view::npos) return {"an address holds neither \" \" nor \"#\"", ""};
      return {};
    }
    return {fmt::format("addresses of {}:// cannot be watched yet", scheme),
            "give the https:// address of the object, or a folder where it is mounted"};
  }
  if (watch.starts_with('~')) return {"a path of the server's machine is given in full", "it begins with /"};
  if (climbs(watch)) return {fmt::format("\"{}\" climbs by \"..\"", watch), "give the path that is meant"};
  if (watch.starts_with('/') || watch.ends_with(".dvc") || watch == "dvc.lock" || watch.ends_with("/dvc.lock")) {
    return {};
  }
  return {
      fmt::format("\"{}\" can be watched neither as a file of the repository, of which those of DVC can (NAME.dvc, "
                  "dvc.lock), nor on the server's machine",
                  watch),
      "a path of the server's machine begins with /; for other files of the repository use `on: push` with `paths`"};
}

void read_watch(Reader& reader, const YamlEntry& entry, DataWatch& data) {
  std::string watch;
  reader.read(*entry.value, watch);
  auto [problem, hint] = problem_of(watch);
  if (problem.empty()) {
    data.watch = std::move(watch);
  } else {
    reader.error(*entry.value, std::move(problem), std::move(hint));
  }
}

void read_settle(Reader& reader, const YamlEntry& entry, DataWatch& data) {
  Duration settle = data.settle;
  reader.read_duration(*entry.value, settle);
  if (settle > kSettleMost) {
    reader.error(*entry.value, "data that changes settles within 24h at most");
  } else {
    data.settle = settle;
  }
}

void read_every(Reader& reader, const YamlEntry& entry, DataWatch& data) {
  Duration every = data.every;
  reader.read_duration(*entry.value, every);
  if (every < kEveryLeast) {
    reader.error(*entry.value, "data is looked at every 1s at most");
  } else {
    data.every = every;
  }
}

}  // namespace

std::span<const Key<DataWatch>> data_keys() {
  static constexpr std::array kKeys = {
      Key<DataWatch>{
          "watch",
          "A file, folder or pattern on the server's machine, a http(s):// address, or a .dvc file or dvc.lock "
          "of the repository.",
          R"({"type": "string", "examples": ["/srv/flights/arrivals/*.csv", "data/raw.dvc"]})", read_watch},
      Key<DataWatch>{"settle", "How long nothing must change before a change counts as complete.",
                     R"({"$ref": "#/$defs/duration", "default": "10s", "examples": ["1m"]})", read_settle},
      Key<DataWatch>{"every", "How often it is looked at, where the machine does not tell of changes.",
                     R"({"$ref": "#/$defs/duration", "default": "1m", "examples": ["10m"]})", read_every},
  };
  return kKeys;
}

void read_data(Reader& reader, const YamlEntry& entry, Config& config) {
  if (!entry.value->is_map()) {
    reader.error(*entry.value, fmt::format("data must be a map by name, not {}", entry.value->kind_name()));
    return;
  }
  for (const auto& one : entry.value->entries()) {
    if (!reader.check_name(one, "watched data")) continue;
    DataWatch data{.name = one.key};
    read_map(reader, *one.value, data_keys(), data, fmt::format("data \"{}\"", one.key));
    if (one.value->is_null() || (one.value->is_map() && one.value->find("watch") == nullptr)) {
      reader.error(one, fmt::format("data \"{}\" needs `watch`, the path or address to look at", one.key));
    }
    config.data.push_back(std::move(data));
  }
}

}  // namespace weir::config
