#include "text/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cmath>
#include <sstream>
#include <unordered_map>

#include "text/yaml_scalar.h"

namespace weir::text {
namespace {

constexpr std::size_t kSortedFrom = 8;  // entries from which a map is searched by halving

constexpr std::string_view kCoreTag = "tag:yaml.org,2002:";

// Ends the parse from within yaml-cpp's callbacks; never leaves this file.
struct Refused {
  Diagnostic diagnostic;
};

}  // namespace

const YamlEntry* YamlNode::find(std::string_view key) const {
  if (sorted_.empty()) {
    const auto found = std::ranges::find(entries_, key, &YamlEntry::key);
    return found == entries_.end() ? nullptr : &*found;
  }
  const auto found = std::ranges::lower_bound(sorted_, key, {},
                                              [this](std::uint32_t i) -> std::string_view { return entries_[i].key; });
  return found == sorted_.end() || entries_[*found].key != key ? nullptr : &entries_[*found];
}

json::value YamlNode::to_json() const {
  switch (kind_) {
    case YamlKind::kNull: return nullptr;
    case YamlKind::kBool: return bool_;
    case YamlKind::kInt: return int_;
    case YamlKind::kFloat:
      if (!std::isfinite(double_)) return json::string(text_);
      return double_;
    case YamlKind::kString: return json::string(text_);
    case YamlKind::kSequence: {
      json::array out;
      out.reserve(items_.size());
      for (const auto* item : items_) out.push_back(item->to_json());
      return out;
    }
    case YamlKind::kMap: {
      json::object out;
      out.reserve(entries_.size());
      for (const auto& entry : entries_) out.emplace(entry.key, entry.value->to_json());
      return out;
    }
  }
  return nullptr;
}

std::string_view YamlNode::kind_name() const {
  switch (kind_) {
    case YamlKind::kNull: return "nothing";
    case YamlKind::kBool: return "true or false";
    case YamlKind::kInt:
    case YamlKind::kFloat: return "a number";
    case YamlKind::kString: return "a string";
    case YamlKind::kSequence: return "a list";
    case YamlKind::kMap: return "a map";
  }
  return "a value";
}

// Builds the tree from yaml-cpp's events.
class YamlBuilder final : public YAML::EventHandler {
 public:
  YamlBuilder(YamlDocument& document, const YamlLimits& limits, std::vector<Diagnostic>& diagnostics)
      : document_(document), limits_(limits), diagnostics_(diagnostics) {}

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    YamlNode& node = make(mark, YamlKind::kNull);
    const auto place = scalar_place(document_.source_, offset_of(node.position_), "null");
    node.length_ = std::max(1, place.length);
    complete(node, anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) refuse(position_of(mark), 1, "this alias lies within what it stands for");
    attach(*found->second, position_of(mark));
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode& node = make(mark, YamlKind::kString);
    node.text_ = value;
    node.quoted_ = tag == "!";
    const auto place = scalar_place(document_.source_, offset_of(node.position_), value);
    node.length_ = std::max(1, place.length);
    // Where a plain scalar ends depends on what it stands in; its text tells.
    if (!node.quoted_ && !value.empty() && std::string_view(document_.source_).substr(place.start).starts_with(value)) {
      node.length_ = static_cast<int>(value.size());
    }
    if (tag == "?" || tag.empty()) {
      resolve(node, resolve_core(value));
    } else if (tag != "!") {
      resolve_tagged(node, tag);
    }
    complete(node, anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    open(mark, tag, anchor, YamlKind::kSequence, "seq");
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    open(mark, tag, anchor, YamlKind::kMap, "map");
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    YamlNode* node = nullptr;
    YAML::anchor_t anchor = 0;
    bool has_key = false;  // of a map: its next value belongs to `key`
    YamlEntry key;
  };

  static Position position_of(const YAML::Mark& mark) { return {std::max(0, mark.line), std::max(0, mark.column)}; }

  [[nodiscard]] std::size_t offset_of(Position position) const {
    const auto line = static_cast<std::size_t>(position.line);
    if (line >= document_.line_starts_.size()) return document_.source_.size();
    return std::min(document_.source_.size(), document_.line_starts_[line] + static_cast<std::size_t>(position.column));
  }

  [[noreturn]] void refuse(Position position, int length, std::string message, std::string hint = {}) const {
    throw Refused{Diagnostic{.file = document_.file_,
                             .line = position.line,
                             .column = position.column,
                             .length = length,
                             .message = std::move(message),
                             .hint = std::move(hint)}};
  }

