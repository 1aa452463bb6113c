// The cache service's version 1, which @actions/cache spoke up to 3.x: actions that carry an old one go on working. The
// caches are those of version 2.
//
//   GET   /_apis/artifactcache/cache?keys=KEY,PREFIX…&version=…   where the best fitting cache lies; 204 if none fits
//   POST  /_apis/artifactcache/caches        {key, version, cacheSize}   reserves it
//   PATCH /_apis/artifactcache/caches/{id}   a chunk, at its Content-Range
//   POST  /_apis/artifactcache/caches/{id}   {size}   the chunks are the cache
#include <charconv>

#include "api/actions/service.h"

namespace weir::api::actions {
namespace {

constexpr std::size_t kIdDigits = 13;  // hexadecimal: clients keep a cache's number as a double

std::int64_t number_of(std::string_view upload) {
  std::int64_t number = 0;
  const auto digits = upload.substr(0, kIdDigits);
  std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
  return number;
}

struct Range {
  std::int64_t first = 0;
  std::int64_t last = 0;
};

// "bytes 0-99/*"
Result<Range> read_range(std::string_view text) {
  constexpr std::string_view kUnit = "bytes ";
  Range range;
  if (text.starts_with(kUnit)) {
    text.remove_prefix(kUnit.size());
    const auto first = std::from_chars(text.data(), text.data() + text.size(), range.first);
    const char* const end = text.data() + text.size();
    if (first.ec == std::errc{} && first.ptr != end && *first.ptr == '-') {
      const auto last = std::from_chars(first.ptr + 1, end, range.last);
      if (last.ec == std::errc{} && last.ptr != end && *last.ptr == '/' && range.first >= 0 &&
          range.last >= range.first) {
        return range;
      }
    }
  }
  return fail(Code::kInvalidArgument, "a chunk needs its place as `Content-Range: bytes FIRST-LAST/*`");
}

io::HttpResponse plain_error(const Error& error) {
  return io::json_response(io::http_status(error.code), json::object{{"message", error.message}});
}

std::vector<std::string> split_keys(std::string_view text) {
  std::vector<std::string> keys;
  while (!text.empty()) {
    const auto end = text.find(',');
    if (end != 0) keys.emplace_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return keys;
}

}  // namespace

void Service::add_old_cache_routes(io::Router& router) {
  const auto bind = [this](Result<io::HttpResponse> (Service::*function)(io::HttpRequest&, const JobProof&)) {
    return [this, function](io::HttpRequest& request) {
      const auto job = prove(request);
      if (!job) return plain_error(job.error());
      auto answer = (this->*function)(request, *job);
      return answer ? *std::move(answer) : plain_error(answer.error());
    };
  };
  const std::string base = "/_apis/artifactcache/";
  router.handle("GET", base + "cache", bind(&Service::old_lookup));
  router.handle("POST", base + "caches", bind(&Service::old_reserve));
  router.handle("PATCH", base + "caches/{id}", bind(&Service::old_chunk), {.stream_request = true});
  router.handle("POST", base + "caches/{id}", bind(&Service::old_commit));
}

Result<io::HttpResponse> Service::old_lookup(io::HttpRequest& request, const JobProof& job) {
  auto keys = split_keys(request.query_value("keys").value_or(""));
  if (keys.empty()) return fail(Code::kInvalidArgument, "the cache's keys are missing");
  const std::string key = keys.front();
  keys.erase(keys.begin());
  const auto found = WEIR_TRY(find_cache(job, key, std::move(keys), request.query_value("version").value_or("")));
  if (!found) return io::text_response(204, "");
  return io::json_response(
      200, json::object{{"result", "hit"}, {"archiveLocation", cache_download(*found)}, {"cacheKey", found->key}});
}

Result<io::HttpResponse> Service::old_reserve(io::HttpRequest& request, const JobProof& job) {
  const auto body = WEIR_TRY(parse_json(request.body.empty() ? "{}" : request.body, "the request"));
  const auto id = WEIR_TRY(reserve_cache(job, text_field(body, "key"), text_field(body, "version")));
  return io::json_response(201, json::object{{"cacheId", number_of(id)}});
}

// The upload that the job knows by a number.
Result<std::string> Service::old_upload(const io::HttpRequest& request, const JobProof& job) {
  const std::string& number = request.params.at("id");
  const auto ids =
      uploads_.find([&](const UploadPurpose& purpose) { return purpose.kind == "cache" && purpose.job == job.job; });
  for (const auto& id : ids) {
    if (fmt::format("{}", number_of(id)) == number) return id;
  }
  return fail(Code::kNotFound, "this job saves no cache {}", number.substr(0, 40));
}

Result<io::HttpResponse> Service::old_chunk(io::HttpRequest& request, const JobProof& job) {
  const auto id = WEIR_TRY(old_upload(request, job));
  const auto range = WEIR_TRY(read_range(request.headers.get("Content-Range")));
  // In the order of their places, as text too.
  WEIR_TRY(
      uploads_.put_block(id, fmt::format("{:020}", range.first), range.last - range.first + 1, *request.body_source));
  return io::text_response(204, "");
}

Result<io::HttpResponse> Service::old_commit(io::HttpRequest& request, const JobProof& job) {
  const auto id = WEIR_TRY(old_upload(request, job));
  const auto body = WEIR_TRY(parse_json(request.body.empty() ? "{}" : request.body, "the request"));
  std::vector<std::string> chunks;
  std::int64_t end = 0;
  for (const auto& [name, size_bytes] : WEIR_TRY(uploads_.blocks(id))) {
    if (name != fmt::format("{:020}", end)) {
      return fail(Code::kInvalidArgument, "the chunks leave out or repeat bytes at {}", end);
    }
    chunks.push_back(name);
    end += size_bytes;
  }
  if (number_field(body, "size", -1) != end) {
    return fail(Code::kInvalidArgument, "{} bytes came, {} were announced", end, number_field(body, "size", -1));
  }
  WEIR_TRY(uploads_.commit(id, chunks));
  WEIR_TRY(save_cache(id, end));
  return io::text_response(204, "");
}

}  // namespace weir::api::actions
