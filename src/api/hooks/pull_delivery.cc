#include "api/hooks/pull_delivery.h"

#include <array>

namespace weir::api {
namespace {

using event::UpstreamPull;

constexpr std::size_t kNameMax = 250;
constexpr std::size_t kTitleMax = 500;

// The text at a path of members; "" where there is none.
std::string text_at(const json::value& value, std::initializer_list<std::string_view> path) {
  const json::value* at = &value;
  for (const auto name : path) {
    at = json_find(*at, name);
    if (at == nullptr) return {};
  }
  return at->is_string() ? std::string(at->get_string()) : std::string();
}

// What git takes for a branch's name, and for nothing else in a refspec.
// https://git-scm.com/docs/git-check-ref-format
bool can_be_branch(std::string_view name) {
  if (name.empty() || name.size() > kNameMax || name.starts_with('-') || name.starts_with('/') || name.ends_with('/') ||
      name.ends_with('.') || name.ends_with(".lock")) {
    return false;
  }
  for (const std::string_view wrong : {"..", "//", "@{", "/.", ".lock/"}) {
    if (name.find(wrong) != std::string_view::npos) return false;
  }
  return !name.starts_with('.') && name.find_first_of(" ~^:?*[\\\x7f") == std::string_view::npos &&
         std::ranges::none_of(name, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
}

bool is_commit(std::string_view id) {
  return (id.size() == 40 || id.size() == 64) && id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<UpstreamPull> checked(UpstreamPull pull) {
  const auto lacks = [](std::string_view what) {
    return fail(Code::kInvalidArgument, "the delivery tells of a pull request without {}", what);
  };
  if (pull.number <= 0) return lacks("its number");
  if (!is_commit(pull.head_sha)) return lacks("the newest commit of its branch");
  if (!can_be_branch(pull.head_ref)) return lacks("a branch that it comes from");
  if (!can_be_branch(pull.base_ref)) return lacks("a branch that it goes to");
  if (pull.action.empty() || pull.action.size() > kNameMax) return lacks("an action");
  if (pull.title.size() > kTitleMax) {
    std::size_t end = kTitleMax;
    while (end > 0 && (static_cast<unsigned char>(pull.title[end]) & 0xC0U) == 0x80U) --end;
    pull.title.resize(end);
  }
  return pull;
}

// Gitea and Forgejo say some things in other words.
struct Said {
  std::string_view event;
  std::string_view action;  // "": any
  std::string_view event_here;
  std::string_view action_here;  // "": as said
};
constexpr std::array<Said, 6> kOfGitea{{
    {"pull_request", "synchronized", "pull_request", "synchronize"},
    {"pull_request", "label_updated", "pull_request", "labeled"},
    {"pull_request", "label_cleared", "pull_request", "unlabeled"},
    {"pull_request_approved", "", "pull_request_review", "submitted"},
    {"pull_request_rejected", "", "pull_request_review", "submitted"},
    {"pull_request_comment", "", "pull_request_review", "submitted"},
}};

Result<UpstreamPull> of_github(const Delivery& delivery, bool gitea) {
  const json::value payload(delivery.payload);
  UpstreamPull pull{.event = delivery.event, .action = delivery.action, .payload = delivery.payload};
  for (const auto& said : kOfGitea) {
    if (!gitea || said.event != delivery.event || (!said.action.empty() && said.action != delivery.action)) continue;
    pull.event = said.event_here;
    pull.action = said.action_here;
  }
  const auto* object = json_find(payload, "pull_request");
  if (object == nullptr || !object->is_object()) {
    return fail(Code::kInvalidArgument, "the delivery has no pull_request");
  }
  pull.number = json_int(*object, "number").value_or(0);
  pull.title = text_at(*object, {"title"});
  pull.fetch_ref = fmt::format("refs/pull/{}/head", pull.number);
  pull.head_ref = text_at(*object, {"head", "ref"});
  pull.base_ref = text_at(*object, {"base", "ref"});
  pull.head_sha = text_at(*object, {"head", "sha"});
  pull.sender = text_at(payload, {"sender", "login"});
  const auto from = text_at(*object, {"head", "repo", "full_name"});
  pull.is_foreign = from.empty() || from != text_at(*object, {"base", "repo", "full_name"});
  return checked(std::move(pull));
}

struct Happened {
  std::string event = "pull_request";
  std::string action;
};

// https://docs.gitlab.com/user/project/integrations/webhook_events/#merge-request-events
Happened gitlab_happened(const json::value& payload, const json::value& attributes) {
  const auto action = text_at(attributes, {"action"});
  if (action == "open") return {.action = "opened"};
  if (action == "reopen") return {.action = "reopened"};
  if (action == "close" || action == "merge") return {.action = "closed"};
  if (action == "approved" || action == "approval") return {"pull_request_review", "submitted"};
  if (action == "unapproved" || action == "unapproval") return {"pull_request_review", "dismissed"};
  if (json_find(attributes, "oldrev") != nullptr) return {.action = "synchronize"};
  const auto* changes = json_find(payload, "changes");
  if (const auto* labels = changes == nullptr ? nullptr : json_find(*changes, "labels"); labels != nullptr) {
    const auto count = [&](std::string_view which) {
      const auto* list = json_find(*labels, which);
      return list != nullptr && list->is_array() ? list->get_array().size() : 0;
    };
    return {.action = count("current") < count("previous") ? "unlabeled" : "labeled"};
  }
  return {.action = "edited"};
}

Result<UpstreamPull> of_gitlab(const Delivery& delivery) {
  const json::value payload(delivery.payload);
  const auto* found = json_find(payload, "object_attributes");
  if (found == nullptr || !found->is_object()) {
    return fail(Code::kInvalidArgument, "the delivery has no object_attributes");
  }
  const json::value& attributes = *found;
  auto happened = gitlab_happened(payload, attributes);
  UpstreamPull pull{.event = std::move(happened.event),
                    .action = std::move(happened.action),
                    .number = json_int(attributes, "iid").value_or(0),
                    .title = text_at(attributes, {"title"}),
                    .head_ref = text_at(attributes, {"source_branch"}),
                    .base_ref = text_at(attributes, {"target_branch"}),
                    .head_sha = text_at(attributes, {"last_commit", "id"}),
                    .sender = text_at(payload, {"user", "username"})};
  pull.fetch_ref = fmt::format("refs/merge-requests/{}/head", pull.number);
  const auto from = json_int(attributes, "source_project_id");
  pull.is_foreign = !from || from != json_int(attributes, "target_project_id");
  json::array labels;
  if (const auto* list = json_find(payload, "labels"); list != nullptr && list->is_array()) {
    for (const auto& label : list->get_array()) {
      if (const auto name = text_at(label, {"title"}); !name.empty()) labels.push_back(json::object{{"name", name}});
    }
  }
  const auto state = text_at(attributes, {"state"});
  const bool draft = json_bool_or(attributes, "draft", json_bool_or(attributes, "work_in_progress", false));
  pull.payload = {{"pull_request", json::object{{"number", pull.number},
                                                {"title", pull.title},
                                                {"body", text_at(attributes, {"description"})},
                                                {"state", state == "opened" ? "open" : "closed"},
                                                {"merged", state == "merged"},
                                                {"draft", draft},
                                                {"html_url", text_at(attributes, {"url"})},
                                                {"user", json::object{{"login", pull.sender}}},
                                                {"labels", std::move(labels)}}},
                  {"sender", json::object{{"login", pull.sender}}},
                  {"gitlab", delivery.payload}};
  return checked(std::move(pull));
}

}  // namespace

bool is_pull_delivery(const Delivery& delivery) {
  return delivery.event.starts_with("pull_request");
}

Result<UpstreamPull> read_pull(HookSource source, const Delivery& delivery, const std::string& repo) {
  auto pull =
      WEIR_TRY(source == HookSource::kGitlab ? of_gitlab(delivery) : of_github(delivery, source == HookSource::kGitea));
  pull.repo = repo;
  pull.forge = hook_source_name(source);
  return pull;
}

}  // namespace weir::api
