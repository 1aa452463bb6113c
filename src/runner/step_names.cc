#include "runner/step_names.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include "runner/uses.h"

namespace weir::runner {
namespace {

constexpr std::size_t kLengthMax = 100;

std::string wish_of(const json::value& step) {
  for (const char* kind : {"wait", "wait-all", "cancel"}) {
    if (json_find(step, kind) != nullptr) return std::string("__") + kind;
  }
  const std::string uses = json_string_or(step, "uses", "");
  if (uses.empty()) return "__run";
  if (uses.starts_with("$/")) return "__self";
  const auto known = parse_uses(uses);
  if (!known) return "__run";
  std::string name = known->kind == UsesKind::kLocal    ? "__self"
                     : known->kind == UsesKind::kDocker ? "__" + known->path
                                                        : "__" + known->repository;
  for (char& c : name) {
    const bool fits =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    if (!fits) c = '_';
  }
  return name;
}

struct LessIgnoringCase {
  bool operator()(std::string_view a, std::string_view b) const {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return std::ranges::lexicographical_compare(a, b, {}, lower, lower);
  }
};

}  // namespace

std::vector<std::string> name_steps(const json::array& steps) {
  std::set<std::string, LessIgnoringCase> taken;
  std::vector<std::string> names;
  for (const auto& step : steps) {
    names.push_back(json_string_or(step, "id", ""));
    if (!names.back().empty()) taken.insert(names.back());
  }
  std::map<std::string, int, LessIgnoringCase> latest;  // so that a thousand of a name take no million comparisons
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (!names[i].empty()) continue;
    const std::string wish = wish_of(steps[i]);
    int& number = latest[wish];
    do {
      const std::string suffix = ++number == 1 ? std::string() : fmt::format("_{}", number);
      names[i] = wish.substr(0, kLengthMax - suffix.size()) + suffix;
    } while (!taken.insert(names[i]).second);
  }
  return names;
}

}  // namespace weir::runner
