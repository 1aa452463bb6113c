// What a job says to a pull request: weir/report makes the table of a model's metrics and shows plots, weir/comment
// says what a file holds. Both keep one comment up to date.
#include "io/file.h"
#include "io/http.h"
#include "runner/action.h"
#include "runner/glob.h"
#include "runner/markdown_pictures.h"

namespace weir::runner {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kTextMax = 1U << 20;
constexpr std::size_t kPlotsMax = 50;

// "flights" of "weir/flights".
std::string repository(const ActionRequest& request) {
  return request.spec->repository.substr(request.spec->repository.find('/') + 1);
}

std::int64_t number_in(const json::value* object) {
  return object == nullptr ? 0 : json_int(*object, "number").value_or(0);
}

// The pull request that the job is about; 0 if it is about none.
std::int64_t pull_request(const ActionRequest& request) {
  const auto* github = request.spec->contexts.if_contains("github");
  const auto* event = github == nullptr ? nullptr : json_find(*github, "event");
  if (event == nullptr) return 0;
  if (const auto number = number_in(json_find(*event, "pull_request"))) return number;
  const auto* issue = json_find(*event, "issue");
  if (issue != nullptr && json_find(*issue, "pull_request") != nullptr) return number_in(issue);
  const auto* run = json_find(*event, "workflow_run");
  const auto* pulls = run == nullptr ? nullptr : json_find(*run, "pull_requests");
  const bool has_pull = pulls != nullptr && pulls->is_array() && !pulls->get_array().empty();
  return has_pull ? number_in(&pulls->get_array().front()) : 0;
}

Upload uploader(const ActionRequest& request) {
  return [&request](const fs::path& file) -> Result<std::string> {
    const auto answer = WEIR_TRY(
        request.server().post_file(fmt::format("/repos/{}/attachments?name={}", io::percent_encode(repository(request)),
                                               io::percent_encode(file.filename().string())),
                                   file));
    if (answer.status != 201) {
      return std::unexpected(answer_error(answer, fmt::format("{} was not taken", file.filename().string())));
    }
    return json_string_or(answer.body, "path", "");
  };
}

// Jobs of foreign pull requests may say nothing anywhere; neither may those whose `permissions` forget it. The work is
// done all the same: it is told, and the job goes on.
void tell_silence(const ActionRequest& request, const Error& error) {
  request.reporter->annotate("warning", fmt::format("Nothing is shown in the pull request: {}", error.message));
}

// A key that the server takes, of a name that may have any letters.
std::string key_of(std::string_view name) {
  std::string key;
  for (const char c : name.substr(0, 90)) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("._/ ").contains(c);
    if (plain) key += c;
    if (!plain && !key.empty() && key.back() != '-') key += '-';
  }
  return key.empty() ? "text" : key;
}

// `name`: of the comment, where the input `key` does not say it.
Result<ActionResult> say(const ActionRequest& request, const std::string& text, std::string_view name) {
  ActionResult result;
  result.summary = text;
  const auto number = pull_request(request);
  if (number == 0 || !WEIR_TRY(request.input_bool("comment", true))) return result;
  const auto path = fmt::format("/repos/{}/pulls/{}/comments", io::percent_encode(repository(request)), number);
  const auto answer =
      WEIR_TRY(request.server().post(path, {{"body", text}, {"key", request.input_or("key", key_of(name))}}));
  if (answer.status == 403) {
    tell_silence(request, answer_error(answer, "the server refused the comment"));
    return result;
  }
  if (answer.status != 200 && answer.status != 201) {
    return std::unexpected(answer_error(answer, "the comment was not taken"));
  }
  request.reporter->line(
      fmt::format("{} a comment of pull request #{}", answer.status == 201 ? "Wrote" : "Changed", number));
  result.outputs.emplace_back("comment-id", fmt::format("{}", json_int(answer.body, "id").value_or(0)));
  return result;
}

Result<json::object> report_question(const ActionRequest& request) {
  json::object body;
  for (const auto& [input, member] :
       {std::pair{"model", "model"}, {"run-id", "run_id"}, {"version", "version"}, {"compare", "compare"}}) {
    if (auto value = request.input(input); !value.empty()) body[member] = std::move(value);
  }
  if (const auto file = request.input("metrics"); !file.empty()) {
    body["metrics"] = WEIR_TRY(parse_json(
        WEIR_TRY(run_confined(request.confinement, [&] { return io::read_file(request.resolve(file), kTextMax); })),
        file));
  }
  return body;
}

