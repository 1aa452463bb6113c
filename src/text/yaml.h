#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "text/diagnostic.h"

namespace weir::text {

// YAML 1.2 with the core schema, as a bounded, immutable tree that knows where everything stands.
//
// What YAML leaves loose is an error here: duplicate keys, several documents, keys that are not text, tags other than
// those of the core schema, merge keys (<<), anchors that contain themselves, and files beyond YamlLimits (a "billion
// laughs" file included: an alias counts as all that it stands for). `on`, `off`, `yes`, `no` are strings.

enum class YamlKind : std::uint8_t { kNull, kBool, kInt, kFloat, kString, kSequence, kMap };

class YamlNode;

struct YamlEntry {
  std::string key;
  Position position;  // of the key
  const YamlNode* value = nullptr;
};

// One value. Lives as long as its document. Values reached through an alias are shared and stand where the anchor is.
class YamlNode {
 public:
  [[nodiscard]] YamlKind kind() const { return kind_; }
  [[nodiscard]] bool is_null() const { return kind_ == YamlKind::kNull; }
  [[nodiscard]] bool is_map() const { return kind_ == YamlKind::kMap; }
  [[nodiscard]] bool is_sequence() const { return kind_ == YamlKind::kSequence; }
  [[nodiscard]] bool is_scalar() const { return kind_ < YamlKind::kSequence; }
  [[nodiscard]] bool is_string() const { return kind_ == YamlKind::kString; }

  [[nodiscard]] Position position() const { return position_; }
  [[nodiscard]] int length() const { return length_; }  // bytes to underline; 1 for collections

  // A scalar as it is written, without quotes: "3.10" for 3.10, "" for null and for collections.
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] bool quoted() const { return quoted_; }  // 'x', "x", | and >

  [[nodiscard]] bool as_bool() const { return bool_; }        // of kBool
  [[nodiscard]] std::int64_t as_int() const { return int_; }  // of kInt
  [[nodiscard]] double as_double() const { return double_; }  // of kInt and kFloat

  [[nodiscard]] const std::vector<const YamlNode*>& items() const { return items_; }  // of a sequence, else empty
  [[nodiscard]] const std::vector<YamlEntry>& entries() const { return entries_; }    // of a map in order, else empty
  // The entry of `key`, or null. Logarithmic in the size of the map.
  [[nodiscard]] const YamlEntry* find(std::string_view key) const;

  // The value as JSON: kInt and kFloat as numbers (not finite ones as strings).
  [[nodiscard]] json::value to_json() const;
  // "a string", "a list", "a map", "a number", "true or false", "nothing": for messages.
  [[nodiscard]] std::string_view kind_name() const;

 private:
  friend class YamlBuilder;

  YamlKind kind_ = YamlKind::kNull;
  bool quoted_ = false;
  bool bool_ = false;
  Position position_;
  int length_ = 1;
  std::int64_t int_ = 0;
  double double_ = 0;
  std::string text_;
  std::vector<const YamlNode*> items_;
  std::vector<YamlEntry> entries_;
  std::vector<std::uint32_t> sorted_;  // indices of entries_ by key; only for larger maps
  std::size_t weight_ = 1;             // nodes below and including this one, aliases followed
};

struct YamlLimits {
  std::size_t size_bytes_max = 1'000'000;
  int depth_max = 64;
  std::size_t nodes_max = 100'000;  // aliases followed
};

// A parsed file. Immutable; any thread.
class YamlDocument {
 public:
  [[nodiscard]] const YamlNode& root() const { return *root_; }
  [[nodiscard]] const std::string& file() const { return file_; }
  [[nodiscard]] const std::string& source() const { return source_; }

  // Where byte `offset` of a scalar's text stands in the file, through quotes, escapes, folding and indentation. The
  // scalar's own position if the two cannot be aligned.
  [[nodiscard]] Position locate(const YamlNode& scalar, std::size_t offset) const;

  // The same for many places of one scalar, in one pass over it.
  class Places {
   public:
    [[nodiscard]] Position at(std::size_t offset) const;

   private:
    friend class YamlDocument;
    const YamlDocument* document_ = nullptr;
    Position fallback_;
    std::vector<std::uint32_t> offsets_;  // in the source, by offset in the text
  };
  [[nodiscard]] Places places(const YamlNode& scalar) const;

 private:
  friend class YamlBuilder;
  friend struct YamlParse;
  [[nodiscard]] Places places_up_to(const YamlNode& scalar, std::size_t count) const;

  std::string file_;
  std::string source_;
  std::vector<std::size_t> line_starts_;
  std::deque<YamlNode> nodes_;
  const YamlNode* root_ = nullptr;
};

struct YamlResult {
  std::shared_ptr<const YamlDocument> document;  // null after a syntax error; given in spite of duplicate keys
  std::vector<Diagnostic> diagnostics;
};

// Parses one document; an empty text gives a null root. Never throws. `file` is for messages.
YamlResult parse_yaml(std::string_view text, std::string_view file, const YamlLimits& limits = {});

}  // namespace weir::text
