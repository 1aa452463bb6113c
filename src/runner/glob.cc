#include "runner/glob.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <optional>

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

std::string_view trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

// Bytes of the UTF-8 character at `i`; 1 for a stray byte.
std::size_t step(std::string_view text, std::size_t i) {
  std::size_t end = i + 1;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) ++end;
  return end - i;
}

// End (after the ']') of the character set that opens at `i`; nothing if it is not closed and so an ordinary '['.
std::optional<std::size_t> set_end(std::string_view pattern, std::size_t i) {
  std::size_t k = i + 1;
  if (k < pattern.size() && (pattern[k] == '!' || pattern[k] == '^')) ++k;
  if (k < pattern.size() && pattern[k] == ']') ++k;
  for (; k < pattern.size(); ++k) {
    if (pattern[k] == '\\' && k + 1 < pattern.size()) {
      ++k;
    } else if (pattern[k] == ']') {
      return k + 1;
    }
  }
  return std::nullopt;
}

bool set_matches(std::string_view set, std::string_view character) {
  set.remove_prefix(1);
  set.remove_suffix(1);
  bool negate = false;
  if (!set.empty() && (set.front() == '!' || set.front() == '^')) {
    negate = true;
    set.remove_prefix(1);
  }
  bool found = false;
  const auto take = [&]() {
    if (set.front() == '\\' && set.size() > 1) set.remove_prefix(1);
    const std::size_t length = step(set, 0);
    const std::string_view taken = set.substr(0, length);
    set.remove_prefix(length);
    return taken;
  };
  while (!set.empty()) {
    const std::string_view low = take();
    if (set.size() >= 2 && set.front() == '-') {
      set.remove_prefix(1);
      const std::string_view high = take();
      // UTF-8 sorts as code points do.
      found |= character >= low && character <= high;
    } else {
      found |= character == low;
    }
  }
  return found != negate;
}

// One segment of a path against one of a pattern. The usual walk that remembers the last star: linear in practice.
bool segment_matches(std::string_view pattern, std::string_view name) {
  if (pattern == "*") return !name.empty();
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t star = std::string_view::npos;
  std::size_t star_name = 0;
  while (n < name.size()) {
    const std::size_t length = step(name, n);
    if (p < pattern.size()) {
      if (pattern[p] == '*') {
        star = p++;
        star_name = n;
        continue;
      }
      if (pattern[p] == '?') {
        ++p;
        n += length;
        continue;
      }
      if (pattern[p] == '[') {
        if (const auto end = set_end(pattern, p)) {
          if (set_matches(pattern.substr(p, *end - p), name.substr(n, length))) {
            p = *end;
            n += length;
            continue;
          }
        } else if (name[n] == '[') {
          ++p;
          ++n;
          continue;
        }
      } else {
        const std::size_t literal = pattern[p] == '\\' && p + 1 < pattern.size() ? p + 1 : p;
        if (pattern[literal] == name[n]) {
          p = literal + 1;
          ++n;
          continue;
        }
      }
    }
    if (star == std::string_view::npos) return false;
    p = star + 1;
    star_name += step(name, star_name);
    n = star_name;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

// What a segment means when taken literally; nothing if it holds a wildcard.
std::optional<std::string> literal_of(std::string_view segment) {
  std::string literal;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    const char c = segment[i];
    if (c == '\\' && i + 1 < segment.size()) {
      literal += segment[++i];
      continue;
    }
    if (c == '*' || c == '?') return std::nullopt;
    if (c == '[') {
      if (const auto end = set_end(segment, i)) {
        // "[*]" is the way to write one character that would be special.
        if (*end - i != 3) return std::nullopt;
        literal += segment[i + 1];
        i = *end - 1;
        continue;
      }
    }
    literal += c;
  }
  return literal;
}

std::string escape_literally(std::string_view path) {
  std::string out;
  for (const char c : path) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '*' || c == '?' || c == '[') {
      out += '[';
      out += c;
      out += ']';
    } else {
      out += c;
    }
  }
  return out;
}

std::vector<std::string_view> split_path(std::string_view path) {
  std::vector<std::string_view> segments;
  while (!path.empty()) {
    const auto end = path.find('/');
    if (end != 0) segments.push_back(path.substr(0, end));
    path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
  }
  return segments;
}

