#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "io/http.h"
#include "track/entities.h"

// How requests are read: members of a protobuf message in its JSON form, where 64-bit numbers may be strings, enums
// names or numbers, and absent members have their defaults.
namespace weir::api::mlflow {

// The members of one message. The JSON must outlive it. Functions fail with kInvalidArgument naming the member.
class Fields {
 public:
  explicit Fields(const json::value& message) : message_(message) {}

  [[nodiscard]] bool has(std::string_view name) const;                      // present and not null
  [[nodiscard]] Result<std::string> text(std::string_view name) const;      // "" if absent
  [[nodiscard]] Result<std::string> required(std::string_view name) const;  // not ""
  [[nodiscard]] Result<std::optional<std::int64_t>> integer(std::string_view name) const;
  [[nodiscard]] Result<std::int64_t> integer_or(std::string_view name, std::int64_t fallback) const;
  [[nodiscard]] Result<double> number(std::string_view name) const;  // required; also "NaN", "Infinity", "-Infinity"
  [[nodiscard]] Result<bool> flag(std::string_view name, bool fallback = false) const;
  [[nodiscard]] Result<std::vector<std::string>> texts(std::string_view name) const;
  // Objects of a list; each is valid as long as the message.
  [[nodiscard]] Result<std::vector<Fields>> messages(std::string_view name) const;
  [[nodiscard]] Result<std::optional<Fields>> message(std::string_view name) const;
  // [{"key", "value"}, …]
  [[nodiscard]] Result<std::vector<track::KeyValue>> pairs(std::string_view name) const;

  // run_id, or its old name run_uuid.
  [[nodiscard]] Result<std::string> run_id() const;
  [[nodiscard]] Result<std::int64_t> experiment_id() const;
  [[nodiscard]] Result<std::vector<std::int64_t>> experiment_ids() const;

 private:
  const json::value& message_;
};

Result<std::int64_t> parse_experiment_id(std::string_view text);
Result<track::View> parse_view(const Fields& fields, std::string_view name);
Result<std::optional<track::RunStatus>> parse_run_status(const Fields& fields);
Result<track::ModelStatus> parse_model_status(const Fields& fields);

// The request's message: its body, or its query for methods that have none.
Result<json::value> read_message(const io::HttpRequest& request);

}  // namespace weir::api::mlflow
