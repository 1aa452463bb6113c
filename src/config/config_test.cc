#include "config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/parse.h"
#include "config/schema.h"

namespace weir::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Config parsed(std::string_view text, const ParseOptions& options = {}) {
  const auto result = parse_config(text, "weir.yaml", options);
  EXPECT_TRUE(result.config) << text::render_all(result.diagnostics, text);
  return result.config.value_or(Config{});
}

std::string problems(std::string_view text, const ParseOptions& options = {}) {
  const auto result = parse_config(text, "weir.yaml", options);
  return text::render_all(result.diagnostics, text);
}

TEST(Config, AnEmptyFileIsTheDefault) {
  EXPECT_EQ(parsed(""), Config{});
  EXPECT_EQ(parsed("# nothing\n"), Config{});
}

TEST(Config, EndpointsAreFoundByNameWithTheirEnvironments) {
  const auto config = parsed("endpoints: {flights: {environments: {staging: , production: {workers: 3}}, key: id}}");
  const auto* endpoint = config.endpoint("flights");
  ASSERT_NE(endpoint, nullptr);
  EXPECT_EQ(config.endpoint("flight"), nullptr);
  EXPECT_EQ(endpoint->environment("staging")->model.text(), "models:/flights@candidate");
  EXPECT_EQ(endpoint->environment("staging")->workers, 2);
  EXPECT_EQ(endpoint->environment("production")->model.text(), "models:/flights@champion");
  EXPECT_EQ(endpoint->environment("production")->workers, 3);
  EXPECT_EQ(endpoint->environment("qa"), nullptr);
}

TEST(Config, AnEnvironmentOverridesPartOfWhatItsEndpointSays) {
  const auto config = parsed(
      "endpoints:\n"
      "  flights:\n"
      "    environments: {production: {capture: {keep: 7d}}, staging: }\n"
      "    capture: {sample: 10%, redact: tailnum}\n");
  const auto& environments = config.endpoints[0].environments;
  EXPECT_DOUBLE_EQ(environments[0].capture.sample, 0.1);
  EXPECT_THAT(environments[0].capture.redact, ElementsAre("tailnum"));
  EXPECT_EQ(environments[0].capture.keep, std::chrono::days{7});
  EXPECT_EQ(environments[1].capture.keep, std::chrono::days{30});
}

TEST(Config, VariablesAreValuesOfAnyKind) {
  const std::string text =
      "endpoints: {flights: {workers: \"${{ vars.WORKERS }}\", capture: {keep: \"${{ vars.days }}d\"}}}\n"
      "gates: {m: [\"auc >= ${{ vars.MIN }}\"]}\n"
      "strict: ${{ vars.STRICT }}\n";
  const auto config = parsed(text, {.vars = {{"WORKERS", "3"}, {"DAYS", "7"}, {"MIN", "0.8"}, {"STRICT", "true"}}});
  EXPECT_EQ(config.endpoints[0].environments[0].workers, 3);
  EXPECT_EQ(config.endpoints[0].environments[0].capture.keep, std::chrono::days{7});
  EXPECT_DOUBLE_EQ(config.gates[0].rules[0].limit, 0.8);
  EXPECT_TRUE(config.strict);
  EXPECT_THAT(problems(text), HasSubstr("variable WORKERS is not set"));
  EXPECT_EQ(problems(text, {.accept_unset = true}), "");
  EXPECT_THAT(problems(text, {.vars = {{"WORKERS", "x"}}, .accept_unset = true}),
              HasSubstr("whole number from 1 to 64"));
}

TEST(Config, ARuleOutOfAVariableIsShownAsItCameOut) {
  EXPECT_THAT(problems("gates: {m: [\"${{ vars.RULE }}\"]}", {.vars = {{"RULE", "auc => 1"}}}),
              HasSubstr("gate rule \"auc => 1\": expected one of"));
}

