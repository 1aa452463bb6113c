#include <gtest/gtest.h>

#include "text/diagnostic.h"
#include "text/schema_reader.h"
#include "text/suggest.h"
#include "text/yaml.h"
#include "text/yaml_scalar.h"

namespace weir::text {
namespace {

std::shared_ptr<const YamlDocument> parsed(std::string_view text) {
  auto result = parse_yaml(text, "x.yml");
  EXPECT_TRUE(result.diagnostics.empty()) << render_all(result.diagnostics, text);
  return result.document;
}

std::string problems(std::string_view text, const YamlLimits& limits = {}) {
  return render_all(parse_yaml(text, "x.yml", limits).diagnostics, text);
}

TEST(Yaml, ScalarsFollowTheCoreSchema) {
  const auto doc =
      parsed("[on, off, yes, no, y, true, True, null, ~, 12, 017, 0o17, 0xF, 1.5, 1e3, .5, -.inf, '1', 3.10, 1_0, x]");
  EXPECT_EQ(
      json::serialize(doc->root().to_json()),
      R"(["on","off","yes","no","y",true,true,null,null,12,17,15,15,1.5E0,1E3,5E-1,"-.inf","1",3.1E0,"1_0","x"])");
  EXPECT_EQ(doc->root().items()[18]->text(), "3.10");
  EXPECT_EQ(resolve_core("99999999999999999999").kind, YamlKind::kFloat);
  EXPECT_EQ(resolve_core("-9223372036854775808").integer, INT64_MIN);
  EXPECT_EQ(resolve_core("1e-999").number, 0);
  EXPECT_EQ(resolve_core("0x").kind, YamlKind::kString);
  EXPECT_EQ(resolve_core("1.").kind, YamlKind::kFloat);
  EXPECT_EQ(resolve_core(".").kind, YamlKind::kString);
}

TEST(Yaml, EveryKeyAndValueKnowsWhereItStands) {
  const auto doc = parsed("on: push\njobs:\n  train:\n    runs-on: [a, b]\n");
  const YamlEntry* jobs = doc->root().find("jobs");
  ASSERT_NE(jobs, nullptr);
  EXPECT_EQ(jobs->position, (Position{1, 0}));
  const YamlEntry* train = jobs->value->find("train");
  EXPECT_EQ(train->position, (Position{2, 2}));
  const YamlEntry* runs_on = train->value->find("runs-on");
  EXPECT_EQ(runs_on->value->items()[1]->position(), (Position{3, 17}));
  EXPECT_EQ(doc->root().find("on")->value->position(), (Position{0, 4}));
  EXPECT_EQ(doc->root().find("on")->value->length(), 4);
}

TEST(Yaml, ColumnsCountBytesAlsoAfterOtherScripts) {
  const auto doc = parsed("{训练: 模型, b: x}");
  EXPECT_EQ(doc->root().find("训练")->value->position(), (Position{0, 9}));
  EXPECT_EQ(doc->root().find("b")->position, (Position{0, 17}));
}

TEST(Yaml, AKeyThatStandsTwiceIsAnErrorThatNamesTheFirst) {
  EXPECT_EQ(problems("a: 1\nb: 2\na: 3\n"),
            "x.yml:3:1: error: key \"a\" stands twice in this map\n"
            "    3 | a: 3\n"
            "      | ^\n"
            "      = the first one is in line 1\n");
  std::string many;
  for (int i = 0; i < 20; ++i) many += fmt::format("k{}: {}\n", i % 19, i);
  const auto result = parse_yaml(many, "x.yml");
  ASSERT_EQ(result.diagnostics.size(), 1U);
  ASSERT_NE(result.document, nullptr);
  EXPECT_EQ(result.document->root().entries().size(), 19U);
  EXPECT_EQ(result.document->root().find("k0")->value->as_int(), 0);
  EXPECT_EQ(result.document->root().find("k18")->value->as_int(), 18);
  EXPECT_EQ(result.document->root().find("k19"), nullptr);
}

TEST(Yaml, AliasesAreFollowedAndBombsAreRefused) {
  const auto doc = parsed("base: &b {x: 1}\nuse: *b\n");
  EXPECT_EQ(json::serialize(doc->root().to_json()), R"({"base":{"x":1},"use":{"x":1}})");
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    bomb += fmt::format("a{0}: &a{0} [*a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}, *a{1}]\n", i, i - 1);
  }
  EXPECT_NE(problems(bomb).find("with its aliases followed, the file holds more than 100000 values"),
            std::string::npos);
  EXPECT_NE(problems("a: &a [*a]").find("this alias lies within what it stands for"), std::string::npos);
  EXPECT_NE(problems("a: *b").find("the referenced anchor is not defined"), std::string::npos) << problems("a: *b");
}

TEST(Yaml, WhatIsNotOneBoundedDocumentIsRefused) {
  EXPECT_NE(problems("a: 1\n---\nb: 2\n").find("x.yml:2:1: error: the file holds a second YAML document"),
            std::string::npos)
      << problems("a: 1\n---\nb: 2\n");
  EXPECT_EQ(problems("---\na: 1\n...\n"), "");
  EXPECT_NE(problems(std::string(100, '[') + std::string(100, ']')).find("nested deeper than 64 levels"),
            std::string::npos);
  EXPECT_NE(problems(std::string(1'000'001, ' ')).find("the file has 1000001 bytes; at most 1000000"),
            std::string::npos);
  EXPECT_NE(problems("a: 1\nb: \xFF").find("x.yml:2:4: error: the file is not UTF-8 text here"), std::string::npos);
  EXPECT_NE(problems(std::string("a: \0", 4)).find("the file holds a NUL byte"), std::string::npos);
  EXPECT_NE(problems("a: &x {b: 1}\nc:\n  <<: *x\n").find("merge keys (<<) are not supported"), std::string::npos);
  EXPECT_NE(problems("[a]: 1").find("a key must be text"), std::string::npos);
  EXPECT_NE(problems("a: !python/object x").find("unknown YAML tag \"!python/object\""), std::string::npos);
  EXPECT_NE(problems("a: !!int x").find("\"x\" is not a YAML int"), std::string::npos);
  EXPECT_NE(problems("[a, b").find("x.yml:1:"), std::string::npos);
  EXPECT_NE(problems("a: b: c").find("x.yml:1:5: error: a value cannot stand here"), std::string::npos)
      << problems("a: b: c");
  for (const char* text : {"on: push\njobs:\n\ta: 1\n", "on:\n  push:\n  \tbranches: x\n  a: 1\n"}) {
    EXPECT_NE(problems(text).find(":3:"), std::string::npos) << problems(text);
    EXPECT_NE(problems(text).find("a tab stands in the indentation of this line"), std::string::npos) << problems(text);
  }
  EXPECT_EQ(problems("run: |\n  a\n  \tb\n"), "");
  EXPECT_NE(problems("[1, 2, 3]", {.nodes_max = 3}).find("more than 3 values"), std::string::npos);
  EXPECT_TRUE(parsed("")->root().is_null());
  EXPECT_TRUE(parsed("# only a comment\n")->root().is_null());
}

TEST(Yaml, TagsOfTheCoreSchemaAreUnderstood) {
  EXPECT_EQ(json::serialize(parsed("[!!str 12, !!int '12', !!float 1, ! x]")->root().to_json()), R"(["12",12,1,"x"])");
}

// The character of the file where byte `offset` of the value under "k" stands.
std::string located(std::string_view text, std::string_view needle) {
  const auto doc = parsed(text);
  const YamlNode& node = *doc->root().find("k")->value;
  const auto at = doc->locate(node, node.text().find(needle));
  return fmt::format("{}:{}", at.line, at.column);
}

TEST(Yaml, APlaceWithinAScalarIsFoundInTheFile) {
  EXPECT_EQ(located("k: ab ${{ x }}", "${{"), "0:6");
  EXPECT_EQ(located("k: 'it''s ${{ x }}'", "${{"), "0:10");
  EXPECT_EQ(located("k: \"a\\tb ${{ x }}\"", "${{"), "0:9");
  EXPECT_EQ(located("k: &anchor ab ${{ x }}", "${{"), "0:14");
  EXPECT_EQ(located("k: |\n    one\n      two ${{ x }}\n", "${{"), "2:10");
  EXPECT_EQ(located("k: |-  # comment\n\n    one\n\n    two ${{ x }}\n", "${{"), "4:8");
  EXPECT_EQ(located("k: >\n    one\n    two ${{ x }}\n", "${{"), "2:8");
  EXPECT_EQ(located("k: >\n    one\n\n    two ${{ x }}\n", "${{"), "3:8");
  EXPECT_EQ(located("k: one\n  two ${{ x }}\n", "${{"), "1:6");
  EXPECT_EQ(located("k: \"one\n\n  two ${{ x }}\"\n", "${{"), "2:6");
  EXPECT_EQ(located("k: |\r\n    one\r\n    two ${{ x }}\r\n", "${{"), "2:8");
}

TEST(Yaml, TheLengthOfAScalarIsWhatAPersonWouldUnderline) {
  const auto doc = parsed("a: some words  # comment\nb: 'it''s'\nc: {d: ~, e: f}\ng: \"q\\\"r\"  # x\nh: http://x#y\n");
  const auto length = [&](const char* key) { return doc->root().find(key)->value->length(); };
  EXPECT_EQ(length("a"), 10);
  EXPECT_EQ(length("b"), 7);
  EXPECT_EQ(length("g"), 6);
  EXPECT_EQ(length("h"), 10);
}

TEST(Diagnostic, CaretsStandUnderWideCharactersToo) {
  const Diagnostic diagnostic{.file = "训.yml", .line = 0, .column = 8, .length = 1, .message = "wrong"};
  EXPECT_EQ(render(diagnostic, "训练: x"), "训.yml:1:5: error: wrong\n    1 | 训练: x\n      |       ^");
}

TEST(Diagnostic, TextOfAFileCannotDriveTheTerminal) {
  const Diagnostic diagnostic{
      .file = "a", .line = 0, .column = 0, .length = 3, .message = "bad \x1b[2J", .hint = "x\ny"};
  const auto text = render(diagnostic, "\x1b[2J\xff ok\n");
  EXPECT_EQ(text, "a:1:1: error: bad .[2J\n    1 | .[2J. ok\n      | ^^^\n      = x.y");
}

TEST(Diagnostic, LongLinesAreCutAroundThePlace) {
  const std::string source = std::string(5'000, 'a') + "HERE" + std::string(5'000, 'b');
  const auto text = render({.file = "a", .column = 5'000, .length = 4, .message = "m"}, source);
  EXPECT_LT(text.size(), 600U);
  EXPECT_NE(text.find("HERE"), std::string::npos);
  EXPECT_NE(text.find("^^^^"), std::string::npos);
}

TEST(Diagnostic, PlacesBeyondTheFileAreHarmless) {
  EXPECT_EQ(render({.file = "a", .line = 7, .column = 3, .message = "m"}, "x\n"), "a:8:1: error: m");
  EXPECT_EQ(render({.file = "a", .line = 0, .column = 30, .length = 9, .message = "m"}, "x\n"),
            "a:1:2: error: m\n    1 | x\n      |  ^");
}

TEST(Diagnostic, JsonCountsFromOne) {
  EXPECT_EQ(
      json::serialize(to_json({.severity = Severity::kWarning, .file = "a", .line = 2, .column = 4, .message = "m"})),
      R"({"severity":"warning","rule":"syntax","file":"a","line":3,"column":5,"length":1,"message":"m"})");
}

TEST(Suggest, TheNearestWordIsFoundAndFarOnesAreNot) {
  const std::vector<std::string> words{"needs", "name", "runs-on", "timeout-minutes", "if"};
  EXPECT_EQ(nearest("nedds", words), "needs");
  EXPECT_EQ(nearest("runs_on", words), "runs-on");
  EXPECT_EQ(nearest("Runs-On", words), "runs-on");
  EXPECT_EQ(nearest("timeout_minute", words), "timeout-minutes");
  EXPECT_EQ(nearest("fi", words), "if");
  EXPECT_EQ(nearest("container", words), "");
  EXPECT_EQ(nearest("", words), "");
  EXPECT_EQ(nearest(std::string(1'000, 'x'), words), "");
  EXPECT_EQ(did_you_mean("nmae", words), "did you mean \"name\"?");
}

TEST(SchemaReader, UnknownKeysWrongKindsAndUnbuiltKeysAreAllReported) {
  const std::string text = "nmae: x\nport: no\non-fire: true\ncontainer: y\nmode: fasst\nlist: [a, {b: c}]\n";
  const auto doc = parsed(text);
  SchemaReader reader(*doc);
  MapReader map(reader, doc->root(), "the server");
  EXPECT_EQ(map.string_or("name", "none"), "none");
  EXPECT_FALSE(map.integer("port"));
  EXPECT_EQ(map.boolean("on-fire"), true);
  map.refuse("container", "containers are not supported yet");
  EXPECT_FALSE(map.choice("mode", {"fast", "safe"}));
  EXPECT_EQ(map.strings("list"), std::vector<std::string>{"a"});
  map.finish();
  EXPECT_EQ(render_all(reader.take(), text),
            "x.yml:1:1: error: unknown key \"nmae\" in the server\n"
            "    1 | nmae: x\n"
            "      | ^^^^\n"
            "      = did you mean \"name\"?\n"
            "x.yml:2:7: error: \"port\" of the server must be a whole number, not a string\n"
            "    2 | port: no\n"
            "      |       ^^\n"
            "x.yml:4:1: error: containers are not supported yet\n"
            "    4 | container: y\n"
            "      | ^^^^^^^^^\n"
            "x.yml:5:7: error: \"mode\" of the server must be \"fast\" or \"safe\", not \"fasst\"\n"
            "    5 | mode: fasst\n"
            "      |       ^^^^^\n"
            "      = did you mean \"fast\"?\n"
            "x.yml:6:11: error: items of \"list\" must be strings, not a map\n"
            "    6 | list: [a, {b: c}]\n"
            "      |           ^\n");
}

}  // namespace
}  // namespace weir::text