  void report(Position position, int length, std::string message, std::string hint) {
    diagnostics_.push_back({.file = document_.file_,
                            .line = position.line,
                            .column = position.column,
                            .length = length,
                            .message = std::move(message),
                            .hint = std::move(hint)});
  }

  YamlNode& make(const YAML::Mark& mark, YamlKind kind) {
    if (document_.nodes_.size() >= limits_.nodes_max) {
      refuse(position_of(mark), 1, fmt::format("the file holds more than {} values", limits_.nodes_max));
    }
    YamlNode& node = document_.nodes_.emplace_back();
    node.kind_ = kind;
    node.position_ = position_of(mark);
    return node;
  }

  void resolve(YamlNode& node, const CoreScalar& scalar) {
    node.kind_ = scalar.kind;
    node.bool_ = scalar.boolean;
    node.int_ = scalar.integer;
    node.double_ = scalar.number;
  }

  void resolve_tagged(YamlNode& node, const std::string& tag) {
    const std::string_view name = tag.starts_with(kCoreTag) ? std::string_view{tag}.substr(kCoreTag.size()) : "";
    if (name == "str") return;
    const CoreScalar scalar = resolve_core(node.text_);
    const bool fits = (name == "null" && scalar.kind == YamlKind::kNull) ||
                      (name == "bool" && scalar.kind == YamlKind::kBool) ||
                      (name == "int" && scalar.kind == YamlKind::kInt) ||
                      (name == "float" && (scalar.kind == YamlKind::kFloat || scalar.kind == YamlKind::kInt));
    if (fits) {
      resolve(node, scalar);
      return;
    }
    const bool known = name == "null" || name == "bool" || name == "int" || name == "float";
    refuse(
        node.position_, node.length_,
        known ? fmt::format("\"{}\" is not a YAML {}", node.text_, name) : fmt::format("unknown YAML tag \"{}\"", tag));
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YamlKind kind,
            std::string_view name) {
    if (static_cast<int>(open_.size()) >= limits_.depth_max) {
      refuse(position_of(mark), 1, fmt::format("values are nested deeper than {} levels", limits_.depth_max));
    }
    if (!tag.empty() && tag != "?" && tag != "!" && tag != fmt::format("{}{}", kCoreTag, name)) {
      refuse(position_of(mark), 1, fmt::format("unknown YAML tag \"{}\"", tag));
    }
    if (!open_.empty() && open_.back().node->is_map() && !open_.back().has_key) {
      refuse(position_of(mark), 1, "a key must be text, not a list or a map");
    }
    open_.push_back({.node = &make(mark, kind), .anchor = anchor});
  }

  void close() {
    const Open closed = std::move(open_.back());
    open_.pop_back();
    if (closed.node->is_map()) {
      const auto& entries = closed.node->entries_;
      // A map of lines is shown by its first key, one in braces by its brace.
      if (!entries.empty() && entries[0].position == closed.node->position_) {
        closed.node->length_ = std::max(1, static_cast<int>(entries[0].key.size()));
      }
      index(*closed.node);
    }
    complete(*closed.node, closed.anchor);
  }

