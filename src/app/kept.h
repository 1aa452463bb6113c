#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string_view>

#include "base/clock.h"
#include "store/blob_store.h"
#include "store/database.h"

// What must stay, whoever wants room: asked of the tables of all layers.
namespace weir::app {

// Workflow runs whose files stay whatever `keep:` says: that registered a model version or trained it, the last two
// that deployed to each environment, those of open pull requests, and those that have not ended.
Result<std::set<std::int64_t>> needed_runs(store::Reader& reader);

// Tables whose rows name blobs: what to call the row, the table, its column, what tells the row from others.
struct BlobReference {
  std::string_view what;
  std::string_view table;
  std::string_view column;
  std::string_view label;
};
std::span<const BlobReference> blob_references();

// Removes blobs that lost the row which named them, unless another one of any table does, or somebody has put the same
// bytes since `since`. Gives the bytes.
Result<std::int64_t> remove_unnamed_blobs(store::Database& db, store::BlobStore& blobs, TimePoint since);

}  // namespace weir::app
