#pragma once

#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "store/database.h"
#include "track/entities.h"

// How rows of logged models are read; for the sources of this folder.
namespace weir::track {

inline constexpr std::string_view kModelColumns =
    "m.model, m.id, m.experiment, m.name, m.type, m.source_run, m.status, m.status_message, m.artifact_uri, m.deleted, "
    "m.created_ms, m.updated_ms";
LoggedModel read_model(const store::Row& row);

// Adds params, tags and metrics to the model that has `number`.
Result<void> load_model_data(store::Reader& reader, std::int64_t number, LoggedModel& model);

}  // namespace weir::track
