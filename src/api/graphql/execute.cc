#include "api/graphql/execute.h"

#include <algorithm>
#include <optional>
#include <set>

#include "api/graphql/check.h"
#include "api/graphql/coerce.h"

namespace weir::api::graphql {
namespace {

constexpr std::size_t kErrorsMax = 100;

std::string_view type_of(Code code) {
  switch (code) {
    case Code::kNotFound: return "NOT_FOUND";
    case Code::kPermissionDenied: return "FORBIDDEN";
    case Code::kUnauthenticated: return "UNAUTHENTICATED";
    case Code::kInvalidArgument:
    case Code::kAlreadyExists:
    case Code::kFailedPrecondition:
    case Code::kUnimplemented: return "UNPROCESSABLE";
    case Code::kResourceExhausted: return "RESOURCE_LIMITS_EXCEEDED";
    default: return "SERVICE_UNAVAILABLE";
  }
}

class Execution {
 public:
  Execution(const Schema& schema, const Document& document, const json::object& variables, void* context,
            const Limits& limits)
      : schema_(schema),
        document_(document),
        variables_(variables),
        context_(context),
        limits_(limits),
        end_(std::chrono::steady_clock::now() + limits.time) {}

  json::object run(const Operation& operation) {
    const auto* root = schema_.find(root_type(operation));
    auto data = object({.type = root->name, .value = {}}, {&operation.selections});
    json::object answer;
    const bool is_whole = data && !stopped_;
    answer["data"] = is_whole ? json::value(*std::move(data)) : json::value();
    if (errors_.empty()) return answer;
    json::array errors;
    for (const auto& error : errors_) errors.push_back(to_json(error));
    answer["errors"] = std::move(errors);
    return answer;
  }

 private:
  // Several selections of one member of the answer are one.
  using Members = std::vector<std::pair<std::string_view, std::vector<const Selection*>>>;
  using Sets = std::vector<const std::vector<Selection>*>;

  void error(std::string message, std::string_view type, Position at, json::object extensions = {}) {
    if (errors_.size() >= kErrorsMax) return;
    errors_.push_back({.message = std::move(message),
                       .at = at,
                       .type = std::string(type),
                       .path = path_,
                       .extensions = std::move(extensions)});
  }

  bool costs(std::size_t fields, std::size_t bytes, Position at) {
    if (stopped_) return false;
    fields_ += fields;
    bytes_ += bytes;
    const bool is_late = fields > 0 && std::chrono::steady_clock::now() > end_;
    if (fields_ <= limits_.fields && bytes_ <= limits_.bytes && !is_late) return true;
    stopped_ = true;
    errors_.clear();
    error(fmt::format("The query asks for too much at once: more than {}; ask for less, page by page",
                      is_late                    ? "can be found in time"
                      : fields_ > limits_.fields ? fmt::format("{} fields", limits_.fields)
                                                 : fmt::format("{} bytes", limits_.bytes)),
          "RESOURCE_LIMITS_EXCEEDED", at);
    return false;
  }

  bool is_wanted(const std::vector<Directive>& directives) {
    return std::ranges::all_of(directives, [&](const Directive& directive) {
      const auto given =
          coerce_arguments(schema_, condition_arguments(), directive.arguments, variables_, "a directive");
      const auto* condition = given ? given->if_contains("if") : nullptr;
      const bool holds = condition != nullptr && condition->is_bool() && condition->get_bool();
      return holds == (directive.name == "include");
    });
  }

  void collect(std::string_view type, const std::vector<Selection>& selections, std::set<const Fragment*>& seen,
               Members& members) {
    for (const auto& selection : selections) {
      if (!is_wanted(selection.directives)) continue;
      if (selection.kind == Selection::Kind::kField) {
        const auto found = std::ranges::find(members, selection.alias, [](const auto& member) { return member.first; });
        if (found == members.end()) {
          members.emplace_back(selection.alias, std::vector{&selection});
        } else {
          found->second.push_back(&selection);
        }
        continue;
      }
      if (selection.kind == Selection::Kind::kInline) {
        if (selection.on.empty() || schema_.fits(type, selection.on))
          collect(type, selection.selections, seen, members);
        continue;
      }
      const auto* fragment = document_.fragment(selection.name);
      if (fragment == nullptr || !is_wanted(fragment->directives) || !seen.insert(fragment).second) continue;
      if (schema_.fits(type, fragment->on)) collect(type, fragment->selections, seen, members);
    }
  }

  // Nothing if a member that must not be null is: then what holds the object is null instead.
  std::optional<json::object> object(const Object& self, const Sets& sets) {
    const auto* type = schema_.find(self.type);
    Members members;
    std::set<const Fragment*> seen;
    for (const auto* set : sets) collect(self.type, *set, seen, members);
    json::object made;
    for (const auto& [name, selections] : members) {
      if (!costs(1, name.size(), selections.front()->at)) return std::nullopt;
      if (selections.front()->name == "__typename") {
        made[name] = self.type;
        continue;
      }
      path_.emplace_back(name);
      auto value = field(*type, self, selections);
      path_.pop_back();
      if (!value) return std::nullopt;
      made[name] = *std::move(value);
    }
    return made;
  }

