// Problem matchers: a file is taken or refused, and what was taken can be shown any line. The first line of the input
// is the expression, the rest is output.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"
#include "runner/problem_matcher.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (size > 4'000) return 0;
  const std::string_view expression = text.substr(0, text.find('\n'));
  json::object pattern{{"regexp", expression}, {"message", 0}};
  json::object matcher{{"owner", "fuzz"}, {"pattern", json::array{std::move(pattern)}}};
  runner::ProblemMatchers matchers;
  (void)matchers.add(text);
  if (!matchers.add(json::serialize(json::object{{"problemMatcher", json::array{std::move(matcher)}}}))) return 0;
  std::string_view rest = text.substr(expression.size());
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    std::string broken;
    (void)matchers.match(runner::without_colors(line), broken);
    rest.remove_prefix(line.size() == rest.size() ? rest.size() : line.size() + 1);
  }
  return 0;
}
