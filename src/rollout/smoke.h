#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "serve/backend.h"

namespace weir::rollout {

// What the answer to a model's own example must be: status 200, as many predictions as rows, and no number that is not
// finite. kFailedPrecondition says what is wrong instead.
Result<std::size_t> judge_example(std::string_view example, const serve::InferAnswer& answer);

// Tries a loaded version out: its example is predicted, and once more for the latency of a warm model. `done` gets
// {"rows", "latency_ms"}, or {} for a model without an example, on any thread.
void smoke_test(std::shared_ptr<serve::Backend> backend, std::string example,
                std::move_only_function<void(Result<json::object>)> done);

}  // namespace weir::rollout