  std::optional<json::value> field(const Type& type, const Object& self,
                                   const std::vector<const Selection*>& selections) {
    const auto& first = *selections.front();
    const auto& declared = type.fields.find(first.name)->second;
    const auto nothing = [&]() -> std::optional<json::value> {
      if (declared.signature.type.required) return std::nullopt;
      return json::value();
    };
    const auto arguments = coerce_arguments(schema_, declared.signature.arguments, first.arguments, variables_,
                                            fmt::format("Field '{}'", first.name));
    if (!arguments) {
      error(arguments.error().message, "", arguments.error().at);
      return nothing();
    }
    Sets sets;
    for (const auto* selection : selections) {
      const auto same = coerce_arguments(schema_, declared.signature.arguments, selection->arguments, variables_, "");
      if (selection->name != first.name || !same || *same != *arguments) {
        error(fmt::format("Field '{}' has a field conflict: {} is asked for in two ways; give one an alias",
                          first.alias, first.name),
              "", selection->at, {{"code", "fieldConflict"}, {"fieldName", first.alias}});
        return nothing();
      }
      sets.push_back(&selection->selections);
    }
    auto outcome = declared.resolve({self.value, *arguments, context_});
    if (!outcome) {
      error(outcome.error().message, type_of(outcome.error().code), first.at);
      return nothing();
    }
    return complete(declared.signature.type, *outcome, sets, first);
  }

  std::optional<json::value> complete(const TypeRef& type, const Outcome& outcome, const Sets& sets,
                                      const Selection& of) {
    std::optional<json::value> made;
    if (const auto* list = std::get_if<std::vector<Outcome>>(&outcome.value)) {
      made = items(type, *list, sets, of);
    } else if (const auto* one = std::get_if<Object>(&outcome.value)) {
      if (auto whole = object(*one, sets)) made = *std::move(whole);
    } else {
      const auto& leaf = std::get<json::value>(outcome.value);
      if (!leaf.is_null()) {
        made = costs(0, leaf.is_string() ? leaf.get_string().size() : 8, of.at) ? std::optional(leaf) : std::nullopt;
      } else if (type.required) {
        error(fmt::format("Cannot return null for non-nullable field {}", of.name), "", of.at);
      }
    }
    if (made || type.required) return made;
    return json::value();
  }

  std::optional<json::value> items(const TypeRef& type, const std::vector<Outcome>& list, const Sets& sets,
                                   const Selection& of) {
    json::array made;
    for (std::size_t i = 0; i < list.size(); ++i) {
      path_.emplace_back(i);
      auto item = complete(type.of.front(), list[i], sets, of);
      path_.pop_back();
      if (!item) return std::nullopt;
      made.push_back(*std::move(item));
    }
    return made;
  }

  const Schema& schema_;
  const Document& document_;
  const json::object& variables_;
  void* context_;
  Limits limits_;
  std::chrono::steady_clock::time_point end_;
  std::vector<Problem> errors_;
  json::array path_;
  std::size_t fields_ = 0;
  std::size_t bytes_ = 0;
  bool stopped_ = false;
};

json::object refused(const std::vector<Problem>& problems) {
  json::array errors;
  for (const auto& problem : problems) errors.push_back(to_json(problem));
  return {{"errors", std::move(errors)}};
}

std::expected<const Operation*, Problem> choose(const Document& document, const std::string& name) {
  const auto& all = document.operations;
  if (name.empty() && all.size() == 1) return &all.front();
  if (name.empty()) return std::unexpected(Problem{.message = "An operation name is required"});
  const auto found = std::ranges::find(all, name, &Operation::name);
  if (found == all.end())
    return std::unexpected(Problem{.message = fmt::format("No operation named \"{}\"", name.substr(0, 200))});
  return &*found;
}

}  // namespace

json::object execute(const Schema& schema, const Request& request, void* context, const Limits& limits) {
  const auto document = parse_document(request.query);
  if (!document) return refused({document.error()});
  const auto operation = choose(*document, request.operation);
  if (!operation) return refused({operation.error()});
  if (auto problems = check_variables(schema, **operation); !problems.empty()) return refused(problems);
  const auto variables = coerce_variables(schema, **operation, request.variables);
  if (!variables) return refused({variables.error()});
  if (auto problems = check_selections(schema, *document, **operation, *variables); !problems.empty()) {
    return refused(problems);
  }
  return Execution(schema, *document, *variables, context, limits).run(**operation);
}

}  // namespace weir::api::graphql
