#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/hash.h"
#include "io/file.h"
#include "io/http.h"
#include "runner/action.h"
#include "runner/archive.h"
#include "runner/glob.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

// GitHub's list: what some file system would not take. A name must not hold slashes either.
Result<void> check_characters(std::string_view text, bool is_name) {
  const std::string_view bad = is_name ? "\":<>|*?\r\n\\/" : "\":<>|*?\r\n";
  const auto at = text.find_first_of(bad);
  if (at == std::string_view::npos) return {};
  const std::string shown = text[at] == '\r' ? "\\r" : text[at] == '\n' ? "\\n" : std::string(1, text[at]);
  return fail(Code::kInvalidArgument,
              "The {} is not valid: {}. It contains the character {}, which some file systems "
              "don't take",
              is_name ? "artifact name" : "path for one of the files in artifact", text, shown);
}

// The folder that all `paths` share.
std::string common_ancestor(const std::vector<std::string>& paths) {
  fs::path common = paths.front();
  for (const auto& path : paths) {
    fs::path shared;
    const fs::path other = path;
    auto a = common.begin();
    auto b = other.begin();
    for (; a != common.end() && b != other.end() && *a == *b; ++a, ++b) shared /= *a;
    common = shared;
  }
  return common.string();
}

struct Found {
  std::vector<std::string> files;  // absolute
  std::string root;                // what names in the artifact are relative to
};

// actions/upload-artifact's rule: several search paths share their least common ancestor; a single file is named alone.
Result<Found> find_files(const ActionRequest& request, std::string_view patterns, bool include_hidden) {
  const Glob glob = WEIR_TRY(Glob::parse(patterns, request.workspace, request.home()));
  Found found;
  for (auto& path : WEIR_TRY(glob.search({.exclude_hidden_files = !include_hidden}))) {
    struct stat info{};
    if (::stat(path.c_str(), &info) == 0 && !S_ISDIR(info.st_mode)) found.files.push_back(std::move(path));
  }
  const auto paths = glob.search_paths();
  if (paths.size() > 1) {
    found.root = common_ancestor(paths);
    request.reporter->line(
        fmt::format("The least common ancestor is {}. This will be the root directory of the artifact", found.root));
  } else if (!paths.empty()) {
    const bool single = found.files.size() == 1 && found.files[0] == paths[0];
    found.root = single ? fs::path(paths[0]).parent_path().string() : paths[0];
  }
  return found;
}

struct Upload {
  std::vector<ArchiveEntry> entries;
  json::array files;
};

Result<Upload> list_upload(const Found& found) {
  Upload upload;
  for (const auto& path : found.files) {
    const std::string name = fs::path(path).lexically_relative(found.root).generic_string();
    WEIR_TRY(check_characters(name, false));
    struct stat info{};
    if (::stat(path.c_str(), &info) != 0) return fail_errno(errno, fmt::format("cannot read {}", path));
    upload.entries.push_back({path, name});
    upload.files.push_back({{"path", name}, {"size_bytes", static_cast<std::int64_t>(info.st_size)}});
  }
  return upload;
}

Result<ActionResult> report_nothing_found(const ActionRequest& request, const std::string& path) {
  const std::string message =
      fmt::format("No files were found with the provided path: {}. No artifacts will be uploaded.", path);
  const std::string wish = request.input_or("if-no-files-found", "warn");
  if (wish == "error") return fail(Code::kNotFound, "{}", message);
  if (wish == "ignore") {
    request.reporter->line(message);
  } else if (wish == "warn") {
    request.reporter->annotate("warning", message);
  } else {
    return fail(Code::kInvalidArgument,
                "Unrecognized if-no-files-found input. Provided: {}. Available options: warn, "
                "error, ignore",
                wish);
  }
  return ActionResult{};
}

// The newest of each name; with `every_attempt` also those of earlier attempts, which have numbers of their own.
Result<json::array> list_artifacts(ServerClient& server, std::int64_t run, bool every_attempt = false) {
  const auto answer =
      WEIR_TRY(server.get(fmt::format("/runs/{}/artifacts{}", run, every_attempt ? "?attempt=all" : "")));
  const auto* list = json_find(answer.body, "artifacts");
  if (answer.status != 200 || list == nullptr || !list->is_array()) {
    return std::unexpected(answer_error(answer, "cannot list the run's artifacts"));
  }
  return list->get_array();
}

// What the server says that the artifact's files hold together.
std::uint64_t announced_bytes(const json::value& artifact) {
  std::uint64_t sum = 0;
  const auto* files = json_find(artifact, "files");
  if (files == nullptr || !files->is_array()) return sum;
  for (const auto& file : files->get_array()) {
    sum += static_cast<std::uint64_t>(std::max<std::int64_t>(json_int(file, "size_bytes").value_or(0), 0));
  }
  return sum;
}

