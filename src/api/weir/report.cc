#include "api/weir/report.h"

#include "insight/report.h"

// What a change did to a model: the candidate beside the champion, a branch or another run.
namespace weir::api {
namespace {

constexpr std::string_view kHeads = "refs/heads/";

// The experiment run to compare with, and what to call it.
struct Base {
  std::string run;  // "": the champion
  std::string name;
};

// The newest one with metrics that a successful workflow run on the branch has made.
Result<std::optional<Base>> newest_of(const Services& services, const std::string& repo, const std::string& branch,
                                      std::optional<std::int64_t> not_of) {
  constexpr int kLookedAtMax = 50;  // with metrics or without
  int looked_at = 0;
  for (const auto& run :
       WEIR_TRY(services.engine->runs({.repo = repo, .state = engine::RunState::kCompleted, .limit = 500}))) {
    const bool fits = run.ref == std::string(kHeads) + branch && run.conclusion == types::Conclusion::kSuccess &&
                      run.id != not_of.value_or(0);
    if (!fits) continue;
    if (auto made = WEIR_TRY(services.gate->made_by(run.id))) return Base{*std::move(made), branch};
    if (++looked_at == kLookedAtMax) break;
  }
  return std::nullopt;
}

// The repository whose branches are meant: the caller's, else that of the model.
Result<std::string> repository_of(const Services& services, const json::object& body, const gate::Request& request) {
  if (auto repo = json_string(body, "repo")) return *std::move(repo);
  if (request.workflow_run) return WEIR_TRY(services.engine->run(*request.workflow_run)).repo;
  return services.config->repository_of_model(request.model);
}

Result<Base> base_of(const Services& services, const std::string& compare, const std::string& repo,
                     const gate::Request& request) {
  if (compare.empty() || compare == "champion") return Base{};
  constexpr std::size_t kRunDigits = 32;
  if (compare.size() == kRunDigits && compare.find_first_not_of("0123456789abcdef") == std::string::npos) {
    return Base{compare, ""};
  }
  if (compare.find_first_not_of("0123456789") == std::string::npos) {
    return Base{WEIR_TRY(services.gate->run_of_version(request.model, compare)), "version " + compare};
  }
  auto found = WEIR_TRY(newest_of(services, repo, compare, request.workflow_run));
  if (found) return *std::move(found);
  return fail(
      Code::kNotFound,
      "no successful workflow run on the branch {} of {} has logged metrics; compare with champion, a version, an "
      "experiment run or another branch",
      compare, repo.empty() ? "any repository" : repo);
}

Result<insight::Params> params_of(const Services& services, const std::optional<gate::ModelFacts>& facts) {
  if (!facts || facts->run_id.empty()) return insight::Params{};
  const auto run = WEIR_TRY(services.insight.experiment_run(facts->run_id));
  return run ? run->params : insight::Params{};
}

Result<io::HttpResponse> report(const Services& services, const io::HttpRequest& request) {
  const auto body = WEIR_TRY(body_object(request));
  auto question = WEIR_TRY(gate::request_from_json(body));
  question.workflow_run = request.identity.job_id ? request.identity.run_id : json_int(body, "workflow_run");
  const auto compare = json_string_or(body, "compare", "");
  const auto repo = WEIR_TRY(repository_of(services, body, question));
  auto base = WEIR_TRY(base_of(services, compare, repo, question));
  auto comparison = WEIR_TRY(services.gate->compare(question, base.run));
  // Before a first release, and for models that nothing serves, the default branch is what a change is up against.
  if (compare.empty() && !comparison.base && !repo.empty()) {
    const auto git = services.git(repo);
    const auto branch = git ? git->head_ref().value_or("") : std::string();
    if (branch.starts_with(kHeads)) {
      if (auto found = WEIR_TRY(newest_of(services, repo, branch.substr(kHeads.size()), question.workflow_run))) {
        base = *std::move(found);
        comparison = WEIR_TRY(services.gate->compare(question, base.run));
      }
    }
  }
  const auto made = insight::make_report(comparison, WEIR_TRY(params_of(services, comparison.candidate)),
                                         WEIR_TRY(params_of(services, comparison.base)), base.name);
  return io::json_response(200, insight::to_json(made));
}

}  // namespace

void add_report_route(RouteTable& table, const Services& services) {
  table.add({.method = "POST",
             .pattern = "/api/v1/report",
             .id = "report",
             .summary = "What a change did to a model: its metrics beside the champion's, a branch's or another run's.",
             .request = "ReportRequest",
             .answer = "Report"},
            [&services](io::HttpRequest& request) { return report(services, request); });
}

}  // namespace weir::api
