#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "event/triggers.h"
#include "io/descriptor.h"
#include "io/http.h"

// `git upload-pack` and `git receive-pack` on one bare repository. Functions block; any thread.
namespace weir::api {

using io::Descriptor;

// What a service says first: its refs and capabilities. `service` is "upload-pack" or "receive-pack"; `protocol` the
// Git-Protocol header or "".
Result<std::string> advertise_refs(const std::filesystem::path& git_dir, std::string_view service,
                                   std::string_view protocol);

// Answers one request of a fetch; the source is git's output, and dropping it ends git.
Result<std::unique_ptr<io::ByteSource>> upload_pack(const std::filesystem::path& git_dir, std::string_view request,
                                                    std::string_view protocol);

// A nameless file in the repository, for a push on its way in.
Result<Descriptor> open_spool(const std::filesystem::path& git_dir);

// The right to move refs of a repository, held by one push at a time, of any process. git inherits it, so that it
// lasts until git has ended even if the server is killed meanwhile.
class PushLock {
 public:
  static Result<PushLock> take(const std::filesystem::path& git_dir);

  [[nodiscard]] int fd() const { return file_.get(); }
  // What git has printed to its standard error, which the lock's file is.
  [[nodiscard]] std::string messages() const;

 private:
  explicit PushLock(Descriptor file) : file_(std::move(file)) {}
  Descriptor file_;
};

// The objects of a push, unpacked aside: the repository does not have them. Gone with this object.
class PushedObjects {
 public:
  // `spool`: a push whose commands take `commands_bytes`; what follows is its pack, or nothing. kFailedPrecondition
  // with git's words if the pack cannot be read.
  static Result<PushedObjects> unpack(const std::filesystem::path& git_dir, const Descriptor& spool,
                                      std::size_t commands_bytes);
  // What a killed server left.
  static void remove_left(const std::filesystem::path& git_dir);
  ~PushedObjects();
  PushedObjects(PushedObjects&& other) noexcept : folder_(std::exchange(other.folder_, {})) {}
  PushedObjects(const PushedObjects&) = delete;
  PushedObjects& operator=(const PushedObjects&) = delete;

  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

 private:
  explicit PushedObjects(std::filesystem::path folder) : folder_(std::move(folder)) {}
  std::filesystem::path folder_;
};

// Runs a push from `spool`, which is read from its beginning, and gives git's answer. The bytes of objects and refs are
// synced when it returns. kFailedPrecondition with git's words if it failed as a whole.
Result<std::string> receive_pack(const std::filesystem::path& git_dir, const Descriptor& spool, const PushLock& lock);

// Syncs what git itself leaves to the operating system: the folders that a push has changed, HEAD and configuration.
Result<void> sync_push(const std::filesystem::path& git_dir, std::span<const event::RefUpdate> moved);

}  // namespace weir::api
