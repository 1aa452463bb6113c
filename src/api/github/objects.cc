// Git's objects, read and made: https://docs.github.com/en/rest/git/blobs, /git/trees and /git/commits. A ref leads to
// what was made only once refs.cc has moved it there, by the rules of pushes.
#include <algorithm>
#include <array>

#include "api/github/commits.h"
#include "api/github/git_work.h"
#include "base/base64.h"

namespace weir::api::github {
namespace {

constexpr Need kReads{"contents", Level::kRead, access::Permission::kFetch};
constexpr Need kWrites{"contents", Level::kWrite, access::Permission::kPush};
constexpr std::size_t kBodyBytesMax = 64U << 20;  // as of a file that is written
constexpr std::size_t kNewItemsMax = 10'000;
constexpr std::size_t kParentsMax = 100;
constexpr std::size_t kEntriesMax = 100'000;         // as GitHub lists; the answer says if there are more
constexpr std::int64_t kBlobBytesMax = 100LL << 20;  // as GitHub gives
constexpr std::size_t kLine = 60;                    // as GitHub breaks Base64

// A tree by its own id, or that of a commit, branch or tag.
Result<std::string> tree_of(const io::Git& git, const std::string& name) {
  if (const auto facts = object_facts(git, name); facts && facts->type == "tree") return name;
  return WEIR_TRY(git.commit(WEIR_TRY(commit_of(git, name)))).tree;
}

Result<io::HttpResponse> answer_tree(const Call& call, const io::Git& git, const std::string& tree, bool recursive,
                                     int status) {
  auto items = WEIR_TRY(tree_at(git, tree, recursive, kEntriesMax));
  const bool truncated = items.size() > kEntriesMax;
  if (truncated) items.resize(kEntriesMax);
  json::array list;
  list.reserve(items.size());
  for (const auto& item : items) {
    json::object entry{{"path", item.name}, {"mode", item.mode}, {"type", item.type}, {"sha", item.object}};
    if (item.type == "blob") entry["size"] = item.size_bytes;
    // A submodule's commit is of another repository.
    if (item.type != "commit") entry["url"] = call.api_url(fmt::format("/git/{}s/{}", item.type, item.object));
    list.push_back(std::move(entry));
  }
  return io::json_response(status, json::object{{"sha", tree},
                                                {"url", call.api_url("/git/trees/" + tree)},
                                                {"tree", std::move(list)},
                                                {"truncated", truncated}});
}

Result<io::HttpResponse> get_tree(Call& call) {
  const auto git = WEIR_TRY(call.git());
  // Any value asks for it, as with GitHub.
  const bool recursive = call.request.query_value("recursive").has_value();
  return answer_tree(call, git, WEIR_TRY(tree_of(git, call.param("sha"))), recursive, 200);
}

bool is_id(std::string_view text) {
  return text.size() == 40 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// One entry of `tree`: of a path, either the object it leads to, or what is to be in it.
Result<NewItem> new_item(const io::Git& git, const json::value& entry) {
  NewItem item{.path = WEIR_TRY(json_require_string(entry, "path")),
               .mode = json_string_or(entry, "mode", "100644"),
               .object = {}};
  WEIR_TRY(check_path(item.path));
  static constexpr std::array<std::string_view, 5> kModes{"100644", "100755", "120000", "160000", "040000"};
  if (std::ranges::find(kModes, item.mode) == kModes.end()) {
    return fail(Code::kInvalidArgument, "tree.mode must be 100644, 100755, 040000, 160000 or 120000, not \"{}\"",
                item.mode.substr(0, 80));
  }
  const auto* sha = json_find(entry, "sha");
  if (const auto content = json_string(entry, "content")) {
    if (sha != nullptr) return fail(Code::kInvalidArgument, "tree: {} has both sha and content", item.path);
    if (!item.mode.starts_with("1") || item.mode == "160000") {
      return fail(Code::kInvalidArgument, "tree: {} has content, so it must be a file", item.path);
    }
    item.object = WEIR_TRY(write_blob(git, *content));
    return item;
  }
  if (sha == nullptr) return fail(Code::kInvalidArgument, "tree: {} needs sha or content", item.path);
  if (sha->is_null()) return item;
  if (!sha->is_string() || !is_id(sha->get_string())) {
    return fail(Code::kInvalidArgument, "tree.sha of {} must be a full id", item.path);
  }
  item.object = sha->get_string();
  return item;
}

Result<io::HttpResponse> create_tree(Call& call) {
  const auto git = WEIR_TRY(call.git());
  const auto* entries = json_find(call.body, "tree");
  if (entries == nullptr || !entries->is_array()) return fail(Code::kInvalidArgument, "tree must be an array");
  if (entries->get_array().size() > kNewItemsMax) {
    return fail(Code::kInvalidArgument, "tree may have {} entries; go on with base_tree", kNewItemsMax);
  }
  std::string base;
  if (const auto wanted = json_string_or(call.body, "base_tree", ""); !wanted.empty()) {
    const auto found = is_id(wanted) ? tree_of(git, wanted) : Result<std::string>(fail(Code::kNotFound, "no id"));
    if (!found) return fail(Code::kInvalidArgument, "base_tree \"{}\" is no tree", wanted.substr(0, 80));
    base = *found;
  }
  std::vector<NewItem> items;
  for (const auto& entry : entries->get_array()) items.push_back(WEIR_TRY(new_item(git, entry)));
  if (items.empty() && base.empty()) return fail(Code::kInvalidArgument, "tree is empty and there is no base_tree");
  return answer_tree(call, git, WEIR_TRY(tree_with(git, base, items)), false, 201);
}

Result<io::HttpResponse> get_blob(Call& call) {
  const auto git = WEIR_TRY(call.git());
  const auto& sha = call.param("sha");
  const auto facts = WEIR_TRY(object_facts(git, sha));
  if (facts.type != "blob") return error_answer(404, "Not Found: it is no blob");
  if (facts.size_bytes > kBlobBytesMax) {
    return error_answer(403, "The requested blob is too large to fetch via the API; it may have 100 MiB. Ask git.");
  }
  const auto bytes = WEIR_TRY(blob_bytes(git, sha));
  if (call.request.headers.get("Accept").find(".raw") != std::string_view::npos) {
    // Never as a page of this server's: whoever could push would run scripts with its viewers' rights.
    auto response = io::text_response(200, bytes, "application/vnd.github.raw; charset=utf-8");
    response.headers.set("X-Content-Type-Options", "nosniff");
    response.headers.set("Content-Security-Policy", "default-src 'none'; sandbox");
    return response;
  }
  const auto text = base64_encode(bytes);
  std::string lines;
  lines.reserve(text.size() + text.size() / kLine + 1);
  for (std::size_t i = 0; i < text.size(); i += kLine) lines.append(text, i, kLine).push_back('\n');
  return io::json_response(200, json::object{{"sha", sha},
                                             {"node_id", call.node_id("blob", sha)},
                                             {"size", facts.size_bytes},
                                             {"url", call.api_url("/git/blobs/" + sha)},
                                             {"content", std::move(lines)},
                                             {"encoding", "base64"}});
}

Result<io::HttpResponse> create_blob(Call& call) {
  const auto git = WEIR_TRY(call.git());
  const auto content = WEIR_TRY(json_require_string(call.body, "content"));
  const auto encoding = json_string_or(call.body, "encoding", "utf-8");
  if (encoding != "utf-8" && encoding != "base64") {
    return fail(Code::kInvalidArgument, "encoding must be utf-8 or base64, not \"{}\"", encoding.substr(0, 80));
  }
  const auto sha = WEIR_TRY(write_blob(git, encoding == "utf-8" ? content : WEIR_TRY(base64_decode(content))));
  return io::json_response(201, json::object{{"sha", sha}, {"url", call.api_url("/git/blobs/" + sha)}});
}

// As the request names them, else who asks and now.
Result<Person> person_in(const Call& call, std::string_view member, Person person) {
  const auto* said = json_find(call.body, member);
  if (said == nullptr || said->is_null()) return person;
  const auto clean = [](std::string text) {
    std::erase_if(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '<' || c == '>'; });
    return text.substr(0, 200);
  };
  if (auto name = clean(json_string_or(*said, "name", "")); !name.empty()) person.name = std::move(name);
  if (auto email = clean(json_string_or(*said, "email", "")); !email.empty()) person.email = std::move(email);
  if (const auto date = json_string(*said, "date")) person.time = WEIR_TRY(parse_iso8601(*date));
  if (person.time < TimePoint{}) return fail(Code::kInvalidArgument, "{}.date must not be before 1970", member);
  return person;
}

Result<io::HttpResponse> create_commit(Call& call) {
  const auto git = WEIR_TRY(call.git());
  WEIR_TRY(refuse_member(call.body, "signature", "weir keeps no signatures of commits made here; leave it out"));
  NewCommit commit{.message = WEIR_TRY(json_require_string(call.body, "message"))};
  if (commit.message.size() > forge::kBodyMax || commit.message.find('\0') != std::string::npos) {
    return fail(Code::kInvalidArgument, "message may have {} bytes, none of them zero", forge::kBodyMax);
  }
  commit.tree = WEIR_TRY(json_require_string(call.body, "tree"));
  if (const auto facts = object_facts(git, commit.tree); !facts || facts->type != "tree") {
    return fail(Code::kInvalidArgument, "Tree SHA does not exist: {}", commit.tree.substr(0, 80));
  }
  commit.parents = WEIR_TRY(names_in(call.body, "parents")).value_or(std::vector<std::string>{});
  if (commit.parents.size() > kParentsMax) return fail(Code::kInvalidArgument, "at most {} parents", kParentsMax);
  for (const auto& parent : commit.parents) {
    if (const auto facts = object_facts(git, parent); !facts || facts->type != "commit") {
      return fail(Code::kInvalidArgument, "Parent SHA does not exist or is not a commit object: {}",
                  parent.substr(0, 80));
    }
  }
  const auto& name = call.identity().name;
  commit.author = WEIR_TRY(person_in(call, "author", {name, name + "@localhost", call.services().clock->now()}));
  commit.committer = WEIR_TRY(person_in(call, "committer", commit.author));
  return io::json_response(201, git_commit_json(call, WEIR_TRY(git.commit(WEIR_TRY(write_commit(git, commit))))));
}

}  // namespace

void add_object_routes(Routes& routes) {
  routes.repo("POST", "/git/blobs", kWrites, create_blob, {.body_bytes_max = kBodyBytesMax});
  routes.repo("POST", "/git/trees", kWrites, create_tree, {.body_bytes_max = kBodyBytesMax});
  routes.repo("POST", "/git/commits", kWrites, create_commit, {.body_bytes_max = 4U << 20});
  routes.repo("GET", "/git/trees/{sha*}", kReads, get_tree);
  routes.repo("GET", "/git/blobs/{sha}", kReads, get_blob);
}

}  // namespace weir::api::github
