#include "api/git/lfs_http.h"

#include <charconv>
#include <memory>

#include "api/git/lfs_batch.h"
#include "api/git/lfs_objects.h"

namespace weir::api {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMediaType = "application/vnd.git-lfs+json";
constexpr std::size_t kBatchBytesMax = 1U << 20;

io::HttpResponse lfs_json(int status, const json::value& body) {
  io::HttpResponse response = io::json_response(status, body);
  response.headers.set("Content-Type", std::string(kMediaType));
  return response;
}

// The client shows the message.
io::HttpResponse refuse(const types::Identity& identity, const Error& error) {
  io::HttpResponse response = lfs_json(lfs_status(error.code), json::object{{"message", error.message}});
  if (error.code == Code::kResourceExhausted && error.message.starts_with("a batch")) response.status = 413;
  const bool anonymous = !identity.role.has_value() && !identity.job_id.has_value();
  if (error.code == Code::kUnauthenticated || (error.code == Code::kPermissionDenied && anonymous)) {
    response.status = 401;
    // Another name than the usual one, so that no browser asks.
    response.headers.set("LFS-Authenticate", "Basic realm=\"weir: any name, a token as password\"");
  }
  return response;
}

bool is_lfs_json(const io::HttpRequest& request) {
  const std::string_view type = request.headers.get("Content-Type");
  return type == kMediaType || type.starts_with(std::string(kMediaType) + ";");
}

class LfsHttp {
 public:
  LfsHttp(GitHttpOptions options, Log& log) : options_(std::move(options)), log_(log) {}

  void remove_drafts() const;
  Result<io::HttpResponse> batch(io::HttpRequest& request) const;
  Result<io::HttpResponse> upload(io::HttpRequest& request) const;
  Result<io::HttpResponse> download(io::HttpRequest& request) const;
  Result<io::HttpResponse> verify(io::HttpRequest& request) const;
  Result<io::HttpResponse> locks(io::HttpRequest& request) const;

 private:
  // The repository of the request, if its sender may read or write it.
  Result<LfsObjects> open(const io::HttpRequest& request, bool write) const;
  std::string address(const io::HttpRequest& request) const;

  const GitHttpOptions options_;
  Log& log_;
};

void LfsHttp::remove_drafts() const {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(options_.repos, error)) LfsObjects(entry.path()).remove_drafts();
}

Result<LfsObjects> LfsHttp::open(const io::HttpRequest& request, bool write) const {
  const std::string& name = request.params.find("repo")->second;
  if (!is_repository_name(name)) return fail(Code::kNotFound, "there is no such repository");
  WEIR_TRY(options_.authorize(request.identity, name, write, {}));
  const fs::path dir = options_.repos / (name + ".git");
  if (!fs::exists(dir / "HEAD")) {
    return fail(Code::kNotFound, "there is no repository {} yet; a developer makes it by pushing to it", name);
  }
  return LfsObjects(dir);
}

// Where the client has reached this repository's LFS API. The host is one of the server's own names: others were
// refused when the request came.
std::string LfsHttp::address(const io::HttpRequest& request) const {
  const std::string_view host = request.headers.get("Host");
  const std::string& reached = options_.public_url;
  const bool behind = reached.starts_with("https://") && reached.substr(8, host.size()) == host;
  const std::string_view path(request.path);
  return fmt::format("{}://{}{}", behind ? "https" : "http", host, path.substr(0, path.rfind("/info/lfs/") + 9));
}

Result<io::HttpResponse> LfsHttp::batch(io::HttpRequest& request) const {
  if (!is_lfs_json(request)) return fail(Code::kInvalidArgument, "expected a body of the type {}", kMediaType);
  // Who may not read learns nothing about the message either.
  WEIR_TRY(open(request, false));
  const LfsBatch asked = WEIR_TRY(parse_lfs_batch(request.body));
  const LfsObjects objects = WEIR_TRY(open(request, asked.upload));
  const std::string base = address(request);
  // Transfers come with what this request proved itself by. Without, a client first tries each address without a token,
  // and has sent much of a large object before it hears that it needs one.
  json::object headers;
  if (const auto proof = request.headers.get("Authorization"); !proof.empty()) headers["Authorization"] = proof;
  const auto action = [&](std::string href) { return json::object{{"href", std::move(href)}, {"header", headers}}; };
  json::array answers;
  for (const auto& object : asked.objects) {
    if (!object.wrong.empty()) {
      answers.emplace_back(lfs_object_error(object, 422, object.wrong));
      continue;
    }
    const auto size = objects.size_of(object.oid);
    if (size && *size != object.size_bytes) {
      answers.emplace_back(lfs_object_error(object, 422, fmt::format("the object has {} bytes", *size)));
      continue;
    }
    json::object answer{{"oid", object.oid}, {"size", object.size_bytes}, {"authenticated", !headers.empty()}};
    const std::string place = fmt::format("{}/objects/{}", base, object.oid);
    if (!asked.upload && !size) {
      answers.emplace_back(lfs_object_error(
          object, 404, "the server has no such object; whoever has it sends it with `git lfs push --all origin`"));
      continue;
    }
    if (!asked.upload) answer["actions"] = {{"download", action(place)}};
    // Without actions the client knows that the server has it.
    if (asked.upload && !size) {
      answer["actions"] = {{"upload", action(fmt::format("{}/{}", place, object.size_bytes))},
                           {"verify", action(base + "/objects/verify")}};
    }
    answers.emplace_back(std::move(answer));
  }
  return lfs_json(200, json::object{{"transfer", "basic"}, {"objects", std::move(answers)}, {"hash_algo", "sha256"}});
}

