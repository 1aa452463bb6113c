#include <fmt/format.h>

#include <algorithm>

#include "workflow/plan.h"

namespace weir::workflow {
namespace {

constexpr std::size_t kCombinationsMax = 10'000;
// What `exclude` takes away again may be a multiple of what is left, so some room is given.
constexpr std::size_t kProductMax = 200'000;

// A matrix whose expressions have been evaluated.
struct Matrix {
  std::vector<std::pair<std::string, const json::array*>> vectors;
  const json::array* include = nullptr;
  const json::array* exclude = nullptr;
};

std::unexpected<Error> bad(const Job& job, std::string message) {
  return fail(Code::kInvalidArgument, "job \"{}\": strategy: {}", job.key, message);
}

Result<Matrix> read_matrix(const Job& job, const json::object& object) {
  Matrix matrix;
  for (const auto& [key, value] : object) {
    const auto* list = value.if_array();
    if (list == nullptr) return bad(job, fmt::format("matrix.{} must be a list, not {}", key, json::serialize(value)));
    if (key == "include" || key == "exclude") {
      for (const auto& item : *list) {
        if (!item.is_object() || item.get_object().empty()) {
          return bad(job, fmt::format("items of matrix.{} must be maps with keys, not {}", key, json::serialize(item)));
        }
      }
      (key == "include" ? matrix.include : matrix.exclude) = list;
      continue;
    }
    if (list->empty()) return bad(job, fmt::format("matrix.{} is empty", key));
    matrix.vectors.emplace_back(key, list);
  }
  if (matrix.exclude == nullptr) return matrix;
  for (const auto& item : *matrix.exclude) {
    for (const auto& [key, value] : item.get_object()) {
      if (!object.contains(key))
        return bad(job, fmt::format("matrix.exclude names \"{}\", which is no key of the matrix", key));
    }
  }
  return matrix;
}

// Whether every leaf of `filter` loosely equals the one in the same place of `value`.
bool fits(const json::value& filter, const json::value* value) {
  if (const auto* object = filter.if_object()) {
    return std::ranges::all_of(*object, [&](const auto& member) {
      return fits(member.value(),
                  value == nullptr ? nullptr : json_find(*value, {member.key().data(), member.key().size()}));
    });
  }
  if (const auto* array = filter.if_array()) {
    const auto* other = value == nullptr ? nullptr : value->if_array();
    for (std::size_t i = 0; i < array->size(); ++i) {
      if (!fits((*array)[i], other != nullptr && i < other->size() ? &(*other)[i] : nullptr)) return false;
    }
    return true;
  }
  return equals_loosely(filter, value == nullptr ? json::value() : *value);
}

void collect_leaves(const json::value& value, std::vector<std::string>& out) {
  if (const auto* array = value.if_array()) {
    for (const auto& item : *array) collect_leaves(item, out);
  } else if (const auto* object = value.if_object()) {
    for (const auto& member : *object) collect_leaves(member.value(), out);
  } else if (auto text = to_text(value); !text.empty()) {
    out.push_back(std::move(text));
  }
}

std::string suffix_of(const json::object& matrix) {
  std::vector<std::string> leaves;
  for (const auto& member : matrix) collect_leaves(member.value(), leaves);
  return leaves.empty() ? std::string{} : fmt::format(" ({})", fmt::join(leaves, ", "));
}

// What `include` does: some of its items add to combinations, the others are combinations of their own.
class Includes {
 public:
  explicit Includes(const Matrix& matrix) {
    if (matrix.include == nullptr) return;
    for (const auto& item : *matrix.include) {
      Item entry;
      for (const auto& [key, value] : item.get_object()) {
        const bool own = std::ranges::any_of(matrix.vectors, [&](const auto& vector) { return vector.first == key; });
        (own ? entry.filter : entry.extra).emplace(key, value);
      }
      items_.push_back(std::move(entry));
    }
  }

