#pragma once

#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "runner/action.h"
#include "runner/uses.h"

namespace weir::runner {

// Where actions and workflows of other repositories come from, and where they are kept:
//
//   <cache>/<base>/<owner>/<name>/git/          a bare repository with the commits that were asked for
//                                refs/<ref>     the commit that a branch or tag was last seen at
//                                trees/<commit> its files, never changed, of actions
//                                lock           held while one of these is made
//                                used           when, by its time; shared by those who use it now
//
// <base> is made from the base address, so that those of another one are never taken for these.
struct RemoteSource {
  std::string base_url;                    // "https://github.com", "file:///srv/mirror"
  std::filesystem::path cache;             // "" : there is no place to keep them, so none are fetched
  std::map<std::string, std::string> env;  // for git; nothing in it may lead git elsewhere
  bool is_server = false;  // the job's own: `credentials` let git in there, as GIT_CONFIG_COUNT and its like
  std::map<std::string, std::string> credentials;
};

struct RemoteTree {
  std::filesystem::path folder;  // of the whole repository
  std::string commit;
  std::shared_ptr<const void> held;  // keeps it from removal
};

// Gets the repository at the ref of `uses`. A commit that is there is taken without asking; a branch or tag is asked
// for each time, and taken as it was last seen, with a warning, if nobody answers. An error says what to do. Blocks;
// any thread, any number of processes at a time.
Result<RemoteTree> fetch_action(const RemoteSource& source, const UsesReference& uses, const std::atomic<bool>& stop,
                                Reporter& reporter);

struct RemoteCommit {
  std::filesystem::path git_dir;  // a bare repository that has the commit and its files
  std::string commit;
  std::shared_ptr<const void> held;  // keeps it from removal
};

enum class Asking : std::uint8_t { kAsk, kOnlyKept };

// The same without laying the files out, for a workflow that is called: with kOnlyKept nobody is asked, and what was
// never seen is kNotFound. The error does not name `uses`.
Result<RemoteCommit> fetch_workflows(const RemoteSource& source, const UsesReference& uses, Asking asking,
                                     const std::atomic<bool>& stop, Reporter& reporter);

// Removes the repositories that were used longest ago until the rest has at most `bytes_max`, never one that is in use,
// and what fetches that were killed left. Gives the bytes of what it removed. Any thread, any number of processes.
Result<std::int64_t> trim_fetched(const std::filesystem::path& cache, std::int64_t bytes_max,
                                  const std::atomic<bool>& stop);

}  // namespace weir::runner
