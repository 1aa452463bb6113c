#include "runner/markdown_pictures.h"

#include <algorithm>
#include <map>

#include "base/json.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

// The part of a text that is an address.
struct Place {
  std::size_t begin = 0;
  std::size_t end = 0;
};

bool is_file_name(std::string_view address) {
  if (address.empty() || address.starts_with('/') || address.starts_with('#')) return false;
  const auto colon = address.find(':');
  return colon == std::string_view::npos || address.find('/') < colon;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string percent_decoded(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = high < 0 ? -1 : hex_digit(text[i + 2]);
    if (low < 0) {
      plain += text[i];
    } else {
      plain += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return plain;
}

// The address of `](address "title")` whose bracket is at `at`; an empty one if it is none.
Place address_of_link(std::string_view text, std::size_t at) {
  if (!text.substr(at).starts_with("](")) return {};
  std::size_t begin = at + 2;
  while (begin < text.size() && (text[begin] == ' ' || text[begin] == '\t')) ++begin;
  if (begin < text.size() && text[begin] == '<') {
    const auto end = text.find_first_of(">\n", begin);
    return end == std::string_view::npos || text[end] == '\n' ? Place{} : Place{begin, end + 1};
  }
  const auto end = text.find_first_of(" \t\n)", begin);
  return end == std::string_view::npos ? Place{} : Place{begin, end};
}

// The value of `src` of the tag `<img …>` at `at`.
Place address_of_tag(std::string_view text, std::size_t at) {
  const auto close = text.find('>', at);
  if (close == std::string_view::npos) return {};
  const auto tag = text.substr(0, close);
  for (auto src = tag.find("src=", at); src != std::string_view::npos; src = tag.find("src=", src + 4)) {
    const char before = tag[src - 1];
    const char quote = src + 4 < tag.size() ? tag[src + 4] : ' ';
    if ((before != ' ' && before != '\n' && before != '\t') || (quote != '"' && quote != '\'')) continue;
    const auto end = tag.find(quote, src + 5);
    return end == std::string_view::npos ? Place{} : Place{src + 5, end};
  }
  return {};
}

// Past what is code at `at`: a fenced block, where a line begins, or backquotes in it. `at` itself if nothing is.
std::size_t past_code(std::string_view text, std::size_t at) {
  const char mark = text[at];
  if (mark != '`' && mark != '~') return at;
  const auto count = std::min(text.find_first_not_of(mark, at), text.size()) - at;
  const std::string fence(count, mark);
  const auto line = text.rfind('\n', at);
  const auto line_begin = line == std::string_view::npos ? 0 : line + 1;
  const bool begins_line = text.substr(line_begin, at - line_begin).find_first_not_of(' ') == std::string_view::npos;
  if (count >= 3 && begins_line && at - line_begin < 4) {
    for (auto next = text.find('\n', at); next != std::string_view::npos; next = text.find('\n', next + 1)) {
      const auto first = text.find_first_not_of(' ', next + 1);
      if (first != std::string_view::npos && text.substr(first).starts_with(fence)) return first + count;
    }
    return text.size();
  }
  if (mark == '~') return at + count;
  // A run of as many backquotes, no more and no less, ends it.
  for (auto end = text.find(fence, at + count); end != std::string_view::npos; end = text.find(fence, end)) {
    const auto run = std::min(text.find_first_not_of('`', end), text.size()) - end;
    if (run == count) return end + count;
    end += run;
  }
  return at + count;
}

// The addresses of a text's pictures, in order.
std::vector<Place> picture_places(std::string_view text) {
  std::vector<Place> places;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '\\') {
      at += 2;
      continue;
    }
    if (const auto past = past_code(text, at); past != at) {
      at = past;
      continue;
    }
    Place place;
    if (text.substr(at).starts_with("![")) {
      const auto close = text.find(']', at);
      if (close != std::string_view::npos) place = address_of_link(text, close);
    } else if (text.substr(at).starts_with("<img ") || text.substr(at).starts_with("<img\n")) {
      place = address_of_tag(text, at);
    }
    if (place.end > place.begin) places.push_back(place);
    at = place.end > place.begin ? place.end : at + 1;
  }
  return places;
}

}  // namespace

Result<std::string> with_pictures(std::string_view markdown, const fs::path& folder, const Upload& upload) {
  std::string text;
  std::size_t done = 0;
  std::map<fs::path, std::string> addresses;
  for (const auto& place : picture_places(markdown)) {
    std::string_view name = markdown.substr(place.begin, place.end - place.begin);
    if (name.starts_with('<')) name = name.substr(1, name.size() - 2);
    if (!is_file_name(name)) continue;
    std::error_code error;
    fs::path file = folder / name;
    if (!fs::is_regular_file(file, error)) file = folder / percent_decoded(name);
    if (!fs::is_regular_file(file, error)) {
      return fail(Code::kNotFound, "the text shows the picture {}, and there is no such file: {}", name,
                  (folder / name).string());
    }
    auto known = addresses.find(file);
    if (known == addresses.end()) known = addresses.emplace(file, WEIR_TRY(upload(file))).first;
    text += markdown.substr(done, place.begin - done);
    text += known->second;
    done = place.end;
  }
  return text + std::string(markdown.substr(done));
}

std::string picture_markdown(const fs::path& file, std::string_view address) {
  std::string name = file.stem().string();
  std::ranges::replace_if(
      name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || std::string_view("[]\\`<>&*_").contains(c); },
      ' ');
  return fmt::format("![{}]({})\n", name, address);
}

}  // namespace weir::runner
