#include <fmt/format.h>

#include <algorithm>

#include "text/suggest.h"
#include "workflow/event_table.h"
#include "workflow/file_reader.h"
#include "workflow/support.h"

namespace weir::workflow {
namespace {

using text::MapReader;
using text::YamlEntry;
using text::YamlNode;

constexpr auto kScheduleGapMin = std::chrono::minutes{5};

class OnReader {
 public:
  explicit OnReader(FileReader& reader) : reader_(reader), schema_(reader.schema()) {}

  On read(const YamlNode& node) {
    if (node.is_map()) {
      if (node.entries().empty()) schema_.error(node, "\"on\" names no event");
      for (const auto& entry : node.entries()) read_event(entry);
    } else if (node.is_sequence()) {
      if (node.items().empty()) schema_.error(node, "\"on\" names no event");
      for (const YamlNode* item : node.items()) read_name(*item);
    } else {
      read_name(node);
    }
    return std::move(on_);
  }

 private:
  const EventInfo* check_event(std::string_view event, const auto& place) {
    const EventInfo* info = find_event(event);
    if (info == nullptr) {
      std::vector<std::string_view> all;
      for (const auto& known : event_table()) all.push_back(known.name);
      schema_.error(place, fmt::format("unknown event \"{}\"", event), text::did_you_mean(event, all));
    } else if (on_.listens(event)) {
      schema_.error(place, fmt::format("the event \"{}\" is named twice", event));
      return nullptr;
    }
    return info;
  }

  void read_name(const YamlNode& node) {
    const std::string event = reader_.required_text(node, "an event of \"on\"", nullptr);
    const EventInfo* info = event.empty() ? nullptr : check_event(event, node);
    if (info == nullptr) return;
    if (event == "workflow_dispatch") {
      on_.dispatch.emplace();
    } else if (event == "workflow_call") {
      on_.call.emplace();
    } else if (event == "schedule") {
      schema_.error(node, "\"schedule\" needs a list of cron lines", "on: {schedule: [{cron: '0 2 * * *'}]}");
    } else {
      on_.events.push_back({.name = event, .types = default_types(*info)});
    }
  }

  void read_event(const YamlEntry& entry) {
    const EventInfo* info = check_event(entry.key, entry);
    if (info == nullptr) return;
    if (entry.key == "workflow_dispatch") {
      on_.dispatch = read_dispatch(reader_, *entry.value);
    } else if (entry.key == "workflow_call") {
      on_.call = read_call(reader_, *entry.value);
    } else if (entry.key == "schedule") {
      read_schedule(*entry.value);
    } else {
      on_.events.push_back(read_trigger(*info, *entry.value));
    }
  }

  static std::vector<std::string> default_types(const EventInfo& info) {
    const auto words = event_words(info.default_types);
    return {words.begin(), words.end()};
  }

  EventTrigger read_trigger(const EventInfo& info, const YamlNode& node) {
    EventTrigger out{.name = std::string(info.name), .types = default_types(info)};
    const bool takes_keys = info.any_type || !info.types.empty() || !info.filters.empty();
    if (!takes_keys) {
      if (!node.is_null()) schema_.error(node, fmt::format("the event \"{}\" takes no keys", info.name));
      return out;
    }
    MapReader map(schema_, node, out.name, true);
    if (info.any_type || !info.types.empty()) {
      if (const YamlNode* types = map.find("types")) out.types = read_types(info, *types);
    }
    for (const auto key : event_words(info.filters)) {
      if (key == "branches") out.branches = read_filter(map, "branches");
      if (key == "tags") out.tags = read_filter(map, "tags");
      if (key == "paths") out.paths = read_filter(map, "paths");
      if (key == "workflows") out.workflows = read_list(map, key);
      if (key == "names") out.names = read_list(map, key);
      if (key == "versions") out.versions = read_list(map, key);
    }
    map.finish();
    return out;
  }

  std::vector<std::string> read_list(MapReader& map, std::string_view key) {
    const YamlNode* node = map.find(key);
    return node == nullptr ? std::vector<std::string>{} : reader_.texts(*node, fmt::format("\"{}\"", key), nullptr);
  }

  std::vector<std::string> read_types(const EventInfo& info, const YamlNode& node) {
    if (info.any_type && !node.is_sequence()) {
      schema_.error(node, fmt::format("\"types\" of {} must be a list", info.name));
      return {};
    }
    auto out = reader_.texts(node, "\"types\"", nullptr);
    if (info.any_type) return out;
    const auto known = event_words(info.types);
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (out[i].empty() || std::ranges::find(known, out[i]) != known.end()) continue;
      const YamlNode& place = node.is_sequence() ? *node.items()[i] : node;
      std::string hint = text::did_you_mean(out[i], known);
      if (hint.empty()) hint = fmt::format("there are {}", text::quoted_list(known, "and"));
      schema_.error(place, fmt::format("unknown activity \"{}\" of {}", out[i], info.name), std::move(hint));
    }
    return out;
  }