// Versions 1 to 3 added files to an artifact that was there; from 4 on a name can be used once.
Result<void> merge_existing(const ActionRequest& request, ServerClient& server, const std::string& name,
                            const fs::path& folder, Upload& upload) {
  for (const auto& artifact : WEIR_TRY(list_artifacts(server, request.spec->run_id))) {
    if (json_string_or(artifact, "name", "") != name) continue;
    const TransferFile download(request);
    const auto archive =
        WEIR_TRY(server.get_file(json_string_or(artifact, "sha256", ""), download.path(), request.local()));
    WEIR_TRY(unpack(archive, folder, {.bytes_max = announced_bytes(artifact), .stop = request.stop.get()}));
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (!entry.is_regular_file()) continue;
      const std::string inside = entry.path().lexically_relative(folder).generic_string();
      if (std::ranges::find(upload.entries, inside, &ArchiveEntry::name) != upload.entries.end()) continue;
      upload.entries.push_back({entry.path(), inside});
      upload.files.push_back({{"path", inside}, {"size_bytes", static_cast<std::int64_t>(entry.file_size())}});
    }
    request.reporter->line(
        fmt::format("Artifact {} is there already: the files are added to it, as versions before 4 "
                    "of upload-artifact do",
                    name));
  }
  return {};
}

Result<ActionResult> upload(const ActionRequest& request) {
  const std::string path = WEIR_TRY(request.required("path"));
  const std::string name = request.input_or("name", "artifact");
  WEIR_TRY(check_characters(name, true));
  if (!WEIR_TRY(request.input_bool("archive", true))) {
    return fail(Code::kUnimplemented, "actions/upload-artifact: `archive: false` is not built; leave it out");
  }
  const Found found = WEIR_TRY(find_files(request, path, WEIR_TRY(request.input_bool("include-hidden-files", false))));
  if (found.files.empty()) return report_nothing_found(request, path);
  Upload upload = WEIR_TRY(list_upload(found));
  request.reporter->line(fmt::format("With the provided path, there will be {} file{} uploaded", found.files.size(),
                                     found.files.size() == 1 ? "" : "s"));
  ServerClient server = request.server();
  const bool merges = request.version > 0 && request.version < 4;
  const fs::path merge_dir = request.temp_dir / ("merge-" + random_hex(8));
  if (merges) WEIR_TRY(merge_existing(request, server, name, merge_dir, upload));

  const TransferFile archive(request);
  const int level = std::clamp(std::atoi(request.input_or("compression-level", "6").c_str()), 0, 9);
  const PackResult packed = WEIR_TRY(pack_zip(upload.entries, archive.path(),
                                              {.compression_level = level, .hash = false, .stop = request.stop.get()}));
  const std::string sha256 = WEIR_TRY(server.put_file(archive.path(), request.local()));
  const json::value body = {{"name", name},
                            {"sha256", sha256},
                            {"size_bytes", packed.size_bytes},
                            {"format", "zip"},
                            {"files", upload.files},
                            {"retention_days", std::atoi(request.input("retention-days").c_str())},
                            {"overwrite", merges || WEIR_TRY(request.input_bool("overwrite", false))}};
  const auto answer = WEIR_TRY(server.post(fmt::format("/runs/{}/artifacts", request.spec->run_id), body));
  if (merges) [[maybe_unused]]
    const auto removed = io::remove_tree(merge_dir);
  if (answer.status == 409) {
    return fail(Code::kAlreadyExists,
                "Conflict: an artifact with the name {} already exists on the workflow run; choose "
                "another name or set `overwrite: true`",
                name);
  }
  if (answer.status != 200 && answer.status != 201) {
    return std::unexpected(answer_error(answer, fmt::format("cannot upload the artifact {}", name)));
  }
  std::string id = json_string_or(answer.body, "id", "");
  if (const auto number = json_int(answer.body, "id")) id = fmt::format("{}", *number);
  request.reporter->line(
      fmt::format("Artifact {} has been successfully uploaded! Final size is {} bytes. Artifact ID is "
                  "{}",
                  name, packed.size_bytes, id));
  ActionResult result;
  result.outputs = {{"artifact-id", id},
                    {"artifact-digest", sha256},
                    {"artifact-url", fmt::format("{}/api/v1/runs/{}/artifacts/{}", request.spec->server_url,
                                                 request.spec->run_id, io::percent_encode(name))}};
  return result;
}

Result<void> download_one(const ActionRequest& request, ServerClient& server, const json::value& artifact,
                          const fs::path& folder) {
  const TransferFile download(request);
  const auto archive =
      WEIR_TRY(server.get_file(json_string_or(artifact, "sha256", ""), download.path(), request.local()));
  const std::string name = json_string_or(artifact, "name", "");
  if (json_string_or(artifact, "format", "") == "raw") {
    WEIR_TRY(io::make_dirs(folder));
    const fs::path target = WEIR_TRY(io::join_below(folder, name));
    std::error_code error;
    fs::copy_file(archive, target, fs::copy_options::overwrite_existing, error);
    if (error) return fail_errno(error.value(), fmt::format("cannot write {}", target.string()));
    request.reporter->line(fmt::format("{}: to {}", name, folder.string()));
    return {};
  }
  const auto files =
      WEIR_TRY(unpack(archive, folder, {.bytes_max = announced_bytes(artifact), .stop = request.stop.get()}));
  request.reporter->line(fmt::format("{}: {} file{} to {}", name, files, files == 1 ? "" : "s", folder.string()));
  return {};
}