TEST(Config, EveryProblemIsReportedAtOnceWithItsPlace) {
  const std::string text = "endpoint: {}\nstrict: 3\ngates: {m: [auc = 1]}\n";
  const auto result = parse_config(text, "weir.yaml");
  EXPECT_FALSE(result.config);
  ASSERT_EQ(result.diagnostics.size(), 3U) << problems(text);
  EXPECT_EQ(result.diagnostics[0].line, 0);
  EXPECT_EQ(result.diagnostics[0].hint, "did you mean \"endpoints\"?");
  EXPECT_EQ(result.diagnostics[1].line, 1);
  EXPECT_EQ(result.diagnostics[1].column, 8);
  EXPECT_EQ(result.diagnostics[2].column, 16);
}

TEST(Config, AnAliasOfYamlMayShareAValue) {
  const auto config = parsed("endpoints:\n  a: {capture: &kept {sample: 0.5}}\n  b: {capture: *kept}\n");
  EXPECT_DOUBLE_EQ(config.endpoints[1].environments[0].capture.sample, 0.5);
}

TEST(Config, ARetrainingThatNothingWatchesIsWarnedAbout) {
  const auto alone = parse_config("retrain: {m: {when: [drift > 0.3]}}", "weir.yaml");
  EXPECT_TRUE(alone.config);
  ASSERT_EQ(alone.diagnostics.size(), 1U);
  EXPECT_EQ(alone.diagnostics[0].severity, text::Severity::kWarning);
  EXPECT_THAT(problems("endpoints: {m: }\nretrain: {m: {when: [drift > 0.3]}}"), HasSubstr("no monitor watches"));
  EXPECT_EQ(problems("endpoints: {m: }\nmonitors: {m: }\nretrain: {m: {when: [drift > 0.3]}}"), "");
}

TEST(Template, KeepsItsReferencesUntilItIsResolved) {
  const auto config = parsed("notify: [{to: \"https://${{ vars.HOST }}/${{ secrets.hook }}\"}]");
  const auto& to = config.notify[0].to;
  EXPECT_THAT(to.variables, ElementsAre("HOST"));
  EXPECT_THAT(to.secrets, ElementsAre("hook"));
  EXPECT_EQ(to.text, "https://${{ vars.HOST }}/${{ secrets.hook }}");
  EXPECT_EQ(to.resolve({{"HOST", "h"}}, {{"HOOK", "s3"}}), "https://h/s3");
  EXPECT_EQ(to.resolve({{"HOST", "h"}}, {}).error().code, Code::kNotFound);
  EXPECT_EQ(parse_template("plain")->resolve({}, {}), "plain");
  EXPECT_FALSE(parse_template("${{ vars.X"));
  EXPECT_FALSE(parse_template("${{ env.X }}"));
  EXPECT_FALSE(parse_template("${{ vars. }}"));
}

TEST(ModelReference, IsAnAliasAVersionOrAStage) {
  EXPECT_EQ(parse_model_reference("models:/m@champion")->alias, "champion");
  EXPECT_EQ(parse_model_reference("models:/m/3")->version, 3);
  EXPECT_EQ(parse_model_reference("models:/m/Production")->stage, "Production");
  for (const char* text : {"models:/m@champion", "models:/m/3", "models:/m/Staging"}) {
    EXPECT_EQ(parse_model_reference(text)->text(), text);
  }
  for (const char* text : {"m@champion", "models:/", "models:/m", "models:/m@", "models:/m/0", "models:/m/latest",
                           "models:/a/b@c", "models:/@x", "runs:/abc/model", "models:/m/99999999999999999999"}) {
    EXPECT_FALSE(parse_model_reference(text)) << text;
  }
}

