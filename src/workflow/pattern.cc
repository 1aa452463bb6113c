#include "workflow/pattern.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir::workflow {
namespace {

std::size_t character_size(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t size = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  return std::min(size, text.size());
}

}  // namespace

std::expected<Pattern, std::string> Pattern::parse(std::string_view text) {
  Pattern out;
  out.text_ = text;
  auto rest = text;
  if (rest.starts_with('!')) {
    out.negative_ = true;
    rest.remove_prefix(1);
  }
  if (rest.empty()) return std::unexpected("the pattern is empty");
  while (!rest.empty()) {
    const char c = rest[0];
    if (c == '*') {
      const auto end = std::min(rest.find_first_not_of('*'), rest.size());
      const bool starts_part = out.atoms_.empty() || out.atoms_.back().character == "/";
      const bool folders = end > 1 && starts_part && rest.substr(end).starts_with('/');
      out.atoms_.push_back({.kind = folders   ? Atom::Kind::kFolders
                                    : end > 1 ? Atom::Kind::kAnything
                                              : Atom::Kind::kSegment});
      rest.remove_prefix(folders ? end + 1 : end);
      continue;
    }
    if (c == '?' || c == '+') {
      // After "*" they add nothing: "**" and "*" already take any number.
      if (out.atoms_.empty() || out.atoms_.back().count != Atom::Count::kOne) {
        return std::unexpected(
            fmt::format("\"{}\" has no character before it to repeat; write \\{} for the character itself", c, c));
      }
      Atom& last = out.atoms_.back();
      if (last.kind == Atom::Kind::kSet) last.count = c == '?' ? Atom::Count::kOptional : Atom::Count::kMany;
      rest.remove_prefix(1);
      continue;
    }
    if (c == '[') {
      auto set = parse_set(rest);
      if (!set) return std::unexpected(std::move(set).error());
      out.atoms_.push_back(std::move(*set));
      continue;
    }
    if (c == '\\') {
      if (rest.size() == 1) return std::unexpected("the pattern ends with \\, which escapes nothing");
      rest.remove_prefix(1);
    }
    const std::size_t size = character_size(rest);
    out.atoms_.push_back({.character = std::string{rest.substr(0, size)}});
    rest.remove_prefix(size);
  }
  return out;
}

std::expected<Pattern::Atom, std::string> Pattern::parse_set(std::string_view& rest) {
  const auto end = rest.find(']', 1);
  if (end == std::string_view::npos) return std::unexpected("\"[\" is not closed by \"]\"");
  const std::string_view inside = rest.substr(1, end - 1);
  if (inside.empty()) return std::unexpected("\"[]\" holds no character");
  Atom set;
  for (std::size_t i = 0; i < inside.size(); ++i) {
    const auto first = static_cast<unsigned char>(inside[i]);
    if (first >= 0x80) return std::unexpected("\"[…]\" takes ASCII letters, digits and signs only");
    if (i + 2 < inside.size() && inside[i + 1] == '-') {
      const auto last = static_cast<unsigned char>(inside[i + 2]);
      if (last < first) {
        return std::unexpected(fmt::format("the range \"{}\" in brackets runs backwards", inside.substr(i, 3)));
      }
      set.ranges.emplace_back(first, last);
      i += 2;
    } else {
      set.ranges.emplace_back(first, first);
    }
  }
  rest.remove_prefix(end + 1);
  return set;
}

// How many bytes of `text` one `atom` of kind kSet takes; 0 if it does not match.
std::size_t Pattern::take_one(const Atom& atom, std::string_view text) {
  if (text.empty()) return 0;
  if (atom.ranges.empty()) return text.starts_with(atom.character) ? atom.character.size() : 0;
  const auto c = static_cast<unsigned char>(text[0]);
  return std::ranges::any_of(atom.ranges, [c](const auto& range) { return c >= range.first && c <= range.second; }) ? 1
                                                                                                                    : 0;
}

bool Pattern::matches(std::string_view text) const {
  // reach[i]: the atoms so far take exactly the first i bytes.
  std::vector<bool> reach(text.size() + 1, false);
  reach[0] = true;
  for (const Atom& atom : atoms_) {
    std::vector<bool> next(text.size() + 1, false);
    if (atom.kind == Atom::Kind::kFolders) {
      bool reached = false;  // at or before i
      for (std::size_t i = 0; i <= text.size(); ++i) {
        next[i] = reach[i] || (reached && text[i - 1] == '/');
        reached = reached || reach[i];
      }
      reach = std::move(next);
      continue;
    }
    for (std::size_t i = 0; i <= text.size(); ++i) {
      if (atom.kind != Atom::Kind::kSet) {
        const bool goes_on = i > 0 && next[i - 1] && (atom.kind == Atom::Kind::kAnything || text[i - 1] != '/');
        next[i] = reach[i] || goes_on;
        continue;
      }
      if (reach[i] && atom.count == Atom::Count::kOptional) next[i] = true;
      if (reach[i] || (atom.count == Atom::Count::kMany && next[i])) {
        const std::size_t size = take_one(atom, text.substr(i));
        if (size > 0) next[i + size] = true;
      }
    }
    reach = std::move(next);
  }
  return reach[text.size()];
}

bool matches_any(std::span<const Pattern> patterns, std::string_view text) {
  bool taken = false;
  for (const Pattern& pattern : patterns) {
    if (taken == pattern.negative() && pattern.matches(text)) taken = !pattern.negative();
  }
  return taken;
}

}  // namespace weir::workflow
