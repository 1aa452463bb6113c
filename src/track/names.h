#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "track/entities.h"

// Which names and sizes tracking takes; the limits are MLflow's (mlflow/utils/validation.py).
namespace weir::track {

inline constexpr std::size_t kKeyLengthMax = 250;
inline constexpr std::size_t kParamLengthMax = 6000;  // longer ones are cut
inline constexpr std::size_t kTagLengthMax = 8000;    // longer ones are cut
inline constexpr std::size_t kExperimentTagLengthMax = 20000;
inline constexpr std::size_t kBatchMetricsMax = 1000;
inline constexpr std::size_t kBatchParamsMax = 100;
inline constexpr std::size_t kBatchTagsMax = 100;
inline constexpr std::size_t kBatchEntitiesMax = 1000;

// Characters of UTF-8 text, not bytes.
std::size_t length(std::string_view text);
// The first `characters` of it.
std::string_view first_characters(std::string_view text, std::size_t characters);

// Letters, digits and _-./: and space, at most 250, which is a clean relative path ("val/auc"). kInvalidArgument begins
// with `what` ("metric name").
Result<void> check_key(std::string_view what, std::string_view key);
Result<void> check_length(std::string_view what, std::string_view text, std::size_t characters_max);

Result<void> check_metric(const MetricPoint& point);
Result<void> check_experiment_name(std::string_view name);
Result<void> check_logged_model_name(std::string_view name);
Result<void> check_dataset_input(const DatasetInput& input);

// A path of an artifact: relative, '/' between parts, no empty part, "." or "..", no control character, backslash,
// '#' or '%' that would still decode to something. "" is the root.
Result<void> check_artifact_path(std::string_view path);

// "bright-heron-417": a name for a run or model that came without one.
std::string random_name();

}  // namespace weir::track
