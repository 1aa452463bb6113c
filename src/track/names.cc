#include "track/names.h"

#include <algorithm>
#include <array>

#include "base/hash.h"

namespace weir::track {
namespace {

bool is_continuation(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U;
}

bool is_key_character(char c) {
  // Bytes above 127 belong to letters of other scripts, which MLflow takes, too.
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '.' || c == '/' || c == ':' || c == ' ' || static_cast<unsigned char>(c) >= 0x80U;
}

// No empty, "." or ".." part, so that a key or path names one thing only.
bool is_clean_path(std::string_view path) {
  if (path.empty() || path.starts_with("..")) return false;
  for (;;) {
    const auto slash = path.find('/');
    const auto part = path.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

std::string shortened(std::string_view text) {
  const auto head = first_characters(text, 80);
  return head.size() == text.size() ? std::string(text) : std::string(head) + "…";
}

}  // namespace

std::size_t length(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return !is_continuation(c); }));
}

std::string_view first_characters(std::string_view text, std::size_t characters) {
  std::size_t seen = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_continuation(text[i])) continue;
    if (seen++ == characters) return text.substr(0, i);
  }
  return text;
}

Result<void> check_length(std::string_view what, std::string_view text, std::size_t characters_max) {
  if (text.size() <= characters_max || length(text) <= characters_max) return {};
  return fail(Code::kInvalidArgument, "{} \"{}\" has {} characters; the limit is {}", what, shortened(text),
              length(text), characters_max);
}

Result<void> check_key(std::string_view what, std::string_view key) {
  if (key.empty()) return fail(Code::kInvalidArgument, "{} must not be empty", what);
  if (!std::ranges::all_of(key, is_key_character)) {
    return fail(Code::kInvalidArgument,
                "{} \"{}\" may hold letters, digits, underscores (_), dashes (-), periods (.), spaces, colons (:) and "
                "slashes (/) only",
                what, shortened(key));
  }
  if (!is_clean_path(key)) {
    return fail(Code::kInvalidArgument,
                "{} \"{}\" must be a clean relative path: no slash at its ends, no empty part, no \".\" or \"..\"",
                what, shortened(key));
  }
  return check_length(what, key, kKeyLengthMax);
}

Result<void> check_metric(const MetricPoint& point) {
  WEIR_TRY(check_key("metric name", point.key));
  if (point.timestamp_ms < 0) {
    return fail(Code::kInvalidArgument,
                "metric \"{}\" has timestamp {}; it must not be negative (milliseconds since 1970)", point.key,
                point.timestamp_ms);
  }
  return {};
}

Result<void> check_experiment_name(std::string_view name) {
  if (name.empty()) return fail(Code::kInvalidArgument, "the experiment's name must not be empty");
  return check_length("experiment name", name, 500);
}

Result<void> check_logged_model_name(std::string_view name) {
  if (name.find_first_of("/:.%\"'") == std::string_view::npos) return check_length("model name", name, 500);
  return fail(Code::kInvalidArgument, "model name \"{}\" must not hold any of / : . % \" '", shortened(name));
}

Result<void> check_dataset_input(const DatasetInput& input) {
  const Dataset& dataset = input.dataset;
  if (dataset.name.empty()) return fail(Code::kInvalidArgument, "a dataset needs a name");
  if (dataset.digest.empty()) return fail(Code::kInvalidArgument, "dataset \"{}\" needs a digest", dataset.name);
  WEIR_TRY(check_length("dataset name", dataset.name, 500));
  WEIR_TRY(check_length("dataset digest", dataset.digest, 36));
  WEIR_TRY(check_length("dataset source", dataset.source, 65535));
  WEIR_TRY(check_length("dataset schema", dataset.schema.value_or(""), 1048575));
  WEIR_TRY(check_length("dataset profile", dataset.profile.value_or(""), 16777215));
  for (const auto& tag : input.tags) {
    WEIR_TRY(check_length("key of a dataset's tag", tag.key, 255));
    WEIR_TRY(check_length("value of a dataset's tag", tag.value, 500));
  }
  return {};
}

Result<void> check_artifact_path(std::string_view path) {
  if (path.empty()) return {};
  const bool odd = std::ranges::any_of(
      path, [](char c) { return static_cast<unsigned char>(c) < 0x20U || c == 0x7F || c == '\\' || c == '#'; });
  // What a second decoding would turn into a separator or a step upwards is refused as well.
  std::string lower(path);
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  const bool hidden = lower.find("%2e") != std::string::npos || lower.find("%2f") != std::string::npos ||
                      lower.find("%5c") != std::string::npos || lower.find("%25") != std::string::npos ||
                      lower.find("%00") != std::string::npos;
  if (odd || hidden || !is_clean_path(path) || path.size() > 4096) {
    return fail(Code::kInvalidArgument,
                "invalid artifact path \"{}\": it must be relative, without \"..\", empty parts or control characters",
                shortened(path));
  }
  return {};
}

std::string random_name() {
  constexpr std::array<std::string_view, 32> kFirst = {
      "amber",  "bold",  "brave",  "bright", "calm",   "clear", "deep",  "eager",  "fair",  "fleet",  "fresh",
      "gentle", "glad",  "golden", "grand",  "green",  "keen",  "kind",  "lively", "lucky", "mellow", "misty",
      "noble",  "quick", "quiet",  "silver", "steady", "sunny", "swift", "tidy",   "warm",  "wise"};
  constexpr std::array<std::string_view, 32> kSecond = {
      "alder", "badger", "beech",  "brook", "cedar", "crane",  "dipper", "eel",    "fern",  "finch", "hazel",
      "heron", "ibis",   "koi",    "lark",  "lotus", "maple",  "marten", "minnow", "moss",  "newt",  "otter",
      "perch", "pike",   "plover", "reed",  "rowan", "salmon", "sluice", "swan",   "trout", "willow"};
  const std::string digits = random_hex(4);
  const auto random = std::stoul(digits, nullptr, 16);
  return fmt::format("{}-{}-{}", kFirst[random % 32], kSecond[(random >> 5U) % 32], (random >> 10U) % 1000);
}

}  // namespace weir::track
