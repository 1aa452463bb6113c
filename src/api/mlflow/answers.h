#pragma once

#include <string>

#include "base/error.h"
#include "base/json.h"
#include "io/http.h"
#include "registry/registry.h"
#include "track/entities.h"
#include "track/tracking.h"

// Answers in the JSON form of MLflow's protobuf messages.
namespace weir::api::mlflow {

json::object to_json(const track::Experiment& experiment);
json::object to_json(const track::RunInfo& info);
json::object to_json(const track::Run& run);
json::object to_json(const track::MetricPoint& point);
json::object to_json(const track::LoggedModel& model);
json::object to_json(const track::ArtifactInfo& artifact, std::string_view folder);
json::object to_json(const registry::Version& version);
json::object to_json(const registry::Model& model);

// A number, or "NaN", "Infinity", "-Infinity".
json::value to_json_number(double value);

template <class T>
json::array to_json_array(const std::vector<T>& items) {
  json::array array;
  for (const auto& item : items) array.push_back(to_json(item));
  return array;
}

// {"<name>": […], "next_page_token": "…"}; the token only where there is a next page.
template <class T>
json::object to_json(const track::Page<T>& page, std::string_view name) {
  json::object object;
  object[json::string_view(name.data(), name.size())] = to_json_array(page.items);
  if (!page.next_token.empty()) object["next_page_token"] = page.next_token;
  return object;
}

// {"error_code", "message"} with the status that clients expect: they repeat a request only on those that another try
// can mend.
io::HttpResponse error_answer(const Error& error);
io::HttpResponse error_answer(int status, std::string_view error_code, std::string message);

}  // namespace weir::api::mlflow