  // Sorts the keys of a finished map, and reports those that stand twice.
  void index(YamlNode& map) {
    std::vector<std::uint32_t> order(map.entries_.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    std::ranges::sort(order, [&](std::uint32_t a, std::uint32_t b) {
      const int order_of_keys = map.entries_[a].key.compare(map.entries_[b].key);
      return order_of_keys != 0 ? order_of_keys < 0 : a < b;
    });
    std::vector<bool> drop;
    std::size_t first = 0;  // of the run of equal keys
    for (std::size_t i = 1; i < order.size(); ++i) {
      const YamlEntry& entry = map.entries_[order[i]];
      if (map.entries_[order[first]].key != entry.key) {
        first = i;
        continue;
      }
      report(entry.position, static_cast<int>(entry.key.size()),
             fmt::format("key \"{}\" stands twice in this map", entry.key),
             fmt::format("the first one is in line {}", map.entries_[order[first]].position.line + 1));
      if (drop.empty()) drop.resize(map.entries_.size());
      drop[order[i]] = true;
    }
    if (!drop.empty()) {
      std::uint32_t at = 0;
      std::erase_if(map.entries_, [&](const YamlEntry&) { return drop[at++]; });
      if (map.entries_.size() >= kSortedFrom) {
        order.resize(map.entries_.size());
        for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
        std::ranges::sort(order, {}, [&](std::uint32_t i) -> std::string_view { return map.entries_[i].key; });
      }
    }
    if (map.entries_.size() >= kSortedFrom) map.sorted_ = std::move(order);
  }

  void complete(YamlNode& node, YAML::anchor_t anchor) {
    if (anchor != 0) anchors_[anchor] = &node;
    attach(node, node.position_);
  }

  // Puts a finished value where it belongs: the root, a list's next item, a map's next key or value.
  void attach(const YamlNode& node, Position position) {
    if (open_.empty()) {
      document_.root_ = &node;
      return;
    }
    Open& parent = open_.back();
    if (parent.node->is_sequence()) {
      parent.node->items_.push_back(&node);
    } else if (parent.has_key) {
      parent.key.value = &node;
      parent.node->entries_.push_back(std::move(parent.key));
      parent.key = {};
      parent.has_key = false;
    } else {
      take_key(parent, node, position);
      return;
    }
    parent.node->weight_ += node.weight_;
    if (parent.node->weight_ > limits_.nodes_max) {
      refuse(position, 1,
             fmt::format("with its aliases followed, the file holds more than {} values", limits_.nodes_max),
             "aliases of aliases grow without bound; write the values out");
    }
  }

  void take_key(Open& map, const YamlNode& node, Position position) {
    if (!node.is_scalar()) refuse(position, 1, "a key must be text, not a list or a map");
    if (node.is_null() || node.text_.empty())
      refuse(position, 1, "a key must not be empty", "write \"\" around it if it is a word like null");
    if (node.text_ == "<<" && !node.quoted_) {
      refuse(position, 2, "merge keys (<<) are not supported, as on GitHub", "write the keys out");
    }
    map.key.key = node.text_;
    map.key.position = position;
    map.has_key = true;
  }

  YamlDocument& document_;
  const YamlLimits& limits_;
  std::vector<Diagnostic>& diagnostics_;
  std::vector<Open> open_;
  std::unordered_map<YAML::anchor_t, const YamlNode*> anchors_;
};

// The steps of parse_yaml(), with access to the document under construction.
struct YamlParse {
  static Diagnostic at(const YamlDocument& document, int line, int column, std::string message, std::string hint = {}) {
    return {
        .file = document.file_, .line = line, .column = column, .message = std::move(message), .hint = std::move(hint)};
  }

  // What no YAML parser should be asked to look at.
  static std::optional<Diagnostic> refuse_early(const YamlDocument& document, std::string_view text,
                                                const YamlLimits& limits) {
    if (text.size() > limits.size_bytes_max) {
      return at(document, 0, 0,
                fmt::format("the file has {} bytes; at most {} are read", text.size(), limits.size_bytes_max));
    }
    std::size_t bad = text.find('\0');
    const bool has_nul = bad != std::string_view::npos;
    if (!has_nul && is_utf8(text, &bad)) return std::nullopt;
    const auto before = text.substr(0, bad);
    const int line = static_cast<int>(std::ranges::count(before, '\n'));
    const auto line_start = before.rfind('\n') + 1;  // npos + 1 is 0
    return at(document, line, static_cast<int>(bad - line_start),
              has_nul ? "the file holds a NUL byte" : "the file is not UTF-8 text here");
  }

  static void read(YamlDocument& document, const YamlLimits& limits, std::vector<Diagnostic>& diagnostics) {
    std::istringstream stream(document.source_);
    YAML::Parser parser(stream);
    YamlBuilder builder(document, limits, diagnostics);
    if (!parser.HandleNextDocument(builder)) {
      document.root_ = &document.nodes_.emplace_back();
      return;
    }
    if (document.root_ == nullptr) document.root_ = &document.nodes_.emplace_back();

    // A second document is looked at only as far as to know where it begins.
    struct Stop final : YAML::EventHandler {
      void OnDocumentStart(const YAML::Mark& mark) override { throw YAML::ParserException(mark, "a second document"); }
      void OnDocumentEnd() override {}
      void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
      void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
      void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
      void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
      void OnSequenceEnd() override {}
      void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override {}
      void OnMapEnd() override {}
    } stop;
    try {
      parser.HandleNextDocument(stop);
    } catch (const YAML::ParserException& exception) {
      const bool second = exception.msg == "a second document";
      diagnostics.push_back(at(document, std::max(0, exception.mark.line), std::max(0, exception.mark.column),
                               second ? "the file holds a second YAML document" : plain_words(exception.msg),
                               second ? "remove the --- line and what follows, or make it a file of its own" : ""));
    }
  }

