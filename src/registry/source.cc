#include <algorithm>

#include "registry/rows.h"
#include "track/names.h"

// Where models come from: the addresses that clients use, and what they stand for.
namespace weir::registry {
namespace {

constexpr std::string_view kModels = "models:/";
constexpr std::string_view kRuns = "runs:/";

bool all_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// name/3, name/Production, name/latest, name@alias
Result<Version> resolve_name(store::Reader& reader, std::string_view text) {
  const auto slash = text.find('/');
  if (slash != std::string_view::npos) {
    const auto model = text.substr(0, slash);
    const auto which = text.substr(slash + 1);
    if (all_digits(which)) return Registry::version(reader, model, WEIR_TRY(parse_version(which)));
    if (which == "latest") return Registry::version_by_alias(reader, model, which);
    const auto stage = WEIR_TRY(parse_stage(which));
    const auto loaded = WEIR_TRY(load_model(reader, WEIR_TRY(find_model(reader, model))));
    const auto found = std::ranges::find(loaded.latest, stage, &Version::stage);
    if (found != loaded.latest.end()) return *found;
    return fail(Code::kNotFound, "registered model \"{}\" has no version in stage {}", model, stage_name(stage));
  }
  const auto at = text.rfind('@');
  if (at != std::string_view::npos) return Registry::version_by_alias(reader, text.substr(0, at), text.substr(at + 1));
  return fail(Code::kInvalidArgument, "\"{}\" names no version; write name/3, name/Production or name@alias",
              track::first_characters(text, 80));
}

Result<std::string> path_of_version(const Version& version) {
  const auto path = WEIR_TRY(track::artifact_path_of(version.storage_uri));
  if (path) return *path;
  return fail(Code::kFailedPrecondition, "the files of {} version {} are not kept here but at {}", version.model,
              version.version, version.storage_uri);
}

struct RunFolder {
  std::string run_id;
  std::string model_id;
  std::string path;
};

// The folder for runs:/<run>/<path>: below the run's artifacts, or else of the logged model with that name.
Result<RunFolder> resolve_run(store::Reader& reader, std::string_view uri) {
  auto rest = uri.substr(kRuns.size());
  while (rest.starts_with('/')) rest.remove_prefix(1);
  while (rest.ends_with('/')) rest.remove_suffix(1);
  const auto slash = rest.find('/');
  const auto run = WEIR_TRY(track::Tracking::run_info(reader, rest.substr(0, slash)));
  const auto path = slash == std::string_view::npos ? std::string_view{} : rest.substr(slash + 1);
  WEIR_TRY(track::check_artifact_path(path));
  const auto root = WEIR_TRY(track::artifact_path_of(run.artifact_uri));
  if (!root) return RunFolder{.run_id = run.id};
  RunFolder folder{.run_id = run.id, .path = path.empty() ? *root : fmt::format("{}/{}", *root, path)};
  if (path.empty() || !WEIR_TRY(track::Artifacts::list(reader, folder.path)).empty()) return folder;
  const auto model = WEIR_TRY(track::Tracking::model_of_run(reader, run.id, path.substr(0, path.find('/'))));
  if (!model) return folder;
  const auto model_root = WEIR_TRY(track::artifact_path_of(model->artifact_uri));
  if (!model_root) return folder;
  const auto below = path.find('/');
  folder.model_id = model->id;
  folder.path = below == std::string_view::npos ? *model_root : *model_root + std::string(path.substr(below));
  return folder;
}

std::unexpected<Error> mismatch(std::string_view source, std::string_view what, std::string_view given,
                                std::string_view expected) {
  return fail(Code::kInvalidArgument, "invalid model version source \"{}\": it belongs to {} \"{}\", not to \"{}\"",
              source, what, expected, given);
}

// Takes over the run and logged model that a source belongs to, unless the request says something else.
Result<void> adopt(Origin& origin, std::string_view run_id, std::string_view model_id) {
  if (!origin.run_id.empty() && !run_id.empty() && origin.run_id != run_id) {
    return mismatch(origin.source, "run", origin.run_id, run_id);
  }
  if (!origin.model_id.empty() && !model_id.empty() && origin.model_id != model_id) {
    return mismatch(origin.source, "logged model", origin.model_id, model_id);
  }
  if (origin.run_id.empty()) origin.run_id = run_id;
  if (origin.model_id.empty()) origin.model_id = model_id;
  return {};
}

Result<void> from_models(store::Reader& reader, Origin& origin) {
  const auto name = std::string_view(origin.source).substr(kModels.size());
  if (name.find_first_of("/@") == std::string_view::npos) {
    const auto model = WEIR_TRY(track::Tracking::model(reader, name));
    origin.artifact_path = WEIR_TRY(track::artifact_path_of(model.artifact_uri));
    return adopt(origin, model.source_run, model.id);
  }
  const auto version = WEIR_TRY(resolve_name(reader, name));
  origin.source = fmt::format("models:/{}/{}", version.model, version.version);
  origin.artifact_path = WEIR_TRY(track::artifact_path_of(version.storage_uri));
  return adopt(origin, version.run_id, version.model_id);
}

Result<void> from_runs(store::Reader& reader, Origin& origin) {
  const auto folder = WEIR_TRY(resolve_run(reader, origin.source));
  const auto rest = std::string_view(origin.source).substr(kRuns.size());
  const auto slash = rest.find('/');
  origin.source =
      fmt::format("{}{}{}", kRuns, folder.run_id, slash == std::string_view::npos ? "" : rest.substr(slash));
  if (!folder.path.empty()) origin.artifact_path = folder.path;
  return adopt(origin, folder.run_id, folder.model_id);
}

// "7/<run>/artifacts/…" or "7/models/<model>/artifacts/…".
Result<void> from_artifacts(store::Reader& reader, Origin& origin, const std::string& path) {
  origin.artifact_path = path;
  const auto first = path.find('/');
  if (first == std::string::npos) return {};
  const auto second = path.find('/', first + 1);
  const auto owner =
      std::string_view(path).substr(first + 1, second == std::string::npos ? second : second - first - 1);
  if (owner == "models" && second != std::string::npos) {
    const auto third = path.find('/', second + 1);
    const auto id = std::string_view(path).substr(second + 1, third == std::string::npos ? third : third - second - 1);
    const auto model = track::Tracking::model(reader, id, true);
    return model ? adopt(origin, model->source_run, model->id) : Result<void>{};
  }
  const auto run = track::Tracking::run_info(reader, owner);
  return run ? adopt(origin, run->id, "") : Result<void>{};
}

Result<void> check_elsewhere(std::string_view source) {
  const auto colon = source.find(':');
  const bool has_scheme = colon != std::string_view::npos && colon > 1 && source.find('/') > colon;
  if (!has_scheme || source.starts_with("file:")) {
    return fail(
        Code::kInvalidArgument,
        "invalid model version source \"{}\": a local path cannot be read by others; log the model first and use "
        "models:/<model id> or runs:/<run id>/<path>",
        track::first_characters(source, 200));
  }
  const auto climbs = source.find("/../") != std::string_view::npos || source.ends_with("/..") ||
                      source.find("%2e") != std::string_view::npos || source.find("%2E") != std::string_view::npos;
  if (!climbs) return {};
  return fail(Code::kInvalidArgument, "invalid model version source \"{}\": \"..\" is not allowed in it",
              track::first_characters(source, 200));
}

bool is_prompt(const Registry::NewVersion& draft) {
  return std::ranges::any_of(draft.tags, [](const track::KeyValue& tag) {
    return tag.key == kPromptTag && (tag.value == "true" || tag.value == "True");
  });
}

}  // namespace

Result<Origin> find_origin(store::Reader& reader, const Registry::NewVersion& draft) {
  Origin origin{.source = draft.source, .model_id = draft.model_id};
  if (is_prompt(draft)) return origin;
  const std::string_view source = draft.source;
  const auto path = WEIR_TRY(track::artifact_path_of(source));
  const bool here = path || source.starts_with(kModels) || source.starts_with(kRuns);
  if (!draft.run_id.empty()) {
    const auto run = track::Tracking::run_info(reader, draft.run_id);
    // A model that lives elsewhere may come from a run that another server keeps.
    if (!run && (here || run.error().code != Code::kNotFound)) return std::unexpected(run.error());
    origin.run_id = run ? run->id : draft.run_id;
  }
  if (source.starts_with(kModels)) {
    WEIR_TRY(from_models(reader, origin));
  } else if (source.starts_with(kRuns)) {
    WEIR_TRY(from_runs(reader, origin));
  } else if (path) {
    WEIR_TRY(from_artifacts(reader, origin, *path));
  } else {
    WEIR_TRY(check_elsewhere(source));
  }
  if (origin.run_id.empty() && !origin.model_id.empty()) {
    origin.run_id = WEIR_TRY(track::Tracking::model(reader, origin.model_id, true)).source_run;
  }
  return origin;
}

Result<Resolved> Registry::resolve(std::string_view uri) {
  return db_.load<Resolved>([&](store::Reader& reader) { return resolve(reader, uri); });
}

Result<Resolved> Registry::resolve(store::Reader& reader, std::string_view uri) {
  if (uri.starts_with(kRuns)) {
    auto folder = WEIR_TRY(resolve_run(reader, uri));
    return Resolved{.run_id = std::move(folder.run_id),
                    .model_id = std::move(folder.model_id),
                    .artifact_path = std::move(folder.path)};
  }
  const auto name = uri.starts_with(kModels) ? uri.substr(kModels.size()) : uri;
  if (name.find_first_of("/@") == std::string_view::npos && name.starts_with("m-")) {
    const auto model = WEIR_TRY(track::Tracking::model(reader, name));
    const auto path = WEIR_TRY(track::artifact_path_of(model.artifact_uri));
    return Resolved{.run_id = model.source_run, .model_id = model.id, .artifact_path = path.value_or("")};
  }
  const auto version = WEIR_TRY(resolve_name(reader, name));
  return Resolved{.model = version.model,
                  .version = version.version,
                  .run_id = version.run_id,
                  .model_id = version.model_id,
                  .artifact_path = WEIR_TRY(path_of_version(version))};
}

Result<void> Registry::materialise(std::string_view model, std::int64_t version, const std::filesystem::path& folder) {
  const auto path = WEIR_TRY(path_of_version(WEIR_TRY(Registry::version(model, version))));
  return tracking_.artifacts().materialise(path, folder);
}

}  // namespace weir::registry
