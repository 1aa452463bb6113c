#include "text/schema_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/suggest.h"

namespace weir::text {

void SchemaReader::report(Severity severity, Position position, int length, std::string message, std::string hint,
                          std::string rule) {
  diagnostics_.push_back({.severity = severity,
                          .file = document_.file(),
                          .line = position.line,
                          .column = position.column,
                          .length = length,
                          .message = std::move(message),
                          .hint = std::move(hint),
                          .rule = std::move(rule)});
}

void SchemaReader::error(const YamlNode& node, std::string message, std::string hint) {
  report(Severity::kError, node.position(), node.length(), std::move(message), std::move(hint));
}

void SchemaReader::error(const YamlEntry& entry, std::string message, std::string hint) {
  report(Severity::kError, entry.position, static_cast<int>(entry.key.size()), std::move(message), std::move(hint));
}

void SchemaReader::warning(const YamlNode& node, std::string message, std::string hint) {
  report(Severity::kWarning, node.position(), node.length(), std::move(message), std::move(hint));
}

std::vector<Diagnostic> SchemaReader::take() {
  sort_and_deduplicate(diagnostics_);
  return std::move(diagnostics_);
}

MapReader::MapReader(SchemaReader& reader, const YamlNode& node, std::string what, bool null_is_empty)
    : reader_(reader), node_(node), what_(std::move(what)) {
  if (node.is_map() || (null_is_empty && node.is_null())) return;
  reader.error(node, fmt::format("{} must be a map, not {}", what_, node.kind_name()));
}

const YamlEntry* MapReader::find_entry(std::string_view key) {
  known_.emplace_back(key);
  return node_.find(key);
}

const YamlNode* MapReader::find(std::string_view key) {
  const YamlEntry* entry = find_entry(key);
  return entry == nullptr ? nullptr : entry->value;
}

const YamlNode* MapReader::require(std::string_view key) {
  const YamlNode* value = find(key);
  if (value == nullptr && node_.is_map()) reader_.error(node_, fmt::format("{} needs the key \"{}\"", what_, key));
  return value;
}

void MapReader::wrong_kind(std::string_view key, const YamlNode& value, std::string_view expected) {
  reader_.error(value, fmt::format("\"{}\" of {} must be {}, not {}", key, what_, expected, value.kind_name()));
}

std::optional<std::string> MapReader::string(std::string_view key) {
  const YamlNode* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_scalar() || value->is_null()) {
    wrong_kind(key, *value, "a string");
    return std::nullopt;
  }
  return value->text();
}

std::string MapReader::string_or(std::string_view key, std::string_view fallback) {
  return string(key).value_or(std::string{fallback});
}

std::optional<bool> MapReader::boolean(std::string_view key) {
  const YamlNode* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->kind() == YamlKind::kBool) return value->as_bool();
  wrong_kind(key, *value, "true or false");
  return std::nullopt;
}

std::optional<std::int64_t> MapReader::integer(std::string_view key) {
  const YamlNode* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->kind() == YamlKind::kInt) return value->as_int();
  wrong_kind(key, *value, "a whole number");
  return std::nullopt;
}

std::optional<double> MapReader::number(std::string_view key) {
  const YamlNode* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->kind() == YamlKind::kInt || value->kind() == YamlKind::kFloat) return value->as_double();
  wrong_kind(key, *value, "a number");
  return std::nullopt;
}

std::optional<std::vector<std::string>> MapReader::strings(std::string_view key) {
  const YamlNode* value = find(key);
  if (value == nullptr) return std::nullopt;
  if (value->is_scalar() && !value->is_null()) return std::vector{value->text()};
  if (!value->is_sequence()) {
    wrong_kind(key, *value, "a string or a list of strings");
    return std::nullopt;
  }
  std::vector<std::string> out;
  for (const YamlNode* item : value->items()) {
    if (item->is_scalar() && !item->is_null()) {
      out.push_back(item->text());
    } else {
      reader_.error(*item, fmt::format("items of \"{}\" must be strings, not {}", key, item->kind_name()));
    }
  }
  return out;
}

std::optional<std::string> MapReader::choice(std::string_view key, std::initializer_list<std::string_view> allowed) {
  auto value = string(key);
  if (!value || std::ranges::find(allowed, *value) != allowed.end()) return value;
  const std::vector<std::string_view> words(allowed);
  reader_.error(*node_.find(key)->value,
                fmt::format("\"{}\" of {} must be {}, not \"{}\"", key, what_, quoted_list(words), *value),
                did_you_mean(*value, words));
  return std::nullopt;
}

void MapReader::refuse(std::string_view key, std::string_view why) {
  if (const YamlEntry* entry = node_.find(key)) {
    known_.emplace_back(key);
    reader_.error(*entry, std::string{why});
  }
}

void MapReader::finish() {
  for (const YamlEntry& entry : node_.entries()) {
    if (std::ranges::find(known_, entry.key) != known_.end()) continue;
    std::string hint = did_you_mean(entry.key, known_);
    if (hint.empty() && !known_.empty() && known_.size() <= 8) {
      const std::vector<std::string_view> words(known_.begin(), known_.end());
      hint = fmt::format("it takes {}", quoted_list(words, "and"));
    }
    reader_.error(entry, fmt::format("unknown key \"{}\" in {}", entry.key, what_), std::move(hint));
  }
}

}  // namespace weir::text