// The run's artifacts that `name`, `artifact-ids` or `pattern` select.
Result<json::array> select(const ActionRequest& request, const json::array& all) {
  const std::string name = request.input("name");
  const std::string pattern = request.input("pattern");
  std::string ids = request.input("artifact-ids");
  if (!name.empty() && !ids.empty()) {
    return fail(Code::kInvalidArgument,
                "Inputs 'name' and 'artifact-ids' cannot be used together. Please specify only one.");
  }
  std::erase(ids, ' ');
  json::array chosen;
  for (const auto& artifact : all) {
    const std::string its_name = json_string_or(artifact, "name", "");
    const std::string its_id = fmt::format(",{},", json_int(artifact, "id").value_or(0));
    const bool fits = !name.empty()      ? its_name == name
                      : !ids.empty()     ? fmt::format(",{},", ids).find(its_id) != std::string::npos
                      : !pattern.empty() ? name_matches(pattern, its_name)
                                         : true;
    if (fits) chosen.push_back(artifact);
  }
  if (!name.empty() && chosen.empty()) {
    std::string names;
    for (const auto& artifact : all) names += (names.empty() ? "" : ", ") + json_string_or(artifact, "name", "");
    return fail(Code::kNotFound, "Unable to download artifact(s): Artifact '{}' not found; this run has {}", name,
                names.empty() ? "none" : names);
  }
  if (!ids.empty() && chosen.empty()) return fail(Code::kNotFound, "None of the provided artifact IDs were found");
  return chosen;
}

// The run that `run-id` names, of this repository; this one without it.
Result<std::int64_t> find_run(ServerClient& server, const ActionRequest& request) {
  const std::string own = request.spec->repository;
  const std::string repository = request.input_or("repository", own);
  if (!equal_ignoring_case(repository, own)) {
    return fail(Code::kUnimplemented,
                "actions/download-artifact: `repository: {}`: only artifacts of this repository ({}) can be downloaded",
                repository, own);
  }
  const std::string text = request.input("run-id");
  if (text.empty()) return request.spec->run_id;
  std::int64_t run = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), run);
  if (error != std::errc{} || end != text.data() + text.size() || run <= 0) {
    return fail(Code::kInvalidArgument, "actions/download-artifact: `run-id: {}` is no number of a run", text);
  }
  if (run == request.spec->run_id) return run;
  const auto answer = WEIR_TRY(server.get(fmt::format("/runs/{}", run)));
  if (answer.status != 200) return std::unexpected(answer_error(answer, fmt::format("cannot find run {}", run)));
  const std::string its = json_string_or(answer.body, "repo", "");
  if (its == own || own.ends_with("/" + its)) return run;
  return fail(Code::kPermissionDenied, "run {} belongs to the repository {}, not to {}", run, its, own);
}

Result<ActionResult> download(const ActionRequest& request) {
  const fs::path given = request.input("path");
  if (!given.is_absolute() && !given.empty() && *given.lexically_normal().begin() == "..") {
    // Likely a slip, or an input that somebody else chose.
    return fail(
        Code::kInvalidArgument,
        "actions/download-artifact: `path: {}` climbs out of the workspace; give the whole path of a folder elsewhere",
        given.string());
  }
  ServerClient server = request.server();
  const std::int64_t run = WEIR_TRY(find_run(server, request));
  const auto chosen =
      WEIR_TRY(select(request, WEIR_TRY(list_artifacts(server, run, !request.input("artifact-ids").empty()))));
  const fs::path target = request.resolve(request.input("path"));
  const bool flat = !request.input("name").empty() || WEIR_TRY(request.input_bool("merge-multiple", false)) ||
                    (request.version >= 5 && chosen.size() == 1);
  WEIR_TRY(io::make_dirs(target));
  for (const auto& artifact : chosen) {
    const fs::path folder = flat ? target : WEIR_TRY(io::join_below(target, json_string_or(artifact, "name", "")));
    WEIR_TRY(download_one(request, server, artifact, folder));
  }
  request.reporter->line(fmt::format("Total of {} artifact(s) downloaded", chosen.size()));
  ActionResult result;
  result.outputs = {{"download-path", target.string()}};
  return result;
}

}  // namespace

BuiltinAction upload_artifact_action() {
  return {"actions/upload-artifact",
          {"name", "path", "if-no-files-found", "retention-days", "compression-level", "overwrite",
           "include-hidden-files", "archive"},
          upload};
}

BuiltinAction download_artifact_action() {
  return {"actions/download-artifact",
          {"name", "artifact-ids", "path", "pattern", "merge-multiple", "github-token", "repository", "run-id",
           "skip-decompress", "digest-mismatch"},
          download};
}

}  // namespace weir::runner
