#include "event/data_sources.h"

#include <array>

#include "base/hash.h"
#include "event/data_files.h"
#include "io/http_client.h"
#include "text/yaml.h"

namespace weir::event {
namespace {

constexpr auto kPatience = std::chrono::seconds{15};
constexpr std::size_t kHeaderMax = 500;  // bytes kept of an ETag
constexpr std::size_t kOutputsMax = 1'000;

// What DVC compares: MD5 of its own storage, or what a foreign storage says.
constexpr std::array<std::string_view, 4> kDigests = {"md5", "etag", "checksum", "version_id"};

// The digests of a list of outputs, by their path.
Result<void> take_outputs(const text::YamlNode& list, std::string_view file, json::object& outputs) {
  for (const auto* output : list.items()) {
    const auto* path = output->find("path");
    if (path == nullptr) continue;
    json::object facts;
    for (const auto key : kDigests) {
      if (const auto* digest = output->find(key)) facts[key] = printable(digest->value->text());
    }
    for (const std::string_view key : {"size", "nfiles"}) {
      const auto* number = output->find(key);
      if (number != nullptr && number->value->kind() == text::YamlKind::kInt) facts[key] = number->value->as_int();
    }
    outputs[printable(path->value->text())] = std::move(facts);
    if (outputs.size() > kOutputsMax) {
      return fail(Code::kFailedPrecondition, "{} names more than {} outputs", file, kOutputsMax);
    }
  }
  return {};
}

}  // namespace

Result<SourceFound> look_at_address(const std::string& url) {
  const auto answer = WEIR_TRY(io::http_exchange({.method = "HEAD", .url = url, .timeout = kPatience}));
  if (answer.status == 404 || answer.status == 410) return SourceFound{};
  if (answer.status >= 300 && answer.status < 400) {
    return fail(Code::kFailedPrecondition, "{} leads elsewhere ({}): watch the address that it leads to", url,
                printable(answer.headers.get("Location").substr(0, kHeaderMax)));
  }
  if (answer.status != 200) {
    return fail(Code::kUnavailable, "{} answers {} to HEAD", url, answer.status);
  }
  const auto etag = printable(answer.headers.get("ETag").substr(0, kHeaderMax));
  const auto modified = printable(answer.headers.get("Last-Modified").substr(0, kHeaderMax));
  if (etag.empty() && modified.empty()) {
    return fail(Code::kFailedPrecondition, "{} tells neither ETag nor Last-Modified, so changes cannot be seen", url);
  }
  const auto length = printable(answer.headers.get("Content-Length").substr(0, 20));
  SourceFound found{.there = true, .digest = sha256_hex(fmt::format("{}\n{}", etag.empty() ? modified : etag, length))};
  if (!etag.empty()) found.facts["etag"] = etag;
  if (!modified.empty()) found.facts["last_modified"] = modified;
  if (!length.empty()) found.facts["size"] = std::strtoll(length.c_str(), nullptr, 10);
  return found;
}

Result<SourceFound> read_dvc(std::string_view text, std::string_view path) {
  const auto yaml = text::parse_yaml(text, path);
  if (!yaml.document || !yaml.document->root().is_map()) {
    return fail(Code::kFailedPrecondition, "{} is no file of DVC: {}", path,
                yaml.diagnostics.empty() ? std::string("it is no map") : yaml.diagnostics.front().message);
  }
  json::object outputs;
  const auto& root = yaml.document->root();
  if (const auto* list = root.find("outs")) WEIR_TRY(take_outputs(*list->value, path, outputs));
  if (const auto* stages = root.find("stages")) {
    for (const auto& stage : stages->value->entries()) {
      if (const auto* list = stage.value->find("outs")) WEIR_TRY(take_outputs(*list->value, path, outputs));
    }
  }
  if (outputs.empty()) return fail(Code::kFailedPrecondition, "{} names no outputs, as files of DVC do", path);
  SourceFound found{.there = true};
  found.digest = sha256_hex(json::serialize(outputs));
  found.facts["outputs"] = std::move(outputs);
  return found;
}

Result<SourceFound> look_at_dvc(const io::Git& git, const std::string& commit, const std::string& path) {
  const auto text = git.show(commit, path);
  if (!text && text.error().code == Code::kNotFound) return SourceFound{};
  if (!text) return std::unexpected(text.error());
  auto found = WEIR_TRY(read_dvc(*text, path));
  found.facts["commit"] = commit;
  return found;
}

}  // namespace weir::event