  // yaml-cpp's messages begin with a capital nowhere and end without a full stop; a few are put more plainly.
  static std::string plain_words(const std::string& message) {
    if (message.find("illegal map value") != std::string::npos) {
      return "a value cannot stand here; check the indentation and the \":\" before";
    }
    if (message.find("end of map not found") != std::string::npos) {
      return "this line does not belong to the map above; check its indentation";
    }
    if (message.find("end of sequence not found") != std::string::npos) {
      return "this line does not belong to the list above; check its indentation";
    }
    if (message.find("unknown token") != std::string::npos) {
      return "this character cannot begin a value; put quotes around the value";
    }
    return message;
  }

  // What yaml-cpp found wrong. A tab, which cannot be seen, is told from the errors that it leads to.
  static Diagnostic explain(const YamlDocument& document, const YAML::Exception& exception) {
    const int lines = static_cast<int>(document.line_starts_.size());
    const int line = std::clamp(exception.mark.line, 0, lines - 1);
    for (const int near : {line, line - 1}) {
      if (near < 0) continue;
      const auto text =
          std::string_view(document.source_).substr(document.line_starts_[static_cast<std::size_t>(near)]);
      const auto indented = text.find_first_not_of(near == line ? " \t" : "\t");
      const auto tab = text.substr(0, indented).find('\t');
      if (tab == std::string_view::npos) continue;
      return at(document, near, static_cast<int>(tab), "a tab stands in the indentation of this line",
                "YAML is indented with spaces only");
    }
    return at(document, line, std::max(0, exception.mark.column), plain_words(exception.msg));
  }

  static YamlResult parse(std::string_view text, std::string_view file, const YamlLimits& limits);
};

YamlResult parse_yaml(std::string_view text, std::string_view file, const YamlLimits& limits) {
  return YamlParse::parse(text, file, limits);
}

YamlResult YamlParse::parse(std::string_view text, std::string_view file, const YamlLimits& limits) {
  YamlResult result;
  auto document = std::make_shared<YamlDocument>();
  document->file_ = file;
  if (auto early = refuse_early(*document, text, limits)) {
    result.diagnostics.push_back(std::move(*early));
    return result;
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  document->source_ = text;
  document->line_starts_.push_back(0);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') document->line_starts_.push_back(i + 1);
  }
  try {
    read(*document, limits, result.diagnostics);
    result.document = std::move(document);
  } catch (const Refused& refused) {
    result.diagnostics.push_back(refused.diagnostic);
  } catch (const YAML::Exception& exception) {
    result.diagnostics.push_back(explain(*document, exception));
  } catch (const std::exception& exception) {
    result.diagnostics.push_back(at(*document, 0, 0, fmt::format("cannot be read as YAML: {}", exception.what())));
  }
  sort_and_deduplicate(result.diagnostics);
  return result;
}

Position YamlDocument::Places::at(std::size_t offset) const {
  if (offset >= offsets_.size()) return fallback_;
  const auto& starts = document_->line_starts_;
  const auto next = std::ranges::upper_bound(starts, offsets_[offset]);
  const auto line = static_cast<std::size_t>(next - starts.begin()) - 1;
  return {static_cast<int>(line), static_cast<int>(offsets_[offset] - starts[line])};
}

YamlDocument::Places YamlDocument::places_up_to(const YamlNode& scalar, std::size_t count) const {
  Places out;
  out.document_ = this;
  out.fallback_ = scalar.position();
  const auto line = static_cast<std::size_t>(scalar.position().line);
  if (line >= line_starts_.size()) return out;
  const std::size_t start = line_starts_[line] + static_cast<std::size_t>(scalar.position().column);
  out.offsets_ = align_scalar(source_, start, scalar.text(), count);
  return out;
}

YamlDocument::Places YamlDocument::places(const YamlNode& scalar) const {
  return places_up_to(scalar, scalar.text().size());
}

Position YamlDocument::locate(const YamlNode& scalar, std::size_t offset) const {
  return places_up_to(scalar, offset).at(std::min(offset, scalar.text().size()));
}

}  // namespace weir::text
