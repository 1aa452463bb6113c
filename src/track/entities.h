#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

// What experiment tracking keeps, as plain data. Times are milliseconds since 1970, as MLflow's clients send them.
namespace weir::track {

struct KeyValue {
  std::string key;
  std::string value;
};

struct Experiment {
  std::int64_t id = 0;
  std::string name;
  std::string artifact_location;  // "mlflow-artifacts:/7"
  bool deleted = false;
  std::int64_t created_ms = 0;
  std::int64_t updated_ms = 0;
  std::vector<KeyValue> tags;
};

// Persisted; the numbers are MLflow's.
enum class RunStatus : std::uint8_t { kRunning = 1, kScheduled = 2, kFinished = 3, kFailed = 4, kKilled = 5 };

struct RunInfo {
  std::string id;  // 32 hex digits
  std::int64_t experiment_id = 0;
  std::string name;
  std::string user_id;
  RunStatus status = RunStatus::kRunning;
  std::int64_t start_ms = 0;
  std::optional<std::int64_t> end_ms;
  std::string artifact_uri;  // "mlflow-artifacts:/7/<id>/artifacts"
  bool deleted = false;
  std::optional<std::int64_t> workflow_run;  // of the job whose token made it
  std::optional<std::int64_t> job;
  std::string actor;
};

// One point of a metric. NaN and infinities are allowed.
struct MetricPoint {
  std::string key;
  double value = 0.0;
  std::int64_t timestamp_ms = 0;
  std::int64_t step = 0;
  std::string model_id;  // "" unless logged for a logged model
  std::string dataset_name;
  std::string dataset_digest;
  std::string run_id;  // filled for a logged model's metrics
};

struct Dataset {
  std::string name;
  std::string digest;
  std::string source_type;
  std::string source;
  std::optional<std::string> schema;
  std::optional<std::string> profile;
};

struct DatasetInput {
  Dataset dataset;
  std::vector<KeyValue> tags;  // mlflow.data.context = "training"
};

struct ModelOutput {
  std::string model_id;
  std::int64_t step = 0;
};

struct Run {
  RunInfo info;
  std::vector<MetricPoint> metrics;  // the newest point of each
  std::vector<KeyValue> params;
  std::vector<KeyValue> tags;
  std::vector<DatasetInput> inputs;
  std::vector<std::string> model_inputs;
  std::vector<ModelOutput> model_outputs;
};

// Persisted; the numbers are MLflow's.
enum class ModelStatus : std::uint8_t { kUnspecified = 0, kPending = 1, kReady = 2, kFailed = 3 };

// A model that a run logged (MLflow 3): "models:/m-…".
struct LoggedModel {
  std::string id;  // "m-" and 32 hex digits
  std::int64_t experiment_id = 0;
  std::string name;
  std::string type;
  std::string source_run;  // experiment run; "" if none
  ModelStatus status = ModelStatus::kPending;
  std::string status_message;
  std::string artifact_uri;
  bool deleted = false;
  std::int64_t created_ms = 0;
  std::int64_t updated_ms = 0;
  std::vector<KeyValue> params;
  std::vector<KeyValue> tags;
  std::vector<MetricPoint> metrics;
};

struct ArtifactInfo {
  std::string path;  // below the folder that was listed: its last part only
  bool is_folder = false;
  std::string sha256;  // of a file
  std::int64_t size_bytes = 0;
};

// One page of a search.
template <class T>
struct Page {
  std::vector<T> items;
  std::string next_token;  // "" on the last page
};

enum class View : std::uint8_t { kActiveOnly = 1, kDeletedOnly = 2, kAll = 3 };

}  // namespace weir::track