bool match_from(const std::vector<std::string>& pattern, std::size_t p, const std::vector<std::string_view>& path,
                std::size_t i, bool last_globstar_takes_none) {
  for (; p < pattern.size(); ++p, ++i) {
    if (pattern[p] == "**") {
      while (p + 1 < pattern.size() && pattern[p + 1] == "**") ++p;
      if (p + 1 == pattern.size()) return i < path.size() || last_globstar_takes_none;
      for (std::size_t k = i; k <= path.size(); ++k) {
        if (match_from(pattern, p + 1, path, k, last_globstar_takes_none)) return true;
      }
      return false;
    }
    if (i >= path.size() || !segment_matches(pattern[p], path[i])) return false;
  }
  return i == path.size();
}

enum : unsigned { kMatchesFile = 1, kMatchesDirectory = 2 };

unsigned match_all(const std::vector<GlobPattern>& patterns, const std::vector<std::string_view>& path) {
  unsigned kinds = 0;
  for (const auto& pattern : patterns) {
    if (!pattern.matches(path)) continue;
    const unsigned found = pattern.directories_only() ? kMatchesDirectory : kMatchesFile | kMatchesDirectory;
    kinds = pattern.negate() ? kinds & ~found : kinds | found;
  }
  return kinds;
}

Result<std::vector<std::string>> sorted_names(const std::string& folder) {
  DIR* directory = ::opendir(folder.c_str());
  if (directory == nullptr) return fail_errno(errno, fmt::format("cannot read the folder {}", folder));
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(directory)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  ::closedir(directory);
  std::ranges::sort(names);
  return names;
}

struct Search {
  const std::vector<GlobPattern>& patterns;
  const GlobOptions& options;
  std::vector<std::string>& found;
  std::vector<std::pair<dev_t, ino_t>> chain;  // folders above, to notice links that lead back

  Result<void> visit(const std::string& path) {
    const auto segments = split_path(path);
    const unsigned kinds = match_all(patterns, segments);
    const bool below = std::ranges::any_of(
        patterns, [&](const auto& pattern) { return !pattern.negate() && pattern.may_match_below(segments); });
    if (kinds == 0 && !below) return {};
    struct stat info{};
    const int status = options.follow_symbolic_links ? ::stat(path.c_str(), &info) : ::lstat(path.c_str(), &info);
    if (status != 0) return {};  // a broken link, or gone since the folder was read
    if (options.exclude_hidden_files && !segments.empty() && segments.back().starts_with('.')) return {};
    if (!S_ISDIR(info.st_mode)) {
      if ((kinds & kMatchesFile) != 0) found.push_back(path);
      return {};
    }
    const std::pair identity{info.st_dev, info.st_ino};
    if (std::ranges::find(chain, identity) != chain.end()) return {};
    if ((kinds & kMatchesDirectory) != 0 && options.match_directories) found.push_back(path);
    if (!below) return {};
    chain.push_back(identity);
    const std::string folder = path.ends_with('/') ? path : path + "/";
    for (const auto& name : WEIR_TRY(sorted_names(path))) WEIR_TRY(visit(fmt::format("{}{}", folder, name)));
    chain.pop_back();
    return {};
  }
};

}  // namespace

Result<GlobPattern> GlobPattern::parse(std::string_view text, const fs::path& folder, const fs::path& home) {
  GlobPattern pattern;
  std::string_view body = trim(text);
  while (body.starts_with('!')) {
    pattern.negate_ = !pattern.negate_;
    body = trim(body.substr(1));
  }
  if (body.empty()) return fail(Code::kInvalidArgument, "Invalid pattern '{}'. A pattern must not be empty.", text);
  std::string rooted;
  const auto relative_to = [&](const fs::path& root, std::string_view rest) {
    rooted = escape_literally(root.string()) + "/" + std::string(rest);
  };
  const auto segments = split_path(body);
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const auto literal = literal_of(segments[i]);
    if (literal == ".." || (literal == "." && (i > 0 || body.front() == '/'))) {
      return fail(Code::kInvalidArgument, "Invalid pattern '{}'. Relative pathing '.' and '..' is not allowed.", body);
    }
  }
  if (body == "." || body.starts_with("./")) {
    relative_to(folder, body.substr(1));
  } else if (body == "~" || body.starts_with("~/")) {
    relative_to(home, body.substr(1));
  } else if (body.front() != '/') {
    relative_to(folder, body);
  } else {
    rooted = body;
  }
  pattern.directories_only_ = rooted.ends_with('/') && rooted.find_first_not_of('/') != std::string::npos;
  for (const auto segment : split_path(rooted)) pattern.segments_.emplace_back(segment);
  for (const auto& segment : pattern.segments_) {
    const auto literal = literal_of(segment);
    if (!literal) break;
    pattern.search_path_ += "/" + *literal;
  }
  if (pattern.search_path_.empty()) pattern.search_path_ = "/";
  return pattern;
}

