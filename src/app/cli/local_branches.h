#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "io/git.h"

// What a work tree's repository knows of its branches and of the place it is pushed to. Blocks for git.
namespace weir::app {

class LocalBranches {
 public:
  // A branch as it is best known: as the remote has it, or as it is here.
  struct Tip {
    std::string name;    // for people: "origin/main"
    std::string commit;  // "" if there is none
  };

  static Result<LocalBranches> read(const io::Git& git);

  // "refs/heads/feat"; "" if HEAD is detached.
  [[nodiscard]] const std::string& current() const { return current_; }
  // The default branch, as far as it can be guessed: what the remote says, main, master, init.defaultBranch, and at
  // last the current one. "refs/heads/main".
  [[nodiscard]] const std::string& default_ref() const { return default_ref_; }
  // "feat", "v1" or a full ref, as a full ref; one that is given in full need not be there yet. kNotFound names near
  // ones.
  [[nodiscard]] Result<std::string> full_ref(std::string_view name, std::string_view option) const;
  // "; did you mean "main"?" if a branch or tag has a name that is near; or "".
  [[nodiscard]] std::string hint(std::string_view name) const;
  // Of "refs/heads/main": the remote's, then the one here.
  [[nodiscard]] Tip tip(std::string_view ref) const;
  // What a push of the work tree to `ref` would be compared with; `commit` is what it stands at, of which `head` is
  // HEAD's commit ("" before the first). That is the branch as the remote has it, or where a new one left the default
  // branch; where nothing would be pushed, or no remote is known, what the last commit changed.
  [[nodiscard]] Result<Tip> pushed_before(std::string_view ref, const std::string& head,
                                          const std::string& commit) const;

 private:
  explicit LocalBranches(io::Git git) : git_(std::move(git)) {}
  [[nodiscard]] std::string ask(std::vector<std::string> arguments) const;
  [[nodiscard]] bool has(const std::string& ref) const { return refs_.contains(ref); }
  [[nodiscard]] std::string guess_default() const;

  io::Git git_;
  std::map<std::string, std::string> refs_;
  std::string remote_;  // "origin"; "" if there is none
  std::string current_;
  std::string upstream_;  // of the current branch: "refs/remotes/origin/feat", or ""
  std::string default_ref_;
};

}  // namespace weir::app
