// ArtifactService: what @actions/artifact asks for.
#include <algorithm>

#include "api/actions/service.h"

namespace weir::api::actions {
namespace {

constexpr Duration kDownloadLimit = std::chrono::hours{1};

std::string text(std::int64_t number) {
  return fmt::format("{}", number);
}

}  // namespace

Result<json::value> Service::create_artifact(const JobProof& job, const json::value& request) {
  UploadPurpose purpose{.kind = "artifact",
                        .run = job.run,
                        .job = job.job,
                        .name = text_field(request, "name"),
                        .version = {},
                        .repository = {},
                        .ref = {},
                        .format = "zip",
                        .expires_at = {}};
  WEIR_TRY(engine::check_artifact_name(purpose.name));
  // A file that was not packed says of what type it is; before version 7 of the message everything was a zip.
  const std::string type = text_field(request, "mime_type");
  if (number_field(request, "version", 4) >= 7 && !type.empty() && type != "application/zip") purpose.format = "raw";
  if (const std::string end = text_field(request, "expires_at"); !end.empty()) {
    purpose.expires_at = WEIR_TRY(parse_iso8601(end));
  }
  const Error taken{Code::kAlreadyExists, "Conflict: an artifact with this name already exists on the workflow run"};
  if (const auto free = parts_.artifacts->check_free(job.run, job.job, purpose.name); !free) {
    return std::unexpected(free.error().code == Code::kAlreadyExists ? taken : free.error());
  }
  for (const auto& id : uploads_.find([&](const UploadPurpose& other) {
         return other.kind == purpose.kind && other.run == purpose.run && other.name == purpose.name;
       })) {
    // The same job tries again; another one, if it still runs, was first.
    if (WEIR_TRY(uploads_.purpose(id)).job != job.job &&
        parts_.job_runs(job.run, WEIR_TRY(uploads_.purpose(id)).job).value_or(false)) {
      return std::unexpected(taken);
    }
    uploads_.remove(id);
  }
  return json::object{{"ok", true}, {"signed_upload_url", WEIR_TRY(begin_upload(purpose))}};
}

Result<json::value> Service::finalize_artifact(const JobProof& job, const json::value& request) {
  const std::string name = text_field(request, "name");
  const auto ids = uploads_.find([&](const UploadPurpose& purpose) {
    return purpose.kind == "artifact" && purpose.run == job.run && purpose.job == job.job && purpose.name == name;
  });
  if (ids.empty()) return fail(Code::kNotFound, "this job uploads no artifact \"{}\"", name);
  const auto purpose = WEIR_TRY(uploads_.purpose(ids.front()));
  const auto staged = WEIR_TRY(take_upload(ids.front(), field(request, "size"), field(request, "hash")));
  auto added = parts_.artifacts->add({.run_id = job.run,
                                      .job_id = job.job,
                                      .format = purpose.format,
                                      .name = name,
                                      .sha256 = staged.sha256,
                                      .size_bytes = staged.size_bytes,
                                      .expires_at = purpose.expires_at},
                                     false);
  if (added || is_refused(added.error().code)) uploads_.remove(ids.front());
  if (!added) return std::unexpected(std::move(added).error());
  return json::object{{"ok", true}, {"artifact_id", text(added->id)}};
}

Result<json::value> Service::list_artifacts(const JobProof& job, const json::value& request) {
  const std::string name = text_field(request, "name_filter");
  const std::int64_t id = number_field(request, "id_filter", 0);
  json::array list;
  // Of every attempt: clients take the newest of a name.
  for (const auto& artifact : WEIR_TRY(parts_.artifacts->list_all(job.run))) {
    const bool wanted = (name.empty() || artifact.name == name) && (id == 0 || artifact.id == id);
    if (!wanted || artifact.format == "tar.zst") continue;
    list.push_back(json::object{{"workflow_run_backend_id", text(job.run)},
                                {"workflow_job_run_backend_id", text(artifact.job_id)},
                                {"database_id", text(artifact.id)},
                                {"name", artifact.name},
                                {"size", text(artifact.size_bytes)},
                                {"created_at", to_iso8601(artifact.created_at)},
                                {"digest", "sha256:" + artifact.sha256}});
  }
  return json::object{{"artifacts", std::move(list)}};
}

// The one that a listing told of by its name and the job that made it, which tells attempts apart; else the newest.
Result<engine::Artifact> Service::named_artifact(const JobProof& job, const json::value& request) {
  const std::string name = text_field(request, "name");
  const std::int64_t maker = number_field(request, "workflow_job_run_backend_id", job.job);
  for (auto& artifact : WEIR_TRY(parts_.artifacts->list_all(job.run))) {
    if (artifact.name == name && artifact.job_id == maker) return std::move(artifact);
  }
  return parts_.artifacts->find(job.run, name);
}

Result<json::value> Service::artifact_address(const JobProof& job, const json::value& request) {
  const auto artifact = WEIR_TRY(named_artifact(job, request));
  return json::object{
      {"name", artifact.name},
      {"signed_url", sign_address(fmt::format("/actions/artifacts/{}/{}/{}", job.run, artifact.id, artifact.name), "r",
                                  kDownloadLimit)}};
}

Result<json::value> Service::delete_artifact(const JobProof& job, const json::value& request) {
  const auto artifact = WEIR_TRY(parts_.artifacts->remove(WEIR_TRY(named_artifact(job, request)).id));
  return json::object{{"ok", true}, {"artifact_id", text(artifact.id)}};
}

}  // namespace weir::api::actions