  std::vector<Pattern> read_patterns(const YamlNode& node, std::string_view what) {
    std::vector<Pattern> out;
    const auto add = [&](const YamlNode& item) {
      const std::string text = reader_.required_text(item, fmt::format("an item of {}", what), nullptr);
      if (text.empty()) return;
      auto pattern = Pattern::parse(text);
      if (!pattern) {
        schema_.error(item, fmt::format("the pattern \"{}\" is not valid: {}", text, pattern.error()));
        return;
      }
      out.push_back(std::move(*pattern));
    };
    if (node.is_sequence()) {
      for (const YamlNode* item : node.items()) add(*item);
    } else {
      add(node);
    }
    return out;
  }

  // "branches" and "branches-ignore", which exclude each other.
  Filter read_filter(MapReader& map, const std::string& key) {
    Filter out;
    const YamlNode* include = map.find(key);
    const std::string ignore = key + "-ignore";
    const YamlEntry* exclude = map.find_entry(ignore);
    if (include != nullptr) {
      out.include = read_patterns(*include, fmt::format("\"{}\"", key));
      if (!out.include.empty() && out.include.front().negative() &&
          std::ranges::all_of(out.include, &Pattern::negative)) {
        schema_.error(*include, fmt::format("\"{}\" holds patterns with ! alone, which take nothing", key),
                      fmt::format("use \"{}\", or begin with '**'", ignore));
      }
    }
    if (exclude != nullptr) {
      out.exclude = read_patterns(*exclude->value, fmt::format("\"{}\"", ignore));
      if (include != nullptr) {
        schema_.error(*exclude, fmt::format("\"{}\" and \"{}\" cannot be used together", key, ignore),
                      fmt::format("write the exceptions into \"{}\" with a ! before each", key));
      }
    }
    return out;
  }

  void read_schedule(const YamlNode& node) {
    if (!node.is_sequence() || node.items().empty()) {
      schema_.error(node, "\"schedule\" must be a list of cron lines", "- cron: '0 2 * * *'");
      return;
    }
    for (const YamlNode* item : node.items()) {
      MapReader map(schema_, *item, "an item of schedule");
      std::string zone;
      if (const YamlEntry* timezone = map.find_entry("timezone")) {
        zone = reader_.required_text(*timezone->value, "\"timezone\"", nullptr);
        reader_.needs(support::kTimezones, *timezone, "time zones of schedules");
        check_zone(*timezone->value, zone);
      }
      if (const YamlNode* line = map.require("cron")) {
        const std::string text = reader_.required_text(*line, "\"cron\"", nullptr);
        if (!text.empty()) add_cron(*line, text, std::move(zone));
      }
      map.finish();
    }
  }

  void check_zone(const YamlNode& node, const std::string& zone) {
    if (zone.empty() || !reader_.options().time_zone_hint) return;
    if (auto hint = reader_.options().time_zone_hint(zone)) {
      schema_.error(node, fmt::format("\"{}\" is no time zone", zone), *std::move(hint));
    }
  }

  void add_cron(const YamlNode& node, const std::string& text, std::string timezone) {
    if (text.find('\t') != std::string::npos || text.front() == ' ' || text.back() == ' ') {
      schema_.error(node, "the fields of a cron line stand with spaces between them, and none before or after");
      return;
    }
    if (text.substr(text.rfind(' ') + 1).find('7') != std::string::npos) {
      schema_.error(node, fmt::format("cron \"{}\": days of the week are 0 to 6", text), "Sunday is 0");
      return;
    }
    auto cron = Cron::parse(text);
    if (!cron) {
      schema_.error(node, cron.error().message);
      return;
    }
    TimePoint from{std::chrono::sys_days{std::chrono::January / 1 / 2024}};
    auto earlier = cron->next(from);
    for (int i = 0; i < 60 && earlier; ++i) {
      const auto later = cron->next(*earlier);
      if (later && *later - *earlier < kScheduleGapMin) {
        schema_.warning(node, "GitHub starts a schedule every 5 minutes at most");
        break;
      }
      earlier = later;
    }
    on_.schedule.push_back({.cron = std::move(*cron), .timezone = std::move(timezone)});
  }

  FileReader& reader_;
  text::SchemaReader& schema_;
  On on_;
};

}  // namespace

On read_on(FileReader& reader, const text::YamlNode& node) {
  return OnReader(reader).read(node);
}

}  // namespace weir::workflow
