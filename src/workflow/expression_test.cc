#include "workflow/expression.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/golden.h"
#include "workflow/expression_value.h"

namespace weir::workflow {
namespace {

// Evaluates without contexts; errors as "error: …".
std::string value_of(std::string_view expression, const Contexts& contexts = {}) {
  const auto value = evaluate(expression, contexts);
  return value ? json::serialize(*value) : "error: " + value.error().message;
}

bool same_value(const json::value& a, const json::value& b) {
  if (a.is_number() && b.is_number()) return to_number(a) == to_number(b);
  if (a.kind() != b.kind()) return false;
  if (const auto* array = a.if_array()) {
    return std::ranges::equal(*array, b.get_array(), same_value);
  }
  if (const auto* object = a.if_object()) {
    return std::ranges::equal(*object, b.get_object(), [](const auto& x, const auto& y) {
      return x.key() == y.key() && same_value(x.value(), y.value());
    });
  }
  return a == b;
}

TEST(ExpressionGolden, ValuesAreThoseOfGitHubsOwnEvaluator) {
  Contexts contexts;
  contexts.values = parse_json(golden::read(golden::folder("expressions") / "contexts.json"), "contexts")->get_object();
  std::istringstream table(golden::read(golden::folder("expressions") / "table.jsonl"));
  int count = 0;
  for (std::string line; std::getline(table, line); ++count) {
    const auto row = parse_json(line, "row");
    ASSERT_TRUE(row) << line;
    const auto actual = evaluate(json_string_or(*row, "expression", ""), contexts);
    const auto* expected = json_find(*row, "value");
    ASSERT_EQ(actual.has_value(), expected != nullptr) << line << (actual ? "" : actual.error().message);
    if (actual) EXPECT_TRUE(same_value(*actual, *expected)) << line << " gives " << json::serialize(*actual);
  }
  EXPECT_GT(count, 2000);
}

TEST(Expression, WhereGitHubsTwoEvaluatorsDifferTheRunnersRulesHold) {
  EXPECT_EQ(value_of("format('{0}', 1e15)"), "\"1E+15\"");
  EXPECT_EQ(value_of("format('{0}', 123456789012345)"), "\"123456789012345\"");
  EXPECT_EQ(value_of("format('{0}', 0.00001)"), "\"1E-05\"");
  EXPECT_EQ(value_of("format('{0}', 0.0001)"), "\"0.0001\"");
  EXPECT_EQ(value_of("toJSON(NaN)"), "\"NaN\"");
  EXPECT_EQ(value_of("'a''b''c'"), "\"a'b'c\"");
  EXPECT_EQ(value_of("'0b1' > 0"), "false");
  EXPECT_EQ(value_of("'ß' == 'SS'"), "false");
}

TEST(Expression, CaseDoesNotMatterExceptInEnv) {
  const Contexts contexts{.values = {{"env", json::object{{"Path", "x"}}}, {"github", json::object{{"Ref", "r"}}}}};
  EXPECT_EQ(value_of("GITHUB.ref", contexts), "\"r\"");
  EXPECT_EQ(value_of("env.path", contexts), "null");
  EXPECT_EQ(value_of("env.Path", contexts), "\"x\"");
  EXPECT_EQ(value_of("'ÀÉŷα' == 'àéŶΑ' && 'жЁ' == 'Жё'"), "true");
  EXPECT_EQ(value_of("'ı' == 'I'"), "false");
}

TEST(Expression, StatusFunctionsSpeakOfTheStatusOrOfNeeds) {
  Contexts contexts{.values = {{"needs", json::object{{"a", json::object{{"result", "success"}}},
                                                      {"b", json::object{{"result", "failure"}}}}}},
                    .status = {.success = false, .failure = true, .cancelled = false}};
  EXPECT_EQ(value_of("success()", contexts), "false");
  EXPECT_EQ(value_of("failure()", contexts), "true");
  EXPECT_EQ(value_of("always() && !cancelled()", contexts), "true");
  EXPECT_EQ(value_of("success('a')", contexts), "true");
  EXPECT_EQ(value_of("success('a', 'b')", contexts), "false");
  EXPECT_EQ(value_of("failure('A', 'B')", contexts), "true");
  EXPECT_EQ(value_of("failure('a')", contexts), "false");
}

TEST(Expression, HashFilesAsksTheCaller) {
  Contexts contexts;
  EXPECT_NE(value_of("hashFiles('x')", contexts).find("hashFiles can be used in steps only"), std::string::npos);
  std::vector<std::string> asked;
  contexts.hash_files = [&](std::span<const std::string> patterns) -> Result<std::string> {
    asked.assign(patterns.begin(), patterns.end());
    return "abc";
  };
  EXPECT_EQ(value_of("hashFiles('**/*.lock', 'a')", contexts), "\"abc\"");
  EXPECT_EQ(asked, (std::vector<std::string>{"**/*.lock", "a"}));
  contexts.hash_files = [](auto) -> Result<std::string> { return fail(Code::kInternal, "no disk"); };
  EXPECT_NE(value_of("hashFiles('x')", contexts).find("no disk"), std::string::npos);
}

TEST(Expression, MistakesShowThePlaceAndTheNearestName) {
  EXPECT_EQ(value_of("contians('a', 'b')"),
            "error: unknown function \"contians\"\n"
            "    1 | contians('a', 'b')\n"
            "      | ^^^^^^^^\n"
            "      = did you mean \"contains\"?");
  EXPECT_EQ(value_of("true && githb.ref"),
            "error: unknown name \"githb\"\n"
            "    1 | true && githb.ref\n"
            "      |         ^^^^^\n"
            "      = did you mean \"github\"?");
  EXPECT_EQ(value_of("'a' = 'b'"),
            "error: unexpected symbol \"=\"\n"
            "    1 | 'a' = 'b'\n"
            "      |     ^\n"
            "      = did you mean \"==\"?");
  EXPECT_NE(value_of("1 &&").find("the expression ends too early"), std::string::npos);
  EXPECT_NE(value_of("").find("an expression is missing"), std::string::npos);
  EXPECT_NE(value_of("true &&\n  foo").find("    2 |   foo\n      |   ^^^"), std::string::npos)
      << value_of("true &&\n  foo");
}

TEST(Expression, CheckFindsEveryMistakeOfAPlace) {
  const std::string_view allowed[] = {"github", "needs"};
  const Scope scope{.place = "a job's if", .contexts = allowed, .status_functions = true};
  const auto expression =
      Expression::parse("secrets.X && foo && bar() && contains('a') && hashFiles('x') && success('a')");
  ASSERT_TRUE(expression);
  std::string messages;
  for (const auto& error : expression->check(scope)) messages += error.message + "\n";
  EXPECT_EQ(messages,
            "the context \"secrets\" cannot be used in a job's if\n"
            "unknown name \"foo\"\n"
            "unknown function \"bar\"\n"
            "contains takes 2 argument(s), not 1\n"
            "hashFiles cannot be used in a job's if\n"
            "success takes 0 argument(s), not 1\n");
}

TEST(Expression, ReferencesArePathsUpToTheFirstComputedPart) {
  const auto expression =
      Expression::parse("needs.Train.outputs['x'] && github[inputs.key].a && steps.*.outcome && format('{0}', env.X)");
  ASSERT_TRUE(expression);
  std::string paths;
  for (const auto& reference : expression->references()) paths += fmt::format("{}\n", fmt::join(reference.path, "."));
  EXPECT_EQ(paths, "needs.train.outputs.x\ninputs.key\ngithub\nsteps\nenv.x\n");
}

TEST(Expression, WhatGrowsWithoutBoundIsStopped) {
  EXPECT_NE(value_of(std::string(21'001, '1')).find("longer than 21000 bytes"), std::string::npos);
  EXPECT_NE(value_of(std::string(60, '(') + "1" + std::string(60, ')')).find("nested deeper than 50 levels"),
            std::string::npos);
  std::string chain = "1";
  for (int i = 0; i < 100; ++i) chain += " == 1";
  EXPECT_NE(value_of(chain).find("nested deeper"), std::string::npos);
  std::string bomb = "'0123456789'";
  for (int i = 0; i < 12; ++i) bomb = "format('{0}{0}{0}{0}{0}{0}{0}{0}', " + bomb + ")";
  EXPECT_NE(value_of(bomb).find("makes more than 10 MB"), std::string::npos);
  EXPECT_NE(value_of("fromJSON('" + std::string(100, '[') + std::string(100, ']') + "')").find("is not valid JSON"),
            std::string::npos);
}

TEST(Interpolation, PiecesAreReplacedAndOneAloneKeepsItsKind) {
  const Contexts contexts{.values = {{"matrix", json::object{{"list", json::array{1, 2}}, {"n", 3.5}, {"t", true}}}}};
  EXPECT_EQ(*interpolate("a-${{ matrix.n }}-${{ matrix.t }}${{ matrix.none }}!", contexts), "a-3.5-true!");
  EXPECT_EQ(*interpolate("plain } }} {{", contexts), "plain } }} {{");
  EXPECT_EQ(json::serialize(*evaluate_text("${{ matrix.list }}", contexts)), "[1,2]");
  EXPECT_EQ(json::serialize(*evaluate_text(" ${{ matrix.list }}", contexts)), "\" Array\"");
  EXPECT_EQ(json::serialize(*evaluate_text("${{ matrix.n }}", contexts)), "3.5E0");
}

TEST(Interpolation, BracesWithinStringsDoNotEndAnExpression) {
  EXPECT_EQ(*interpolate("${{ 'a}}b' }}", {}), "a}}b");
  EXPECT_EQ(*interpolate("${{ 'it''s }}' }}!", {}), "it's }}!");
  const auto open = interpolate("x ${{ 'a", {});
  ASSERT_FALSE(open);
  EXPECT_NE(open.error().message.find("this ${{ is not closed by }}"), std::string::npos);
}

TEST(Interpolation, TreesAreEvaluatedAtEveryDepth) {
  const Contexts contexts{.values = {{"vars", json::object{{"a", "x"}}}}};
  const auto tree =
      evaluate_tree(*parse_json(R"({"k":["${{ vars.a }}",1,{"z":"${{ fromJSON('[1]') }}"}]})", "tree"), contexts);
  EXPECT_EQ(json::serialize(*tree), R"({"k":["x",1,{"z":[1]}]})");
}

TEST(Condition, WithoutAStatusFunctionSuccessIsImplied) {
  const Contexts good{.values = {{"github", json::object{{"ref", "r"}}}}};
  Contexts bad = good;
  bad.status = {.success = false, .failure = true};
  EXPECT_TRUE(*evaluate_condition("", good));
  EXPECT_FALSE(*evaluate_condition("", bad));
  EXPECT_TRUE(*evaluate_condition("github.ref == 'r'", good));
  EXPECT_FALSE(*evaluate_condition("github.ref == 'r'", bad));
  EXPECT_FALSE(*evaluate_condition("${{ github.ref == 'r' }}", bad));
  EXPECT_TRUE(*evaluate_condition("always()", bad));
  EXPECT_TRUE(*evaluate_condition("${{ failure() }}", bad));
  EXPECT_TRUE(*evaluate_condition("!cancelled() && github.ref == 'R'", bad));
  EXPECT_FALSE(*evaluate_condition("false", good));
  EXPECT_TRUE(*evaluate_condition("${{ github.ref }} == 'other'", good)) << "text around braces makes a string";
  EXPECT_FALSE(evaluate_condition("github.ref ==", good));
}

TEST(Expression, UnknownNamesAreErrorsWhereverTheyStand) {
  EXPECT_NE(value_of("true || foo").find("unknown name"), std::string::npos);
  EXPECT_NE(value_of("false && bar()").find("unknown function"), std::string::npos);
  EXPECT_NE(value_of("true || contains('a')").find("contains takes 2"), std::string::npos);
}

TEST(Expression, AnArgumentThatIsNotNeededIsNotEvaluated) {
  EXPECT_EQ(value_of("case(true, 'x', fromJSON(''))"), "\"x\"");
  EXPECT_EQ(value_of("format('{1}', fromJSON(''), 'b')"), "\"b\"");
  EXPECT_EQ(value_of("join(fromJSON('[1]'), fromJSON(''))"), "\"1\"");
  EXPECT_EQ(value_of("contains(fromJSON('[]'), fromJSON(''))"), "false");
  EXPECT_EQ(value_of("(null)[fromJSON('')]"), "null");
}

TEST(Expression, MembersThatDifferInCaseAreOne) {
  EXPECT_EQ(value_of("fromJSON('{\"a\": 1, \"b\": {\"X\": 1, \"x\": 2}, \"A\": 3}')"), R"({"a":3,"b":{"X":2}})");
}

TEST(Expression, AValueComesWithItsKind) {
  const auto kind = [](std::string_view text) {
    return std::string(Expression::parse(text)->evaluate_typed({})->kind);
  };
  EXPECT_EQ(kind("NaN"), "number");
  EXPECT_EQ(kind("'NaN'"), "string");
  EXPECT_EQ(kind("github.*"), "array");
  EXPECT_EQ(kind("github"), "null");
}

TEST(Numbers, TextBecomesNumbersAsInJavaScript) {
  EXPECT_EQ(parse_number(""), 0);
  EXPECT_EQ(parse_number(" \t12\n"), 12);
  EXPECT_EQ(parse_number("0xFf"), 255);
  EXPECT_EQ(parse_number("0o17"), 15);
  EXPECT_EQ(parse_number("0xffffffff"), -1) << "as in the runner";
  EXPECT_EQ(parse_number("\u3000\u00a01.5\ufeff\u2028"), 1.5);
  EXPECT_EQ(parse_number("1e400"), std::numeric_limits<double>::infinity());
  EXPECT_EQ(parse_number("-1e400"), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(parse_number("1e-400"), 0);
  for (const char* text :
       {"a", "0x", "1_0", "--1", "inf", "nan", "-", "+", ".", "1 2", "0b1", "0X1", "0x100000000", "infinity", "+-1"}) {
    EXPECT_TRUE(std::isnan(parse_number(text))) << text;
  }
}

}  // namespace
}  // namespace weir::workflow
