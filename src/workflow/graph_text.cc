#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "workflow/graph.h"

namespace weir::workflow {
namespace {

// In a cell that the wide character before it takes too.
constexpr std::string_view kTaken("\0", 1);

// Cells of a terminal. A cell holds a character, or the directions in which lines leave it.
class Canvas {
 public:
  static constexpr unsigned kUp = 1;
  static constexpr unsigned kDown = 2;
  static constexpr unsigned kLeft = 4;
  static constexpr unsigned kRight = 8;

  Canvas(int width, int height)
      : width_(width),
        lines_(static_cast<std::size_t>(width) * static_cast<std::size_t>(height), 0U),
        texts_(static_cast<std::size_t>(width) * static_cast<std::size_t>(height)) {}

  void line(int x, int y, unsigned directions) { lines_[at(x, y)] |= directions; }
  void horizontal(int from, int to, int y) {
    for (int x = from; x < to; ++x) {
      line(x, y, kRight);
      line(x + 1, y, kLeft);
    }
  }
  void vertical(int x, int from, int to) {
    for (int y = std::min(from, to); y < std::max(from, to); ++y) {
      line(x, y, kDown);
      line(x, y + 1, kUp);
    }
  }
  // `text` takes the cells from x on; wide characters take two.
  void text(int x, int y, std::string_view text) {
    while (!text.empty()) {
      std::size_t length = 1;
      while (length < text.size() && (static_cast<unsigned char>(text[length]) & 0xC0U) == 0x80U) ++length;
      const auto letter = text.substr(0, length);
      texts_[at(x, y)] = letter;
      if (display_width(letter) == 2) texts_[at(x + 1, y)] = kTaken;
      x += display_width(letter);
      text.remove_prefix(length);
    }
  }
  void box(int x, int y, int width, int height) {
    static constexpr std::string_view kCorners[] = {"╭", "╮", "╰", "╯"};
    for (int i = 1; i + 1 < width; ++i) {
      text(x + i, y, "─");
      text(x + i, y + height - 1, "─");
    }
    for (int i = 1; i + 1 < height; ++i) {
      text(x, y + i, "│");
      text(x + width - 1, y + i, "│");
    }
    text(x, y, kCorners[0]);
    text(x + width - 1, y, kCorners[1]);
    text(x, y + height - 1, kCorners[2]);
    text(x + width - 1, y + height - 1, kCorners[3]);
  }

  [[nodiscard]] std::string show() const {
    static constexpr std::string_view kLines[] = {" ", "│", "│", "│", "─", "╯", "╮", "┤",
                                                  "─", "╰", "╭", "├", "─", "┴", "┬", "┼"};
    std::string out;
    for (std::size_t start = 0; start < lines_.size(); start += static_cast<std::size_t>(width_)) {
      std::string row;
      for (std::size_t i = start; i < start + static_cast<std::size_t>(width_); ++i) {
        if (texts_[i] == kTaken) continue;
        row += texts_[i].empty() ? std::string(kLines[lines_[i]]) : texts_[i];
      }
      row.erase(row.find_last_not_of(' ') + 1);
      out += row + "\n";
    }
    return out;
  }

 private:
  [[nodiscard]] std::size_t at(int x, int y) const {
    return static_cast<std::size_t>(y) * static_cast<std::size_t>(width_) + static_cast<std::size_t>(x);
  }

  int width_;
  std::vector<unsigned> lines_;
  std::vector<std::string> texts_;
};

struct Box {
  int x = 0;
  int y = 0;
  int width = 0;
  int height = 0;
  [[nodiscard]] int port() const { return height == 1 ? y : y + 1; }
};

class TextDrawing {
 public:
  explicit TextDrawing(const Graph& graph) : graph_(graph), boxes_(graph.nodes.size()) {
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
      const auto& node = graph.nodes[i];
      columns_[node.level].push_back(static_cast<int>(i));
      boxes_[i] = size_of(node);
    }
    for (auto& [level, column] : columns_) {
      std::ranges::sort(column, {}, [&](int at) { return graph_.nodes[static_cast<std::size_t>(at)].order; });
    }
    place();
  }

  [[nodiscard]] int width() const { return width_; }

  [[nodiscard]] std::string draw() {
    Canvas canvas(width_, height_);
    for (const auto& [level, column] : columns_) draw_edges(canvas, level);
    for (std::size_t i = 0; i < boxes_.size(); ++i) draw_node(canvas, graph_.nodes[i], boxes_[i]);
    return canvas.show();
  }

