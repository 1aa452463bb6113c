#include "runner/output.h"

#include <algorithm>
#include <cstdint>

namespace weir::runner {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Length of the valid UTF-8 character at the front of `text`; 0 if there is none. (Unicode 15, table 3-7.)
std::size_t character_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  std::size_t length = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xBF;
  if (first >= 0xC2 && first <= 0xDF) {
    length = 2;
  } else if (first >= 0xE0 && first <= 0xEF) {
    length = 3;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    length = 4;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
  } else {
    return 0;
  }
  if (text.size() < length || byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xBF) return 0;
  }
  return length;
}

bool is_plain(char c) {
  return (c >= 0x20 && c < 0x7F) || c == '\t' || c == 0x1B;
}

// How many of the first bytes are printable ASCII, by blocks whose bytes are looked at together.
std::size_t printable_blocks(std::string_view text) {
  constexpr std::size_t kBlock = 32;
  std::size_t at = 0;
  for (; at + kBlock <= text.size(); at += kBlock) {
    unsigned char other = 0;
    for (std::size_t i = 0; i < kBlock; ++i) {
      const auto byte = static_cast<unsigned char>(text[at + i]);
      other |= static_cast<unsigned char>(static_cast<unsigned char>(byte - 0x20) >= 0x5F);
    }
    if (other != 0) break;
  }
  return at;
}

}  // namespace

void LineSplitter::push(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    if (end == std::string_view::npos) return append(bytes);
    if (pending_.empty() && bytes_cut_ == 0 && end <= kLineBytesMax) {
      emit(bytes.substr(0, end));  // the common case needs no copy
    } else {
      append(bytes.substr(0, end));
      emit(pending_);
    }
    bytes.remove_prefix(end + 1);
  }
}

void LineSplitter::append(std::string_view bytes) {
  // Only what follows the last carriage return matters, but one at the very end may belong to a "\r\n" still to come.
  const std::string_view body = bytes.substr(0, bytes.empty() ? 0 : bytes.size() - 1);
  if (const auto restart = body.rfind('\r'); restart != std::string_view::npos) {
    pending_.clear();
    bytes_cut_ = 0;
    bytes.remove_prefix(restart + 1);
  } else if (pending_.ends_with('\r') && !bytes.empty()) {
    pending_.clear();
    bytes_cut_ = 0;
  }
  const std::size_t taken = std::min(bytes.size(), kLineBytesMax - std::min(kLineBytesMax, pending_.size()));
  pending_.append(bytes.substr(0, taken));
  bytes_cut_ += bytes.size() - taken;
}

void LineSplitter::emit(std::string_view text) {
  while (text.ends_with('\r')) text.remove_suffix(1);
  if (const auto restart = text.rfind('\r'); restart != std::string_view::npos) text.remove_prefix(restart + 1);
  use_({text, bytes_cut_});
  pending_.clear();
  bytes_cut_ = 0;
}

void LineSplitter::finish() {
  if (!pending_.empty() || bytes_cut_ > 0) emit(pending_);
}

bool sanitize_into(std::string_view text, std::string& out) {
  std::size_t i = printable_blocks(text);
  while (i < text.size() && is_plain(text[i])) ++i;
  if (i == text.size()) return false;
  out.assign(text.substr(0, i));
  bool changed = false;
  while (i < text.size()) {
    if (is_plain(text[i])) {
      out += text[i++];
      continue;
    }
    const std::size_t length = character_length(text.substr(i));
    if (length > 1) {
      out.append(text, i, length);
      i += length;
    } else {
      out += kReplacement;
      changed = true;
      ++i;
    }
  }
  return changed;
}

std::string readable_lines(std::string_view text) {
  std::string readable;
  std::string fixed;
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    readable += sanitize_into(line, fixed) ? std::string_view(fixed) : line;
    if (end != std::string_view::npos) readable += '\n';
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return readable;
}

std::string_view cut_text(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

}  // namespace weir::runner
