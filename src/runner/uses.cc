#include "runner/uses.h"

#include <algorithm>
#include <charconv>

namespace weir::runner {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool is_name(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  };
  return !text.empty() && text != "." && text != ".." && text.front() != '-' && text.size() <= 100 &&
         std::ranges::all_of(text, fits);
}

bool is_part(std::string_view text) {
  return !text.empty() && text != "." && text != ".." &&
         std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

// What git allows in the name of a branch or tag (git-check-ref-format), or an object's id.
bool is_ref(std::string_view text) {
  if (text.empty() || text.size() > 255 || text.front() == '-' || text.front() == '/' || text.back() == '/' ||
      text.back() == '.' || text.ends_with(".lock")) {
    return false;
  }
  if (text.find("..") != std::string_view::npos || text.find("//") != std::string_view::npos ||
      text.find("@{") != std::string_view::npos || text.find("/.") != std::string_view::npos || text.front() == '.') {
    return false;
  }
  constexpr std::string_view kForbidden = " ~^:?*[\\";
  return std::ranges::none_of(
      text, [&](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F || kForbidden.contains(c); });
}

}  // namespace

Result<UsesReference> parse_uses(std::string_view uses) {
  UsesReference reference{
      .text = std::string(uses), .name = std::string(uses), .repository = {}, .path = {}, .ref = {}};
  if (uses.starts_with("docker://")) {
    reference.kind = UsesKind::kDocker;
    reference.path = uses.substr(9);
    return reference;
  }
  if (uses == "." || uses.starts_with("./") || uses.starts_with("../")) {
    reference.kind = UsesKind::kLocal;
    reference.path = uses;
    return reference;
  }
  const auto wrong = [&](std::string_view why) {
    return fail(Code::kInvalidArgument,
                "`uses: {}` {}; it must be owner/repository@version, ./folder or docker://image", uses, why);
  };
  const auto at = uses.rfind('@');
  std::string_view name = uses.substr(0, at);
  if (at != std::string_view::npos) reference.ref = uses.substr(at + 1);
  reference.name = lower(name);
  const auto slash = name.find('/');
  if (slash == std::string_view::npos) return wrong("names no repository");
  const auto second = name.find('/', slash + 1);
  reference.repository = name.substr(0, second);
  if (!is_name(name.substr(0, slash)) || !is_name(name.substr(slash + 1, second - slash - 1))) {
    return wrong("names no repository");
  }
  if (second != std::string_view::npos) reference.path = name.substr(second + 1);
  std::string_view rest = reference.path;
  while (!rest.empty()) {
    const auto end = rest.find('/');
    if (!is_part(rest.substr(0, end)) || end + 1 == rest.size()) return wrong("has a path that leads nowhere");
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  if (second != std::string_view::npos && reference.path.empty()) return wrong("has a path that leads nowhere");
  if (reference.ref.empty()) return wrong("has no version");
  if (!is_ref(reference.ref)) return wrong("has a version that no branch, tag or commit can have");
  return reference;
}

int version_number(std::string_view ref) {
  if (ref.starts_with('v')) ref.remove_prefix(1);
  int number = 0;
  const auto [end, error] = std::from_chars(ref.data(), ref.data() + ref.size(), number);
  // A commit's id is no version.
  return error == std::errc{} && (end == ref.data() + ref.size() || *end == '.') && number < 1000 ? number : 0;
}

}  // namespace weir::runner