TEST(Diff, NamesWhatChangesByPath) {
  const auto before = parsed("gates: {m: [auc >= 0.65]}\nenvironments: {production: {reviewers: [alice]}}");
  const auto after = parsed("gates: {m: [auc >= 0.7, f1 > 0.5]}\nstrict: true");
  std::vector<std::string> lines;
  for (const auto& change : diff(before, after)) {
    lines.push_back(fmt::format("{}: {} -> {}", change.path, change.before, change.after));
  }
  EXPECT_THAT(
      lines,
      ElementsAre("environments.production.reviewers[0]: alice -> ", "environments.production.self_review: false -> ",
                  "environments.production.wait: 0s -> ", "environments.production.expires: 30d -> ",
                  "gates.m[0]: auc >= 0.65 -> auc >= 0.7", "strict: false -> true", "gates.m[1]:  -> f1 > 0.5"));
  EXPECT_TRUE(diff(after, after).empty());
}

TEST(Diff, ShowsWhatNoTextHolds) {
  EXPECT_EQ(
      parsed(pretty_json(to_json(parsed("endpoints: {a: }\nrunners: {gpu: }\nmonitors: {a: {accuracy_7d: }}\n")))),
      parsed("endpoints: {a: }\nrunners: {gpu: }\nmonitors: {a: {accuracy_7d: }}\n"));
}

TEST(Config, ATimeZoneMustBeOneThatThereIs) {
  constexpr std::string_view kText =
      "notify: [{to: \"https://h\", quiet: {from: \"22:00\", to: \"07:00\", time_zone: Europe/Berln}}]";
  const auto knows = [](std::string_view name) { return name == "Europe/Berlin"; };
  const auto refused = parse_config(kText, "weir.yaml", {.knows_time_zone = knows});
  ASSERT_FALSE(refused.config.has_value());
  EXPECT_EQ(refused.diagnostics.front().message, "\"Europe/Berln\" is no time zone");
  EXPECT_TRUE(parse_config(kText, "weir.yaml").config.has_value()) << "where nobody can tell";
}

// --- the schema says what the parser does

std::string as_yaml(const json::value& value) {
  return json::serialize(value);
}

