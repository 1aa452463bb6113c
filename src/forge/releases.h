#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "event/triggers.h"
#include "store/database.h"
#include "types/identity.h"

namespace weir::forge {

// What a repository gives to the world at a tag, with files. GitHub's model: https://docs.github.com/en/rest/releases

struct ReleaseAsset {
  std::int64_t id = 0;
  std::int64_t release = 0;
  std::string name;
  std::string label;
  std::string content_type = "application/octet-stream";
  std::string sha256;  // of its bytes in the blob store
  std::int64_t size_bytes = 0;
  std::string uploader;
  TimePoint created_at;
};

struct Release {
  std::int64_t id = 0;
  std::string repo;
  std::string tag;     // short
  std::string target;  // branch or commit that the tag is made at if it is not there; "": the default branch
  std::string name;
  std::string body;  // Markdown, not to be trusted
  bool draft = false;
  bool prerelease = false;
  std::string author;
  TimePoint created_at;
  std::optional<TimePoint> published_at;  // none: a draft
  std::vector<ReleaseAsset> assets;       // by name
  std::string commit;                     // that the tag leads to, for what the event starts; not kept
};

// Any thread; functions block for the commit. kInvalidArgument names what is wrong, kAlreadyExists a tag that has a
// release, or an asset's name that it has.
class Releases {
 public:
  Releases(store::Database& db, event::Triggers& triggers) : db_(db), triggers_(triggers) {}

  // Event `release`: created, or published and released (or prereleased). The tag of one that is no draft is there.
  Result<Release> create(Release release, const types::Identity& identity);
  // Event `release`: edited, or as above when a draft is published.
  Result<Release> update(const std::string& repo, std::int64_t id, const std::function<Result<void>(Release&)>& change,
                         const types::Identity& identity);
  Result<void> remove(const std::string& repo, std::int64_t id, const types::Identity& identity);

  Result<Release> find(const std::string& repo, std::int64_t id);
  // One that is no draft.
  Result<Release> by_tag(const std::string& repo, const std::string& tag);
  // Newest first, at most 1,000.
  Result<std::vector<Release>> list(const std::string& repo);

  // The bytes are in the blob store.
  Result<ReleaseAsset> add_asset(const std::string& repo, ReleaseAsset asset, const types::Identity& identity);
  Result<ReleaseAsset> find_asset(const std::string& repo, std::int64_t id);
  // The bytes stay in the store.
  Result<void> remove_asset(const std::string& repo, std::int64_t id, const types::Identity& identity);

 private:
  Result<void> tell(const Release& release, const std::vector<std::string>& actions, const types::Identity& identity,
                    const std::function<Result<void>(store::Transaction&)>& write);

  store::Database& db_;
  event::Triggers& triggers_;
};

// Members as GitHub's webhooks and REST API name them, without addresses.
json::object to_json(const Release& release);
json::object to_json(const ReleaseAsset& asset);

}  // namespace weir::forge
