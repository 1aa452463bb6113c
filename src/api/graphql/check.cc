#include "api/graphql/check.h"

#include <algorithm>
#include <set>

#include "api/graphql/coerce.h"

namespace weir::api::graphql {
namespace {

constexpr std::size_t kProblemsMax = 20;

std::string title_of(const Operation& operation) {
  return operation.name.empty() ? operation.kind : operation.kind + " " + operation.name;
}

class Checker {
 public:
  Checker(const Schema& schema, const Document& document, const Operation& operation, const json::object& variables)
      : schema_(schema), document_(document), operation_(operation), variables_(variables) {}

  std::vector<Problem> run() {
    path_.emplace_back(title_of(operation_));
    directives(operation_.directives);
    const auto* root = schema_.find(root_type(operation_));
    if (root == nullptr) {
      problem(fmt::format("Schema is not configured for {}s", operation_.kind), operation_.at,
              {{"code", "missing" + operation_.kind}});
      return std::move(problems_);
    }
    selections(*root, operation_.selections);
    for (const auto& variable : operation_.variables) {
      if (used_.contains(variable.name) || enough()) continue;
      problem(fmt::format("Variable ${} is declared by {} but not used", variable.name, title_of(operation_)),
              variable.at, {{"code", "variableNotUsed"}, {"variableName", variable.name}});
    }
    return std::move(problems_);
  }

 private:
  [[nodiscard]] bool enough() const { return stopped_ || problems_.size() >= kProblemsMax; }

  void problem(std::string message, Position at, json::object extensions) {
    if (problems_.size() >= kProblemsMax) return;
    problems_.push_back(
        {.message = std::move(message), .at = at, .type = {}, .path = path_, .extensions = std::move(extensions)});
  }

  void selections(const Type& type, const std::vector<Selection>& all) {
    if (++depth_ > kNestingMax && !stopped_) {
      problem(fmt::format("The document is nested more than {} levels deep", kNestingMax), operation_.at,
              {{"code", "tooDeep"}});
      stopped_ = true;
    }
    for (const auto& selection : all) {
      if (enough()) break;
      path_.emplace_back(step_of(selection));
      directives(selection.directives);
      switch (selection.kind) {
        case Selection::Kind::kField: field(type, selection); break;
        case Selection::Kind::kSpread: spread(type, selection); break;
        case Selection::Kind::kInline:
          if (selection.on.empty()) {
            selections(type, selection.selections);
          } else {
            fragment(type, selection.on, selection.selections, selection.at);
          }
          break;
      }
      path_.pop_back();
    }
    --depth_;
  }

  static std::string step_of(const Selection& selection) {
    switch (selection.kind) {
      case Selection::Kind::kField: return selection.alias;
      case Selection::Kind::kSpread: return "..." + selection.name;
      default: return selection.on.empty() ? "..." : "... on " + selection.on;
    }
  }

  void field(const Type& type, const Selection& selection) {
    if (++selected_ > kSelectedMax) {
      problem(fmt::format("The document selects more than {} fields", kSelectedMax), selection.at,
              {{"code", "tooMany"}});
      stopped_ = true;
      return;
    }
    if (selection.name == "__typename") {
      if (!selection.arguments.empty() || !selection.selections.empty()) {
        problem("__typename takes no arguments and has no selections", selection.at, {{"code", "selectionMismatch"}});
      }
      return;
    }
    const auto found = type.fields.find(selection.name);
    if (found == type.fields.end()) {
      problem(fmt::format("Field '{}' doesn't exist on type '{}'", selection.name, type.name), selection.at,
              {{"code", "undefinedField"}, {"typeName", type.name}, {"fieldName", selection.name}});
      return;
    }
    const auto& signature = found->second.signature;
    arguments(signature.arguments, selection.arguments, fmt::format("Field '{}'", selection.name), selection.at);
    const auto* of = schema_.find(signature.type.leaf());
    if (of == nullptr) return;
    const bool is_leaf = of->is_input();
    if (is_leaf && !selection.selections.empty()) {
      problem(fmt::format("Selections can't be made on {}s (field '{}' returns {} but has selections)",
                          of->kind == Type::Kind::kEnum ? "enum" : "scalar", selection.name, signature.type.text()),
              selection.at, {{"code", "selectionMismatch"}, {"typeName", of->name}});
    } else if (!is_leaf && selection.selections.empty()) {
      problem(fmt::format("Field must have selections (field '{}' returns {} but has no selections. Did you mean '{} "
                          "{{ ... }}'?)",
                          selection.name, of->name, selection.name),
              selection.at, {{"code", "selectionMismatch"}, {"typeName", of->name}});
    } else if (!is_leaf) {
      selections(*of, selection.selections);
    }
  }

