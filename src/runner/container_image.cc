#include "runner/container_image.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace weir::runner {
namespace {

constexpr std::string_view kBlank = " \t\r";

bool has_registry(std::string_view image) {
  const auto slash = image.find('/');
  if (slash == std::string_view::npos) return false;
  const auto first = image.substr(0, slash);
  return first == "localhost" || first.find_first_of(".:") != std::string_view::npos;
}

std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
  const auto word = line.substr(0, line.find_first_of(kBlank));
  line.remove_prefix(word.size());
  return word;
}

std::string lower(std::string_view text) {
  std::string all(text);
  std::ranges::transform(all, all.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return all;
}

using Arguments = std::map<std::string, std::string, std::less<>>;

// $NAME, ${NAME} and ${NAME:-else}. An unknown one makes nothing of the whole: the build would not know it either.
std::string expanded(std::string_view text, const Arguments& arguments) {
  constexpr std::string_view kName = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
  std::string all;
  while (!text.empty()) {
    const auto dollar = text.find('$');
    all += text.substr(0, dollar);
    if (dollar == std::string_view::npos) break;
    text.remove_prefix(dollar + 1);
    const bool braced = text.starts_with('{');
    const auto end = braced ? text.find('}') : std::min(text.find_first_not_of(kName), text.size());
    if (end == std::string_view::npos) return {};
    std::string_view name = text.substr(braced ? 1 : 0, end - (braced ? 1 : 0));
    text.remove_prefix(end + (braced ? 1 : 0));
    const auto otherwise = name.find(":-");
    const auto known = arguments.find(name.substr(0, otherwise));
    if (known != arguments.end() && !known->second.empty()) {
      all += known->second;
    } else if (otherwise != std::string_view::npos) {
      all += name.substr(otherwise + 2);
    } else {
      return {};
    }
  }
  return all;
}

std::string_view unquoted(std::string_view text) {
  if (text.size() >= 2 && (text.front() == '"' || text.front() == '\'') && text.back() == text.front()) {
    text = text.substr(1, text.size() - 2);
  }
  return text;
}

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

class DockerfileReader {
 public:
  // One that only looks like an instruction, in the text of another, does no harm.
  void read(std::string_view line) {
    const std::string instruction = lower(take_word(line));
    if (instruction == "arg") read_argument(take_word(line));
    if (instruction == "from") read_from(line);
    if (instruction != "copy" && instruction != "add" && instruction != "run") return;
    for (auto word = take_word(line); word.starts_with("--"); word = take_word(line)) {
      const auto from = word.find("from=");
      if (from != std::string_view::npos) add(word.substr(from + 5, word.find(',', from) - from - 5));
    }
  }
  [[nodiscard]] std::vector<ShortImage> take() { return std::move(images_); }

 private:
  void read_argument(std::string_view word) {
    const auto equals = word.find('=');
    if (equals == std::string_view::npos || !stages_.empty()) return;
    arguments_[std::string(word.substr(0, equals))] = expanded(unquoted(word.substr(equals + 1)), arguments_);
  }
  void read_from(std::string_view line) {
    auto image = take_word(line);
    while (image.starts_with("--")) image = take_word(line);
    add(image);
    const bool named = lower(take_word(line)) == "as";
    stages_.insert(named ? lower(take_word(line)) : std::string());
  }
  void add(std::string_view written) {
    written = unquoted(written);
    const std::string image = expanded(written, arguments_);
    if (image.empty() || image == "scratch" || is_number(image) || has_registry(image)) return;
    if (stages_.contains(lower(image)) || std::ranges::find(images_, written, &ShortImage::written) != images_.end()) {
      return;
    }
    images_.push_back({.written = std::string(written), .name = image});
  }

  Arguments arguments_;
  std::set<std::string> stages_;
  std::vector<ShortImage> images_;
};

}  // namespace

std::string whole_image_name(std::string_view image) {
  if (image.empty() || has_registry(image)) return std::string(image);
  return fmt::format("docker.io/{}{}", image.contains('/') ? "" : "library/", image);
}

std::vector<ShortImage> short_images_of(std::string_view dockerfile) {
  DockerfileReader reader;
  while (!dockerfile.empty()) {
    const auto line = dockerfile.substr(0, dockerfile.find('\n'));
    dockerfile.remove_prefix(std::min(line.size() + 1, dockerfile.size()));
    reader.read(line);
  }
  return reader.take();
}

}  // namespace weir::runner
