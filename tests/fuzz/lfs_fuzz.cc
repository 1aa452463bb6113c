#include "api/git/lfs_batch.h"
#include "require.h"

// An object that passes becomes the name of a file: nothing but 64 hex digits may, with a size that a file can have.
namespace {

void check(const weir::api::LfsObject& object) {
  if (!object.wrong.empty()) return;
  require(object.oid.size() == 64);
  for (const char c : object.oid) require((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'));
  require(object.size_bytes >= 0 && object.size_bytes <= weir::api::kLfsBytesMax);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  if (const auto batch = weir::api::parse_lfs_batch(input)) {
    require(batch->objects.size() <= weir::api::kLfsObjectsMax);
    for (const auto& object : batch->objects) {
      check(object);
      weir::json::serialize(weir::api::lfs_object_error(object, 422, object.wrong));
    }
  }
  if (const auto object = weir::api::parse_lfs_object(input)) {
    require(object->wrong.empty());
    check(*object);
  }
  return 0;
}
