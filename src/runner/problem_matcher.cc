#include "runner/problem_matcher.h"

#include <algorithm>
#include <array>
#include <boost/regex.hpp>
#include <set>
#include <span>

#include "base/json.h"
#include "runner/command.h"

namespace weir::runner {
namespace {

constexpr std::size_t kPatternsMax = 20;
constexpr std::size_t kLineBytesMax = 16U << 10;  // longer lines are no compiler's

enum Part : std::size_t { kFile, kFromPath, kLine, kColumn, kSeverity, kCode, kMessage, kParts };
constexpr std::array<const char*, kParts> kPartNames = {"file",     "fromPath", "line",   "column",
                                                        "severity", "code",     "message"};

using Found = std::array<std::optional<std::string>, kParts>;

struct Pattern {
  boost::regex regex;
  std::array<std::optional<std::size_t>, kParts> groups;
  bool loop = false;
};

// JavaScript writes a character as \uXXXX, Boost as \x{XXXX}.
std::string translated(std::string_view expression) {
  std::string out;
  for (std::size_t i = 0; i < expression.size(); ++i) {
    if (expression[i] != '\\' || i + 1 == expression.size()) {
      out += expression[i];
      continue;
    }
    const std::string_view digits = expression.substr(std::min(i + 2, expression.size()), 4);
    if (expression[i + 1] == 'u' && digits.size() == 4 &&
        digits.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos) {
      out += fmt::format("\\x{{{}}}", digits);
      i += 5;
    } else {
      out += expression.substr(i, 2);
      ++i;
    }
  }
  return out;
}

Result<Pattern> read_pattern(const json::value& value, std::string_view owner, std::set<std::size_t>& seen) {
  Pattern pattern;
  const std::string expression = json_string_or(value, "regexp", "");
  try {
    pattern.regex = boost::regex(translated(expression), boost::regex::perl | boost::regex::optimize);
  } catch (const boost::regex_error& error) {
    return fail(Code::kInvalidArgument, "Matcher '{}' has an expression that cannot be read: {} ({})", owner,
                expression, error.what());
  }
  for (std::size_t part = 0; part < kParts; ++part) {
    const auto group = json_int(value, kPartNames[part]);
    if (!group) continue;
    if (!seen.insert(part).second) {
      return fail(Code::kInvalidArgument, "The property '{}' is set twice", kPartNames[part]);
    }
    if (*group < 0 || static_cast<std::size_t>(*group) > pattern.regex.mark_count()) {
      return fail(Code::kInvalidArgument, "The property '{}' is set to {} which is out of range", kPartNames[part],
                  *group);
    }
    pattern.groups[part] = static_cast<std::size_t>(*group);
  }
  pattern.loop = json_bool_or(value, "loop", false);
  return pattern;
}

}  // namespace

struct ProblemMatchers::Matcher {
  std::string owner;
  std::string severity;
  std::string from_path;
  std::vector<Pattern> patterns;
  std::vector<std::optional<Found>> running;  // what each pattern but the last has found, with those before it

  void reset() { running.assign(patterns.size() - 1, std::nullopt); }

