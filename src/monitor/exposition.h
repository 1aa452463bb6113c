#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::monitor {

// Writes metrics in Prometheus' text format 0.0.4, such that the same bytes are also read by parsers of OpenMetrics
// where the two agree (families together, HELP and TYPE first, counters named _total). One thread.
class Exposition {
 public:
  enum class Type { kCounter, kGauge, kHistogram };
  using Labels = std::vector<std::pair<std::string_view, std::string_view>>;

  static constexpr std::string_view kContentType = "text/plain; version=0.0.4; charset=utf-8";

  // Begins a family: "weir_requests_total". Its samples must follow; a family is begun once.
  void family(std::string_view name, Type type, std::string_view help);
  // A sample of the current family, whose name `suffix` ends ("_bucket", "_sum", "_count" of histograms). Numbers that
  // are NaN are written as such.
  void sample(const Labels& labels, double value, std::string_view suffix = {});

  [[nodiscard]] std::string finish() { return std::move(text_); }

 private:
  std::string name_;
  std::string text_;
};

}  // namespace weir::monitor