  // What the items that fit add to `combination`; a later one wins.
  json::object extras(const json::object& combination) {
    json::object out;
    const json::value value(combination);
    for (auto& item : items_) {
      if (!fits(json::value(item.filter), &value)) continue;
      item.used = true;
      for (const auto& [key, extra] : item.extra) out[key] = extra;
    }
    return out;
  }

  [[nodiscard]] std::vector<json::object> unused() const {
    std::vector<json::object> out;
    for (const auto& item : items_) {
      if (item.used) continue;
      json::object combination = item.filter;
      for (const auto& [key, value] : item.extra) combination.emplace(key, value);
      out.push_back(std::move(combination));
    }
    return out;
  }

 private:
  struct Item {
    json::object filter;  // keys of the matrix
    json::object extra;
    bool used = false;
  };
  std::vector<Item> items_;
};

Result<std::vector<Combination>> combine(const Job& job, const json::object& object) {
  const Matrix matrix = WEIR_TRY(read_matrix(job, object));
  Includes includes(matrix);
  std::size_t size = matrix.vectors.empty() ? 0 : 1;
  for (const auto& [key, values] : matrix.vectors) {
    size *= values->size();
    if (size > kProductMax) return bad(job, fmt::format("the matrix has more than {} combinations", kCombinationsMax));
  }
  std::vector<Combination> out;
  for (std::size_t i = 0; i < size; ++i) {
    json::object combination;
    std::size_t block = size;
    for (const auto& [key, values] : matrix.vectors) {
      block /= values->size();
      combination.emplace(key, (*values)[i / block % values->size()]);
    }
    const json::value whole(combination);
    if (matrix.exclude != nullptr &&
        std::ranges::any_of(*matrix.exclude, [&](const json::value& filter) { return fits(filter, &whole); })) {
      continue;
    }
    std::string suffix = suffix_of(combination);
    for (auto& [key, value] : includes.extras(combination)) combination[key] = value;
    out.push_back({std::move(combination), std::move(suffix)});
  }
  for (auto& combination : includes.unused()) {
    std::string suffix = suffix_of(combination);
    out.push_back({std::move(combination), std::move(suffix)});
  }
  if (out.empty()) return bad(job, "the matrix has no combination left");
  if (out.size() > kCombinationsMax) {
    return bad(job, fmt::format("the matrix has {} combinations; at most {} are run", out.size(), kCombinationsMax));
  }
  return out;
}

}  // namespace

Result<Expansion> expand_matrix(const Job& job, const Contexts& contexts) {
  Expansion expansion;
  expansion.combinations.push_back({});
  if (job.strategy.is_null()) return expansion;
  auto evaluated = evaluate_tree(job.strategy, contexts);
  if (!evaluated) return bad(job, evaluated.error().message);
  const auto* strategy = evaluated->if_object();
  if (strategy == nullptr) return bad(job, "must be a map");

  if (const auto* fail_fast = strategy->if_contains("fail-fast"); fail_fast != nullptr && !fail_fast->is_null()) {
    if (!fail_fast->is_bool())
      return bad(job, fmt::format("fail-fast must be true or false, not {}", json::serialize(*fail_fast)));
    expansion.fail_fast = fail_fast->get_bool();
  }
  if (const auto* most = strategy->if_contains("max-parallel"); most != nullptr && !most->is_null()) {
    const double number = most->is_number() ? to_number(*most) : 0;
    if (!(number >= 1) || number > 1'000'000) {
      return bad(job, fmt::format("max-parallel must be a number from 1, not {}", json::serialize(*most)));
    }
    expansion.max_parallel = static_cast<int>(number);
  }
  if (const auto* matrix = strategy->if_contains("matrix"); matrix != nullptr && !matrix->is_null()) {
    if (!matrix->is_object()) return bad(job, fmt::format("matrix must be a map, not {}", json::serialize(*matrix)));
    expansion.combinations = WEIR_TRY(combine(job, matrix->get_object()));
  }
  return expansion;
}

}  // namespace weir::workflow
