#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/job_inputs.h"
#include "io/git.h"
#include "store/database.h"

// Why a job's earlier result was reused, or why not, as the API shows it.
namespace weir::engine {

// Keeps why `job` ran though the result of `compared` might have stood for it.
Result<void> keep_comparison(store::Transaction& tx, std::int64_t job, std::int64_t compared,
                             const std::vector<Difference>& differences);

struct Reuse {
  struct Earlier {
    std::int64_t job = 0;
    std::int64_t run = 0;
    std::int64_t number = 0;  // of the run
  };
  // A file that counts, with its object in git; a submodule's is its commit.
  struct File {
    std::string path;
    std::string object;
  };
  bool asked = false;              // somebody chose stages, so that an earlier result might have stood for it
  bool reused = false;             // and one did
  std::optional<Earlier> earlier;  // that one, or the newest that it was compared with
  std::optional<JobInputs> key;    // what went into its result; none: it is not kept, since it did not succeed
  std::vector<File> files;         // of the key; the first of them
  std::size_t files_count = 0;
  json::array differences;  // as to_json(Difference) writes them; the first of them
  std::int64_t differences_count = 0;
};
json::object to_json(const Reuse& reuse);

// What the database knows; without the key's files, which add_files() looks up at the key's commit.
Result<Reuse> load_reuse(store::Reader& reader, std::int64_t job);
Result<void> add_files(const io::Git& git, Reuse& reuse);

}  // namespace weir::engine
