#include <algorithm>
#include <array>

#include "io/http.h"

namespace weir::io {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal_without_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

void HttpHeaders::set(std::string name, std::string value) {
  const auto same = [&](const auto& field) { return equal_without_case(field.first, name); };
  const auto first = std::ranges::find_if(fields_, same);
  if (first == fields_.end()) {
    fields_.emplace_back(std::move(name), std::move(value));
    return;
  }
  first->second = std::move(value);
  fields_.erase(std::remove_if(first + 1, fields_.end(), same), fields_.end());
}

void HttpHeaders::add(std::string name, std::string value) {
  fields_.emplace_back(std::move(name), std::move(value));
}

std::string_view HttpHeaders::get(std::string_view name) const {
  for (const auto& [field, value] : fields_) {
    if (equal_without_case(field, name)) return value;
  }
  return {};
}

std::optional<std::string> HttpRequest::query_value(std::string_view name) const {
  for (const auto& [key, value] : query) {
    if (key == name) return value;
  }
  return std::nullopt;
}

std::string_view content_type_of(std::string_view file_name) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 24> kTypes{{
      {"html", "text/html; charset=utf-8"},
      {"js", "text/javascript; charset=utf-8"},
      {"mjs", "text/javascript; charset=utf-8"},
      {"css", "text/css; charset=utf-8"},
      {"json", "application/json"},
      {"map", "application/json"},
      {"svg", "image/svg+xml"},
      {"png", "image/png"},
      {"jpg", "image/jpeg"},
      {"jpeg", "image/jpeg"},
      {"gif", "image/gif"},
      {"webp", "image/webp"},
      {"ico", "image/x-icon"},
      {"woff2", "font/woff2"},
      {"woff", "font/woff"},
      {"txt", "text/plain; charset=utf-8"},
      {"log", "text/plain; charset=utf-8"},
      {"md", "text/markdown; charset=utf-8"},
      {"csv", "text/csv; charset=utf-8"},
      {"yaml", "application/yaml"},
      {"yml", "application/yaml"},
      {"zip", "application/zip"},
      {"gz", "application/gzip"},
      {"pdf", "application/pdf"},
  }};
  const auto dot = file_name.find_last_of("./");
  if (dot != std::string_view::npos && file_name[dot] == '.') {
    for (const auto& [ending, type] : kTypes) {
      if (equal_without_case(file_name.substr(dot + 1), ending)) return type;
    }
  }
  return "application/octet-stream";
}

HttpResponse text_response(int status, std::string body, std::string_view content_type) {
  HttpResponse response;
  response.status = status;
  response.headers.add("Content-Type", std::string{content_type});
  response.body = std::move(body);
  return response;
}

HttpResponse json_response(int status, const json::value& body) {
  return text_response(status, json::serialize(body), "application/json");
}

int http_status(Code code) {
  switch (code) {
    case Code::kInvalidArgument: return 400;
    case Code::kNotFound: return 404;
    case Code::kAlreadyExists: return 409;
    case Code::kPermissionDenied: return 403;
    case Code::kUnauthenticated: return 401;
    case Code::kFailedPrecondition: return 409;
    case Code::kResourceExhausted: return 507;
    case Code::kUnavailable: return 503;
    case Code::kInternal: return 500;
    case Code::kCancelled: return 503;
    case Code::kDeadlineExceeded: return 504;
    case Code::kCorrupt: return 500;
    case Code::kUnimplemented: return 501;
  }
  return 500;
}

HttpResponse error_response(const Error& error) {
  const std::string_view name = code_name(error.code);
  HttpResponse response =
      json_response(http_status(error.code),
                    json::object{{"error", json::string_view{name.data(), name.size()}}, {"message", error.message}});
  if (error.code == Code::kUnauthenticated) response.headers.set("WWW-Authenticate", "Bearer realm=\"weir\"");
  return response;
}

}  // namespace weir::io