  void spread(const Type& type, const Selection& selection) {
    const auto* found = document_.fragment(selection.name);
    if (found == nullptr) {
      problem(fmt::format("Fragment {} was used, but not defined", selection.name), selection.at,
              {{"code", "useAndDefineFragment"}, {"fragmentName", selection.name}});
      return;
    }
    if (std::ranges::find(inside_, found) != inside_.end()) {
      problem(fmt::format("Fragment {} contains an infinite loop", selection.name), selection.at,
              {{"code", "infiniteLoop"}, {"fragmentName", selection.name}});
      return;
    }
    if (++selected_ > kSelectedMax) {
      problem(fmt::format("The document selects more than {} fields", kSelectedMax), selection.at,
              {{"code", "tooMany"}});
      stopped_ = true;
      return;
    }
    inside_.push_back(found);
    directives(found->directives);
    fragment(type, found->on, found->selections, found->at);
    inside_.pop_back();
  }

  void fragment(const Type& type, const std::string& on, const std::vector<Selection>& all, Position at) {
    const auto* condition = schema_.find(on);
    if (condition == nullptr || condition->is_input()) {
      problem(fmt::format("No such type {}, so it can't be a fragment condition", on), at,
              {{"code", "undefinedType"}, {"typeName", on}});
      return;
    }
    if (!schema_.overlap(type.name, on)) {
      problem(fmt::format("Fragment on {} can't be spread inside {}", on, type.name), at,
              {{"code", "cannotSpreadFragment"}, {"typeName", on}, {"parentName", type.name}});
      return;
    }
    selections(*condition, all);
  }

  void directives(const std::vector<Directive>& all) {
    for (const auto& directive : all) {
      if (directive.name != "include" && directive.name != "skip") {
        problem(fmt::format("Directive @{} is not defined", directive.name), directive.at,
                {{"code", "undefinedDirective"}, {"directiveName", directive.name}});
        continue;
      }
      arguments(condition_arguments(), directive.arguments, fmt::format("Directive '{}'", directive.name),
                directive.at);
    }
  }

  void arguments(const std::vector<Variable>& declared, const std::vector<Argument>& given, const std::string& of,
                 Position at) {
    const auto before = problems_.size();
    std::set<std::string_view> seen;
    for (const auto& argument : given) {
      const auto found = std::ranges::find(declared, argument.name, &Variable::name);
      if (found == declared.end()) {
        problem(fmt::format("{} doesn't accept argument '{}'", of, argument.name), argument.at,
                {{"code", "argumentNotAccepted"}, {"argumentName", argument.name}});
        continue;
      }
      if (!seen.insert(argument.name).second) {
        problem(fmt::format("There can be only one argument named \"{}\"", argument.name), argument.at,
                {{"code", "argumentNotUnique"}});
      }
      uses(argument.value, found->type, found->fallback.has_value(), argument.name);
    }
    for (const auto& one : declared) {
      if (!one.type.required || one.fallback || seen.contains(one.name)) continue;
      problem(fmt::format("{} is missing required arguments: {}", of, one.name), at,
              {{"code", "missingRequiredArguments"}, {"arguments", one.name}});
    }
    if (problems_.size() != before) return;
    if (auto made = coerce_arguments(schema_, declared, given, variables_, of); !made) {
      problem(made.error().message, made.error().at, made.error().extensions);
    }
  }

