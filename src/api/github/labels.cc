// Labels of a repository: https://docs.github.com/en/rest/issues/labels
#include "forge/labels.h"

#include "api/github/answers.h"
#include "api/github/needs.h"
#include "event/payload.h"

namespace weir::api::github {
namespace {

using forge::Label;

constexpr Need kReads = needs::kReadIssues;
constexpr Need kWrites = needs::kWriteLabels;

}  // namespace

json::object label_json(const Call& call, const Label& label) {
  auto object = forge::to_json(label);
  const auto id = event::number_of_name(call.repo + "/" + label.name);
  object["id"] = id;
  object["node_id"] = call.node_id("label", label.name);
  object["url"] = call.api_url("/labels/" + io::percent_encode(label.name));
  return object;
}

namespace {

Result<io::HttpResponse> list_labels(Call& call) {
  const auto all = WEIR_TRY(call.parts.labels->list(call.repo));
  return paged(call, all, [&](const Label& label) { return label_json(call, label); });
}

Result<io::HttpResponse> get_label(Call& call) {
  return io::json_response(200, label_json(call, WEIR_TRY(call.parts.labels->find(call.repo, call.param("name")))));
}

void read_label(const json::value& body, Label& label) {
  if (auto color = json_string(body, "color")) label.color = *std::move(color);
  if (auto text = json_string(body, "description")) label.description = *std::move(text);
}

Result<io::HttpResponse> create_label(Call& call) {
  Label label{.name = WEIR_TRY(json_require_string(call.body, "name"))};
  read_label(call.body, label);
  const auto made = WEIR_TRY(call.parts.labels->create(call.repo, std::move(label), call.identity()));
  return io::json_response(201, label_json(call, made));
}

Result<io::HttpResponse> update_label(Call& call) {
  const auto changed = WEIR_TRY(call.parts.labels->update(
      call.repo, call.param("name"),
      [&](Label& label) -> Result<void> {
        if (auto name = json_string(call.body, "new_name")) label.name = *std::move(name);
        read_label(call.body, label);
        return {};
      },
      call.identity()));
  return io::json_response(200, label_json(call, changed));
}

Result<io::HttpResponse> delete_label(Call& call) {
  WEIR_TRY(call.parts.labels->remove(call.repo, call.param("name"), call.identity()));
  return io::text_response(204, "");
}

}  // namespace

// Where a label's color cannot be read, its name is what counts.
json::array labels_json(const Call& call, const std::vector<std::string>& names) {
  json::array list;
  if (names.empty()) return list;
  const auto labels = call.parts.labels->of(call.repo, names);
  for (std::size_t i = 0; i < names.size(); ++i) {
    list.push_back(label_json(call, labels ? (*labels)[i] : Label{names[i]}));
  }
  return list;
}

void add_label_routes(Routes& routes) {
  routes.repo("GET", "/labels", kReads, list_labels);
  routes.repo("POST", "/labels", kWrites, create_label);
  routes.repo("GET", "/labels/{name}", kReads, get_label);
  routes.repo("PATCH", "/labels/{name}", kWrites, update_label);
  routes.repo("DELETE", "/labels/{name}", kWrites, delete_label);
}

}  // namespace weir::api::github
