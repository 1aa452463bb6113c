// Releases and their files: https://docs.github.com/en/rest/releases
#include "forge/releases.h"

#include <algorithm>
#include <charconv>

#include "api/github/answers.h"
#include "api/github/needs.h"
#include "api/github/release_notes.h"
#include "event/payload.h"

namespace weir::api::github {
namespace {

using access::Permission;
using forge::Release;
using forge::ReleaseAsset;

constexpr Need kReads = needs::kReadContents;
constexpr Need kWrites = needs::kWriteContents;
constexpr std::int64_t kAssetBytesMax = 2LL << 30;  // as GitHub takes

json::object asset_json(const Call& call, const ReleaseAsset& asset) {
  auto object = forge::to_json(asset);
  const auto url = call.api_url(fmt::format("/releases/assets/{}", asset.id));
  object["node_id"] = call.node_id("asset", asset.id);
  object["url"] = url;
  object["browser_download_url"] = fmt::format("{}/{}", url, io::percent_encode(asset.name));
  object["uploader"] = user_json(call, asset.uploader);
  return object;
}

}  // namespace

json::object release_json(const Call& call, const Release& release) {
  auto object = forge::to_json(release);
  const auto url = call.api_url(fmt::format("/releases/{}", release.id));
  object["node_id"] = call.node_id("release", release.id);
  object["url"] = url;
  object["html_url"] = url;  // the dashboard has no page of releases
  object["assets_url"] = url + "/assets";
  object["upload_url"] = url + "/assets{?name,label}";
  object["tarball_url"] = nullptr;
  object["zipball_url"] = nullptr;
  object["author"] = user_json(call, release.author);
  json::array assets;
  for (const auto& asset : release.assets) assets.push_back(asset_json(call, asset));
  object["assets"] = std::move(assets);
  return object;
}

namespace {

// Drafts are for those who may publish them.
bool sees_drafts(const Call& call) {
  return call.services().access->allow(call.identity(), Permission::kPush, "repo/" + call.repo).has_value();
}

}  // namespace

Result<std::vector<Release>> visible_releases(const Call& call) {
  auto releases = WEIR_TRY(call.parts.releases->list(call.repo));
  if (!sees_drafts(call)) std::erase_if(releases, [](const Release& release) { return release.draft; });
  return releases;
}

namespace {

Result<Release> release_of(const Call& call) {
  auto release = WEIR_TRY(call.parts.releases->find(call.repo, WEIR_TRY(call.number("id"))));
  if (release.draft && !sees_drafts(call)) return fail(Code::kNotFound, "there is no release {}", release.id);
  return release;
}

Result<ReleaseAsset> asset_of(const Call& call) {
  auto asset = WEIR_TRY(call.parts.releases->find_asset(call.repo, WEIR_TRY(call.number("id"))));
  const auto release = WEIR_TRY(call.parts.releases->find(call.repo, asset.release));
  if (release.draft && !sees_drafts(call)) return fail(Code::kNotFound, "there is no file {}", asset.id);
  return asset;
}

Result<void> read_release(const json::value& body, Release& release) {
  if (auto tag = json_string(body, "tag_name")) release.tag = *std::move(tag);
  if (auto target = json_string(body, "target_commitish")) release.target = *std::move(target);
  if (auto name = json_string(body, "name")) release.name = *std::move(name);
  if (auto text = json_string(body, "body")) release.body = *std::move(text);
  release.draft = json_bool_or(body, "draft", release.draft);
  release.prerelease = json_bool_or(body, "prerelease", release.prerelease);
  WEIR_TRY(refuse_member(body, "discussion_category_name", "weir has no discussions"));
  if (json_string_or(body, "make_latest", "true") == "false") {
    return fail(Code::kInvalidArgument, "make_latest: the newest release that is no prerelease is weir's latest");
  }
  return {};
}

// The tag of a release that is published, made if it is not there.
Result<void> ensure_tag(const Call& call, Release& release) {
  const auto git = WEIR_TRY(call.git());
  const auto ref = "refs/tags/" + release.tag;
  WEIR_TRY(check_ref(git, ref));
  if (release.draft) return {};
  const auto refs = WEIR_TRY(git.refs());
  if (!refs.contains(ref)) {
    const auto target = release.target.empty() ? git.head_ref().value_or("HEAD") : release.target;
    const auto commit = commit_of(git, target);
    if (!commit) return fail(Code::kInvalidArgument, "target_commitish \"{}\" is no commit", target.substr(0, 200));
    const event::RefUpdate update{ref, std::string(event::kNoObject), *commit};
    WEIR_TRY(call.parts.may_push(call.identity(), call.repo, {update}));
    WEIR_TRY(call.parts.move_ref(call.identity(), call.repo, update));
  }
  release.commit = WEIR_TRY(git.resolve(ref));
  return {};
}

Result<io::HttpResponse> list_releases(Call& call) {
  const auto releases = WEIR_TRY(visible_releases(call));
  return paged(call, releases, [&](const Release& release) { return release_json(call, release); });
}

Result<io::HttpResponse> create_release(Call& call) {
  Release release{.repo = call.repo};
  WEIR_TRY(json_require_string(call.body, "tag_name"));
  WEIR_TRY(read_release(call.body, release));
  if (!release.draft && call.parts.releases->by_tag(call.repo, release.tag)) {
    return fail(Code::kAlreadyExists, "already_exists: the tag {} has a release", release.tag.substr(0, 255));
  }
  WEIR_TRY(ensure_tag(call, release));
  if (json_bool_or(call.body, "generate_release_notes", false)) {
    const auto notes = WEIR_TRY(release_notes(call, {.tag = release.tag, .target = release.target}));
    release.body += (release.body.empty() ? "" : "\n\n") + notes;
    if (release.name.empty()) release.name = release.tag;
  }
  return io::json_response(
      201, release_json(call, WEIR_TRY(call.parts.releases->create(std::move(release), call.identity()))));
}

Result<io::HttpResponse> generate_notes(Call& call) {
  const NotesWanted wanted{.tag = WEIR_TRY(json_require_string(call.body, "tag_name")),
                           .target = json_string_or(call.body, "target_commitish", ""),
                           .previous = json_string_or(call.body, "previous_tag_name", ""),
                           .configuration = json_string_or(call.body, "configuration_file_path", "")};
  return io::json_response(200, json::object{{"name", wanted.tag}, {"body", WEIR_TRY(release_notes(call, wanted))}});
}

Result<io::HttpResponse> get_release(Call& call) {
  return io::json_response(200, release_json(call, WEIR_TRY(release_of(call))));
}

Result<io::HttpResponse> get_by_tag(Call& call) {
  return io::json_response(200,
                           release_json(call, WEIR_TRY(call.parts.releases->by_tag(call.repo, call.param("tag")))));
}

Result<io::HttpResponse> get_latest(Call& call) {
  for (const auto& release : WEIR_TRY(call.parts.releases->list(call.repo))) {
    if (!release.draft && !release.prerelease) return io::json_response(200, release_json(call, release));
  }
  return error_answer(404, "Not Found: nothing has been released");
}

Result<io::HttpResponse> update_release(Call& call) {
  const auto release = WEIR_TRY(call.parts.releases->update(
      call.repo, WEIR_TRY(call.number("id")),
      [&](Release& changed) -> Result<void> {
        WEIR_TRY(read_release(call.body, changed));
        return ensure_tag(call, changed);
      },
      call.identity()));
  return io::json_response(200, release_json(call, release));
}

Result<io::HttpResponse> delete_release(Call& call) {
  WEIR_TRY(call.parts.releases->remove(call.repo, WEIR_TRY(call.number("id")), call.identity()));
  return io::text_response(204, "");
}

Result<io::HttpResponse> list_assets(Call& call) {
  const auto release = WEIR_TRY(release_of(call));
  return paged(call, release.assets, [&](const ReleaseAsset& asset) { return asset_json(call, asset); });
}

Result<io::HttpResponse> upload_asset(Call& call) {
  const auto release = WEIR_TRY(release_of(call));
  const auto length = call.request.headers.get("Content-Length");
  std::int64_t size_bytes = -1;
  std::from_chars(length.data(), length.data() + length.size(), size_bytes);
  if (size_bytes < 0) return error_answer(411, "an upload needs its Content-Length");
  if (size_bytes > kAssetBytesMax) return error_answer(413, "a file of a release may have 2 GiB");
  ReleaseAsset asset{.release = release.id, .name = call.query("name"), .label = call.query("label")};
  const std::string type(call.request.headers.get("Content-Type"));
  if (!type.empty() && type.size() <= 200) asset.content_type = type;
  if (std::ranges::find(release.assets, asset.name, &ReleaseAsset::name) != release.assets.end()) {
    return fail(Code::kAlreadyExists, "already_exists: the release has a file {}", asset.name.substr(0, 255));
  }
  const auto blob = WEIR_TRY(call.services().blobs->put_stream(*call.request.body_source, "", size_bytes));
  asset.sha256 = blob.sha256;
  asset.size_bytes = blob.size_bytes;
  return io::json_response(
      201, asset_json(call, WEIR_TRY(call.parts.releases->add_asset(call.repo, std::move(asset), call.identity()))));
}

// What others uploaded is never a page of this server's.
Result<io::HttpResponse> bytes_of(const Call& call, const ReleaseAsset& asset) {
  io::HttpResponse response;
  response.headers.set("Content-Type", "application/octet-stream");
  response.headers.set("Content-Disposition", fmt::format("attachment; filename=\"{}\"", asset.name));
  response.headers.set("X-Content-Type-Options", "nosniff");
  response.file_path = WEIR_TRY(call.services().blobs->local_path(asset.sha256)).string();
  return response;
}

Result<io::HttpResponse> get_asset(Call& call) {
  const auto asset = WEIR_TRY(asset_of(call));
  if (call.request.headers.get("Accept").find("application/octet-stream") != std::string_view::npos) {
    return bytes_of(call, asset);
  }
  return io::json_response(200, asset_json(call, asset));
}

Result<io::HttpResponse> download_asset(Call& call) {
  const auto asset = WEIR_TRY(asset_of(call));
  if (asset.name != call.param("name")) return error_answer(404, "Not Found");
  return bytes_of(call, asset);
}

Result<io::HttpResponse> delete_asset(Call& call) {
  WEIR_TRY(call.parts.releases->remove_asset(call.repo, WEIR_TRY(call.number("id")), call.identity()));
  return io::text_response(204, "");
}

}  // namespace

void add_release_routes(Routes& routes) {
  routes.repo("GET", "/releases", kReads, list_releases);
  routes.repo("POST", "/releases", kWrites, create_release);
  routes.repo("POST", "/releases/generate-notes", kWrites, generate_notes);
  routes.repo("GET", "/releases/latest", kReads, get_latest);
  routes.repo("GET", "/releases/tags/{tag*}", kReads, get_by_tag);
  routes.repo("GET", "/releases/{id}", kReads, get_release);
  routes.repo("PATCH", "/releases/{id}", kWrites, update_release);
  routes.repo("DELETE", "/releases/{id}", kWrites, delete_release);
  routes.repo("GET", "/releases/{id}/assets", kReads, list_assets);
  routes.repo("POST", "/releases/{id}/assets", kWrites, upload_asset, {.stream_request = true});
  routes.repo("GET", "/releases/assets/{id}", kReads, get_asset);
  routes.repo("GET", "/releases/assets/{id}/{name}", kReads, download_asset);
  routes.repo("DELETE", "/releases/assets/{id}", kWrites, delete_asset);
}

}  // namespace weir::api::github
