#include "runner/masker.h"

#include <algorithm>

#include "base/hash.h"
#include "base/json.h"

namespace weir::runner {
namespace {

constexpr std::size_t kBase64LineLength = 76;
// Four characters of base64 stand for three bytes: shorter finds would be chance.
constexpr std::size_t kEncodedLengthMin = 4;

std::string_view trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string percent_encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '_' || c == '.' || c == '~';
    if (plain) {
      out += c;
    } else {
      constexpr std::string_view kDigits = "0123456789ABCDEF";
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
  return out;
}

std::string url_safe(std::string text) {
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  return text;
}

std::size_t pair_of(unsigned char first, unsigned char second) {
  return (static_cast<std::size_t>(first) << 8) | second;
}

}  // namespace

void Masker::add(std::string_view secret) {
  const std::string_view trimmed = trim(secret);
  if (trimmed.empty()) return;
  add_pattern(secret);
  add_pattern(trimmed);
  add_encodings(secret);
  if (trimmed.find_first_of("\r\n") == std::string_view::npos) return;
  std::string_view rest = secret;
  while (!rest.empty()) {
    const auto end = rest.find_first_of("\r\n");
    const std::string_view line = trim(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.size() < 3) continue;
    add_pattern(line);
    add_encodings(line);
  }
}

void Masker::add_encodings(std::string_view secret) {
  const auto add_base64 = [&](const std::string& text) {
    if (text.size() < kEncodedLengthMin) return;
    add_pattern(text);
    add_pattern(url_safe(text));
    if (text.size() <= kBase64LineLength) return;
    for (std::size_t i = 0; i < text.size(); i += kBase64LineLength) {
      const std::string line = text.substr(i, kBase64LineLength);
      if (line.size() >= 8) add_pattern(line);
    }
  };
  // Wherever the secret lies in a longer text, one of these three is what its whole groups of three bytes become.
  for (std::size_t skipped = 0; skipped < 3 && skipped < secret.size(); ++skipped) {
    const std::string_view tail = secret.substr(skipped);
    add_base64(base64_encode(tail.substr(0, tail.size() / 3 * 3)));
  }
  add_base64(base64_encode(secret));
  add_base64(base64_encode(std::string(secret) + "\n"));  // `echo "$SECRET" | base64`
  std::string json_text = json::serialize(json::string_view(secret.data(), secret.size()));
  add_pattern(std::string_view(json_text).substr(1, json_text.size() - 2));
  add_pattern(percent_encode(secret));
}

void Masker::add_pattern(std::string_view pattern) {
  if (pattern.empty()) return;
  auto& bucket = by_first_byte_[static_cast<unsigned char>(pattern.front())];
  if (std::ranges::find(bucket, pattern) != bucket.end()) return;
  const auto place = std::ranges::find_if(bucket, [&](const auto& other) { return other.size() < pattern.size(); });
  bucket.insert(place, std::string(pattern));
  ++count_;
  const auto first = static_cast<unsigned char>(pattern.front());
  if (pattern.size() == 1) {
    single_[first] = true;
  } else {
    pairs_.set(pair_of(first, static_cast<unsigned char>(pattern[1])));
  }
}

bool Masker::mask_into(std::string_view text, std::string& out) const {
  if (count_ == 0) return false;
  bool found = false;
  std::size_t copied = 0;     // text before it is in `out`
  std::size_t hidden_to = 0;  // end of the find that is open
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto first = static_cast<unsigned char>(text[i]);
    // Hardly any two bytes of a log begin a secret.
    const bool may_begin =
        single_[first] || (i + 1 < text.size() && pairs_[pair_of(first, static_cast<unsigned char>(text[i + 1]))]);
    if (!may_begin) continue;
    for (const auto& pattern : by_first_byte_[first]) {
      if (text.compare(i, pattern.size(), pattern) != 0) continue;
      if (!found) out.clear();
      if (!found || i > hidden_to) {
        out.append(text, copied, i - copied);
        out += "***";
      }
      found = true;
      hidden_to = std::max(hidden_to, i + pattern.size());
      copied = hidden_to;
      break;
    }
  }
  if (found) out.append(text, copied);
  return found;
}

std::string Masker::mask(std::string_view text) const {
  std::string out;
  if (!mask_into(text, out)) out = text;
  return out;
}

}  // namespace weir::runner
