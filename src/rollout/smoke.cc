#include "rollout/smoke.h"

#include <cmath>

namespace weir::rollout {
namespace {

using std::chrono::steady_clock;

constexpr Duration kLimit{std::chrono::seconds{60}};

std::size_t rows_of_columns(const json::value& columns) {
  if (!columns.is_object() || columns.get_object().empty()) return 1;
  const auto& first = columns.get_object().begin()->value();
  return first.is_array() ? first.get_array().size() : 1;
}

// How many rows a request of MLflow's scoring protocol has; nothing if that cannot be told.
std::optional<std::size_t> rows_of(const json::value& request) {
  if (const auto* split = json_find(request, "dataframe_split")) {
    const auto* data = json_find(*split, "data");
    return data && data->is_array() ? std::optional(data->get_array().size()) : std::nullopt;
  }
  for (const char* form : {"dataframe_records", "instances", "inputs"}) {
    const auto* data = json_find(request, form);
    if (data == nullptr) continue;
    return data->is_array() ? data->get_array().size() : rows_of_columns(*data);
  }
  return std::nullopt;
}

// JSON has no NaN or infinity: workers write null for them.
bool holds_null(const json::value& value) {
  if (value.is_null()) return true;
  if (value.is_double()) return !std::isfinite(value.get_double());
  if (value.is_array()) return std::ranges::any_of(value.get_array(), holds_null);
  if (value.is_object()) {
    return std::ranges::any_of(value.get_object(), [](const auto& member) { return holds_null(member.value()); });
  }
  return false;
}

std::string message_of(const serve::InferAnswer& answer) {
  const auto body = parse_json(answer.body, "answer");
  return body ? json_string_or(*body, "message", answer.body.substr(0, 300)) : answer.body.substr(0, 300);
}

}  // namespace

Result<std::size_t> judge_example(std::string_view example, const serve::InferAnswer& answer) {
  if (answer.status != 200) {
    return fail(Code::kFailedPrecondition, "smoke test: the model answered its own example with {}: {}", answer.status,
                message_of(answer));
  }
  const auto body = parse_json(answer.body, "answer");
  const auto* predictions = body ? json_find(*body, "predictions") : nullptr;
  if (predictions == nullptr) return fail(Code::kFailedPrecondition, "smoke test: the answer holds no predictions");
  const auto request = parse_json(example, "the model's example");
  const auto rows = request ? rows_of(*request) : std::nullopt;
  if (!predictions->is_array()) {
    if (holds_null(*predictions)) {
      return fail(Code::kFailedPrecondition, "smoke test: the prediction holds a number that is not finite");
    }
    return rows.value_or(1);
  }
  const auto& all = predictions->get_array();
  if (rows && all.size() != *rows) {
    return fail(Code::kFailedPrecondition, "smoke test: {} predictions for the {} rows of the model's example",
                all.size(), *rows);
  }
  for (std::size_t row = 0; row < all.size(); ++row) {
    if (holds_null(all[row])) {
      return fail(Code::kFailedPrecondition, "smoke test: the prediction of row {} is not a finite number: {}", row,
                  json::serialize(all[row]));
    }
  }
  return all.size();
}

void smoke_test(std::shared_ptr<serve::Backend> backend, std::string example,
                std::move_only_function<void(Result<json::object>)> done) {
  if (example.empty()) return done(json::object{});
  const auto body = std::make_shared<const std::string>(std::move(example));
  const auto ask = [body] {
    return serve::InferRequest{
        .content_type = "application/json", .body = body, .deadline = steady_clock::now() + kLimit};
  };
  auto& asked = *backend;
  asked.infer(ask(),
              [backend = std::move(backend), body, ask, done = std::move(done)](serve::InferAnswer first) mutable {
                auto rows = judge_example(*body, first);
                if (!rows) return done(std::unexpected(rows.error()));
                const auto begin = steady_clock::now();
                auto& again = *backend;
                again.infer(ask(), [backend = std::move(backend), rows = *rows, begin,
                                    done = std::move(done)](const serve::InferAnswer& second) mutable {
                  if (second.status != 200) {
                    return done(fail(Code::kFailedPrecondition,
                                     "smoke test: the model answered its own example with {} the second "
                                     "time: {}",
                                     second.status, message_of(second)));
                  }
                  const double millis = std::chrono::duration<double, std::milli>(steady_clock::now() - begin).count();
                  done(json::object{{"rows", rows}, {"latency_ms", std::round(millis * 100.0) / 100.0}});
                });
              });
}

}  // namespace weir::rollout
