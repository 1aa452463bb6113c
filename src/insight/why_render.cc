#include <algorithm>

#include "insight/why.h"

namespace weir::insight {
namespace {

// "2026-01-01 00:00:00Z": seconds are enough for people, and all the same width.
std::string time_text(TimePoint time) {
  std::string text = to_iso8601(std::chrono::floor<std::chrono::seconds>(time));
  text[10] = ' ';
  return text;
}

std::string age_text(TimePoint time, TimePoint now) {
  if (time > now) return "";
  const auto age = std::chrono::floor<std::chrono::seconds>(now - time);
  if (age < std::chrono::seconds{1}) return "just now";
  return format_duration(age) + " ago";
}

// Titles hold what users wrote.
std::string printable(std::string_view text) {
  std::string result(text);
  std::replace_if(
      result.begin(), result.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return result;
}

void write_link(const Link& link, const std::string& first, const std::string& rest, TimePoint now, std::string& out) {
  static const std::string kNoTime(20, ' ');
  const bool has_time = link.time != TimePoint{};
  out += (has_time ? time_text(link.time) : kNoTime) + "  " + first + printable(link.title);
  if (!link.actor.empty() && link.title.find(link.actor) == std::string::npos) out += " · " + printable(link.actor);
  if (has_time) out += fmt::format("  ({})", age_text(link.time, now));
  out += "\n";
  const std::string below = kNoTime + "  " + rest + (link.causes.empty() ? "    " : "│   ");
  for (const auto& [name, value] : link.details) out += below + printable(name) + ": " + printable(value) + "\n";
  for (std::size_t i = 0; i < link.causes.size(); ++i) {
    const bool last = i + 1 == link.causes.size();
    write_link(link.causes[i], rest + (last ? "└── " : "├── "), rest + (last ? "    " : "│   "), now, out);
  }
}

json::object link_json(const Link& link) {
  json::object details;
  for (const auto& [name, value] : link.details) details[name] = value;
  json::array causes;
  for (const auto& cause : link.causes) causes.push_back(link_json(cause));
  return {{"kind", link.kind},
          {"title", link.title},
          {"time", link.time == TimePoint{} ? json::value() : json::value(to_iso8601(link.time))},
          {"actor", link.actor},
          {"subject", link.subject},
          {"event", link.event == 0 ? json::value() : json::value(link.event)},
          {"details", std::move(details)},
          {"causes", std::move(causes)}};
}

}  // namespace

std::string to_text(const Why& why, TimePoint now) {
  std::string out = printable(why.answer) + "\n\n";
  write_link(why.root, "", "", now, out);
  return out;
}

json::object to_json(const Why& why) {
  return {{"subject", why.subject}, {"answer", why.answer}, {"chain", link_json(why.root)}};
}

}  // namespace weir::insight
