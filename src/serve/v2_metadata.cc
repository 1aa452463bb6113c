#include "serve/v2_metadata.h"

namespace weir::serve {
namespace {

json::array tensors(const json::array& described) {
  json::array all;
  for (const auto& entry : described) {
    json::object tensor;
    for (const char* member : {"name", "datatype", "shape"}) {
      if (const auto* value = json_find(entry, member)) tensor[member] = *value;
    }
    all.push_back(std::move(tensor));
  }
  return all;
}

}  // namespace

json::object v2_server_metadata(std::string_view server_version) {
  return {{"name", "weir"}, {"version", server_version}, {"extensions", json::array{"binary_tensor_data"}}};
}

json::object v2_model_metadata(std::string_view name, std::span<const std::string> versions, const ModelInfo& info) {
  json::array listed;
  for (const auto& version : versions) listed.push_back(json::value(version));
  return {{"name", name},
          {"versions", std::move(listed)},
          {"platform", "mlflow_" + (info.flavor.empty() ? std::string("pyfunc") : info.flavor)},
          {"inputs", tensors(info.inputs)},
          {"outputs", tensors(info.outputs)}};
}

}  // namespace weir::serve
