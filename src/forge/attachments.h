#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "store/blob_store.h"
#include "store/database.h"
#include "types/identity.h"

namespace weir::forge {

// Pictures and other files that comments, reviews and job summaries show: the plot of a report. By their digest, so
// that the same picture of a second push is kept once.
struct Attachment {
  std::string repo;
  std::string sha256;
  std::int64_t size_bytes = 0;
  std::string content_type;  // by its first bytes, whatever its name says
  std::string name;          // of the file; for people
  std::string uploader;
  TimePoint created_at;  // or when it was uploaded last

  // Where the dashboard and the API have it: "/api/v1/repos/flights/attachments/<sha256>".
  [[nodiscard]] std::string path() const;
  // Whether a browser may show it in its place. Others are downloaded.
  [[nodiscard]] bool is_picture() const { return content_type.starts_with("image/"); }
};

// The media type that a file's first bytes tell: of PNG, JPEG, GIF, WebP, SVG and PDF, else "text/plain" for what has
// no control characters, and "application/octet-stream".
std::string_view sniffed_type(std::string_view bytes);

struct AttachmentRules {
  std::int64_t file_bytes_max = 32LL << 20;
  std::int64_t repo_bytes_max = 1LL << 30;
  Duration unused_max = std::chrono::hours{24};    // how long nothing need speak of one
  Duration collect_every = std::chrono::hours{1};  // when there are uploads
};

// Any thread; functions block for the disk.
class Attachments {
 public:
  // Texts of a repository that may speak of attachments, besides its issues, comments, reviews, checks and releases.
  using MoreTexts = std::function<Result<void>(store::Reader& reader, const std::string& repo,
                                               const std::function<void(std::string_view text)>& each)>;

  // `files` holds attachments only: what is collected is gone from it.
  Attachments(store::Database& db, const Clock& clock, store::BlobStore& files, MoreTexts more_texts,
              AttachmentRules rules = {})
      : db_(db), clock_(clock), files_(files), more_texts_(std::move(more_texts)), rules_(rules) {}

  // kInvalidArgument for an empty or too large file, kResourceExhausted for a repository that has too many.
  Result<Attachment> add(const std::string& repo, std::string_view name, std::string_view bytes,
                         const types::Identity& identity);
  Result<Attachment> find(const std::string& repo, const std::string& sha256);
  // The file with its bytes, never to be changed.
  [[nodiscard]] Result<std::filesystem::path> file(const Attachment& attachment) const;

  // Removes those that nothing has spoken of for a while; how many. add() does so now and then.
  Result<int> collect();

 private:
  Result<int> collect_locked();
  Result<std::vector<Attachment>> unused(store::Reader& reader, TimePoint before);

  store::Database& db_;
  const Clock& clock_;
  store::BlobStore& files_;
  MoreTexts more_texts_;
  AttachmentRules rules_;
  std::mutex mutex_;  // between bytes and their row nobody collects
  TimePoint collected_at_;
};

json::object to_json(const Attachment& attachment);

}  // namespace weir::forge
