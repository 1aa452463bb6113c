#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/job_inputs.h"
#include "engine/nodes.h"
#include "engine/plan.h"
#include "engine/rows.h"
#include "io/git.h"

// Whether a job's earlier result stands for what it would do now: it does if nothing that went into it has changed.
namespace weir::engine {

// Digests of a job as it is about to run. `needs` of the result is empty.
JobInputs inputs_of(const LegBody& body, const Facts& facts, std::string_view commit);

// The files of commits: object ids by path. A few are kept. One thread.
class Trees {
 public:
  using Tree = std::map<std::string, std::string>;
  Result<std::shared_ptr<const Tree>> of(const io::Git& git, const std::string& commit);

 private:
  std::vector<std::pair<std::string, std::shared_ptr<const Tree>>> kept_;  // newest last
};

// Everything that differs; empty if the result of `before` still stands.
std::vector<Difference> differences(const JobInputs& before, const JobInputs& now, const Trees::Tree& tree_before,
                                    const Trees::Tree& tree_now);

// An earlier job that succeeded.
struct Candidate {
  std::int64_t job = 0;
  std::int64_t run = 0;
  std::int64_t number = 0;  // of the run
  JobInputs inputs;
};
// Of the same workflow file, key and combination, newest first, before `run`. At most a few.
Result<std::vector<Candidate>> load_candidates(store::Reader& reader, const RunRow& run, const JobRow& job);

// What a job gave that has ended, to all that need it: a digest of its outputs and of its combinations' artifacts,
// which is made once for all of them. Any thread.
class NeedResult {
 public:
  explicit NeedResult(KeyNode& key);
  // kUnavailable and its like when the artifacts cannot be read; then it is tried anew the next time.
  Result<std::string> digest(store::Reader& reader, std::int64_t run) const;

 private:
  std::string outputs_;
  std::vector<std::pair<std::int64_t, std::int64_t>> jobs_;  // id, and that of the job whose result it carries on, or 0
  mutable std::mutex mutex_;
  mutable std::string digest_;
};
using NeedResults = std::map<std::string, std::shared_ptr<const NeedResult>>;
// Of the jobs that `key` needs, by their keys.
NeedResults need_results(const KeyNode& key);
// Fills in JobInputs::needs.
Result<void> add_needs(store::Reader& reader, std::int64_t run, const NeedResults& results, JobInputs& inputs);

// Which of a workflow's jobs a person wants run: those on the way from `from` to `to` ("" for either: from the start,
// to the end). kInvalidArgument for a key that is none, or if no way leads there.
struct Stages {
  std::vector<bool> runs;    // by job: it is wanted
  std::vector<bool> needed;  // by job: what it made before is needed
};
Result<Stages> stages(const Plan& plan, const std::vector<std::string>& from, const std::vector<std::string>& to);

}  // namespace weir::engine
