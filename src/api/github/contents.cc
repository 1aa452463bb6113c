// Files of a repository: https://docs.github.com/en/rest/repos/contents
#include "api/github/commits.h"
#include "base/base64.h"
#include "event/source.h"

namespace weir::api::github {
namespace {

using access::Permission;

constexpr Need kReads{"contents", Level::kRead, Permission::kFetch};
constexpr Need kWrites{"contents", Level::kWrite, Permission::kPush};
constexpr std::int64_t kInlineMax = 1 << 20;      // beyond, as on GitHub, only raw
constexpr std::size_t kBodyBytesMax = 64U << 20;  // of a file that is written, in Base64
constexpr std::size_t kLine = 60;                 // as GitHub breaks Base64

json::object item_json(const Call& call, const PathItem& item, const std::string& path, const std::string& ref) {
  const auto url = call.api_url(fmt::format("/contents/{}?ref={}", path, io::percent_encode(ref)));
  const std::string_view type = item.type == "tree"     ? "dir"
                                : item.type == "commit" ? "submodule"
                                : item.mode == "120000" ? "symlink"
                                                        : "file";
  const auto slash = path.rfind('/');
  const auto object_url =
      call.api_url(fmt::format("/git/{}s/{}", item.type == "commit" ? "tree" : item.type, item.object));
  return {{"type", type},
          {"size", item.size_bytes},
          {"name", slash == std::string::npos ? path : path.substr(slash + 1)},
          {"path", path},
          {"sha", item.object},
          {"url", url},
          {"git_url", object_url},
          {"html_url", url},
          {"download_url", type == "file" ? json::value(url) : json::value()},
          {"_links", json::object{{"self", url}, {"git", object_url}, {"html", url}}}};
}

std::string broken_base64(std::string_view bytes) {
  const auto text = base64_encode(bytes);
  std::string lines;
  for (std::size_t i = 0; i < text.size(); i += kLine) lines += text.substr(i, kLine) + "\n";
  return lines;
}

// The type that a client asks for to get a file as it is ("application/vnd.github.v3.raw"); some look for it in the
// answer.
std::optional<std::string> raw_type(const Call& call) {
  std::string_view accept = call.request.headers.get("Accept");
  while (!accept.empty()) {
    auto type = accept.substr(0, accept.find(','));
    accept.remove_prefix(std::min(accept.size(), type.size() + 1));
    type = type.substr(0, type.find(';'));
    while (type.starts_with(' ')) type.remove_prefix(1);
    while (type.ends_with(' ')) type.remove_suffix(1);
    if (type.starts_with("application/vnd.github.") && type.find(".raw") != std::string_view::npos) {
      return std::string(type);
    }
  }
  return std::nullopt;
}

Result<io::HttpResponse> get_contents(Call& call) {
  const auto git = WEIR_TRY(call.git());
  auto path = call.request.params["path"];
  while (path.ends_with('/')) path.pop_back();
  if (!path.empty() && !check_path(path)) return error_answer(404, "Not Found");
  const auto ref = call.query("ref", git.head_ref().value_or("HEAD"));
  const auto commit = WEIR_TRY(commit_of(git, ref));
  const auto item = WEIR_TRY(item_at(git, commit, path));
  if (!item) return error_answer(404, "Not Found");
  if (item->type == "tree") {
    json::array list;
    for (const auto& entry : WEIR_TRY(folder_at(git, commit, path))) {
      list.push_back(item_json(call, entry, path.empty() ? entry.name : path + "/" + entry.name, ref));
    }
    return io::json_response(200, std::move(list));
  }
  if (item->type == "commit") return io::json_response(200, item_json(call, *item, path, ref));
  if (const auto raw = raw_type(call)) {
    // Never as a page of this server's: whoever could push would run scripts with its viewers' rights.
    auto response = io::text_response(200, WEIR_TRY(git.show(commit, path)), *raw + "; charset=utf-8");
    response.headers.set("X-Content-Type-Options", "nosniff");
    response.headers.set("Content-Security-Policy", "default-src 'none'; sandbox");
    return response;
  }
  auto object = item_json(call, *item, path, ref);
  if (item->mode == "120000") object["target"] = WEIR_TRY(git.show(commit, path));
  const bool is_small = item->size_bytes <= kInlineMax;
  object["encoding"] = is_small ? "base64" : "none";
  object["content"] = is_small ? broken_base64(WEIR_TRY(git.show(commit, path))) : std::string();
  return io::json_response(200, std::move(object));
}

// Who the request names as author, else who asks.
void set_author(const Call& call, io::Git::NewCommit& commit) {
  commit.author_name = call.identity().name;
  commit.author_email = call.identity().name + "@localhost";
  for (const auto* member : {"committer", "author"}) {
    if (const auto* person = json_find(call.body, member)) {
      const auto clean = [](std::string text) {
        std::erase_if(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '<' || c == '>'; });
        return text.substr(0, 200);
      };
      if (auto name = clean(json_string_or(*person, "name", "")); !name.empty()) commit.author_name = std::move(name);
      if (auto mail = clean(json_string_or(*person, "email", "")); !mail.empty()) commit.author_email = std::move(mail);
    }
  }
}

// What both ways of changing a file need to know.
struct Change {
  io::Git git;
  std::string path;
  std::string ref;     // refs/heads/…
  std::string before;  // its commit; "" in an empty repository
  std::optional<PathItem> item;
};

Result<Change> change_of(const Call& call) {
  Change change{.git = WEIR_TRY(call.git()), .path = call.param("path"), .ref = {}, .before = {}, .item = {}};
  WEIR_TRY(check_path(change.path));
  const auto main = change.git.head_ref().value_or("refs/heads/main");
  const auto branch = json_string_or(call.body, "branch", "");
  change.ref = branch.empty() ? main : forge::branch_ref(branch);
  WEIR_TRY(check_ref(change.git, change.ref));
  if (!change.ref.starts_with("refs/heads/")) return fail(Code::kInvalidArgument, "branch must be a branch");
  if (const auto there = change.git.resolve(change.ref)) {
    change.before = *there;
    change.item = WEIR_TRY(item_at(change.git, change.before, change.path));
    for (auto slash = change.path.find('/'); slash != std::string::npos; slash = change.path.find('/', slash + 1)) {
      const auto above = WEIR_TRY(item_at(change.git, change.before, change.path.substr(0, slash)));
      if (above && above->type != "tree") {
        return fail(Code::kInvalidArgument, "{} is no folder", change.path.substr(0, slash));
      }
    }
  } else if (change.ref != main || !WEIR_TRY(change.git.refs()).empty()) {
    return fail(Code::kNotFound, "Not Found: Branch {} not found", event::short_ref(change.ref));
  }
  if (change.item && change.item->type != "blob") {
    return fail(Code::kInvalidArgument, "{} is a folder", change.path);
  }
  return change;
}

// The object ids of a change must meet: nobody overwrites what they have not seen.
std::optional<io::HttpResponse> conflict(const Call& call, const Change& change, bool must_exist) {
  const auto sha = json_string_or(call.body, "sha", "");
  if (!change.item) {
    if (must_exist) return error_answer(404, "Not Found");
    if (!sha.empty()) return error_answer(409, fmt::format("{} does not exist, but a sha was given", change.path));
    return std::nullopt;
  }
  if (sha.empty()) return error_answer(422, "Invalid request. \"sha\" wasn't supplied.");
  if (sha != change.item->object) {
    return error_answer(409, fmt::format("{} does not match {}", change.path, sha.substr(0, 80)));
  }
  return std::nullopt;
}

Result<io::GitCommit> commit_change(const Call& call, const Change& change, const std::optional<std::string>& blob) {
  event::RefUpdate update{change.ref, change.before.empty() ? std::string(event::kNoObject) : change.before, {}};
  // Before anything is written, and below with what was.
  update.after = change.before.empty() ? std::string(40, '1') : change.before;
  WEIR_TRY(call.parts.may_push(call.identity(), call.repo, {update}));
  io::Git::NewCommit commit;
  commit.tree = WEIR_TRY(tree_with(change.git, change.before, change.path, blob));
  if (!change.before.empty()) commit.parents.push_back(change.before);
  commit.message = WEIR_TRY(json_require_string(call.body, "message")) + "\n";
  if (commit.message.size() > forge::kBodyMax) return fail(Code::kInvalidArgument, "message is too long");
  commit.time = call.services().clock->now();
  set_author(call, commit);
  update.after = WEIR_TRY(change.git.make_commit(commit));
  WEIR_TRY(call.parts.may_push(call.identity(), call.repo, {update}));
  WEIR_TRY(call.parts.move_ref(call.identity(), call.repo, update));
  return change.git.commit(update.after);
}

Result<io::HttpResponse> put_contents(Call& call) {
  const auto change = WEIR_TRY(change_of(call));
  if (auto refused = conflict(call, change, false)) return *std::move(refused);
  const auto bytes = WEIR_TRY(base64_decode(WEIR_TRY(json_require_string(call.body, "content"))));
  WEIR_TRY(json_require_string(call.body, "message"));
  const auto blob = WEIR_TRY(write_blob(change.git, bytes));
  const auto commit = WEIR_TRY(commit_change(call, change, blob));
  const auto item = WEIR_TRY(item_at(change.git, commit.sha, change.path));
  return io::json_response(
      change.item ? 200 : 201,
      json::object{{"content", item ? json::value(item_json(call, *item, change.path, commit.sha)) : json::value()},
                   {"commit", git_commit_json(call, commit)}});
}

Result<io::HttpResponse> delete_contents(Call& call) {
  // Clients may send what a body would say as a query.
  if (call.request.body.empty()) {
    auto& body = call.body.get_object();
    for (const auto& [name, value] : call.request.query) body[name] = value;
  }
  const auto change = WEIR_TRY(change_of(call));
  if (auto refused = conflict(call, change, true)) return *std::move(refused);
  const auto commit = WEIR_TRY(commit_change(call, change, std::nullopt));
  return io::json_response(200, json::object{{"content", nullptr}, {"commit", git_commit_json(call, commit)}});
}

}  // namespace

void add_content_routes(Routes& routes) {
  routes.repo("GET", "/contents", kReads, get_contents);
  routes.repo("GET", "/contents/{path*}", kReads, get_contents);
  routes.repo("PUT", "/contents/{path*}", kWrites, put_contents, {.body_bytes_max = kBodyBytesMax});
  routes.repo("DELETE", "/contents/{path*}", kWrites, delete_contents);
}

}  // namespace weir::api::github
