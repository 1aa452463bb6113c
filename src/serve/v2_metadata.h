#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/json.h"
#include "serve/backend.h"

// Metadata documents of the Open Inference Protocol v2:
// https://github.com/open-inference/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
namespace weir::serve {

json::object v2_server_metadata(std::string_view server_version);

// `name` is what the client called the model; inputs and outputs come from the model's signature.
json::object v2_model_metadata(std::string_view name, std::span<const std::string> versions, const ModelInfo& info);

}  // namespace weir::serve
