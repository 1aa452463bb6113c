#include "runner/python_version.h"

#include <array>
#include <charconv>
#include <limits>

namespace weir::runner {
namespace {

constexpr int kAny = -1;
constexpr int kMost = std::numeric_limits<int>::max();
constexpr PythonVersion kEnd{kMost, 0, 0};

std::string_view trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

// "3.10", "3.x", "*": up to three numbers; kAny from the first wildcard or missing one on. What follows them ("-dev",
// "rc1", "+build") is left out.
struct Partial {
  std::array<int, 3> parts{kAny, kAny, kAny};
  [[nodiscard]] int known() const {
    int count = 0;
    while (count < 3 && parts[static_cast<std::size_t>(count)] != kAny) ++count;
    return count;
  }
  [[nodiscard]] PythonVersion low() const {
    return {std::max(parts[0], 0), std::max(parts[1], 0), std::max(parts[2], 0)};
  }
  // The first version after all that it stands for.
  [[nodiscard]] PythonVersion high() const {
    switch (known()) {
      case 0: return kEnd;
      case 1: return {parts[0] + 1, 0, 0};
      case 2: return {parts[0], parts[1] + 1, 0};
      default: return {parts[0], parts[1], parts[2] + 1};
    }
  }
};

std::optional<Partial> parse_partial(std::string_view text) {
  if (text.starts_with('v')) text.remove_prefix(1);
  if (text.empty()) return std::nullopt;
  Partial partial;
  for (auto& part : partial.parts) {
    if (text.starts_with('x') || text.starts_with('X') || text.starts_with('*')) return partial;
    int number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || number < 0 || number > 9999) return std::nullopt;
    part = number;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    if (!text.starts_with('.')) break;
    text.remove_prefix(1);
  }
  const bool fine = text.empty() || text.front() == '-' || text.front() == '+' || text.front() == '.' ||
                    (text.front() >= 'a' && text.front() <= 'z');
  if (!fine) return std::nullopt;
  return partial;
}

std::vector<std::string_view> split(std::string_view text, std::string_view separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + separator.size());
  }
}

// The text between the quotes after "<key> =" in a TOML file; nothing if the key is not there.
std::optional<std::string> toml_string(std::string_view text, std::string_view section, std::string_view key) {
  bool inside = false;
  for (std::string_view line : split(text, "\n")) {
    line = trim(line);
    if (line.starts_with('[')) {
      inside = line.starts_with(fmt::format("[{}]", section));
      continue;
    }
    if (!inside || !line.starts_with(key)) continue;
    std::string_view rest = trim(line.substr(key.size()));
    if (!rest.starts_with('=')) continue;
    rest = trim(rest.substr(1));
    if (rest.empty() || (rest.front() != '"' && rest.front() != '\'')) continue;
    const auto end = rest.find(rest.front(), 1);
    if (end != std::string_view::npos) return std::string(rest.substr(1, end - 1));
  }
  return std::nullopt;
}

}  // namespace

std::string to_string(const PythonVersion& version) {
  return fmt::format("{}.{}.{}", version.major, version.minor, version.patch);
}

std::string minor_version(const PythonVersion& version) {
  return fmt::format("{}.{}", version.major, version.minor);
}

std::optional<PythonVersion> parse_python_version(std::string_view text) {
  const auto partial = parse_partial(trim(text));
  if (!partial || partial->known() < 2) return std::nullopt;
  return partial->low();
}

Result<PythonRange> PythonRange::parse(std::string_view text) {
  const std::string_view whole = trim(text);
  if (whole.starts_with("pypy") || whole.starts_with("graalpy")) {
    return fail(Code::kUnimplemented, "python-version \"{}\": only CPython is built in; name a version like \"3.11\"",
                whole);
  }
  PythonRange range;
  for (const auto alternative : split(whole, "||")) {
    range.alternatives_.push_back(WEIR_TRY(parse_all(trim(alternative), whole)));
  }
  return range;
}

