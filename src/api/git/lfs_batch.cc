#include "api/git/lfs_batch.h"

#include <algorithm>

#include "io/http.h"

namespace weir::api {
namespace {

constexpr std::size_t kDepthMax = 8;

LfsObject read_object(const json::value& value) {
  LfsObject object;
  object.oid = json_string_or(value, "oid", "");
  const auto size = json_int(value, "size");
  object.size_bytes = size.value_or(0);
  if (!is_lfs_id(object.oid)) {
    object.wrong = "an object's id is its SHA-256, 64 lower-case hex digits";
  } else if (!size || *size < 0) {
    object.wrong = "an object's size is its number of bytes";
  } else if (*size > kLfsBytesMax) {
    object.wrong = fmt::format("an object has at most {} bytes here", kLfsBytesMax);
  }
  return object;
}

}  // namespace

bool is_lfs_id(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<LfsBatch> parse_lfs_batch(std::string_view text) {
  const json::value message = WEIR_TRY(parse_json(text, "the batch", kDepthMax));
  const auto operation = json_string(message, "operation");
  if (operation != "upload" && operation != "download") {
    return fail(Code::kInvalidArgument, "a batch's operation is \"upload\" or \"download\"");
  }
  if (const auto hash = json_string_or(message, "hash_algo", "sha256"); hash != "sha256") {
    return fail(Code::kAlreadyExists, "objects are named by SHA-256 here, not by \"{}\"", hash.substr(0, 40));
  }
  const auto* transfers = json_find(message, "transfers");
  if (transfers != nullptr && transfers->is_array() && !transfers->get_array().empty() &&
      std::ranges::none_of(transfers->get_array(),
                           [](const auto& one) { return one.is_string() && one.get_string() == "basic"; })) {
    return fail(Code::kInvalidArgument, "this server has the transfer adapter \"basic\" only");
  }
  const auto* objects = json_find(message, "objects");
  if (objects == nullptr || !objects->is_array()) {
    return fail(Code::kInvalidArgument, "a batch has a list of objects");
  }
  if (objects->get_array().size() > kLfsObjectsMax) {
    return fail(Code::kResourceExhausted, "a batch has at most {} objects", kLfsObjectsMax);
  }
  LfsBatch batch{.upload = operation == "upload", .objects = {}};
  for (const auto& object : objects->get_array()) batch.objects.push_back(read_object(object));
  return batch;
}

Result<LfsObject> parse_lfs_object(std::string_view text) {
  const json::value message = WEIR_TRY(parse_json(text, "the object", kDepthMax));
  LfsObject object = read_object(message);
  if (!object.wrong.empty()) return fail(Code::kInvalidArgument, "{}", object.wrong);
  return object;
}

int lfs_status(Code code) {
  switch (code) {
    case Code::kInvalidArgument: return 422;
    case Code::kAlreadyExists: return 409;
    default: return io::http_status(code);
  }
}

json::object lfs_object_error(const LfsObject& object, int status, std::string_view message) {
  return {{"oid", object.oid}, {"size", object.size_bytes}, {"error", {{"code", status}, {"message", message}}}};
}

}  // namespace weir::api
