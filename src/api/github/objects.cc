// Git's trees and blobs: https://docs.github.com/en/rest/git/trees and /git/blobs
#include "api/github/call.h"
#include "api/github/git_work.h"

namespace weir::api::github {
namespace {

constexpr Need kReads{"contents", Level::kRead, access::Permission::kFetch};
constexpr std::size_t kEntriesMax = 100'000;         // as GitHub lists; the answer says if there are more
constexpr std::int64_t kBlobBytesMax = 100LL << 20;  // as GitHub gives
constexpr std::size_t kLine = 60;                    // as GitHub breaks Base64

// A tree by its own id, or that of a commit, branch or tag.
Result<std::string> tree_of(const io::Git& git, const std::string& name) {
  if (const auto facts = object_facts(git, name); facts && facts->type == "tree") return name;
  return WEIR_TRY(git.commit(WEIR_TRY(commit_of(git, name)))).tree;
}

Result<io::HttpResponse> get_tree(Call& call) {
  const auto git = WEIR_TRY(call.git());
  const auto tree = WEIR_TRY(tree_of(git, call.param("sha")));
  // Any value asks for it, as with GitHub.
  const bool recursive = call.request.query_value("recursive").has_value();
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
  return io::json_response(200, json::object{{"sha", tree},
                                             {"url", call.api_url("/git/trees/" + tree)},
                                             {"tree", std::move(list)},
                                             {"truncated", truncated}});
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
                                             {"node_id", "blob-" + sha},
                                             {"size", facts.size_bytes},
                                             {"url", call.api_url("/git/blobs/" + sha)},
                                             {"content", std::move(lines)},
                                             {"encoding", "base64"}});
}

}  // namespace

void add_object_routes(Routes& routes) {
  routes.repo("GET", "/git/trees/{sha*}", kReads, get_tree);
  routes.repo("GET", "/git/blobs/{sha}", kReads, get_blob);
}

}  // namespace weir::api::github