Result<io::HttpResponse> LfsHttp::upload(io::HttpRequest& request) const {
  const LfsObjects objects = WEIR_TRY(open(request, true));
  const std::string& oid = request.params.find("oid")->second;
  const std::string& digits = request.params.find("size")->second;
  std::int64_t size = -1;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), size);
  if (!is_lfs_id(oid) || error != std::errc{} || end != digits.data() + digits.size() || size < 0 ||
      size > kLfsBytesMax) {
    return fail(Code::kInvalidArgument, "an object is sent to objects/SHA-256/SIZE");
  }
  if (auto stored = objects.put(*request.body_source, oid, size); !stored) {
    log_.warning("LFS object {} of {} by {} was not taken: {}", oid, request.params.find("repo")->second,
                 request.identity.name, stored.error().message);
    return std::unexpected(std::move(stored).error());
  }
  return lfs_json(200, json::object{{"oid", oid}, {"size", size}});
}

Result<io::HttpResponse> LfsHttp::download(io::HttpRequest& request) const {
  const LfsObjects objects = WEIR_TRY(open(request, false));
  const std::string& oid = request.params.find("oid")->second;
  if (!is_lfs_id(oid) || !objects.size_of(oid)) return fail(Code::kNotFound, "the server has no such object");
  io::HttpResponse response;
  response.file_path = objects.path_of(oid).string();
  response.headers.set("Content-Type", "application/octet-stream");
  // Whatever it is, no browser is to run it.
  response.headers.set("Content-Disposition", "attachment");
  response.headers.set("X-Content-Type-Options", "nosniff");
  response.headers.set("ETag", fmt::format("\"{}\"", oid));
  return response;
}

Result<io::HttpResponse> LfsHttp::verify(io::HttpRequest& request) const {
  if (!is_lfs_json(request)) return fail(Code::kInvalidArgument, "expected a body of the type {}", kMediaType);
  const LfsObjects objects = WEIR_TRY(open(request, true));
  const LfsObject object = WEIR_TRY(parse_lfs_object(request.body));
  const auto size = objects.size_of(object.oid);
  if (!size) return fail(Code::kNotFound, "the server has no object {}", object.oid);
  if (*size != object.size_bytes) return fail(Code::kInvalidArgument, "the object has {} bytes", *size);
  return lfs_json(200, json::object{{"oid", object.oid}, {"size", *size}});
}

Result<io::HttpResponse> LfsHttp::locks(io::HttpRequest& request) const {
  WEIR_TRY(open(request, false));
  return fail(Code::kNotFound, "this server has no locks for files");
}

}  // namespace

void add_lfs_routes(io::Router& router, GitHttpOptions options, Log& log) {
  const auto lfs = std::make_shared<const LfsHttp>(std::move(options), log);
  lfs->remove_drafts();
  using Handler = Result<io::HttpResponse> (LfsHttp::*)(io::HttpRequest&) const;
  for (const std::string_view base : {"/git/{repo}.git", "/git/{repo}", "/weir/{repo}.git", "/weir/{repo}"}) {
    const auto add = [&](std::string_view method, std::string_view path, Handler handler, io::RouteOptions route) {
      router.handle(
          method, fmt::format("{}/info/lfs/{}", base, path),
          [lfs, handler](io::HttpRequest& request) {
            auto answer = (*lfs.*handler)(request);
            return answer ? *std::move(answer) : refuse(request.identity, answer.error());
          },
          route);
    };
    const io::RouteOptions message{.body_bytes_max = kBatchBytesMax};
    add("POST", "objects/batch", &LfsHttp::batch, message);
    add("POST", "objects/verify", &LfsHttp::verify, message);
    add("PUT", "objects/{oid}/{size}", &LfsHttp::upload, {.stream_request = true});
    add("GET", "objects/{oid}", &LfsHttp::download, {});
    add("GET", "locks", &LfsHttp::locks, message);
    add("POST", "locks", &LfsHttp::locks, message);
    add("POST", "locks/verify", &LfsHttp::locks, message);
    add("POST", "locks/{id}/unlock", &LfsHttp::locks, message);
  }
}

}  // namespace weir::api
