#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/diagnostic.h"
#include "text/yaml.h"

namespace weir::text {

// Collects what is wrong with a document while it is read into structs. One thread.
class SchemaReader {
 public:
  explicit SchemaReader(const YamlDocument& document) : document_(document) {}

  [[nodiscard]] const YamlDocument& document() const { return document_; }

  void error(const YamlNode& node, std::string message, std::string hint = {});
  void error(const YamlEntry& entry, std::string message, std::string hint = {});  // underlines the key
  void warning(const YamlNode& node, std::string message, std::string hint = {});
  void report(Severity severity, Position position, int length, std::string message, std::string hint = {},
              std::string rule = {});

  // The problems so far, in the order in which they were found.
  [[nodiscard]] const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }
  // The problems so far, in order of the file; there are none afterwards.
  [[nodiscard]] std::vector<Diagnostic> take();

 private:
  const YamlDocument& document_;
  std::vector<Diagnostic> diagnostics_;
};

// Reads one map strictly: every key that was not asked for is an error which names the nearest one that was.
//
//   MapReader job(reader, node, "job \"train\"");
//   spec.name = job.string_or("name", "");
//   if (const YamlNode* steps = job.find("steps")) …
//   job.refuse("container", "containers are not supported yet");
//   job.finish();
//
// Getters report values of the wrong kind and give nothing then.
class MapReader {
 public:
  // A node that is not a map is reported (null counts as an empty map when `null_is_empty`).
  MapReader(SchemaReader& reader, const YamlNode& node, std::string what, bool null_is_empty = false);

  [[nodiscard]] bool is_map() const { return node_.is_map(); }
  [[nodiscard]] const YamlNode& node() const { return node_; }
  [[nodiscard]] const std::string& what() const { return what_; }

  // The value of `key`, or null if the key is absent.
  const YamlNode* find(std::string_view key);
  const YamlEntry* find_entry(std::string_view key);
  // As find(), and an absent key is an error.
  const YamlNode* require(std::string_view key);

  // Any scalar but null as text; others are an error.
  std::optional<std::string> string(std::string_view key);
  std::string string_or(std::string_view key, std::string_view fallback);
  std::optional<bool> boolean(std::string_view key);
  std::optional<std::int64_t> integer(std::string_view key);
  std::optional<double> number(std::string_view key);
  // A list of scalars, or one scalar.
  std::optional<std::vector<std::string>> strings(std::string_view key);
  // One of `allowed`; an error names the nearest.
  std::optional<std::string> choice(std::string_view key, std::initializer_list<std::string_view> allowed);

  // A key that is known but not built: its presence is an error with `why`.
  void refuse(std::string_view key, std::string_view why);
  // A key that is allowed and ignored on purpose.
  void ignore(std::string_view key) { find(key); }

  // Reports keys that nobody asked for. Call it once, at the end.
  void finish();

 private:
  void wrong_kind(std::string_view key, const YamlNode& value, std::string_view expected);

  SchemaReader& reader_;
  const YamlNode& node_;
  std::string what_;
  std::vector<std::string> known_;
};

}  // namespace weir::text
