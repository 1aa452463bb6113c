#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "io/git.h"

// Questions to git, and changes of trees, that only this API asks for. They block.
namespace weir::api::github {

struct ChangedFile {
  std::string path;
  std::string before_path;  // of a renamed one; "" otherwise
  char status = 'M';        // A, M, D, R, T as git says
  std::string blob;         // afterwards; all zeros once it is gone
  std::int64_t additions = 0;
  std::int64_t deletions = 0;
  std::string patch;  // from the first "@@" on; "" for binary files and very large changes
};

// What differs between two commits, renames found; all of `after` for an empty `before`. kResourceExhausted beyond
// 3,000 files, as GitHub gives no more.
Result<std::vector<ChangedFile>> changed_files(const io::Git& git, const std::string& before, const std::string& after);

struct LogQuery {
  std::string commit;  // full id
  std::string path;    // only commits that touch it; "": all
  std::string since;   // ISO 8601; "": any
  std::string until;
  std::size_t limit = 100;
};
// Ids of commits, newest first.
Result<std::vector<std::string>> log_ids(const io::Git& git, const LogQuery& query);

// The nearest tag that leads to a commit or to one before it, `but` left out; "" without one.
std::string nearest_tag(const io::Git& git, const std::string& commit, const std::string& but);

// A file's id in the repository.
Result<std::string> write_blob(const io::Git& git, std::string_view bytes);

// The tree of `commit` ("" = an empty one) with `path` leading to `blob`, or gone without one. An executable file stays
// one.
Result<std::string> tree_with(const io::Git& git, const std::string& commit, const std::string& path,
                              const std::optional<std::string>& blob);

// What a path of a new tree leads to.
struct NewItem {
  std::string path;
  std::string mode;                   // "100644", "100755", "120000", "160000" (a submodule), "040000" (a folder)
  std::optional<std::string> object;  // nothing: the path is gone
};
// A tree with everything of `base` (a tree; "" = an empty one) but for `items`, which come after one another.
// kInvalidArgument for an object that is not there or not of its mode's kind, and for a path to take away that is not
// there.
Result<std::string> tree_with(const io::Git& git, const std::string& base, const std::vector<NewItem>& items);

struct Person {
  std::string name;
  std::string email;
  TimePoint time;
};
struct NewCommit {
  std::string tree;
  std::vector<std::string> parents;
  std::string message;  // kept to the byte
  Person author;
  Person committer;
};
// A commit's id in the repository, which no ref leads to yet.
Result<std::string> write_commit(const io::Git& git, const NewCommit& commit);

// What a path is at a commit.
struct PathItem {
  std::string type;  // "blob", "tree", "commit" (a submodule)
  std::string mode;
  std::string object;
  std::int64_t size_bytes = 0;  // of a blob
  std::string name;             // of an entry of a folder
};
// Nothing if nothing is there; "" is the whole tree.
Result<std::optional<PathItem>> item_at(const io::Git& git, const std::string& commit, const std::string& path);
// A folder's entries, by name.
Result<std::vector<PathItem>> folder_at(const io::Git& git, const std::string& commit, const std::string& path);

// What is below a tree (its id, or a commit's), with whole paths as names; of all folders below it, too, if
// `recursive`. Stops after `most`, which the one entry more tells of.
Result<std::vector<PathItem>> tree_at(const io::Git& git, const std::string& tree, bool recursive, std::size_t most);

// Type and size of an object by its full id. kNotFound if it is not there.
struct ObjectFacts {
  std::string type;
  std::int64_t size_bytes = 0;
};
Result<ObjectFacts> object_facts(const io::Git& git, const std::string& id);
// The bytes of a blob by its full id.
Result<std::string> blob_bytes(const io::Git& git, const std::string& id);

// kInvalidArgument unless it is a path that may be in a repository: relative, without "..", ".git" and empty parts.
Result<void> check_path(std::string_view path);

// kInvalidArgument unless it is a branch or tag by its full name that git takes.
Result<void> check_ref(const io::Git& git, std::string_view ref);

}  // namespace weir::api::github
