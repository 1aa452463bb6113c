#include <fmt/format.h>

#include "workflow/file_reader.h"
#include "workflow/scopes.h"

namespace weir::workflow {
namespace {

using text::MapReader;
using text::YamlNode;

class ContainerReader {
 public:
  ContainerReader(FileReader& reader, const YamlNode& node, std::string_view what, bool service)
      : reader_(reader), what_(what), service_(service), map_(reader.schema(), node, what_) {}

  json::object read() {
    read_image();
    read_text("options");
    read_list("ports");
    read_list("volumes");
    if (const YamlNode* env = map_.find("env")) {
      out_["env"] = reader_.text_map(*env, of("env"), scopes::kContainerEnv);
    }
    read_credentials();
    if (service_) {
      read_text("entrypoint");
      read_text("command");
    }
    map_.finish();
    return std::move(out_);
  }

 private:
  [[nodiscard]] std::string of(std::string_view key) const { return fmt::format("\"{}\" of {}", key, what_); }

  void read_image() {
    const YamlNode* image = map_.require("image");
    if (image == nullptr) return;
    // A service without an image does not start, which an expression may want.
    out_["image"] = reader_.required_text(*image, of("image"), &scopes::kContainer);
  }

  void read_text(std::string_view key) {
    const YamlNode* node = map_.find(key);
    if (node != nullptr) out_[key] = reader_.text(*node, of(key), &scopes::kContainer);
  }

  void read_list(std::string_view key) {
    const YamlNode* node = map_.find(key);
    if (node == nullptr) return;
    if (FileReader::is_one_expression(*node)) {
      out_[key] = reader_.tree(*node, scopes::kContainer);
      return;
    }
    if (!node->is_sequence()) {
      reader_.schema().error(*node, fmt::format("{} must be a list, not {}", of(key), node->kind_name()));
      return;
    }
    json::array list;
    for (const auto& item : reader_.texts(*node, of(key), &scopes::kContainer)) list.push_back(json::string(item));
    out_[key] = std::move(list);
  }

  void read_credentials() {
    const YamlNode* node = map_.find("credentials");
    if (node == nullptr) return;
    if (FileReader::is_one_expression(*node)) {
      out_["credentials"] = reader_.tree(*node, scopes::kContainerCredentials);
      return;
    }
    const std::string what = of("credentials");
    MapReader map(reader_.schema(), *node, what);
    json::object credentials;
    for (const std::string_view key : {"username", "password"}) {
      const YamlNode* value = map.find(key);
      if (value == nullptr) continue;
      credentials[key] =
          reader_.required_text(*value, fmt::format("\"{}\" of {}", key, what), &scopes::kContainerCredentials);
    }
    map.finish();
    out_["credentials"] = std::move(credentials);
  }

  FileReader& reader_;
  std::string what_;
  bool service_;
  MapReader map_;
  json::object out_;
};

}  // namespace

json::value read_container(FileReader& reader, const YamlNode& node, std::string_view what, bool service) {
  if (node.is_map()) return ContainerReader(reader, node, what, service).read();
  // A job's container may be empty, which is none.
  return json::string(service ? reader.required_text(node, what, &scopes::kContainer)
                              : reader.text(node, what, &scopes::kContainer));
}

json::value read_services(FileReader& reader, const YamlNode& node, std::string_view what) {
  if (FileReader::is_one_expression(node)) return reader.tree(node, scopes::kContainer);
  json::object out;
  if (!node.is_map()) {
    reader.schema().error(node, fmt::format("{} must be a map, not {}", what, node.kind_name()));
    return out;
  }
  reader.check_keys(node);
  for (const auto& entry : node.entries()) {
    out[entry.key] = read_container(reader, *entry.value, fmt::format("service \"{}\"", entry.key), true);
  }
  return out;
}

}  // namespace weir::workflow
