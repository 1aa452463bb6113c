#include "app/lineage.h"

namespace weir::app {
namespace {

std::string context_of(const track::DatasetInput& input) {
  for (const auto& tag : input.tags) {
    if (tag.key == "mlflow.data.context") return tag.value;
  }
  return {};
}

gate::ModelFacts facts_of(const track::Run& run) {
  gate::ModelFacts facts;
  facts.run_id = run.info.id;
  for (const auto& metric : run.metrics) facts.metrics[metric.key] = {metric.value, metric.dataset_digest};
  for (const auto& input : run.inputs) {
    facts.datasets.push_back({input.dataset.name, input.dataset.digest, context_of(input)});
  }
  return facts;
}

insight::ExperimentRun experiment_run_of(const track::Run& run) {
  insight::ExperimentRun shown;
  shown.run_id = run.info.id;
  shown.name = run.info.name;
  shown.started_at = from_millis(run.info.start_ms);
  shown.workflow_run = run.info.workflow_run;
  for (const auto& metric : run.metrics) shown.metrics[metric.key] = metric.value;
  for (const auto& param : run.params) shown.params[param.key] = param.value;
  for (const auto& input : run.inputs) {
    shown.datasets.push_back({input.dataset.name, input.dataset.digest, context_of(input)});
  }
  return shown;
}

// Nothing instead of an error for what does not exist.
template <class T>
Result<std::optional<T>> if_found(Result<T> result) {
  if (result) return std::optional<T>(*std::move(result));
  if (result.error().code == Code::kNotFound) return std::nullopt;
  return std::unexpected(std::move(result).error());
}

}  // namespace

Result<std::unique_ptr<Lineage>> Lineage::open(store::Database& db, store::BlobStore& blobs,
                                               access::ConfigStore& config, ChampionSource champion) {
  std::unique_ptr<Lineage> lineage(new Lineage());
  lineage->tracking_ = WEIR_TRY(track::Tracking::open(db, blobs));
  lineage->registry_ = std::make_unique<registry::Registry>(db, *lineage->tracking_);
  auto* tracking = lineage->tracking_.get();
  auto* registry = lineage->registry_.get();
  gate::GateService::Sources sources;
  sources.run_facts = [tracking](const std::string& run_id) -> Result<gate::ModelFacts> {
    return facts_of(WEIR_TRY(tracking->run(run_id)));
  };
  sources.run_of_workflow = [tracking](std::int64_t run) { return if_found(tracking->run_of_workflow_run(run)); };
  sources.run_of_version = [registry](const std::string& model, const std::string& version) -> Result<std::string> {
    return WEIR_TRY(registry->version(model, WEIR_TRY(registry::parse_version(version)))).run_id;
  };
  sources.champion = std::move(champion);
  sources.config = [&config] { return config.current(); };
  lineage->gate_ = std::make_unique<gate::GateService>(db, std::move(sources));
  return lineage;
}

insight::Sources Lineage::insight_sources(std::function<Result<io::Git>(const std::string& repo)> git) {
  insight::Sources sources;
  sources.experiment_run =
      [tracking = tracking_.get()](const std::string& run_id) -> Result<std::optional<insight::ExperimentRun>> {
    const auto run = WEIR_TRY(if_found(tracking->run(run_id)));
    if (!run) return std::nullopt;
    return experiment_run_of(*run);
  };
  sources.commit = [git = std::move(git)](const std::string& repository,
                                          const std::string& commit) -> Result<std::optional<insight::Commit>> {
    const auto repo = WEIR_TRY(if_found(git(repository)));
    if (!repo) return std::nullopt;
    const auto found = WEIR_TRY(if_found(repo->commit(commit)));
    if (!found) return std::nullopt;
    return insight::Commit{.id = found->sha,
                           .author = found->author_name,
                           .time = from_micros(found->author_time_s * 1'000'000),
                           .message = found->message.substr(0, found->message.find('\n'))};
  };
  return sources;
}

}  // namespace weir::app