// Which run of what it is about, for people who come back to it after further ones.
std::string origin(const ActionRequest& request) {
  const auto& spec = *request.spec;
  std::string commit = spec.commit;
  const auto* github = spec.contexts.if_contains("github");
  const auto* event = github == nullptr ? nullptr : json_find(*github, "event");
  const auto* pull = event == nullptr ? nullptr : json_find(*event, "pull_request");
  const auto* head = pull == nullptr ? nullptr : json_find(*pull, "head");
  if (head != nullptr) commit = json_string_or(*head, "sha", commit);
  std::string workflow;
  for (const char c : spec.workflow_name) workflow += std::string_view("[]\\`<>*_").contains(c) ? ' ' : c;
  return fmt::format("\n[{} #{}](#/runs/{}) of {}\n", workflow, spec.run_number, spec.run_id, commit.substr(0, 8));
}

// The plots as Markdown. A pattern that nothing fits is told: a plot was expected.
Result<std::string> plots(const ActionRequest& request) {
  std::string shown;
  std::size_t count = 0;
  const auto upload = uploader(request);
  for (const auto& line : request.input_lines("plots")) {
    const auto glob = WEIR_TRY(Glob::parse(line, request.workspace, request.home()));
    std::size_t fit = 0;
    for (const fs::path file : WEIR_TRY(glob.search({.match_directories = false}))) {
      std::error_code error;
      if (!fs::is_regular_file(file, error)) continue;
      ++fit;
      if (++count > kPlotsMax) return fail(Code::kInvalidArgument, "a report may show {} plots", kPlotsMax);
      shown += "\n" + picture_markdown(file, WEIR_TRY(upload(file)));
    }
    if (fit == 0) request.reporter->annotate("warning", fmt::format("No plot fits {}", line));
  }
  return shown;
}

Result<ActionResult> report(const ActionRequest& request) {
  const auto answer = WEIR_TRY(request.server().post("/report", WEIR_TRY(report_question(request))));
  if (answer.status != 200) return std::unexpected(answer_error(answer, "there is nothing to report"));
  request.reporter->line(json_string_or(answer.body, "text", ""));
  std::string text = json_string_or(answer.body, "markdown", "");
  if (const auto title = request.input("title"); !title.empty()) text = fmt::format("## {}\n\n{}", title, text);
  // Files of a sandbox go nowhere: its job may write nowhere.
  if (!request.confinement && !request.input_lines("plots").empty()) {
    auto shown = plots(request);
    if (shown) {
      text += *shown;
    } else if (shown.error().code == Code::kPermissionDenied) {
      tell_silence(request, shown.error());
    } else {
      return std::unexpected(std::move(shown).error());
    }
  }
  text += origin(request);
  auto result = WEIR_TRY(say(request, text, "report " + request.input_or("model", "of the run")));
  result.outputs.emplace_back("markdown", text);
  result.outputs.emplace_back("result", json::serialize(answer.body));
  return result;
}

Result<ActionResult> comment(const ActionRequest& request) {
  std::string text = request.input("body");
  const auto file = request.input("file");
  if (text.empty() == file.empty()) return fail(Code::kInvalidArgument, "Give one of the inputs body and file");
  fs::path folder = request.workspace;
  if (!file.empty()) {
    const auto path = request.resolve(file);
    folder = path.parent_path();
    text = WEIR_TRY(run_confined(request.confinement, [&] { return io::read_file(path, kTextMax); }));
  }
  if (!request.confinement) {
    auto shown = with_pictures(text, folder, uploader(request));
    if (shown) {
      text = *std::move(shown);
    } else if (shown.error().code == Code::kPermissionDenied) {
      tell_silence(request, shown.error());
    } else {
      return std::unexpected(std::move(shown).error());
    }
  }
  return say(request, text, file.empty() ? "comment" : fs::path(file).stem().string());
}

}  // namespace

BuiltinAction report_action() {
  return {
      "weir/report", {"model", "run-id", "version", "metrics", "compare", "plots", "title", "key", "comment"}, report};
}

BuiltinAction comment_action() {
  return {"weir/comment", {"body", "file", "key", "comment"}, comment};
}

}  // namespace weir::runner