  std::optional<Found> find(std::string_view line);
};

// The patterns from the last to the first, so that one line never serves two of them.
std::optional<Found> ProblemMatchers::Matcher::find(std::string_view line) {
  for (std::size_t i = patterns.size(); i-- > 0;) {
    if (i > 0 && !running[i - 1]) continue;
    const Pattern& pattern = patterns[i];
    const bool last = i + 1 == patterns.size();
    boost::match_results<std::string_view::const_iterator> groups;
    if (!boost::regex_search(line.begin(), line.end(), groups, pattern.regex)) {
      if (last && i > 0) running[i - 1].reset();
      if (!last) running[i].reset();
      continue;
    }
    Found found = i > 0 ? *running[i - 1] : Found{};
    for (std::size_t part = 0; part < kParts; ++part) {
      if (!found[part] && pattern.groups[part]) found[part] = groups[static_cast<int>(*pattern.groups[part])].str();
    }
    if (!last) {
      running[i] = std::move(found);
      continue;
    }
    const auto before = i > 0 ? running[i - 1] : std::nullopt;
    reset();
    if (pattern.loop && i > 0) running[i - 1] = before;
    return found;
  }
  return std::nullopt;
}

namespace {

Result<const json::array*> matchers_of(const json::value& value) {
  const auto* list = json_find(value, "problemMatcher");
  if (list == nullptr || !list->is_array()) {
    return fail(Code::kInvalidArgument, "a matcher file holds an object with the list \"problemMatcher\"");
  }
  return &list->get_array();
}

}  // namespace

ProblemMatchers::ProblemMatchers() = default;
ProblemMatchers::~ProblemMatchers() = default;

Result<std::vector<std::string>> ProblemMatchers::owners(std::string_view text) {
  const auto value = WEIR_TRY(parse_json(text, "the matcher file"));
  std::vector<std::string> names;
  for (const auto& item : *WEIR_TRY(matchers_of(value))) names.push_back(json_string_or(item, "owner", ""));
  return names;
}

Result<std::vector<std::string>> ProblemMatchers::add(std::string_view text) {
  const auto value = WEIR_TRY(parse_json(text, "the matcher file"));
  std::vector<std::unique_ptr<Matcher>> added;
  std::vector<std::string> names;
  for (const auto& item : *WEIR_TRY(matchers_of(value))) {
    auto matcher = std::make_unique<Matcher>();
    matcher->owner = json_string_or(item, "owner", "");
    matcher->severity = json_string_or(item, "severity", "");
    matcher->from_path = json_string_or(item, "fromPath", "");
    if (matcher->owner.empty()) return fail(Code::kInvalidArgument, "Owner must not be empty");
    constexpr std::string_view kSeverities[] = {"", "error", "warning", "notice"};
    if (std::ranges::none_of(kSeverities, [&](auto known) { return equal_ignoring_case(known, matcher->severity); })) {
      return fail(Code::kInvalidArgument, "Matcher '{}' contains unexpected default severity '{}'", matcher->owner,
                  matcher->severity);
    }
    if (std::ranges::any_of(names, [&](const auto& name) { return equal_ignoring_case(name, matcher->owner); })) {
      return fail(Code::kInvalidArgument, "Duplicate owner name '{}'", matcher->owner);
    }
    const auto* patterns = json_find(item, "pattern");
    if (patterns == nullptr || !patterns->is_array() || patterns->get_array().empty()) {
      return fail(Code::kInvalidArgument, "Matcher '{}' does not contain any patterns", matcher->owner);
    }
    const auto& list = patterns->get_array();
    if (list.size() > kPatternsMax) {
      return fail(Code::kInvalidArgument, "Matcher '{}' has {} patterns; at most {} are allowed", matcher->owner,
                  list.size(), kPatternsMax);
    }
    std::set<std::size_t> seen;
    for (std::size_t i = 0; i < list.size(); ++i) {
      auto pattern = WEIR_TRY(read_pattern(list[i], matcher->owner, seen));
      if (pattern.loop && (i == 0 || i + 1 != list.size())) {
        return fail(Code::kInvalidArgument, "Only the last pattern in a multiline matcher may set 'loop'");
      }
      if (pattern.loop && !pattern.groups[kMessage]) {
        return fail(Code::kInvalidArgument, "The loop pattern must set 'message'");
      }
      matcher->patterns.push_back(std::move(pattern));
    }
    if (!seen.contains(kMessage)) return fail(Code::kInvalidArgument, "At least one pattern must set 'message'");
    matcher->reset();
    names.push_back(matcher->owner);
    added.push_back(std::move(matcher));
  }
  for (auto& matcher : added) {
    remove(matcher->owner);
    matchers_.insert(matchers_.begin(), std::move(matcher));
  }
  return names;
}

void ProblemMatchers::remove(std::string_view owner) {
  std::erase_if(matchers_, [&](const auto& matcher) { return equal_ignoring_case(matcher->owner, owner); });
}

void ProblemMatchers::reset() {
  for (auto& matcher : matchers_) matcher->reset();
}

std::optional<ProblemMatch> ProblemMatchers::match(std::string_view line, std::string& broken) {
  if (line.size() > kLineBytesMax) return std::nullopt;
  for (std::size_t i = 0; i < matchers_.size(); ++i) {
    Matcher& matcher = *matchers_[i];
    std::optional<Found> found;
    try {
      found = matcher.find(line);
    } catch (const std::runtime_error&) {  // Boost gives up on an expression that backtracks without end
      broken = matcher.owner;
      matchers_.erase(matchers_.begin() + static_cast<std::ptrdiff_t>(i));
      return std::nullopt;
    }
    if (!found) continue;
    for (auto& other : matchers_) {
      if (other.get() != &matcher) other->reset();
    }
    const auto text = [&](Part part) { return (*found)[part].value_or(""); };
    ProblemMatch match{.owner = matcher.owner,
                       .severity = text(kSeverity),
                       .file = text(kFile),
                       .from_path = text(kFromPath),
                       .line = text(kLine),
                       .column = text(kColumn),
                       .code = text(kCode),
                       .message = text(kMessage)};
    if (match.severity.empty()) match.severity = matcher.severity;
    if (match.from_path.empty()) match.from_path = matcher.from_path;
    return match;
  }
  return std::nullopt;
}

std::string without_colors(std::string_view line) {
  std::string out;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\x1B' && i + 1 < line.size() && line[i + 1] == '[') {
      const auto end = line.find_first_not_of("0123456789;", i + 2);
      if (end != std::string_view::npos && (line[end] == 'm' || line[end] == 'K')) {
        i = end;
        continue;
      }
    }
    out += line[i];
  }
  return out;
}

}  // namespace weir::runner
