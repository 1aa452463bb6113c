// Releases and their files.
#include <algorithm>

#include "api/github/graph.h"
#include "api/github/needs.h"

namespace weir::api::github {
namespace {

using OfRelease = Question<ReleaseNode>;

Result<Outcome> is_latest(const OfRelease& question) {
  for (const auto& release : WEIR_TRY(visible_releases(question.call()))) {
    if (!release.draft && !release.prerelease) return Outcome(release.id == question.of.of.id);
  }
  return Outcome(false);
}

Result<Outcome> tag(const OfRelease& question) {
  const auto call = question.call();
  const auto refs = WEIR_TRY(WEIR_TRY(call.git()).refs());
  const auto found = refs.find("refs/tags/" + question.of.of.tag);
  return found == refs.end() ? Outcome(nullptr) : ref_node(call, *found);
}

Result<Outcome> tag_commit(const OfRelease& question) {
  const auto call = question.call();
  const auto git = WEIR_TRY(call.git());
  const auto commit = git.resolve("refs/tags/" + question.of.of.tag);
  return commit ? commit_node(call, WEIR_TRY(git.commit(*commit))) : Outcome(nullptr);
}

Result<Outcome> assets(const OfRelease& question) {
  std::vector<json::object> all;
  const auto name = question.text("name");
  for (const auto& asset : question.of.shown.at("assets").as_array()) {
    if (name.empty() || json_string_or(asset, "name", "") == name) all.push_back(asset.as_object());
  }
  return connect<json::object>(
      "ReleaseAssetConnection", "ReleaseAssetEdge", question.arguments, "releaseAssets", all,
      [](const auto& asset) { return json_string_or(asset, "name", ""); },
      [&](const auto& asset) -> Result<Outcome> {
        return Outcome(graphql::Object{"ReleaseAsset", Shown{question.of.home, asset}});
      });
}

}  // namespace

Outcome release_node(const Call& call, forge::Release release) {
  return Outcome(
      graphql::Object{"Release", ReleaseNode{{home_of(call), release_json(call, release)}, std::move(release)}});
}

void declare_releases(graphql::Schema& schema) {
  schema.object("Release", {"Node"});
  for (const auto& [field, shown] : {std::pair{"id: ID!", "node_id"},
                                     {"databaseId: Int", "id"},
                                     {"name: String", "name"},
                                     {"tagName: String!", "tag_name"},
                                     {"description: String", "body"},
                                     {"isDraft: Boolean!", "draft"},
                                     {"isPrerelease: Boolean!", "prerelease"},
                                     {"createdAt: DateTime!", "created_at"},
                                     {"updatedAt: DateTime!", "created_at"},
                                     {"publishedAt: DateTime", "published_at"},
                                     {"url: URI!", "html_url"}}) {
    schema.field("Release", field, member<ReleaseNode>(shown));
  }
  schema.field("Release", "author: User", actor_member<ReleaseNode>("author"));
  schema.field("Release", "isLatest: Boolean!", ask<ReleaseNode>(is_latest));
  schema.field("Release", "tag: Ref", ask<ReleaseNode>(tag));
  schema.field("Release", "tagCommit: Commit", ask<ReleaseNode>(tag_commit));
  schema.field("Release", fmt::format("releaseAssets({}, name: String): ReleaseAssetConnection!", kPaging),
               ask<ReleaseNode>(assets));
  declare_connection(schema, "Release", "Release");
  schema.object("ReleaseAsset", {"Node"});
  for (const auto& [field, shown] : {std::pair{"id: ID!", "node_id"},
                                     {"name: String!", "name"},
                                     {"size: Int!", "size"},
                                     {"contentType: String!", "content_type"},
                                     {"createdAt: DateTime!", "created_at"},
                                     {"url: URI!", "url"},
                                     {"downloadUrl: URI!", "browser_download_url"}}) {
    schema.field("ReleaseAsset", field, member<Shown>(shown));
  }
  declare_connection(schema, "ReleaseAsset", "ReleaseAsset");
}

}  // namespace weir::api::github