// A document in which `value` stands where maps of the definition `name` stand.
std::string document_of(const std::string& name, const json::value& value) {
  static const std::map<std::string, std::string> kPlaces = {
      {"", "{}"},
      {"endpoint", "{{\"endpoints\": {{\"e\": {}}}}}"},
      {"endpoint_environment", "{{\"endpoints\": {{\"e\": {{\"environments\": {{\"production\": {}}}}}}}}}"},
      {"capture", "{{\"endpoints\": {{\"e\": {{\"capture\": {}}}}}}}"},
      {"rollout", "{{\"endpoints\": {{\"e\": {{\"rollout\": {}}}}}}}"},
      {"environment", "{{\"environments\": {{\"e\": {}}}}}"},
      {"monitor", "{{\"endpoints\": {{\"e\": {{}}}}, \"monitors\": {{\"e\": {}}}}}"},
      {"drift", "{{\"endpoints\": {{\"e\": {{}}}}, \"monitors\": {{\"e\": {{\"drift\": {}}}}}}}"},
      {"accuracy", "{{\"endpoints\": {{\"e\": {{}}}}, \"monitors\": {{\"e\": {{\"accuracy_7d\": {}}}}}}}"},
      {"alert", "{{\"endpoints\": {{\"e\": {{}}}}, \"monitors\": {{\"e\": {{\"alerts\": [{}]}}}}}}"},
      {"retrain", "{{\"retrain\": {{\"m\": {}}}}}"},
      {"notify", "{{\"notify\": [{}]}}"},
      {"quiet", R"({{"notify": [{{"to": "https://example.com", "quiet": {}}}]}})"},
      {"mail", "{{\"mail\": {}}}"},
      {"runner", "{{\"runners\": {{\"r\": {}}}}}"},
      {"schedules", "{{\"schedules\": {}}}"},
      {"branch", "{{\"branches\": {{\"b\": {}}}}}"},
      {"data", "{{\"data\": {{\"d\": {}}}}}"},
      {"keep", "{{\"keep\": {}}}"},
  };
  const auto place = kPlaces.find(name);
  return place == kPlaces.end() ? "" : fmt::format(fmt::runtime(place->second), as_yaml(value));
}

// What a map of the definition cannot do without.
json::object needed_of(const std::string& name) {
  if (name == "alert") return {{"when", "drift > 0.3"}};
  if (name == "notify") return {{"to", "https://example.com"}};
  if (name == "data") return {{"watch", "data/raw.dvc"}};
  if (name == "quiet") return {{"from", "22:00"}, {"to", "07:00"}};
  if (name == "mail") return {{"server", "smtps://smtp.example.com"}, {"from", "weir@example.com"}};
  return {};
}

TEST(Schema, EveryKeyIsAcceptedWithItsExampleAndNoOther) {
  const auto schema = parse_json(json_schema(), "schema");
  ASSERT_TRUE(schema) << schema.error().message;
  std::map<std::string, json::object> maps;
  maps[""] = schema->as_object();
  int keys = 0;
  for (const auto& [name, definition] : schema->at("$defs").as_object()) {
    if (definition.as_object().contains("properties")) maps[std::string(name)] = definition.as_object();
  }
  EXPECT_EQ(maps.size(), 19U);
  for (const auto& [name, definition] : maps) {
    EXPECT_FALSE(definition.at("additionalProperties").as_bool()) << name;
    ASSERT_FALSE(document_of(name, {}).empty()) << "say where " << name << " stands";
    for (const auto& [key, property] : definition.at("properties").as_object()) {
      SCOPED_TRACE(name + "." + std::string(key));
      ++keys;
      ASSERT_TRUE(property.as_object().contains("examples"));
      EXPECT_FALSE(property.at("description").as_string().empty());
      json::object map;
      for (const auto& [needed, value] : needed_of(name)) map[needed] = value;
      if (name == "mail" && key == "user") map["password"] = "${{ secrets.SMTP_PASSWORD }}";
      for (const auto& example : property.at("examples").as_array()) {
        map[key] = example;
        const auto text = document_of(name, map);
        const auto result = parse_config(text, "weir.yaml");
        EXPECT_FALSE(text::has_errors(result.diagnostics)) << text::render_all(result.diagnostics, text);
      }
      map = {{std::string(key) + "_", 1}};
      EXPECT_THAT(problems(document_of(name, map)), HasSubstr("unknown key")) << name;
    }
  }
  EXPECT_EQ(keys, 85);  // a new key needs an example that a test reads
}

TEST(Schema, DefaultsAreThoseOfTheParser) {
  const auto schema = parse_json(json_schema(), "schema").value();
  const auto with_default = [&](const std::string& name) {
    json::object map;
    for (const auto& [needed, value] : needed_of(name)) map[needed] = value;
    const auto bare = document_of(name, map);
    const auto& definition = name.empty() ? schema : schema.at("$defs").at(name);
    for (const auto& [key, property] : definition.at("properties").as_object()) {
      if (const auto* value = property.as_object().if_contains("default")) map[key] = *value;
    }
    EXPECT_EQ(parsed(document_of(name, map)), parsed(bare)) << name;
  };
  for (const char* name :
       {"", "endpoint", "endpoint_environment", "capture", "rollout", "environment", "monitor", "drift", "accuracy",
        "alert", "retrain", "notify", "quiet", "mail", "runner", "schedules", "branch", "keep"}) {
    with_default(name);
  }
}

TEST(Schema, EveryReferenceLeadsSomewhere) {
  const auto schema = parse_json(json_schema(), "schema").value();
  const std::function<void(const json::value&)> visit = [&](const json::value& value) {
    if (const auto* object = value.if_object()) {
      for (const auto& [key, member] : *object) {
        if (key == "$ref") {
          const std::string name = std::string(member.as_string()).substr(std::string_view("#/$defs/").size());
          EXPECT_TRUE(schema.at("$defs").as_object().contains(name)) << name;
        }
        visit(member);
      }
    }
    if (const auto* array = value.if_array()) {
      for (const auto& item : *array) visit(item);
    }
  };
  visit(schema);
}

}  // namespace
}  // namespace weir::config
