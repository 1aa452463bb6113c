#include "api/git/pkt_line.h"

#include <algorithm>

namespace weir::api {
namespace {

constexpr std::size_t kPayloadMax = 65'516;
constexpr std::size_t kUpdatesMax = 10'000;
constexpr std::size_t kCommandsBytesMax = 4U << 20;
constexpr std::size_t kObjectIdSize = 40;

enum class Packet { kData, kFlush, kPartial, kBad };

// Takes one packet off the front of `rest`.
Packet take_packet(std::string_view& rest, std::string_view& payload) {
  if (rest.size() < 4) return Packet::kPartial;
  std::size_t length = 0;
  for (const char c : rest.substr(0, 4)) {
    int digit = -1;
    if (c >= '0' && c <= '9') digit = c - '0';
    if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
    if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
    if (digit < 0) return Packet::kBad;
    length = length * 16 + static_cast<std::size_t>(digit);
  }
  if (length == 0) {
    rest.remove_prefix(4);
    return Packet::kFlush;
  }
  if (length < 4 || length > kPayloadMax + 4) return Packet::kBad;
  if (rest.size() < length) return Packet::kPartial;
  payload = rest.substr(4, length - 4);
  rest.remove_prefix(length);
  return Packet::kData;
}

bool is_object_id(std::string_view text) {
  return text.size() == kObjectIdSize && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Stricter than git where git is lax: control characters, spaces and odd bytes have no business in a ref.
bool is_ref_name(std::string_view name) {
  if (!name.starts_with("refs/") || name.size() > 1024 || name.ends_with('/') || name.ends_with(".lock")) return false;
  if (name.find("..") != std::string_view::npos || name.find("//") != std::string_view::npos ||
      name.find("@{") != std::string_view::npos || name.find("/.") != std::string_view::npos) {
    return false;
  }
  return std::ranges::none_of(name, [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == '\x7f' ||
           std::string_view{"~^:?*[\\"}.find(c) != std::string_view::npos;
  });
}

bool has_word(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const auto end = std::min(list.find(' '), list.size());
    if (list.substr(0, end) == word) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

std::string_view without_newline(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  return line;
}

Result<void> parse_command(std::string_view line, PushCommands& commands) {
  const auto bad = [&](std::string_view why) {
    return fail(Code::kInvalidArgument, "the push holds a command that weir does not understand ({}): {}", why,
                line.substr(0, 200));
  };
  if (line.starts_with("shallow ")) {
    if (is_object_id(line.substr(8))) return {};
    return bad("a shallow line needs one object id of 40 digits");
  }
  if (line.starts_with("push-cert")) return fail(Code::kUnimplemented, "signed pushes are not supported");
  const auto nul = line.find('\0');
  std::string_view command = line.substr(0, nul);
  if (nul != std::string_view::npos) {
    const std::string_view capabilities = line.substr(nul + 1);
    if (!commands.updates.empty()) return bad("capabilities belong to the first command");
    if (capabilities.find('\0') != std::string_view::npos) return bad("it holds a second NUL");
    commands.report_status = has_word(capabilities, "report-status") || has_word(capabilities, "report-status-v2");
    commands.side_band = has_word(capabilities, "side-band-64k") || has_word(capabilities, "side-band");
  }
  constexpr std::size_t kNameAt = 2 * kObjectIdSize + 2;
  if (command.size() <= kNameAt || command[kObjectIdSize] != ' ' || command[kNameAt - 1] != ' ' ||
      !is_object_id(command.substr(0, kObjectIdSize)) ||
      !is_object_id(command.substr(kObjectIdSize + 1, kObjectIdSize))) {
    return bad("expected \"<old id> <new id> <ref>\" with ids of 40 digits");
  }
  const std::string_view ref = command.substr(kNameAt);
  if (!is_ref_name(ref)) return bad("not a ref name");
  if (commands.updates.size() >= kUpdatesMax) return bad("more than 10000 refs at once");
  commands.updates.push_back({std::string{ref}, std::string{command.substr(0, kObjectIdSize)},
                              std::string{command.substr(kObjectIdSize + 1, kObjectIdSize)}});
  return {};
}

void append_band(std::string& out, char band, std::string_view bytes) {
  while (!bytes.empty()) {
    // 996 fits the old side-band, too.
    out += pkt_line(band + std::string{bytes.substr(0, 995)});
    bytes.remove_prefix(std::min<std::size_t>(bytes.size(), 995));
  }
}

std::string one_line(std::string_view text) {
  std::string line{text};
  std::ranges::replace_if(line, [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  return line;
}

}  // namespace

std::string pkt_line(std::string_view payload) {
  return fmt::format("{:04x}{}", payload.size() + 4, payload);
}

Result<std::optional<PushCommands>> parse_push_commands(std::string_view head) {
  PushCommands commands;
  std::string_view rest = head;
  while (true) {
    std::string_view payload;
    switch (take_packet(rest, payload)) {
      case Packet::kFlush: commands.size_bytes = head.size() - rest.size(); return commands;
      case Packet::kData: WEIR_TRY(parse_command(without_newline(payload), commands)); break;
      case Packet::kPartial:
        if (head.size() > kCommandsBytesMax) return fail(Code::kInvalidArgument, "the push's commands have no end");
        return std::nullopt;
      case Packet::kBad:
        return fail(Code::kInvalidArgument, "the push is not in git's packet format at byte {}",
                    head.size() - rest.size());
    }
  }
}

std::optional<std::vector<std::string>> parse_push_report(std::string_view answer, bool side_band) {
  std::string report;
  std::string_view rest = answer;
  std::string_view payload;
  if (side_band) {
    while (take_packet(rest, payload) == Packet::kData) {
      if (payload.starts_with('\1')) report += payload.substr(1);
    }
    rest = report;
  }
  std::vector<std::string> moved;
  bool unpacked = false;
  while (take_packet(rest, payload) == Packet::kData) {
    const std::string_view line = without_newline(payload);
    if (line == "unpack ok") unpacked = true;
    if (line.starts_with("ok ")) moved.emplace_back(line.substr(3));
    if (!unpacked) return line.starts_with("unpack ") ? std::optional{std::move(moved)} : std::nullopt;
  }
  if (!unpacked) return std::nullopt;
  return moved;
}

std::string refuse_push(const PushCommands& commands, std::string_view reason, std::string_view message,
                        std::string_view unpack_error) {
  std::string report = pkt_line(fmt::format("unpack {}\n", unpack_error.empty() ? "ok" : one_line(unpack_error)));
  for (const auto& update : commands.updates)
    report += pkt_line(fmt::format("ng {} {}\n", update.ref, one_line(reason)));
  report += kFlushPacket;
  if (!commands.side_band) return report;
  std::string answer;
  append_band(answer, '\2', fmt::format("{}\n", message));
  append_band(answer, '\1', report);
  return answer.append(kFlushPacket);
}

std::string with_remark(const PushCommands& commands, std::string_view remark, std::string answer) {
  if (!commands.side_band || remark.empty()) return answer;
  std::string remarked;
  append_band(remarked, '\2', fmt::format("{}\n", remark));
  return remarked + answer;
}

}  // namespace weir::api