  // That the variables in a value are declared, and of the type of their place.
  void uses(const Value& value, const TypeRef& type, bool has_default, std::string_view argument) {
    if (value.kind == Value::Kind::kVariable) {
      variable(value, type, has_default, argument);
      return;
    }
    for (const auto& item : value.items) uses(item, type.is_list() ? type.of.front() : type, false, argument);
    const auto* named = schema_.find(type.leaf());
    if (named == nullptr) return;
    for (const auto& [name, member] : value.members) {
      const auto declared = std::ranges::find(named->inputs, name, &Variable::name);
      if (declared != named->inputs.end()) uses(member, declared->type, declared->fallback.has_value(), name);
    }
  }

  void variable(const Value& value, const TypeRef& type, bool has_default, std::string_view argument) {
    const auto found = std::ranges::find(operation_.variables, value.text, &Variable::name);
    if (found == operation_.variables.end()) {
      problem(fmt::format("Variable ${} is used by {} but not declared", value.text, title_of(operation_)), value.at,
              {{"code", "variableNotDefined"}, {"variableName", value.text}});
      return;
    }
    used_.insert(value.text);
    const bool never_null =
        found->type.required || has_default || (found->fallback && found->fallback->kind != Value::Kind::kNull);
    if (!goes_into(found->type, type, never_null)) {
      problem(fmt::format("Type mismatch on variable ${} and argument {} ({} / {})", value.text, argument,
                          found->type.text(), type.text()),
              value.at, {{"code", "variableMismatch"}, {"variableName", value.text}, {"argumentName", argument}});
    }
  }

  static bool goes_into(const TypeRef& from, const TypeRef& place, bool never_null) {
    if (place.required && !never_null) return false;
    if (place.is_list() && from.is_list())
      return goes_into(from.of.front(), place.of.front(), from.of.front().required);
    return !place.is_list() && !from.is_list() && from.name == place.name;
  }

  const Schema& schema_;
  const Document& document_;
  const Operation& operation_;
  const json::object& variables_;
  std::vector<Problem> problems_;
  std::vector<const Fragment*> inside_;
  std::set<std::string> used_;
  json::array path_;
  std::size_t depth_ = 0;
  std::size_t selected_ = 0;
  bool stopped_ = false;
};

}  // namespace

std::vector<Problem> check_variables(const Schema& schema, const Operation& operation) {
  std::vector<Problem> problems;
  std::set<std::string_view> seen;
  for (const auto& variable : operation.variables) {
    const auto* type = schema.find(variable.type.leaf());
    if (type == nullptr || !type->is_input()) {
      problems.push_back(
          {.message = fmt::format("{} isn't a defined input type (on ${})", variable.type.leaf(), variable.name),
           .at = variable.at,
           .type = {},
           .path = {title_of(operation)},
           .extensions = {{"code", "variableRequiresValidType"},
                          {"typeName", variable.type.leaf()},
                          {"variableName", variable.name}}});
    } else if (!seen.insert(variable.name).second) {
      problems.push_back({.message = fmt::format("There can only be one variable named \"{}\"", variable.name),
                          .at = variable.at,
                          .type = {},
                          .path = {title_of(operation)},
                          .extensions = {{"code", "variableNotUnique"}}});
    }
    if (problems.size() == kProblemsMax) break;
  }
  return problems;
}

std::vector<Problem> check_selections(const Schema& schema, const Document& document, const Operation& operation,
                                      const json::object& variables) {
  return Checker(schema, document, operation, variables).run();
}

std::string_view root_type(const Operation& operation) {
  if (operation.kind == "query") return "Query";
  return operation.kind == "mutation" ? "Mutation" : "Subscription";
}

const std::vector<Variable>& condition_arguments() {
  static const std::vector<Variable> kArguments{
      {.name = "if", .type = {.name = "Boolean", .required = true, .of = {}}, .fallback = {}, .at = {}}};
  return kArguments;
}

}  // namespace weir::api::graphql
