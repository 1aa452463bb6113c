#include "forge/releases.h"

#include "event/occurrence.h"
#include "event/payload.h"
#include "forge/issues.h"
#include "types/event.h"

namespace weir::forge {
namespace {

constexpr std::string_view kColumns =
    "id, repo, tag, target, name, draft, prerelease, author, created_at, published_at, body";
constexpr std::string_view kAssetColumns =
    "id, release, name, label, content_type, sha256, size_bytes, uploader, created_at";
constexpr std::int64_t kReleasesMax = 1'000;
constexpr std::int64_t kAssetsMax = 1'000;  // of one release, as on GitHub

Release read_release(const store::Row& row) {
  Release release{.id = row.integer(0),
                  .repo = row.string(1),
                  .tag = row.string(2),
                  .target = row.string(3),
                  .name = row.string(4),
                  .body = row.string(10),
                  .draft = row.boolean(5),
                  .prerelease = row.boolean(6),
                  .author = row.string(7),
                  .created_at = row.time(8)};
  if (!row.is_null(9)) release.published_at = row.time(9);
  return release;
}

ReleaseAsset read_asset(const store::Row& row) {
  return {.id = row.integer(0),
          .release = row.integer(1),
          .name = row.string(2),
          .label = row.string(3),
          .content_type = row.string(4),
          .sha256 = row.string(5),
          .size_bytes = row.integer(6),
          .uploader = row.string(7),
          .created_at = row.time(8)};
}

Result<void> load_assets(store::Reader& reader, Release& release) {
  release.assets = WEIR_TRY(reader.all<ReleaseAsset>(
      fmt::format("SELECT {} FROM forge_release_assets WHERE release = ? ORDER BY name LIMIT ?", kAssetColumns),
      {release.id, kAssetsMax}, read_asset));
  return {};
}

Result<Release> load_release(store::Reader& reader, const std::string& repo, std::int64_t id) {
  auto release = WEIR_TRY(reader.first<Release>(
      fmt::format("SELECT {} FROM forge_releases WHERE id = ? AND repo = ?", kColumns), {id, repo}, read_release));
  if (!release) return fail(Code::kNotFound, "repository {} has no release {}", repo, id);
  WEIR_TRY(load_assets(reader, *release));
  return *std::move(release);
}

Result<void> check_release(const Release& release) {
  if (release.tag.empty() || release.tag.size() > 255) {
    return fail(Code::kInvalidArgument, "tag_name must have 1 to 255 characters");
  }
  if (release.name.size() > kTitleMax) return fail(Code::kInvalidArgument, "name may have {} bytes", kTitleMax);
  if (release.body.size() > kBodyMax) return fail(Code::kInvalidArgument, "body may have {} bytes", kBodyMax);
  return {};
}

// A draft reserves no tag.
Result<void> check_tag_is_free(store::Reader& reader, const Release& release) {
  if (release.draft) return {};
  const auto other =
      WEIR_TRY(reader.integer("SELECT id FROM forge_releases WHERE repo = ? AND tag = ? AND draft = 0 AND id <> ?",
                              {release.repo, release.tag, release.id}));
  if (other) return fail(Code::kAlreadyExists, "tag_name: the tag {} has a release already", release.tag);
  return {};
}

std::vector<std::string> published(const Release& release) {
  return {"published", release.prerelease ? "prereleased" : "released"};
}

Result<void> check_asset(const ReleaseAsset& asset) {
  const bool plain = !asset.name.empty() && asset.name.size() <= 255 && asset.name.front() != '.' &&
                     asset.name.find_first_of(std::string_view("/\\\"<>|*?:\r\n\t\0", 13)) == std::string::npos;
  if (!plain) return fail(Code::kInvalidArgument, "\"{}\" cannot name a file of a release", asset.name.substr(0, 80));
  if (asset.label.size() > 255) return fail(Code::kInvalidArgument, "label may have 255 bytes");
  return {};
}

}  // namespace

Result<void> Releases::tell(const Release& release, const std::vector<std::string>& actions,
                            const types::Identity& identity,
                            const std::function<Result<void>(store::Transaction&)>& write) {
  std::vector<event::Occurrence> occurrences;
  for (const auto& action : actions) {
    // A draft's tag need not be there: its event is of the default branch.
    const bool at_tag = !release.draft && !release.commit.empty();
    occurrences.push_back({.info = {.event = "release", .action = action},
                           .files_commit = at_tag ? release.commit : std::string(),
                           .commit = at_tag ? release.commit : std::string(),
                           .ref = at_tag ? "refs/tags/" + release.tag : std::string(),
                           .payload = {{"action", action}, {"release", to_json(release)}},
                           .title = release.name.empty() ? release.tag : release.name,
                           .actor = identity.name});
  }
  WEIR_TRY(triggers_.occurred(release.repo, occurrences, identity, [&](store::Transaction& tx) -> Result<std::int64_t> {
    WEIR_TRY(write(tx));
    return tx.append({.type = std::string(types::event_type::kReleaseChanged),
                      .actor = identity.name,
                      .subject = fmt::format("repo/{}", release.repo),
                      .payload = {{"release", release.id}, {"tag", release.tag}, {"action", actions.front()}}});
  }));
  return {};
}

Result<Release> Releases::create(Release release, const types::Identity& identity) {
  WEIR_TRY(check_release(release));
  release.author = identity.name;
  release.id = WEIR_TRY(reserve_number(db_, "release"));
  const std::vector<std::string> actions = release.draft ? std::vector<std::string>{"created"} : published(release);
  WEIR_TRY(tell(release, actions, identity, [&](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(check_tag_is_free(tx, release));
    release.created_at = tx.now();
    if (!release.draft) release.published_at = tx.now();
    WEIR_TRY(tx.execute(fmt::format("INSERT INTO forge_releases({}) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", kColumns),
                        {release.id, release.repo, release.tag, release.target, release.name, release.draft,
                         release.prerelease, release.author, release.created_at, release.published_at, release.body}));
    return {};
  }));
  return release;
}

Result<Release> Releases::update(const std::string& repo, std::int64_t id,
                                 const std::function<Result<void>(Release&)>& change, const types::Identity& identity) {
  auto release = WEIR_TRY(find(repo, id));
  const bool was_draft = release.draft;
  WEIR_TRY(change(release));
  WEIR_TRY(check_release(release));
  const bool publishes = was_draft && !release.draft;
  WEIR_TRY(tell(release, publishes ? published(release) : std::vector<std::string>{"edited"}, identity,
                [&](store::Transaction& tx) -> Result<void> {
                  WEIR_TRY(check_tag_is_free(tx, release));
                  if (publishes) release.published_at = tx.now();
                  WEIR_TRY(
                      tx.execute("UPDATE forge_releases SET tag = ?, target = ?, name = ?, draft = ?, "
                                 "prerelease = ?, published_at = ?, body = ? WHERE id = ? AND repo = ?",
                                 {release.tag, release.target, release.name, release.draft, release.prerelease,
                                  release.published_at, release.body, id, repo}));
                  return {};
                }));
  return release;
}

Result<void> Releases::remove(const std::string& repo, std::int64_t id, const types::Identity& identity) {
  const auto release = WEIR_TRY(find(repo, id));
  return tell(release, {"deleted"}, identity, [&](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(tx.execute("DELETE FROM forge_release_assets WHERE release = ?", {id}));
    WEIR_TRY(tx.execute("DELETE FROM forge_releases WHERE id = ? AND repo = ?", {id, repo}));
    return {};
  });
}

Result<Release> Releases::find(const std::string& repo, std::int64_t id) {
  return db_.load<Release>([&](store::Reader& reader) { return load_release(reader, repo, id); });
}

Result<Release> Releases::by_tag(const std::string& repo, const std::string& tag) {
  return db_.load<Release>([&](store::Reader& reader) -> Result<Release> {
    const auto id =
        WEIR_TRY(reader.integer("SELECT id FROM forge_releases WHERE repo = ? AND tag = ? AND draft = 0", {repo, tag}));
    if (!id) return fail(Code::kNotFound, "repository {} has no release of the tag {}", repo, tag);
    return load_release(reader, repo, *id);
  });
}

Result<std::vector<Release>> Releases::list(const std::string& repo) {
  return db_.load<std::vector<Release>>([&](store::Reader& reader) -> Result<std::vector<Release>> {
    auto all = WEIR_TRY(reader.all<Release>(
        fmt::format("SELECT {} FROM forge_releases WHERE repo = ? ORDER BY id DESC LIMIT ?", kColumns),
        {repo, kReleasesMax}, read_release));
    for (auto& release : all) WEIR_TRY(load_assets(reader, release));
    return all;
  });
}

Result<ReleaseAsset> Releases::add_asset(const std::string& repo, ReleaseAsset asset, const types::Identity& identity) {
  WEIR_TRY(check_asset(asset));
  return db_.write_with<ReleaseAsset>([&](store::Transaction& tx) -> Result<ReleaseAsset> {
    const auto release = WEIR_TRY(load_release(tx, repo, asset.release));
    for (const auto& other : release.assets) {
      if (other.name == asset.name) return fail(Code::kAlreadyExists, "already_exists: the release has {}", asset.name);
    }
    if (std::ssize(release.assets) >= kAssetsMax) {
      return fail(Code::kResourceExhausted, "a release may have {} files", kAssetsMax);
    }
    asset.id = WEIR_TRY(tx.next_id("release_asset"));
    asset.uploader = identity.name;
    asset.created_at = tx.now();
    WEIR_TRY(
        tx.execute(fmt::format("INSERT INTO forge_release_assets({}) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", kAssetColumns),
                   {asset.id, asset.release, asset.name, asset.label, asset.content_type, asset.sha256,
                    asset.size_bytes, asset.uploader, asset.created_at}));
    WEIR_TRY(tx.append(
        {.type = std::string(types::event_type::kReleaseChanged),
         .actor = identity.name,
         .subject = fmt::format("repo/{}", repo),
         .payload = {{"release", release.id}, {"tag", release.tag}, {"action", "uploaded"}, {"asset", asset.name}}}));
    return asset;
  });
}

namespace {

Result<ReleaseAsset> load_asset(store::Reader& reader, const std::string& repo, std::int64_t id) {
  auto asset =
      WEIR_TRY(reader.first<ReleaseAsset>(fmt::format("SELECT {} FROM forge_release_assets WHERE id = ? AND release IN "
                                                      "(SELECT id FROM forge_releases WHERE repo = ?)",
                                                      kAssetColumns),
                                          {id, repo}, read_asset));
  if (!asset) return fail(Code::kNotFound, "repository {} has no file {} of a release", repo, id);
  return *std::move(asset);
}

}  // namespace

Result<ReleaseAsset> Releases::find_asset(const std::string& repo, std::int64_t id) {
  return db_.load<ReleaseAsset>([&](store::Reader& reader) { return load_asset(reader, repo, id); });
}

Result<void> Releases::remove_asset(const std::string& repo, std::int64_t id, const types::Identity& identity) {
  return db_.write([&](store::Transaction& tx) -> Result<void> {
    const auto asset = WEIR_TRY(load_asset(tx, repo, id));
    WEIR_TRY(tx.execute("DELETE FROM forge_release_assets WHERE id = ?", {id}));
    WEIR_TRY(tx.append({.type = std::string(types::event_type::kReleaseChanged),
                        .actor = identity.name,
                        .subject = fmt::format("repo/{}", repo),
                        .payload = {{"release", asset.release}, {"action", "removed"}, {"asset", asset.name}}}));
    return {};
  });
}

json::object to_json(const ReleaseAsset& asset) {
  return {{"id", asset.id},
          {"name", asset.name},
          {"label", asset.label},
          {"state", "uploaded"},
          {"content_type", asset.content_type},
          {"size", asset.size_bytes},
          {"digest", "sha256:" + asset.sha256},
          {"uploader", event::user_payload(asset.uploader)},
          {"created_at", to_iso8601(asset.created_at)},
          {"updated_at", to_iso8601(asset.created_at)}};
}

json::object to_json(const Release& release) {
  json::array assets;
  for (const auto& asset : release.assets) assets.push_back(to_json(asset));
  return {{"id", release.id},
          {"tag_name", release.tag},
          {"target_commitish", release.target},
          {"name", release.name},
          {"body", release.body},
          {"draft", release.draft},
          {"prerelease", release.prerelease},
          {"author", event::user_payload(release.author)},
          {"created_at", to_iso8601(release.created_at)},
          {"published_at", release.published_at ? json::value(to_iso8601(*release.published_at)) : json::value()},
          {"assets", std::move(assets)}};
}

}  // namespace weir::forge
