#include "api/graphql/execute.h"

#include <gtest/gtest.h>

#include "api/graphql/check.h"

namespace weir::api::graphql {
namespace {

using namespace std::chrono_literals;

// People who know each other: 1 knows 2, 2 knows 3, and so on.
Schema people() {
  Schema schema;
  schema.enumeration("Order", {"UP", "DOWN"});
  schema.input("SayInput", {"id: ID!", "text: String!", "times: Int = 1"});
  schema.interface("Named", {"name: String!"});
  schema.union_of("Thing");
  schema.object("Person", {"Named", "Thing"});
  schema.object("Pet", {"Named", "Thing"});
  schema.object("Query");
  schema.object("Mutation");
  const auto person = [](std::int64_t id) { return Outcome(Object{"Person", id}); };
  const auto id_of = [](const Asked& asked) { return std::any_cast<std::int64_t>(asked.self); };
  schema.field("Person", "id: ID!", [=](const Asked& asked) { return Outcome(std::to_string(id_of(asked))); });
  schema.field("Person", "name: String!",
               [=](const Asked& asked) { return Outcome(fmt::format("p{}", id_of(asked))); });
  schema.field("Person", "knows: Person!", [=](const Asked& asked) { return person(id_of(asked) + 1); });
  schema.field("Person", "all(count: Int = 2, order: Order): [Person!]!", [=](const Asked& asked) -> Result<Outcome> {
    const auto count = json_int(asked.arguments, "count").value_or(0);
    if (count > 100) return fail(Code::kInvalidArgument, "nobody knows {}", count);
    std::vector<Outcome> list;
    for (std::int64_t i = 1; i <= count; ++i) list.push_back(person(i));
    if (json_string_or(asked.arguments, "order", "UP") == "DOWN") std::reverse(list.begin(), list.end());
    return Outcome(std::move(list));
  });
  schema.field("Person", "must: String!",
               [](const Asked&) -> Result<Outcome> { return fail(Code::kInternal, "broken"); });
  schema.field("Pet", "name: String!", [](const Asked&) { return Outcome("Rex"); });
  schema.field("Query", "person(id: ID!): Person", [=](const Asked& asked) -> Result<Outcome> {
    const auto id = json_string_or(asked.arguments, "id", "");
    if (id == "0") return fail(Code::kNotFound, "there is no person 0");
    if (id == "9") return fail(Code::kPermissionDenied, "9 is not for you");
    return person(std::stoll(id));
  });
  schema.field("Query", "thing(pet: Boolean!): Thing", [=](const Asked& asked) {
    return json_bool_or(asked.arguments, "pet", false) ? Outcome(Object{"Pet", {}}) : person(1);
  });
  schema.field("Query", "named: [Named]", [=](const Asked&) {
    return Outcome(std::vector<Outcome>{person(1), Outcome(nullptr), Outcome(Object{"Pet", {}})});
  });
  schema.field("Query", "ids(of: [ID!]!): String",
               [](const Asked& asked) { return Outcome(json::serialize(asked.arguments.at("of"))); });
  schema.field("Mutation", "say(input: SayInput!): String", [](const Asked& asked) -> Result<Outcome> {
    auto* said = static_cast<std::vector<std::string>*>(asked.context);
    if (said == nullptr) return fail(Code::kInternal, "nobody listens");
    said->push_back(json_string_or(asked.arguments.at("input"), "text", ""));
    return Outcome(said->back());
  });
  return schema;
}

std::string answer(std::string_view query, json::object variables = {}, std::string operation = {},
                   const Limits& limits = {}, void* context = nullptr) {
  static const Schema kSchema = people();
  return json::serialize(
      execute(kSchema, {std::string(query), std::move(operation), std::move(variables)}, context, limits));
}

// The message of the first error.
std::string refusal(std::string_view query, json::object variables = {}) {
  const auto parsed = json::parse(answer(query, std::move(variables)));
  const auto* errors = json_find(parsed, "errors");
  return errors == nullptr ? "no error: " + json::serialize(parsed) : json_string_or(errors->at(0), "message", "");
}

TEST(Execute, DeclaresWhatCanBe) {
  EXPECT_TRUE(people().flaws().empty());
  auto schema = people();
  schema.field("Pet", "owner(of: Nothing): Nobody", [](const Asked&) { return Outcome(nullptr); });
  schema.object("Stone", {"Named"});
  EXPECT_EQ(schema.flaws().size(), 3U);
}

TEST(Execute, AnswersInTheOrderOfTheQuestion) {
  EXPECT_EQ(answer("{ b: person(id: 1) { name id knows { n: name __typename } } a: person(id: \"2\") { name } }"),
            R"({"data":{"b":{"name":"p1","id":"1","knows":{"n":"p2","__typename":"Person"}},"a":{"name":"p2"}}})");
  EXPECT_EQ(answer("{ __typename }"), R"({"data":{"__typename":"Query"}})");
}

TEST(Execute, MergesWhatIsAskedTwice) {
  EXPECT_EQ(answer("{ person(id: 1) { knows { id } } ...More person(id: 1) { id } } "
                   "fragment More on Query { person(id: 1) { knows { name } } }"),
            R"({"data":{"person":{"knows":{"id":"2","name":"p2"},"id":"1"}}})");
  EXPECT_EQ(refusal("{ person(id: 1) { id } person(id: 2) { id } }"),
            "Field 'person' has a field conflict: person is asked for in two ways; give one an alias");
  EXPECT_TRUE(refusal("{ person(id: 1) { x: id x: name } }").starts_with("Field 'x' has a field conflict"));
}

TEST(Execute, TellsTypesApart) {
  constexpr std::string_view kQuery =
      "query($pet: Boolean!) { thing(pet: $pet) { __typename ... on Named { name } ... on Person { id } ...P } } "
      "fragment P on Pet { pet: name }";
  EXPECT_EQ(answer(kQuery, {{"pet", true}}), R"({"data":{"thing":{"__typename":"Pet","name":"Rex","pet":"Rex"}}})");
  EXPECT_EQ(answer(kQuery, {{"pet", false}}), R"({"data":{"thing":{"__typename":"Person","name":"p1","id":"1"}}})");
  EXPECT_EQ(answer("{ named { name } }"), R"({"data":{"named":[{"name":"p1"},null,{"name":"Rex"}]}})");
}

TEST(Execute, IncludesAndSkips) {
  constexpr std::string_view kQuery =
      "query($yes: Boolean!) { person(id: 1) { id @include(if: $yes) name @skip(if: $yes) ...F @include(if: $yes) "
      "... @skip(if: $yes) { s: id } } } fragment F on Person { f: id }";
  EXPECT_EQ(answer(kQuery, {{"yes", true}}), R"({"data":{"person":{"id":"1","f":"1"}}})");
  EXPECT_EQ(answer(kQuery, {{"yes", false}}), R"({"data":{"person":{"name":"p1","s":"1"}}})");
}

TEST(Execute, TakesVariablesAndDefaults) {
  constexpr std::string_view kQuery =
      "query($count: Int = 3, $order: Order) { person(id: 1) { all(count: $count, order: $order) { id } } }";
  EXPECT_EQ(answer(kQuery), R"({"data":{"person":{"all":[{"id":"1"},{"id":"2"},{"id":"3"}]}}})");
  EXPECT_EQ(answer(kQuery, {{"count", 2}, {"order", "DOWN"}}),
            R"({"data":{"person":{"all":[{"id":"2"},{"id":"1"}]}}})");
  EXPECT_EQ(answer("{ person(id: 1) { all { id } } }"), R"({"data":{"person":{"all":[{"id":"1"},{"id":"2"}]}}})");
  EXPECT_EQ(answer("query($of: [ID!]!) { ids(of: $of) }", {{"of", json::array{"a", 7}}}),
            R"({"data":{"ids":"[\"a\",\"7\"]"}})");
  EXPECT_EQ(answer("query($of: ID!) { ids(of: [$of, \"b\"]) }", {{"of", "a"}}), R"({"data":{"ids":"[\"a\",\"b\"]"}})");
  EXPECT_EQ(answer("{ ids(of: \"a\") }"), R"({"data":{"ids":"[\"a\"]"}})") << "one stands for a list of it";
}

