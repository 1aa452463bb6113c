// The expression language: parsing, checking, evaluating and interpolating never crash; a value goes through JSON.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "workflow/expression.h"

namespace {

const weir::workflow::Contexts& contexts() {
  static const weir::workflow::Contexts kContexts = [] {
    weir::workflow::Contexts out;
    out.values =
        weir::parse_json(R"({"github":{"ref":"refs/heads/main","event":{"a":[1,"x",null,true,{"b":[2,[3]]}],"n":1.5}},
      "needs":{"t":{"result":"success","outputs":{"j":"[1,{\"k\":2}]"}}},"env":{"Path":"p"},"matrix":{"os":"linux"},"steps":{}})",
                         "contexts")
            ->get_object();
    out.hash_files = [](auto) -> weir::Result<std::string> { return "hash"; };
    return out;
  }();
  return kContexts;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace weir::workflow;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto expression = Expression::parse(text);
  if (expression) {
    const std::string_view allowed[] = {"github", "env"};
    for (const auto& error : expression->check({.place = "here", .contexts = allowed})) {
      if (error.offset + error.length > text.size()) std::abort();
    }
    for (const auto& reference : expression->references()) {
      if (reference.path.empty() || reference.offset + reference.length > text.size()) std::abort();
    }
    const auto value = expression->evaluate(contexts());
    if (value) (void)weir::json::serialize(*value);
  } else {
    if (expression.error().offset > text.size()) std::abort();
    (void)describe(expression.error(), text);
  }
  (void)interpolate(text, contexts());
  (void)evaluate_condition(text, contexts());
  return 0;
}
