#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "insight/why.h"
#include "store/database.h"
#include "types/event.h"

// Questions to the event log that why and dora share.
namespace weir::insight {

// A text or whole number of a payload as text; "" if absent.
std::string text_of(const types::Event& event, std::string_view key);

// The newest event of one of `types` about `subject` with sequence < `before` (0 = no bound).
Result<std::optional<types::Event>> newest(store::Reader& reader, std::string_view subject,
                                           std::initializer_list<std::string_view> types, std::int64_t before = 0);

// Events of `types` in the order of the log, from the first at or after `from` on.
Result<std::vector<types::Event>> events_since(store::Reader& reader, std::initializer_list<std::string_view> types,
                                               TimePoint from);

// What led to `event`: its cause, that one's cause and so on, nearest first.
Result<std::vector<types::Event>> causes_of(store::Reader& reader, const types::Event& event);

// Where a model version came from, as far as the log and the sources know.
struct Origin {
  std::optional<types::Event> version;  // version.created
  std::optional<ExperimentRun> experiment;
  std::optional<types::Event> run;  // run.created of the workflow run
  std::string repository;
  std::optional<Commit> commit;
};
Result<Origin> origin_of_version(store::Reader& reader, const Sources& sources, std::string_view model,
                                 std::string_view version, std::int64_t before = 0);
// The same, beginning at a workflow run.
Result<void> add_run(store::Reader& reader, const Sources& sources, std::int64_t run_id, Origin& origin);

}  // namespace weir::insight
