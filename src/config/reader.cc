#include "config/reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/size.h"

namespace weir::config {
namespace {

std::string upper_case(std::string_view text) {
  std::string upper(text);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return upper;
}

}  // namespace

void Reader::error_at(const text::YamlNode& node, std::size_t offset, std::string message) {
  // A parser that stopped at the end of the text is shown at its last character, where there is something to see.
  const std::size_t size = node.text().size();
  if (offset >= size) offset = size > 0 ? size - 1 : 0;
  const int length = size > offset ? static_cast<int>(size - offset) : 1;
  schema_.report(text::Severity::kError, schema_.document().locate(node, offset), length, std::move(message));
}

std::optional<std::string> Reader::scalar(const text::YamlNode& node, std::string_view expected) {
  if (!node.is_scalar() || node.is_null()) {
    error(node, fmt::format("this must be {}, not {}", expected, node.kind_name()));
    return std::nullopt;
  }
  if (node.text().find("${{") == std::string::npos) return node.text();
  const auto parsed = parse_template(node.text());
  if (!parsed) {
    error(node, parsed.error().message);
    return std::nullopt;
  }
  if (!parsed->secrets.empty()) {
    error(node,
          fmt::format("a secret cannot stand here, where it would be shown: ${{{{ secrets.{} }}}}",
                      parsed->secrets.front()),
          "secrets are for `to` and `secret` of notify and `user` and `password` of mail; use ${{ vars.NAME }} for "
          "what is not secret");
    return std::nullopt;
  }
  for (const auto& name : parsed->variables) {
    if (options_.vars.contains(name) || options_.vars.contains(upper_case(name))) continue;
    if (!options_.accept_unset) {
      error(node, fmt::format("variable {} is not set, and this value needs it", name), "an admin sets variables");
    }
    return std::nullopt;
  }
  return parsed->resolve(options_.vars, {}).value_or(node.text());
}

void Reader::read(const text::YamlNode& node, std::string& value) {
  if (auto text = scalar(node, "a text")) value = *std::move(text);
}

void Reader::read(const text::YamlNode& node, bool& value) {
  const auto text = scalar(node, "true or false");
  if (!text) return;
  if (*text == "true" || *text == "false") {
    value = *text == "true";
  } else {
    error(node, fmt::format("this must be true or false, not \"{}\"", *text));
  }
}

void Reader::read(const text::YamlNode& node, std::vector<std::string>& values) {
  values.clear();
  for (const auto* item : items(node, "a list of texts")) {
    std::string value;
    read(*item, value);
    if (!value.empty()) values.push_back(std::move(value));
  }
}

void Reader::read_duration(const text::YamlNode& node, Duration& value) {
  static constexpr std::string_view kExpected = "a time with its unit, such as 30s, 5m, 12h, 30d or 2w";
  const auto text = scalar(node, kExpected);
  if (!text) return;
  if (const auto parsed = parse_duration(*text)) {
    value = *parsed;
  } else {
    error(node, fmt::format("this must be {}, not \"{}\"", kExpected, *text));
  }
}

void Reader::read_size(const text::YamlNode& node, std::int64_t& bytes) {
  static constexpr std::string_view kExpected = "a size with its unit, such as 512M or 64G";
  const auto text = scalar(node, kExpected);
  if (!text) return;
  if (const auto parsed = parse_size(*text)) {
    bytes = *parsed;
  } else {
    error(node, fmt::format("this must be {}, not \"{}\"", kExpected, *text));
  }
}

std::optional<double> Reader::number(const text::YamlNode& node, std::string_view expected) {
  const auto text = scalar(node, expected);
  if (!text) return std::nullopt;
  std::string_view digits = *text;
  const bool percent = digits.ends_with('%');
  if (percent) digits.remove_suffix(1);
  double value = 0.0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (failure != std::errc{} || end != digits.data() + digits.size() || !std::isfinite(value)) {
    error(node, fmt::format("this must be {}, not \"{}\"", expected, *text));
    return std::nullopt;
  }
  return percent ? value / 100.0 : value;
}

void Reader::read_ratio(const text::YamlNode& node, double& value) {
  const auto parsed = number(node, "a share from 0 to 1, or from 0% to 100%");
  if (!parsed) return;
  if (*parsed >= 0.0 && *parsed <= 1.0) {
    value = *parsed;
  } else {
    error(node, fmt::format("this must be a share from 0 to 1, or from 0% to 100%, not \"{}\"", node.text()));
  }
}

void Reader::read_number(const text::YamlNode& node, double& value, double min, double max) {
  const auto parsed = number(node, "a number");
  if (!parsed) return;
  if (*parsed >= min && *parsed <= max) {
    value = *parsed;
  } else {
    error(node, fmt::format("this must be a number from {:g} to {:g}, not \"{}\"", min, max, node.text()));
  }
}

void Reader::read_count(const text::YamlNode& node, int& value, int min, int max) {
  const std::string expected = fmt::format("a whole number from {} to {}", min, max);
  const auto parsed = number(node, expected);
  if (!parsed) return;
  if (*parsed >= min && *parsed <= max && std::floor(*parsed) == *parsed && !node.text().ends_with('%')) {
    value = static_cast<int>(*parsed);
  } else {
    error(node, fmt::format("this must be {}, not \"{}\"", expected, node.text()));
  }
}

void Reader::read_template(const text::YamlNode& node, Template& value) {
  if (!node.is_scalar() || node.is_null()) {
    error(node, fmt::format("this must be a text, not {}", node.kind_name()));
    return;
  }
  auto parsed = parse_template(node.text());
  if (parsed) {
    value = *std::move(parsed);
  } else {
    error(node, parsed.error().message);
  }
}

std::optional<std::size_t> Reader::choice(const text::YamlNode& node, std::span<const std::string_view> allowed,
                                          std::span<const std::string_view> later) {
  const bool few = allowed.size() <= 8;
  const std::string expected = few ? text::quoted_list(allowed) : "a known name";
  const auto text = scalar(node, expected);
  if (!text) return std::nullopt;
  for (std::size_t i = 0; i < allowed.size(); ++i) {
    if (allowed[i] == *text) return i;
  }
  for (const auto name : later) {
    if (name != *text) continue;
    error(node, fmt::format("\"{}\" is not built yet", name), "use " + text::quoted_list(allowed));
    return std::nullopt;
  }
  std::string hint = text::did_you_mean(*text, allowed);
  if (hint.empty() && !few) hint = "there are " + text::quoted_list(allowed, "and");
  error(node, fmt::format("this must be {}, not \"{}\"", expected, *text), std::move(hint));
  return std::nullopt;
}

std::vector<const text::YamlNode*> Reader::items(const text::YamlNode& node, std::string_view expected) {
  if (node.is_sequence()) return node.items();
  if (node.is_scalar()) return {&node};
  error(node, fmt::format("this must be {}, not {}", expected, node.kind_name()));
  return {};
}

bool Reader::check_name(const text::YamlEntry& entry, std::string_view what) {
  static constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  const bool odd = entry.key.find_first_not_of(kAllowed) != std::string::npos;
  if (!entry.key.empty() && entry.key.size() <= 63 && !odd && entry.key.front() != '.' && entry.key.front() != '-') {
    return true;
  }
  error(entry, fmt::format("\"{}\" cannot name {}", entry.key, what),
        "use 1 to 63 letters, digits, \"-\", \"_\" or \".\", beginning with a letter or digit");
  return false;
}

}  // namespace weir::config
