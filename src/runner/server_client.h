#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/json.h"

namespace weir::runner {

struct ServerAnswer {
  int status = 0;
  json::value body;     // null if it was no JSON
  std::string message;  // the answer's "message", for people; "" if it has none
};

// The job's way to its server: /api/v1 with the job's token. Calls block. While the server is away (a restart) they try
// again with growing pauses until `patience` has passed. Used by one thread at a time.
class ServerClient {
 public:
  // `stop`: a call that would wait fails with kCancelled once it is true.
  ServerClient(std::string server_url, std::string token, std::shared_ptr<std::atomic<bool>> stop,
               Duration patience = std::chrono::minutes{5})
      : base_(std::move(server_url) + "/api/v1"),
        token_(std::move(token)),
        stop_(std::move(stop)),
        patience_(patience) {}

  // An answer of any status is a success; kUnavailable if the server stayed away.
  Result<ServerAnswer> get(std::string_view path);
  Result<ServerAnswer> post(std::string_view path, const json::value& body);

  // Sends a file as it is.
  Result<ServerAnswer> post_file(std::string_view path, const std::filesystem::path& file);

  // Uploads a file as the blob `sha256`, downloads a blob to a file (and checks it: kCorrupt).
  Result<void> put_blob(const std::filesystem::path& file, std::string_view sha256);
  Result<void> get_blob(std::string_view sha256, const std::filesystem::path& file);

  // On the server's own machine bytes need not go through a connection.
  struct Local {
    std::filesystem::path blobs_dir;     // "": the server is elsewhere
    std::filesystem::path exchange_dir;  // "": the same
  };
  // Makes the file's bytes a blob and gives its digest. A file of exchange_dir is handed over by its name (and is gone
  // then), any other one is sent.
  Result<std::string> put_file(const std::filesystem::path& file, const Local& local);
  // A file with the blob's bytes, never to be changed: the server's own, or else `download`, to which it was got.
  Result<std::filesystem::path> get_file(std::string_view sha256, const std::filesystem::path& download,
                                         const Local& local);

 private:
  struct Call;
  Result<ServerAnswer> exchange(const Call& call);

  std::string base_;
  std::string token_;
  std::shared_ptr<std::atomic<bool>> stop_;
  Duration patience_;
};

// An error that says what the server answered: "the server refused the artifact: …".
Error answer_error(const ServerAnswer& answer, std::string_view what);

}  // namespace weir::runner