TEST(Execute, RefusesVariablesThatDoNotFit) {
  EXPECT_EQ(refusal("query($id: ID!) { person(id: $id) { id } }"),
            "Variable $id of type ID! was provided invalid value: Expected value to not be null");
  EXPECT_EQ(refusal("query($c: Int) { person(id: 1) { all(count: $c) { id } } }", {{"c", 3'000'000'000}}),
            "Variable $c of type Int was provided invalid value: Could not coerce value 3000000000 to Int");
  EXPECT_EQ(refusal("query($o: Order) { person(id: 1) { all(order: $o) { id } } }", {{"o", "up"}}),
            "Variable $o of type Order was provided invalid value: Expected \"up\" to be one of: UP, DOWN");
  EXPECT_EQ(
      refusal("mutation($i: SayInput!) { say(input: $i) }", {{"i", json::object{{"id", 1}, {"word", ""}}}}),
      "Variable $i of type SayInput! was provided invalid value for [\"word\"]: Field is not defined on SayInput");
  EXPECT_EQ(refusal("query($id: String!) { person(id: $id) { id } }", {{"id", "1"}}),
            "Type mismatch on variable $id and argument id (String! / ID!)");
  EXPECT_EQ(refusal("query($id: ID) { person(id: $id) { id } }", {{"id", "1"}}),
            "Type mismatch on variable $id and argument id (ID / ID!)");
  EXPECT_EQ(refusal("query($of: ID!) { ids(of: $of) }", {{"of", "a"}}),
            "Type mismatch on variable $of and argument of (ID! / [ID!]!)");
  EXPECT_EQ(refusal("query($x: Persons) { __typename }"), "Persons isn't a defined input type (on $x)");
  EXPECT_EQ(refusal("query($x: Int) { __typename }"), "Variable $x is declared by query but not used");
  EXPECT_EQ(refusal("{ person(id: $id) { id } }"), "Variable $id is used by query but not declared");
}

TEST(Execute, NamesWhatDoesNotFitTheSchema) {
  const auto parsed = json::parse(answer("query Q { person(id: 1) { knows { age } } }"));
  EXPECT_EQ(parsed, json::parse(R"({"errors":[{"message":"Field 'age' doesn't exist on type 'Person'",
      "path":["query Q","person","knows","age"],"locations":[{"line":1,"column":35}],
      "extensions":{"code":"undefinedField","typeName":"Person","fieldName":"age"}}]})"));
  EXPECT_EQ(refusal("{ person { id } }"), "Field 'person' is missing required arguments: id");
  EXPECT_EQ(refusal("{ person(id: 1, age: 3) { id } }"), "Field 'person' doesn't accept argument 'age'");
  EXPECT_TRUE(refusal("{ person(id: 1) }").starts_with("Field must have selections (field 'person' returns Person"));
  EXPECT_TRUE(refusal("{ person(id: 1) { id { x } } }").starts_with("Selections can't be made on scalars"));
  EXPECT_EQ(refusal("{ person(id: 1) { all(order: \"UP\") { id } } }"),
            "Argument 'order' on Field 'all' has an invalid value (\"UP\"). Expected type 'Order'.");
  EXPECT_EQ(refusal("mutation { say(input: {id: 1}) }"),
            "Argument 'text' on InputObject 'SayInput' is required. Expected type String!");
  EXPECT_EQ(refusal("{ ...F }"), "Fragment F was used, but not defined");
  EXPECT_EQ(refusal("{ ...F } fragment F on Query { ...G } fragment G on Query { ...F }"),
            "Fragment F contains an infinite loop");
  EXPECT_EQ(refusal("{ ...F } fragment F on Nobody { id }"),
            "No such type Nobody, so it can't be a fragment condition");
  EXPECT_EQ(refusal("{ person(id: 1) { ... on Pet { name } } }"), "Fragment on Pet can't be spread inside Person");
  EXPECT_EQ(refusal("{ __typename @live }"), "Directive @live is not defined");
  EXPECT_EQ(refusal("{ __schema { types { name } } }"), "Field '__schema' doesn't exist on type 'Query'");
  EXPECT_EQ(refusal("subscription { x }"), "Schema is not configured for subscriptions");
  EXPECT_EQ(refusal("query A { __typename } query B { __typename }"), "An operation name is required");
  EXPECT_EQ(answer("query A { __typename } query B { b: __typename }", {}, "B"), R"({"data":{"b":"Query"}})");
}

TEST(Execute, PutsErrorsBesideWhatWasFound) {
  EXPECT_EQ(json::parse(answer("{\n a: person(id: 0) { id }\n b: person(id: 2) { id }\n c: person(id: 9) { id } }")),
            json::parse(R"({"data":{"a":null,"b":{"id":"2"},"c":null},"errors":[
                {"message":"there is no person 0","type":"NOT_FOUND","path":["a"],"locations":[{"line":2,"column":2}]},
                {"message":"9 is not for you","type":"FORBIDDEN","path":["c"],"locations":[{"line":4,"column":2}]}]})"));
  // What must not be null makes what holds it null.
  EXPECT_EQ(json::parse(answer("{ person(id: 1) { all { id must } } }")),
            json::parse(R"({"data":{"person":null},"errors":[{"message":"broken","type":"SERVICE_UNAVAILABLE",
                "path":["person","all",0,"must"],"locations":[{"line":1,"column":28}]}]})"));
}

