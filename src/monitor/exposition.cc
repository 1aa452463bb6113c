#include "monitor/exposition.h"

#include <cmath>

#include "data/table.h"

namespace weir::monitor {
namespace {

void append_escaped(std::string& text, std::string_view value, bool quotes) {
  for (const char c : value) {
    if (c == '\\') {
      text += "\\\\";
    } else if (c == '\n') {
      text += "\\n";
    } else if (c == '"' && quotes) {
      text += "\\\"";
    } else {
      text += c;
    }
  }
}

std::string value_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0.0 ? "+Inf" : "-Inf";
  return data::number_text(value);
}

}  // namespace

void Exposition::family(std::string_view name, Type type, std::string_view help) {
  name_ = name;
  text_ += fmt::format("# HELP {} ", name);
  append_escaped(text_, help, false);
  text_ += fmt::format("\n# TYPE {} {}\n", name,
                       type == Type::kCounter ? "counter"
                       : type == Type::kGauge ? "gauge"
                                              : "histogram");
}

void Exposition::sample(const Labels& labels, double value, std::string_view suffix) {
  text_ += name_;
  text_ += suffix;
  if (!labels.empty()) {
    char separator = '{';
    for (const auto& [name, label] : labels) {
      text_ += separator;
      text_ += name;
      text_ += "=\"";
      append_escaped(text_, label, true);
      text_ += '"';
      separator = ',';
    }
    text_ += '}';
  }
  text_ += fmt::format(" {}\n", value_text(value));
}

}  // namespace weir::monitor
