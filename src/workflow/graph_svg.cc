#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "workflow/graph.h"

namespace weir::workflow {
namespace {

constexpr double kLetter = 8.0;      // of a title, at its size
constexpr double kNoteLetter = 6.6;  // of a note
constexpr double kWidthMin = 132;
constexpr double kTitleHeight = 40;
constexpr double kNoteHeight = 18;
constexpr double kRowGap = 26;
constexpr double kColumnGap = 72;
constexpr double kMargin = 28;
constexpr double kHeader = 62;
constexpr int kTitleMax = 40;  // letters

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default:
        // Control characters cannot stand in XML.
        if (static_cast<unsigned char>(c) >= 0x20) out += c;
    }
  }
  return out;
}

std::string shorten(std::string_view text) {
  if (display_width(text) <= kTitleMax) return std::string(text);
  std::string out;
  for (std::size_t i = 0; i < text.size() && display_width(out) < kTitleMax - 1;) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    out += text.substr(i, length);
    i += length;
  }
  return out + "…";
}

struct Card {
  double x = 0;
  double y = 0;
  double width = 0;
  double height = 0;
  [[nodiscard]] double middle() const { return y + height / 2; }
};

constexpr std::string_view kStyle = R"(  <style>
    .page { fill: #ffffff; }
    .name { fill: #14181f; font: 600 18px system-ui, sans-serif; }
    .events { fill: #667085; font: 400 12.5px system-ui, sans-serif; }
    .card { fill: #f8fafc; stroke: #d5dbe5; stroke-width: 1; }
    .bar { fill: #4f7cff; }
    .call .bar { fill: #8b5cf6; }
    .guarded .bar { fill: #f59e0b; }
    .title { fill: #14181f; font: 600 13px system-ui, sans-serif; }
    .note { fill: #667085; font: 400 11.5px system-ui, sans-serif; }
    .edge { fill: none; stroke: #a3adbd; stroke-width: 1.6; }
    .tip { fill: #a3adbd; }
    @media (prefers-color-scheme: dark) {
      .page { fill: #0f1318; }
      .name, .title { fill: #e8ecf2; }
      .events, .note { fill: #98a2b3; }
      .card { fill: #181e26; stroke: #2c3541; }
      .edge { stroke: #5b6675; }
      .tip { fill: #5b6675; }
    }
  </style>
)";

class SvgDrawing {
 public:
  explicit SvgDrawing(const Graph& graph) : graph_(graph), cards_(graph.nodes.size()) {
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      columns_[graph.nodes[i].level].push_back(i);
      cards_[i] = size_of(graph.nodes[i]);
    }
    for (auto& [level, column] : columns_) {
      std::ranges::sort(column, {}, [&](std::size_t at) { return graph_.nodes[at].order; });
    }
    place();
  }

  [[nodiscard]] std::string draw() const {
    std::string out = fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" viewBox=\"0 0 {0:.0f} "
        "{1:.0f}\" "
        "role=\"img\" aria-label=\"{2}\">\n",
        width_, height_, escape(graph_.title));
    out += kStyle;
    out += fmt::format("  <rect class=\"page\" width=\"{:.0f}\" height=\"{:.0f}\" rx=\"10\"/>\n", width_, height_);
    out += fmt::format("  <text class=\"name\" x=\"{0}\" y=\"{1}\">{2}</text>\n", kMargin, kMargin + 12,
                       escape(shorten(graph_.title)));
    if (!graph_.events.empty()) {
      out += fmt::format("  <text class=\"events\" x=\"{0}\" y=\"{1}\">on {2}</text>\n", kMargin, kMargin + 32,
                         escape(graph_.events));
    }
    for (const auto& [from, to] : graph_.edges) out += edge(from, to);
    for (std::size_t i = 0; i < cards_.size(); ++i) out += card(graph_.nodes[i], cards_[i]);
    return out + "</svg>\n";
  }

 private:
  static Card size_of(const GraphNode& node) {
    if (node.kind == GraphNode::Kind::kPassage) return {.height = 2};
    double width = display_width(shorten(node.title)) * kLetter;
    for (const auto& note : node.notes) width = std::max(width, display_width(shorten(note)) * kNoteLetter);
    return {.width = std::max(kWidthMin, width + 36),
            .height = kTitleHeight + static_cast<double>(node.notes.size()) * kNoteHeight};
  }

  void place() {
    double tallest = 0;
    for (const auto& [level, column] : columns_) tallest = std::max(tallest, height_of(column));
    double x = kMargin;
    for (const auto& [level, column] : columns_) {
      double width = 0;
      for (const std::size_t at : column) width = std::max(width, cards_[at].width);
      double y = kMargin + kHeader + (tallest - height_of(column)) / 2;
      for (const std::size_t at : column) {
        cards_[at].x = x;
        cards_[at].y = y;
        cards_[at].width = width;
        y += cards_[at].height + kRowGap;
      }
      x += width + kColumnGap;
    }
    const double header = kMargin * 2 + display_width(shorten(graph_.title)) * 10.5;
    const double events = kMargin * 2 + (display_width(graph_.events) + 3) * 6.6;
    width_ = std::max({x - kColumnGap + kMargin, header, events, 240.0});
    height_ = kMargin + kHeader + tallest + kMargin;
  }

  [[nodiscard]] double height_of(const std::vector<std::size_t>& column) const {
    double height = -kRowGap;
    for (const std::size_t at : column) height += cards_[at].height + kRowGap;
    return height;
  }

  [[nodiscard]] std::string edge(int from, int to) const {
    const Card& source = cards_[static_cast<std::size_t>(from)];
    const Card& target = cards_[static_cast<std::size_t>(to)];
    const bool passes = graph_.nodes[static_cast<std::size_t>(to)].kind == GraphNode::Kind::kPassage;
    const double x1 = source.x + source.width;
    const double y1 = source.middle();
    const double x2 = target.x - (passes ? 0 : 7);
    const double y2 = target.middle();
    const double bend = (x2 - x1) / 2;
    std::string out =
        fmt::format("  <path class=\"edge\" d=\"M{:.1f} {:.1f} C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}", x1, y1,
                    x1 + bend, y1, x2 - bend, y2, x2, y2);
    if (passes) {
      // Through the whole column of the passage.
      return out + fmt::format(" H{:.1f}\"/>\n", target.x + target.width);
    }
    out += "\"/>\n";
    return out + fmt::format("  <path class=\"tip\" d=\"M{0:.1f} {1:.1f} l-8 -4.5 v9 z\"/>\n", target.x - 1, y2);
  }

  static std::string card(const GraphNode& node, const Card& at) {
    if (node.kind == GraphNode::Kind::kPassage) return {};
    std::string kind = node.kind == GraphNode::Kind::kCall ? "call" : "job";
    if (node.guarded) kind = "guarded";
    std::string out = fmt::format("  <g class=\"{}\" transform=\"translate({:.1f} {:.1f})\">\n", kind, at.x, at.y);
    out += fmt::format("    <rect class=\"card\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"8\"/>\n", at.width, at.height);
    out += fmt::format("    <rect class=\"bar\" x=\"0\" y=\"8\" width=\"4\" height=\"{:.1f}\" rx=\"2\"/>\n",
                       at.height - 16);
    out += fmt::format("    <text class=\"title\" x=\"18\" y=\"25\">{}</text>\n", escape(shorten(node.title)));
    for (std::size_t i = 0; i < node.notes.size(); ++i) {
      out += fmt::format("    <text class=\"note\" x=\"18\" y=\"{:.1f}\">{}</text>\n",
                         kTitleHeight + 4 + static_cast<double>(i) * kNoteHeight, escape(shorten(node.notes[i])));
    }
    return out + "  </g>\n";
  }

  const Graph& graph_;
  std::vector<Card> cards_;
  std::map<int, std::vector<std::size_t>> columns_;
  double width_ = 0;
  double height_ = 0;
};

}  // namespace

std::string graph_svg(const Graph& graph) {
  return SvgDrawing(graph).draw();
}

}  // namespace weir::workflow
