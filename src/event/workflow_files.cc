#include "event/workflow_files.h"

#include "event/time_zones.h"
#include "event/triggers.h"
#include "text/suggest.h"

namespace weir::event {
namespace {

// GitHub refuses larger ones too; the parser has its own bounds on what is inside.
constexpr std::size_t kSizeBytesMax = 1U << 20;

bool is_workflow_path(std::string_view path) {
  if (!path.starts_with(kWorkflowFolder)) return false;
  path.remove_prefix(kWorkflowFolder.size());
  if (!path.starts_with('/') || path.find('/', 1) != std::string_view::npos) return false;
  return path.ends_with(".yml") || path.ends_with(".yaml");
}

Result<std::vector<std::string>> workflow_paths(const io::Git& git, std::string_view commit) {
  std::vector<std::string> paths;
  for (auto& entry : WEIR_TRY(git.list(commit, kWorkflowFolder))) {
    if (is_workflow_path(entry.path) && entry.mode.starts_with("100")) paths.push_back(std::move(entry.path));
  }
  std::ranges::sort(paths);
  return paths;
}

Result<WorkflowFile> read(const io::Git& git, std::string_view commit, std::string path) {
  WorkflowFile file{.path = std::move(path)};
  auto text = git.show(commit, file.path);
  if (!text && text.error().code != Code::kInvalidArgument) return std::unexpected(text.error());
  if (!text) {
    file.problem = text.error().message;
    return file;
  }
  file.text = *std::move(text);
  if (file.text.size() > kSizeBytesMax) {
    file.problem = fmt::format("{}: the file has {} bytes; a workflow file may have {}", file.path, file.text.size(),
                               kSizeBytesMax);
    file.text.clear();
    return file;
  }
  // Which zones there are, only the machine knows.
  auto parsed = workflow::parse_workflow(file.text, file.path, {.time_zone_hint = time_zone_hint});
  if (parsed.workflow) {
    file.workflow = std::make_shared<const workflow::Workflow>(*std::move(parsed.workflow));
  } else {
    file.problem = workflow::lint_text(parsed, file.text);
  }
  return file;
}

}  // namespace

Result<std::vector<WorkflowFile>> read_workflow_files(const io::Git& git, std::string_view commit) {
  std::vector<WorkflowFile> files;
  for (auto& path : WEIR_TRY(workflow_paths(git, commit))) {
    files.push_back(WEIR_TRY(read(git, commit, std::move(path))));
  }
  return files;
}

Result<WorkflowFile> find_workflow_file(const io::Git& git, std::string_view commit, std::string_view name) {
  const auto paths = WEIR_TRY(workflow_paths(git, commit));
  const auto full =
      name.find('/') == std::string_view::npos ? fmt::format("{}/{}", kWorkflowFolder, name) : std::string(name);
  for (const auto& path : paths) {
    if (path == full || path == full + ".yml" || path == full + ".yaml") return read(git, commit, path);
  }
  if (paths.empty()) {
    return fail(Code::kNotFound, "commit {} has no workflow files in {}", commit.substr(0, 12), kWorkflowFolder);
  }
  std::string known;
  for (const auto& path : paths) known += (known.empty() ? "" : ", ") + path.substr(kWorkflowFolder.size() + 1);
  return fail(Code::kNotFound, "there is no workflow \"{}\" at commit {}; there are {}", name, commit.substr(0, 12),
              known);
}

}  // namespace weir::event
