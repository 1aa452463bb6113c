// Commits that are made without a clone: createCommitOnBranch.
#include "api/github/graph.h"
#include "api/github/needs.h"
#include "base/base64.h"

namespace weir::api::github {
namespace {

constexpr std::size_t kFilesMax = 10'000;

// A branch by its repository and name, or by the node id of its ref.
struct Branch {
  Home home;
  std::string ref;
};

Result<Branch> branch_in(const json::object& input) {
  const auto& branch = input.at("branch").as_object();
  if (const auto id = json_string(branch, "id")) {
    const auto read = WEIR_TRY(read_node_id(*id));
    if (read.kind == "ref") return Branch{read.home, read.key};
    return fail(Code::kNotFound, "Could not resolve to a node with the global id of '{}': branch must name a ref",
                id->substr(0, 200));
  }
  const auto name = json_string_or(branch, "repositoryNameWithOwner", "");
  const auto slash = name.find('/');
  if (slash == std::string::npos) {
    return fail(Code::kInvalidArgument, "branch needs an id, or repositoryNameWithOwner and branchName");
  }
  return Branch{{name.substr(0, slash), name.substr(slash + 1)},
                forge::branch_ref(json_string_or(branch, "branchName", ""))};
}

// What is to go comes first, so that a file may take the place of a folder.
Result<std::vector<NewItem>> items_in(const io::Git& git, const json::object& input, const std::string& before) {
  std::vector<NewItem> items;
  const auto* changes = input.if_contains("fileChanges");
  if (changes == nullptr || !changes->is_object()) return items;
  for (const std::string_view kind : {"deletions", "additions"}) {
    const auto* list = json_find(*changes, kind);
    if (list == nullptr || !list->is_array()) continue;
    for (const auto& one : list->get_array()) {
      NewItem item{.path = json_string_or(one, "path", ""), .mode = "100644", .object = {}};
      WEIR_TRY(check_path(item.path));
      if (kind == "additions") {
        const auto there = WEIR_TRY(item_at(git, before, item.path));
        if (there && there->mode == "100755") item.mode = "100755";
        item.object = WEIR_TRY(write_blob(git, WEIR_TRY(base64_decode(json_string_or(one, "contents", "")))));
      }
      items.push_back(std::move(item));
      if (items.size() > kFilesMax) {
        return fail(Code::kInvalidArgument, "fileChanges may name {} files", kFilesMax);
      }
    }
  }
  return items;
}

Result<io::Git::NewCommit> commit_in(const Call& call, const json::object& input) {
  const auto& said = input.at("message").as_object();
  io::Git::NewCommit commit;
  commit.message = json_string_or(said, "headline", "");
  if (const auto body = json_string_or(said, "body", ""); !body.empty()) commit.message += "\n\n" + body;
  commit.message += "\n";
  if (commit.message.size() > forge::kBodyMax) return fail(Code::kInvalidArgument, "message is too long");
  commit.author_name = call.identity().name;
  commit.author_email = call.identity().name + "@localhost";
  commit.time = call.services().clock->now();
  return commit;
}

}  // namespace

Result<Outcome> commit_on_branch(Graph& graph, const json::object& input) {
  const auto branch = WEIR_TRY(branch_in(input));
  const auto call = WEIR_TRY(graph.allowed(branch.home, needs::kWriteContents));
  const auto git = WEIR_TRY(call.git());
  WEIR_TRY(check_ref(git, branch.ref));
  const auto before =
      branch.ref.starts_with("refs/heads/") ? git.resolve(branch.ref) : fail(Code::kNotFound, "no branch");
  if (!before) return fail(Code::kNotFound, "A branch named \"{}\" doesn't exist", branch.ref);
  if (const auto expected = json_string_or(input, "expectedHeadOid", ""); expected != *before) {
    return fail(Code::kFailedPrecondition, "Expected branch to point to \"{}\" but it did not. Pull and try again.",
                expected.substr(0, 80));
  }
  event::RefUpdate update{branch.ref, *before, *before};
  WEIR_TRY(call.parts.may_push(call.identity(), call.repo, {update}));  // before anything is written
  auto commit = WEIR_TRY(commit_in(call, input));
  const auto items = WEIR_TRY(items_in(git, input, *before));
  commit.tree = WEIR_TRY(tree_with(git, WEIR_TRY(git.commit(*before)).tree, items));
  commit.parents = {*before};
  update.after = WEIR_TRY(git.make_commit(commit));
  WEIR_TRY(call.parts.may_push(call.identity(), call.repo, {update}));  // and with what was
  WEIR_TRY(call.parts.move_ref(call.identity(), call.repo, update));
  return commit_node(call, WEIR_TRY(git.commit(update.after)));
}

}  // namespace weir::api::github