Result<std::vector<PythonRange::Interval>> PythonRange::parse_all(std::string_view text, std::string_view whole) {
  std::vector<Interval> all;
  if (const auto dash = text.find(" - "); dash != std::string_view::npos) {
    const auto low = parse_partial(trim(text.substr(0, dash)));
    const auto high = parse_partial(trim(text.substr(dash + 3)));
    if (low && high) {
      all.push_back({low->low(), high->high()});
      return all;
    }
  }
  // ">= 3.9" is one comparison: a blank after an operator does not separate.
  std::string joined;
  for (const char c : text) {
    const bool after_operator = !joined.empty() && std::string_view("<>=!~^").contains(joined.back());
    if (c == ' ' && after_operator) continue;
    joined += c == ',' ? ' ' : c;
  }
  for (const auto token : split(joined, " ")) {
    if (!token.empty()) all.push_back(WEIR_TRY(parse_one(token, whole)));
  }
  if (all.empty()) return fail(Code::kInvalidArgument, "python-version \"{}\" is no version", whole);
  return all;
}

Result<PythonRange::Interval> PythonRange::parse_one(std::string_view text, std::string_view whole) {
  constexpr std::string_view kOperators[] = {"~=", "~>", ">=", "<=", "===", "==", "!=", ">", "<", "=", "~", "^"};
  std::string_view op;
  for (const auto candidate : kOperators) {
    if (text.starts_with(candidate)) {
      op = candidate;
      break;
    }
  }
  const auto partial = parse_partial(text.substr(op.size()));
  if (!partial) {
    return fail(Code::kInvalidArgument,
                "python-version \"{}\" is no version; write it like '3.11' (in quotes), '3.x' or '>=3.9 <3.12'", whole);
  }
  const PythonVersion low = partial->low();
  if (op == ">=") return Interval{low, kEnd};
  if (op == ">") return Interval{partial->high(), kEnd};
  if (op == "<") return Interval{{}, low};
  if (op == "<=") return Interval{{}, partial->high()};
  if (op == "!=") return Interval{low, partial->high(), true};
  if (op == "^") return Interval{low, {low.major + 1, 0, 0}};
  if (op == "~=" && partial->known() < 3) return Interval{low, {low.major + 1, 0, 0}};
  if ((op == "~" || op == "~>" || op == "~=") && partial->known() >= 2)
    return Interval{low, {low.major, low.minor + 1, 0}};
  return Interval{low, partial->high()};
}

bool PythonRange::contains(const PythonVersion& version) const {
  for (const auto& alternative : alternatives_) {
    bool inside = true;
    for (const auto& interval : alternative) {
      inside = inside && (version >= interval.low && version < interval.high) != interval.outside;
    }
    if (inside) return true;
  }
  return false;
}

PythonVersion PythonRange::anchor() const {
  for (const auto& alternative : alternatives_) {
    for (const auto& interval : alternative) {
      if (interval.outside) continue;
      if (interval.low != PythonVersion{}) return interval.low;
      if (interval.high != kEnd) return interval.high;
    }
  }
  return {3, kMost, 0};
}

Result<std::vector<std::string>> python_versions_of_file(std::string_view file_name, std::string_view text) {
  const auto none = [&](std::string_view wanted) {
    return fail(Code::kInvalidArgument, "{} names no Python version; expected {}", file_name, wanted);
  };
  std::vector<std::string> versions;
  if (file_name.ends_with(".toml")) {
    auto found = toml_string(text, "project", "requires-python");
    if (!found) found = toml_string(text, "tool.poetry.dependencies", "python");
    if (!found) return none("requires-python below [project]");
    return std::vector{*found};
  }
  if (file_name.ends_with("Pipfile")) {
    auto found = toml_string(text, "requires", "python_full_version");
    if (!found) found = toml_string(text, "requires", "python_version");
    if (!found) return none("python_version below [requires]");
    return std::vector{*found};
  }
  const bool tools = file_name.find(".tool-versions") != std::string_view::npos;
  for (std::string_view line : split(text, "\n")) {
    line = trim(line);
    if (line.empty() || line.starts_with('#')) continue;
    if (tools) {
      if (!line.starts_with("python ")) continue;
      line = trim(line.substr(7));
      if (line.starts_with('v')) line.remove_prefix(1);
      line = line.substr(0, line.find_first_of(" \t"));
    }
    versions.emplace_back(line.substr(0, line.find('/')));  // "3.10/envs/mine" of pyenv-virtualenv
  }
  if (versions.empty()) return none(tools ? "a line \"python 3.11.2\"" : "a line like \"3.11\"");
  return versions;
}

}  // namespace weir::runner