TEST(Execute, MutatesOneAfterTheOther) {
  std::vector<std::string> said;
  EXPECT_EQ(answer("mutation { a: say(input: {id: 1, text: \"one\"}) b: say(input: {id: 1, text: \"two\"}) }", {}, {},
                   {}, &said),
            R"({"data":{"a":"one","b":"two"}})");
  EXPECT_EQ(said, (std::vector<std::string>{"one", "two"}));
  // Nothing is done where anything does not fit.
  answer("mutation { say(input: {id: 1, text: \"three\"}) nothing }", {}, {}, {}, &said);
  EXPECT_EQ(said.size(), 2U);
}

TEST(Execute, BoundsWhatAnAnswerCosts) {
  std::string fragments = "{ person(id: 1) { ...F0 } }";
  for (int i = 0; i < 14; ++i)
    fragments +=
        fmt::format(" fragment F{} on Person {{ a: knows {{ ...F{} }} b: knows {{ ...F{} }} }}", i, i + 1, i + 1);
  EXPECT_EQ(refusal(fragments + " fragment F14 on Person { id }"), "The document selects more than 5000 fields");
  std::string deep = "{ person(id: 1) { ...F0 } }";
  for (int i = 0; i < 50; ++i) deep += fmt::format(" fragment F{} on Person {{ knows {{ ...F{} }} }}", i, i + 1);
  EXPECT_EQ(refusal(deep + " fragment F50 on Person { id }"), "The document is nested more than 40 levels deep");
  constexpr std::string_view kWide =
      "{ person(id: 1) { all(count: 100) { all(count: 100) { all(count: 100) { id } } } } }";
  const auto wide = json::parse(answer(kWide));
  EXPECT_TRUE(wide.at("data").is_null());
  EXPECT_EQ(json_string_or(wide.at("errors").at(0), "type", ""), "RESOURCE_LIMITS_EXCEEDED");
  EXPECT_EQ(wide.at("errors").as_array().size(), 1U);
  EXPECT_NE(answer(kWide, {}, {}, {.bytes = 1'000}).find("more than 1000 bytes"), std::string::npos);
  EXPECT_NE(answer("{ __typename }", {}, {}, {.time = -1ms}).find("in time"), std::string::npos);
  EXPECT_EQ(refusal("{ person(id: 1) { all(count: 101) { id } } }"), "nobody knows 101");
}

}  // namespace
}  // namespace weir::api::graphql