 private:
  static Box size_of(const GraphNode& node) {
    if (node.kind == GraphNode::Kind::kPassage) return {.width = 1, .height = 1};
    int width = display_width(node.title);
    for (const auto& note : node.notes) width = std::max(width, display_width(note));
    return {.width = width + 4, .height = 3 + static_cast<int>(node.notes.size())};
  }

  Box& box(int at) { return boxes_[static_cast<std::size_t>(at)]; }

  void place() {
    for (const auto& [level, column] : columns_) {
      int height = 0;
      for (const int at : column) height += box(at).height + 1;
      height_ = std::max(height_, height - 1);
    }
    int x = 0;
    for (const auto& [level, column] : columns_) {
      int width = 0;
      int height = -1;
      for (const int at : column) {
        width = std::max(width, box(at).width);
        height += box(at).height + 1;
      }
      int y = (height_ - height) / 2;
      for (const int at : column) {
        Box& placed = box(at);
        placed.x = x;
        placed.y = y;
        if (placed.height > 1) placed.width = width;
        if (placed.height == 1) placed.width = width;  // a passage leads through the whole column
        y += placed.height + 1;
      }
      ends_[level] = x + width;
      x += width + channel(level);
    }
    width_ = std::max(1, x);
  }

  // Sources in a column whose lines turn have a track of their own behind it.
  [[nodiscard]] std::vector<int> sources(int level) const {
    std::vector<int> out;
    const auto column = columns_.find(level);
    if (column == columns_.end()) return out;
    for (const int at : column->second) {
      if (std::ranges::any_of(graph_.edges, [&](const auto& edge) { return edge.first == at; })) out.push_back(at);
    }
    return out;
  }
  [[nodiscard]] int channel(int level) const {
    const auto count = sources(level).size();
    return count == 0 ? 0 : 3 + 2 * static_cast<int>(count);
  }

  void draw_edges(Canvas& canvas, int level) {
    const int start = ends_[level];
    const int end = start + channel(level);
    int track = start + 1;
    for (const int from : sources(level)) {
      for (const auto& [source, to] : graph_.edges) {
        if (source != from) continue;
        canvas.horizontal(start, track, box(from).port());
        canvas.vertical(track, box(from).port(), box(to).port());
        canvas.horizontal(track, end - 1, box(to).port());
        const bool passage = box(to).height == 1;
        if (!passage) canvas.text(end - 1, box(to).port(), "▶");
      }
      track += 2;
    }
  }

  void draw_node(Canvas& canvas, const GraphNode& node, const Box& box) {
    if (node.kind == GraphNode::Kind::kPassage) {
      canvas.horizontal(std::max(0, box.x - 1), box.x + box.width, box.y);
      return;
    }
    canvas.box(box.x, box.y, box.width, box.height);
    canvas.text(box.x + 2, box.y + 1, node.title);
    for (std::size_t i = 0; i < node.notes.size(); ++i) {
      canvas.text(box.x + 2, box.y + 2 + static_cast<int>(i), node.notes[i]);
    }
  }

  const Graph& graph_;
  std::vector<Box> boxes_;
  std::map<int, std::vector<int>> columns_;
  std::map<int, int> ends_;  // right edge of each column
  int width_ = 0;
  int height_ = 1;
};

// For narrow terminals and large plans: a stage a line.
std::string stages(const Graph& graph) {
  std::map<int, std::vector<const GraphNode*>> levels;
  for (const auto& node : graph.nodes) {
    if (node.kind != GraphNode::Kind::kPassage) levels[node.level].push_back(&node);
  }
  std::string out;
  for (const auto& [level, nodes] : levels) {
    out += fmt::format("{} stage {}\n", level == 0 ? "●" : "▼", level + 1);
    for (const auto* node : nodes) {
      out += fmt::format("│   {}{}\n", node->title,
                         node->notes.empty() ? "" : fmt::format("  ({})", fmt::join(node->notes, ", ")));
    }
  }
  return out;
}

}  // namespace

int display_width(std::string_view text) {
  int width = 0;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    // East Asian letters, from U+1100 on without the signs around U+2000, and emoji.
    const bool wide =
        length == 4 ||
        (length == 3 &&
         (lead >= 0xE3 || (lead == 0xE1 && text.size() > i + 1 && static_cast<unsigned char>(text[i + 1]) == 0x84)));
    width += wide ? 2 : 1;
    i += length;
  }
  return width;
}

std::string graph_text(const Graph& graph, int columns) {
  std::string out = graph.title;
  if (!graph.events.empty()) out += fmt::format("  ({})", graph.events);
  out += "\n\n";
  TextDrawing drawing(graph);
  return out + (drawing.width() <= columns ? drawing.draw() : stages(graph));
}

}  // namespace weir::workflow
