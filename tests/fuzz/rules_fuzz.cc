#include <cmath>

#include "config/config.h"
#include "config/rules.h"
#include "require.h"

// Rules come from weir.yaml and from the body of a request. What is accepted has finite numbers and reads the same
// again; what is refused points into the text.
namespace {

template <class Rule>
void check(std::string_view input, weir::Result<Rule> (*parse)(std::string_view, std::size_t*)) {
  std::size_t offset = 0;
  const auto rule = parse(input, &offset);
  if (!rule) {
    require(offset <= input.size());
    require(!rule.error().message.empty());
    return;
  }
  require(std::isfinite(rule->limit));
  const auto again = parse(rule->text, nullptr);
  require(again && *again == *rule);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  check(input, weir::config::parse_gate_rule);
  check(input, weir::config::parse_alert_rule);
  check(input, weir::config::parse_retrain_rule);
  if (const auto reference = weir::config::parse_model_reference(input)) {
    const auto again = weir::config::parse_model_reference(reference->text());
    require(again && *again == *reference);
  }
  if (const auto text = weir::config::parse_template(input)) {
    if (text->variables.empty() && text->secrets.empty()) require(text->resolve({}, {}).value_or("") == input);
  }
  return 0;
}
