#include "api/graphql/schema.h"

#include <algorithm>
#include <cstdlib>

namespace weir::api::graphql {
namespace {

Signature read(std::string_view text) {
  auto signature = parse_signature(text);
  if (!signature) {
    fmt::print(stderr, "GraphQL: {}: {}\n", text, signature.error().message);
    std::abort();
  }
  return *std::move(signature);
}

}  // namespace

Schema::Schema() {
  for (const std::string_view name : {"Int", "Float", "String", "Boolean", "ID"}) scalar(name);
}

Type& Schema::add(std::string_view name, Type::Kind kind) {
  auto [at, is_new] = types_.try_emplace(std::string(name));
  if (!is_new) {
    fmt::print(stderr, "GraphQL: {} is declared twice\n", name);
    std::abort();
  }
  at->second.name = name;
  at->second.kind = kind;
  return at->second;
}

void Schema::scalar(std::string_view name) {
  add(name, Type::Kind::kScalar);
}

void Schema::enumeration(std::string_view name, std::vector<std::string> values) {
  add(name, Type::Kind::kEnum).values = std::move(values);
}

void Schema::input(std::string_view name, const std::vector<std::string_view>& members) {
  auto& type = add(name, Type::Kind::kInput);
  for (const auto member : members) {
    auto signature = read(fmt::format("all({}): Int", member));
    std::ranges::move(signature.arguments, std::back_inserter(type.inputs));
  }
}

void Schema::interface(std::string_view name, const std::vector<std::string_view>& fields) {
  auto& type = add(name, Type::Kind::kInterface);
  for (const auto field : fields) {
    auto signature = read(field);
    auto key = signature.name;
    type.fields.emplace(std::move(key), Field{std::move(signature), {}});
  }
}

void Schema::union_of(std::string_view name) {
  add(name, Type::Kind::kUnion);
}

void Schema::object(std::string_view name, std::vector<std::string> interfaces) {
  add(name, Type::Kind::kObject).interfaces = std::move(interfaces);
}

void Schema::field(std::string_view object, std::string_view text, Resolver resolve) {
  const auto at = types_.find(object);
  auto signature = read(text);
  auto key = signature.name;
  if (at == types_.end() || at->second.kind != Type::Kind::kObject ||
      !at->second.fields.emplace(std::move(key), Field{std::move(signature), std::move(resolve)}).second) {
    fmt::print(stderr, "GraphQL: {}.{} is declared twice, or of no object\n", object, text);
    std::abort();
  }
}

const Type* Schema::find(std::string_view name) const {
  const auto at = types_.find(name);
  return at == types_.end() ? nullptr : &at->second;
}

bool Schema::fits(std::string_view type, std::string_view condition) const {
  if (type == condition) return true;
  const auto* found = find(type);
  return found != nullptr && std::ranges::find(found->interfaces, condition) != found->interfaces.end();
}

bool Schema::overlap(std::string_view one, std::string_view other) const {
  return one == other || std::ranges::any_of(types_, [&](const auto& entry) {
           const auto& [name, type] = entry;
           return type.kind == Type::Kind::kObject && fits(name, one) && fits(name, other);
         });
}

std::vector<std::string> Schema::flaws() const {
  std::vector<std::string> flaws;
  const auto check_input = [&](std::string_view of, const Variable& argument) {
    const auto* type = find(argument.type.leaf());
    if (type == nullptr || !type->is_input()) flaws.push_back(fmt::format("{}.{} takes no input", of, argument.name));
  };
  for (const auto& [name, type] : types_) {
    for (const auto& input : type.inputs) check_input(name, input);
    for (const auto& [key, field] : type.fields) {
      const auto* of = find(field.signature.type.leaf());
      if (of == nullptr || of->kind == Type::Kind::kInput)
        flaws.push_back(fmt::format("{}.{} gives nothing", name, key));
      for (const auto& argument : field.signature.arguments) check_input(fmt::format("{}.{}", name, key), argument);
      if (type.kind == Type::Kind::kObject && !field.resolve)
        flaws.push_back(fmt::format("{}.{} is not resolved", name, key));
    }
    for (const auto& interface : type.interfaces) {
      const auto* above = find(interface);
      if (above == nullptr) {
        flaws.push_back(fmt::format("{} is no interface of {}", interface, name));
        continue;
      }
      for (const auto& [key, field] : above->fields) {
        const auto own = type.fields.find(key);
        if (own == type.fields.end()) flaws.push_back(fmt::format("{} lacks {} of {}", name, key, interface));
      }
    }
  }
  return flaws;
}

}  // namespace weir::api::graphql
