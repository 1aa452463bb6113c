#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>

#include "base/clock.h"
#include "base/log.h"
#include "store/database.h"

namespace weir::store {

// When what was written survives a power cut. The death of the process loses nothing either way.
enum class Durability {
  kEachWrite,  // before it is acknowledged: synchronous=FULL
  kAtStop,     // at the end, and now and then before; never half of a write: synchronous=NORMAL. For a process whose
               // work a power cut ends anyway.
};

// Opens (or makes) a database in WAL mode, applies the migrations that it lacks, in the order
// given, and starts its writer thread. kFailedPrecondition if it was made by a newer weir; kCorrupt if it is damaged.
Result<std::unique_ptr<Database>> open_sqlite(const std::filesystem::path& file, std::span<const Migration> migrations,
                                              const Clock& clock, Log& log,
                                              Durability durability = Durability::kEachWrite);

// Looks at a database without changing it, also while a server has it open. kCorrupt if SQLite's own integrity check
// finds damage.
Result<void> inspect_sqlite(const std::filesystem::path& file, const std::function<Result<void>(Reader&)>& work);

}  // namespace weir::store
