#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "io/http.h"

namespace weir::api::actions {

// What an upload is to become.
struct UploadPurpose {
  std::string kind;  // "artifact" or "cache"
  std::int64_t run = 0;
  std::int64_t job = 0;
  std::string name;                     // of the artifact; the cache's key
  std::string version;                  // of the cache
  std::string repository;               // of the cache
  std::string ref;                      // of the cache
  std::string format;                   // of the artifact: "zip", "raw"
  std::optional<TimePoint> expires_at;  // of the artifact
};

struct StagedUpload {
  std::filesystem::path file;
  std::string sha256;
  std::int64_t size_bytes = 0;
};

// Uploads under way: bytes that clients send in blocks, several at a time and in any order, each on disk before its
// answer. Blocks go into one file in the order in which they begin, which is nearly always that of the list at the end,
// and are hashed behind the writer, while the next ones come: then the file is the upload. In another order they are
// copied once.
//
// One folder each below `root`: what was sent survives a restart of the server (not a power cut: the upload fails then,
// and its job has gone too). Any thread.
class Uploads {
 public:
  struct Limits {
    std::int64_t upload_bytes_max = std::int64_t{64} << 30;
    std::int64_t block_bytes_max = std::int64_t{256} << 20;
    std::size_t blocks_max = 50'000;
  };
  explicit Uploads(std::filesystem::path root) : Uploads(std::move(root), Limits{}) {}
  Uploads(std::filesystem::path root, Limits limits);
  ~Uploads();

  // A new one under a name that cannot be guessed.
  Result<std::string> begin(const UploadPurpose& purpose);
  // kNotFound if there is none.
  Result<UploadPurpose> purpose(const std::string& id);
  // The ids of uploads that `wanted` says yes to.
  std::vector<std::string> find(const std::function<bool(const UploadPurpose&)>& wanted);

  // One block; a second one of the same name takes its place. `size_bytes` is what the client announced:
  // kInvalidArgument if other bytes come, kResourceExhausted past a limit.
  Result<void> put_block(const std::string& id, const std::string& block, std::int64_t size_bytes,
                         io::ByteSource& source);
  // The blocks that came, with their sizes.
  Result<std::map<std::string, std::int64_t>> blocks(const std::string& id);
  // The upload is these blocks in this order. kInvalidArgument for one that did not come.
  Result<void> commit(const std::string& id, const std::vector<std::string>& blocks);
  // The upload as a whole, in one piece.
  Result<void> put_whole(const std::string& id, std::int64_t size_bytes, io::ByteSource& source);

  // What was committed. kFailedPrecondition before. The file may be moved away; remove() comes after.
  Result<StagedUpload> staged(const std::string& id);
  void remove(const std::string& id);

 private:
  struct Upload;
  Result<std::shared_ptr<Upload>> open(const std::string& id);
  void hash_behind(std::shared_ptr<Upload> upload);
  void hash_all(const std::stop_token& stop);

  std::filesystem::path root_;
  Limits limits_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Upload>> open_;

  std::mutex to_hash_mutex_;
  std::condition_variable_any to_hash_changed_;
  std::set<std::shared_ptr<Upload>> to_hash_;  // blocks of theirs came
  std::jthread hasher_;                        // last: it ends before what it uses
};

}  // namespace weir::api::actions