GlobPattern GlobPattern::descendants() const {
  GlobPattern below = *this;
  below.segments_.emplace_back("**");
  below.directories_only_ = false;
  below.implicit_ = true;
  return below;
}

bool GlobPattern::matches(const std::vector<std::string_view>& path) const {
  return match_from(segments_, 0, path, 0, !implicit_);
}

bool GlobPattern::may_match_below(const std::vector<std::string_view>& path) const {
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (i >= segments_.size()) return false;
    if (segments_[i] == "**") return true;
    if (!segment_matches(segments_[i], path[i])) return false;
  }
  return segments_.size() > path.size();
}

Result<Glob> Glob::parse(std::string_view patterns, const fs::path& folder, const fs::path& home) {
  Glob glob;
  while (!patterns.empty()) {
    const auto end = patterns.find('\n');
    const std::string_view line = trim(patterns.substr(0, end));
    patterns.remove_prefix(end == std::string_view::npos ? patterns.size() : end + 1);
    if (line.empty() || line.front() == '#') continue;
    glob.patterns_.push_back(WEIR_TRY(GlobPattern::parse(line, folder, home)));
  }
  return glob;
}

std::vector<std::string> Glob::search_paths() const {
  std::vector<std::string> all;
  for (const auto& pattern : patterns_) {
    if (!pattern.negate() && std::ranges::find(all, pattern.search_path()) == all.end()) {
      all.push_back(pattern.search_path());
    }
  }
  std::vector<std::string> top;
  for (const auto& path : all) {
    const bool below_another = std::ranges::any_of(
        all, [&](const auto& other) { return other != path && (other == "/" || path.starts_with(other + "/")); });
    if (!below_another) top.push_back(path);
  }
  return top;
}

Result<std::vector<std::string>> Glob::search(const GlobOptions& options) const {
  std::vector<GlobPattern> patterns;
  for (const auto& pattern : patterns_) {
    patterns.push_back(pattern);
    if (options.implicit_descendants && (pattern.directories_only() || !pattern.ends_with_globstar())) {
      patterns.push_back(pattern.descendants());
    }
  }
  std::vector<std::string> found;
  for (const auto& path : search_paths()) {
    Search search{patterns, options, found, {}};
    WEIR_TRY(search.visit(path));
  }
  return found;
}

namespace {

// "{a,b}", "@(a|b)" and "+(a|b)" stand for one pattern with each choice, the latter for one repetition; a lone brace or
// parenthesis for itself.
struct Choices {
  std::string_view before;
  std::string_view list;
  char between = ',';
  std::string_view behind;
};

std::optional<Choices> choices_of(std::string_view pattern) {
  for (std::size_t open = 0; open < pattern.size(); ++open) {
    const bool brace = pattern[open] == '{';
    const bool group = pattern[open] == '(' && open > 0 && (pattern[open - 1] == '@' || pattern[open - 1] == '+');
    if (!brace && !group) continue;
    const auto close = pattern.find(brace ? '}' : ')', open);
    if (close == std::string_view::npos) continue;
    const auto list = pattern.substr(open + 1, close - open - 1);
    if (brace && list.find(',') == std::string_view::npos) continue;
    return Choices{.before = pattern.substr(0, group ? open - 1 : open),
                   .list = list,
                   .between = brace ? ',' : '|',
                   .behind = pattern.substr(close + 1)};
  }
  return std::nullopt;
}

}  // namespace

bool name_matches(std::string_view pattern, std::string_view name) {
  if (auto choices = choices_of(pattern)) {
    for (;;) {
      const auto end = choices->list.find(choices->between);
      const auto one = fmt::format("{}{}{}", choices->before, choices->list.substr(0, end), choices->behind);
      if (name_matches(one, name)) return true;
      if (end == std::string_view::npos) return false;
      choices->list.remove_prefix(end + 1);
    }
  }
  if (name.starts_with('.') && !pattern.starts_with('.')) return false;
  return segment_matches(pattern, name);
}

}  // namespace weir::runner
