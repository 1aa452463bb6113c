#include <algorithm>

#include "api/graphql/check.h"
#include "api/graphql/execute.h"
#include "require.h"

// Documents come from whoever may send a request. What is taken is bounded, what is refused points into the text; what
// is executed answers, whatever it selects.
namespace {

using namespace weir::api::graphql;

// People without end, so that a document may ask as deep and as wide as it likes.
const Schema& schema() {
  static const Schema kSchema = [] {
    Schema made;
    made.enumeration("Order", {"UP", "DOWN"});
    made.input("In", {"id: ID!", "of: [In!]", "order: Order"});
    made.interface("Named", {"name: String!"});
    made.object("Query", {"Named"});
    const Outcome self(Object{"Query", {}});
    made.field("Query", "name: String!", [](const Asked&) { return Outcome("n"); });
    made.field("Query", "a(i: Int, f: Float = 1, o: Order, in: In, l: [[String]]): Query!",
               [=](const Asked&) { return self; });
    made.field("Query", "l(first: Int!): [Named]", [=](const Asked&) { return Outcome(std::vector{self, self}); });
    made.object("Mutation");
    made.field("Mutation", "do(in: In!): String", [](const Asked&) { return Outcome(nullptr); });
    return made;
  }();
  return kSchema;
}

std::size_t depth_of(const std::vector<Selection>& selections) {
  std::size_t deepest = 0;
  for (const auto& one : selections) deepest = std::max(deepest, depth_of(one.selections));
  return selections.empty() ? 0 : deepest + 1;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const auto lines =
      static_cast<std::size_t>(std::ranges::count_if(input, [](char c) { return c == '\n' || c == '\r'; })) + 1;
  const auto document = parse_document(input);
  if (!document) {
    require(!document.error().message.empty());
    require(document.error().at.line >= 1 && document.error().at.line <= lines);
    require(document.error().at.column >= 1 && document.error().at.column <= size + 1);
  } else {
    require(!document->operations.empty() || !document->fragments.empty());
    for (const auto& operation : document->operations) {
      require(!operation.selections.empty() && depth_of(operation.selections) <= kNestingMax);
    }
  }
  const Limits limits{.fields = 2'000, .bytes = 100'000};
  const auto answer = execute(schema(), {std::string(input), {}, {{"v", 1}}}, nullptr, limits);
  require(answer.contains("data") || answer.contains("errors"));
  if (const auto* errors = answer.if_contains("errors")) require(!errors->as_array().empty());
  return 0;
}
