// The addresses that bytes go to and come from.
#include "api/actions/service.h"
#include "api/weir/routes.h"
#include "base/hash.h"
#include "io/file.h"

namespace weir::api::actions {
namespace {

constexpr std::size_t kListBytesMax = 16U << 20;
constexpr Duration kUploadLimit = std::chrono::hours{6};

std::int64_t content_length(const io::HttpRequest& request) {
  const std::string text(request.headers.get("Content-Length"));
  return text.empty() ? -1 : std::strtoll(text.c_str(), nullptr, 10);
}

Result<std::string> read_all(io::ByteSource& source) {
  std::string text;
  std::string buffer(64U << 10, '\0');
  for (;;) {
    const std::size_t got = WEIR_TRY(source.read(buffer.data(), buffer.size()));
    if (got == 0) return text;
    text.append(buffer, 0, got);
    if (text.size() > kListBytesMax) return fail(Code::kResourceExhausted, "the list of blocks is too long");
  }
}

// <BlockList><Latest>ID</Latest>…</BlockList>; ids are base64, so that nothing in them is escaped.
Result<std::vector<std::string>> read_block_list(std::string_view xml) {
  std::vector<std::string> blocks;
  const auto start = xml.find("<BlockList");
  const auto end = xml.find("</BlockList>");
  const bool empty = xml.find("<BlockList/>") != std::string_view::npos;
  if (start == std::string_view::npos || (end == std::string_view::npos && !empty)) {
    return fail(Code::kInvalidArgument, "this is no list of blocks");
  }
  if (empty) return blocks;
  std::string_view rest = xml.substr(0, end);
  rest.remove_prefix(std::min(rest.size(), rest.find('>', start) + 1));
  for (auto open = rest.find('<'); open != std::string_view::npos; open = rest.find('<')) {
    const auto close = rest.find('>', open);
    if (close == std::string_view::npos) break;
    const std::string_view name = rest.substr(open + 1, close - open - 1);
    if (name != "Latest" && name != "Uncommitted" && name != "Committed") {
      return fail(Code::kInvalidArgument, "the list of blocks holds <{}>", name.substr(0, 40));
    }
    const std::string closing = fmt::format("</{}>", name);
    const auto stop = rest.find(closing, close);
    if (stop == std::string_view::npos) break;
    blocks.emplace_back(rest.substr(close + 1, stop - close - 1));
    rest.remove_prefix(stop + closing.size());
  }
  return blocks;
}

}  // namespace

Result<std::string> Service::begin_upload(const UploadPurpose& purpose) {
  forget_ended();
  return upload_address(WEIR_TRY(uploads_.begin(purpose)), purpose.kind);
}

std::string Service::upload_address(const std::string& id, std::string_view kind) const {
  return sign_address(fmt::format("/actions/uploads/{}/{}", id, kind), "w", kUploadLimit);
}

Result<io::HttpResponse> Service::put_upload(io::HttpRequest& request) {
  WEIR_TRY(check_address(request, "w"));
  const std::string id = request.params["id"];
  const auto purpose = WEIR_TRY(uploads_.purpose(id));
  if (!WEIR_TRY(parts_.job_runs(purpose.run, purpose.job))) {
    return fail(Code::kPermissionDenied, "job {} has ended", purpose.job);
  }
  const std::string what = request.query_value("comp").value_or("");
  if (what == "block") {
    WEIR_TRY(uploads_.put_block(id, request.query_value("blockid").value_or(""), content_length(request),
                                *request.body_source));
  } else if (what == "blocklist") {
    WEIR_TRY(uploads_.commit(id, WEIR_TRY(read_block_list(WEIR_TRY(read_all(*request.body_source))))));
  } else if (what.empty()) {
    const std::string_view type = request.headers.get("x-ms-blob-type");
    if (!type.empty() && type != "BlockBlob") {
      return fail(Code::kUnimplemented, "uploads of type {} are not known", type.substr(0, 40));
    }
    WEIR_TRY(uploads_.put_whole(id, content_length(request), *request.body_source));
  } else {
    return fail(Code::kUnimplemented, "comp={} is not known", what.substr(0, 40));
  }
  auto response = io::text_response(201, "");
  response.headers.set("ETag", fmt::format("\"{}\"", id));
  return response;
}

// Whether an upload never becomes what it was to be. Else its job may say again that it is complete.
bool Service::is_refused(Code code) {
  return code == Code::kAlreadyExists || code == Code::kInvalidArgument;
}

// What a client says of its upload must be true of the bytes that came.
Result<StagedUpload> Service::take_upload(const std::string& id, const json::value& size, const json::value& hash) {
  auto staged = WEIR_TRY(uploads_.staged(id));
  const std::int64_t announced = number_field(json::object{{"size", size}}, "size", -1);
  if (announced != staged.size_bytes) {
    return fail(Code::kInvalidArgument, "{} bytes came, {} were announced", staged.size_bytes, announced);
  }
  const std::string digest = hash.is_string() ? std::string(hash.get_string()) : std::string();
  if (!digest.empty() && digest != "sha256:" + staged.sha256) {
    return fail(Code::kInvalidArgument, "the bytes have the digest sha256:{}, not {}", staged.sha256,
                digest.substr(0, 100));
  }
  std::error_code gone;
  const auto left = std::filesystem::file_size(staged.file, gone);
  if (!gone && static_cast<std::int64_t>(left) == staged.size_bytes) {
    WEIR_TRY(parts_.blobs->adopt(staged.file, staged.sha256, staged.size_bytes));
  } else {
    // Said again, after what came behind the bytes had failed: they are in the store, but perhaps not yet for good.
    WEIR_TRY(io::sync_path(WEIR_TRY(parts_.blobs->local_path(staged.sha256)).parent_path()));
  }
  return staged;
}

Result<io::HttpResponse> Service::get_artifact(io::HttpRequest& request) {
  WEIR_TRY(check_address(request, "r"));
  // What the address says is signed. An artifact that was replaced meanwhile is gone.
  const auto artifact = WEIR_TRY(parts_.artifacts->find(std::strtoll(request.params["id"].c_str(), nullptr, 10)));
  io::HttpResponse response;
  response.file_path = WEIR_TRY(parts_.blobs->local_path(artifact.sha256)).string();
  describe_download(artifact, response);
  return response;
}

Result<io::HttpResponse> Service::get_cache(io::HttpRequest& request) {
  WEIR_TRY(check_address(request, "r"));
  io::HttpResponse response;
  response.file_path = WEIR_TRY(parts_.blobs->local_path(request.params["sha256"])).string();
  response.headers.set("Content-Type", "application/octet-stream");
  response.headers.set("X-Content-Type-Options", "nosniff");
  return response;
}

}  // namespace weir::api::actions
