#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace weir::io {

struct GitObject {
  std::string id;
  std::string type;  // "commit", "tree", "blob", "tag"
  std::string bytes;
};

struct GitCommit {
  std::string sha;
  std::string tree;
  std::vector<std::string> parents;
  std::string author_name;
  std::string author_email;
  std::int64_t author_time_s = 0;     // seconds since 1970
  std::int64_t committer_time_s = 0;  // when it was committed: DORA's lead time starts here
  std::string message;
};

// One entry of a tree object, without its folder.
struct GitTreeItem {
  std::string name;
  std::string mode;  // as git prints it: "100644", "040000"
  std::string object;
};

// Reads a repository's objects through one `git cat-file --batch`, which starts with the first question and ends with
// this object: a question takes some 20 microseconds instead of a process. Any thread; questions wait for each other.
// Objects that are added meanwhile are found.
class GitObjects {
 public:
  // `env`: more of git's variables.
  explicit GitObjects(std::filesystem::path git_dir, std::map<std::string, std::string> env = {});
  ~GitObjects();
  GitObjects(const GitObjects&) = delete;
  GitObjects& operator=(const GitObjects&) = delete;

  // What `name` means to `git rev-parse` ("HEAD^{commit}", an id, "v1:weir.yaml"); nothing if there is no such object.
  // kResourceExhausted if it is larger than `bytes_max`.
  Result<std::optional<GitObject>> read(std::string_view name, std::size_t bytes_max = 256U << 20);

 private:
  struct Reader;
  std::unique_ptr<Reader> reader_;
};

// The entries of a tree object's bytes, "<octal mode> <name>\0<id>" one after the other, with ids of `id_bytes` (20, or
// 32 for SHA-256). kCorrupt if the bytes are something else.
Result<std::vector<GitTreeItem>> parse_git_tree(std::string_view bytes, std::size_t id_bytes);

// What a commit object says. Nothing if its text is in another encoding than UTF-8, which git can tell. What is missing
// or unreadable is left empty, as git does.
std::optional<GitCommit> parse_git_commit(const GitObject& object);

}  // namespace weir::io
