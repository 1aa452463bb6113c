#include "monitor/slack.h"

#include "base/json.h"

namespace weir::monitor {
namespace {

constexpr std::size_t kSectionBytesMax = 2'900;  // a section takes 3000 characters

std::string escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      default: escaped += c;
    }
  }
  return escaped;
}

// At most `most` bytes once escaped, without cutting a character or an entity.
std::string section_text(std::string_view text, std::size_t most) {
  std::string escaped = escape(text);
  if (escaped.size() <= most) return escaped;
  std::size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(escaped[end]) & 0xC0U) == 0x80U) --end;
  const auto entity = escaped.rfind('&', end);
  if (entity != std::string::npos && escaped.find(';', entity) >= end) end = entity;
  return escaped.substr(0, end) + "…";
}

json::object mrkdwn(std::string text) {
  return {{"type", "mrkdwn"}, {"text", std::move(text)}};
}

std::string_view sign(config::Severity severity) {
  switch (severity) {
    case config::Severity::kInfo: return ":information_source:";
    case config::Severity::kWarning: return ":warning:";
    case config::Severity::kPage: return ":rotating_light:";
  }
  return "";
}

}  // namespace

std::string_view repeated_line() {
  return "This message may have reached you before: weir was interrupted while it was being sent.";
}

std::string slack_body(std::string_view text, config::Severity severity, bool possibly_repeated,
                       std::string_view link) {
  const std::string_view headline = text.substr(0, text.find('\n'));
  const std::string_view rest = headline.size() < text.size() ? text.substr(headline.size() + 1) : std::string_view{};
  json::array blocks;
  blocks.push_back(
      json::object{{"type", "section"},
                   {"text", mrkdwn(fmt::format("{} {}", sign(severity), section_text(headline, kSectionBytesMax)))}});
  if (!rest.empty()) {
    blocks.push_back(json::object{{"type", "section"}, {"text", mrkdwn(section_text(rest, kSectionBytesMax))}});
  }
  json::array context{mrkdwn(fmt::format("weir · {}", config::severity_name(severity)))};
  if (!link.empty()) context.push_back(mrkdwn(fmt::format("<{}|Open in weir>", escape(link))));
  if (possibly_repeated) context.push_back(mrkdwn(std::string(repeated_line())));
  blocks.push_back(json::object{{"type", "context"}, {"elements", std::move(context)}});
  std::string plain = escape(text);
  if (!link.empty()) plain.append("\n").append(escape(link));
  if (possibly_repeated) plain.append("\n").append(repeated_line());
  return json::serialize(json::object{{"text", plain}, {"blocks", std::move(blocks)}});
}

}  // namespace weir::monitor
