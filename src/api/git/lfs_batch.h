#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"

// The messages of Git LFS's API (git-lfs, docs/api/batch.md and basic-transfers.md), without any I/O.
namespace weir::api {

inline constexpr std::size_t kLfsObjectsMax = 1'000;                  // of one batch; the client sends 100
inline constexpr std::int64_t kLfsBytesMax = std::int64_t{64} << 30;  // of one object

struct LfsObject {
  std::string oid;  // as it was sent: an id only if `wrong` is empty
  std::int64_t size_bytes = 0;
  std::string wrong;  // why there can be no such object
};

struct LfsBatch {
  bool upload = false;
  std::vector<LfsObject> objects;
};

// 64 lower-case hex digits: the SHA-256 of an object's content.
bool is_lfs_id(std::string_view text);

// What a client wants to send or get. An object that is not one bears the reason; the whole is refused with
// kInvalidArgument if it is no such message, kResourceExhausted if it has too many objects, kAlreadyExists if it names
// objects by another hash than SHA-256.
Result<LfsBatch> parse_lfs_batch(std::string_view text);

// The object that a client has sent and asks about. kInvalidArgument says what is wrong with it.
Result<LfsObject> parse_lfs_object(std::string_view text);

// The status of an answer that refuses: as Git LFS's API has it, where that differs from weir's own.
int lfs_status(Code code);

// An object of a batch's answer that cannot be had or taken.
json::object lfs_object_error(const LfsObject& object, int status, std::string_view message);

}  // namespace weir::api
