#include "api/actions/service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/hash.h"
#include "engine/test_tables.h"
#include "io/file.h"
#include "io/http_client.h"
#include "io/http_server.h"
#include "io/test_folder.h"
#include "store/sqlite/sqlite_database.h"

namespace weir::api::actions {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class TestClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const override { return from_micros(now_.load()); }
  void pass(Duration time) { now_ += time.count(); }

 private:
  std::atomic<std::int64_t> now_ = 1'700'000'000'000'000;
};

// The services behind a real server, with a clock that the test moves and one job, 5 of run 3.
class ServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    db_ = store::open_sqlite(root_ / "db", engine::test_tables(), clock_, log_).value();
    blobs_ = store::open_local_blobs(root_ / "blobs").value();
    artifacts_.emplace(*db_, *blobs_, clock_);
    Parts parts{.clock = &clock_,
                .log = &log_,
                .blobs = blobs_.get(),
                .artifacts = &*artifacts_,
                .keys_dir = root_,
                .uploads_dir = root_ / "uploads"};
    parts.run = [](std::int64_t run) -> Result<engine::Run> {
      engine::Run found;
      found.id = run;
      found.repo = "r";
      found.ref = "refs/heads/main";
      return found;
    };
    parts.job_runs = [this](std::int64_t run, std::int64_t job) -> Result<bool> {
      return run == 3 && job == 5 && running_;
    };
    parts.cache_mode = [this](std::int64_t) -> Result<types::CacheMode> { return cache_mode_; };
    parts.allow = [](const types::Identity&, access::Permission, std::string_view) -> Result<void> { return {}; };
    parts.default_ref = [](const std::string&) -> Result<std::string> { return "refs/heads/main"; };
    parts.server_url = [this] { return fmt::format("http://127.0.0.1:{}", http_ ? http_->port() : 1); };
    service_ = Service::open(std::move(parts)).value();
    io::Router router;
    router.before([this](io::HttpRequest& request) -> std::optional<io::HttpResponse> {
      request.identity = caller_;
      return std::nullopt;
    });
    service_->add_routes(router);
    http_ = io::HttpServer::start({.pool_threads = 2}, std::move(router), log_).value();
  }
  void TearDown() override {
    http_.reset();
    db_->stop();
  }

  json::object variables(bool id_token = false) {
    return service_->job_variables({.run = 3,
                                    .job = 5,
                                    .timeout = std::chrono::hours{1},
                                    .environment = "",
                                    .github = {{"run_id", "3"}, {"repository", "o/r"}, {"ref", "refs/heads/main"}},
                                    .context = {},
                                    .cache_mode = cache_mode_,
                                    .id_token = id_token});
  }
  std::string token() { return std::string(variables()["ACTIONS_RUNTIME_TOKEN"].as_string()); }
  io::ClientResponse call(std::string_view method, const json::object& body, std::string_view bearer) {
    io::ClientRequest request;
    request.method = "POST";
    request.url = fmt::format("http://127.0.0.1:{}/twirp/github.actions.results.api.v1.ArtifactService/{}",
                              http_->port(), method);
    request.headers.set("Authorization", fmt::format("Bearer {}", bearer));
    request.body = json::serialize(body);
    return io::http_exchange(request).value();
  }
  io::ClientResponse send(std::string_view method, const std::string& url, std::string body = {}) {
    io::ClientRequest request;
    request.method = method;
    request.url = url;
    request.body = std::move(body);
    return io::http_exchange(request).value();
  }
  std::string create() {
    const auto made = call("CreateArtifact", {{"name", "n"}, {"version", 7}, {"mime_type", "text/plain"}}, token());
    EXPECT_EQ(made.status, 200) << made.body;
    return json_string_or(parse_json(made.body, "").value(), "signed_upload_url", "");
  }

  TestClock clock_;
  Log log_{clock_, 2, LogLevel::kError};
  io::TestFolder root_;
  std::atomic<bool> running_ = true;
  std::atomic<types::CacheMode> cache_mode_ = types::CacheMode::kWrite;
  types::Identity caller_;  // of the REST API; changed between calls only
  std::unique_ptr<store::Database> db_;
  std::unique_ptr<store::BlobStore> blobs_;
  std::optional<engine::RunArtifacts> artifacts_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<io::HttpServer> http_;
};

TEST_F(ServiceTest, TokensAndAddressesExpire) {
  const std::string bearer = token();
  const std::string address = create();
  EXPECT_EQ(send("PUT", address, "text").status, 201);
  EXPECT_EQ(call("FinalizeArtifact", {{"name", "n"}, {"size", "4"}}, bearer).status, 200);
  const auto answer = call("GetSignedArtifactURL", {{"name", "n"}}, bearer);
  const std::string download = json_string_or(parse_json(answer.body, "").value(), "signed_url", "");
  EXPECT_EQ(send("GET", download).body, "text");
  clock_.pass(std::chrono::minutes{61});
  const auto late = send("GET", download);
  EXPECT_EQ(late.status, 403);
  EXPECT_THAT(late.body, HasSubstr("expired"));
  EXPECT_EQ(call("ListArtifacts", json::object{}, bearer).status, 200)
      << "the job may last, with time for its last steps";
  clock_.pass(std::chrono::minutes{30});
  const auto gone = call("ListArtifacts", json::object{}, bearer);
  EXPECT_EQ(gone.status, 401);
  EXPECT_THAT(gone.body, HasSubstr("expired"));
}

TEST_F(ServiceTest, TheTokenSaysWhoseCachesTheJobReadsAndWrites) {
  const auto permissions = [this](types::CacheMode mode) {
    cache_mode_ = mode;
    const std::string bearer = token();
    const auto begin = bearer.find('.') + 1;
    const auto claims = base64url_decode(bearer.substr(begin, bearer.find('.', begin) - begin)).value();
    return parse_json(json_string_or(parse_json(claims, "claims").value(), "ac", ""), "ac").value();
  };
  const auto permission = [](int what) {
    return json::value(json::array{json::object{{"Scope", "refs/heads/main"}, {"Permission", what}}});
  };
  EXPECT_EQ(permissions(types::CacheMode::kWrite), permission(3));
  EXPECT_EQ(permissions(types::CacheMode::kRead), permission(1));
  EXPECT_EQ(permissions(types::CacheMode::kWriteOnly), permission(2));
  EXPECT_EQ(permissions(types::CacheMode::kNone), json::value(json::array{}));
  EXPECT_EQ(variables()["ACTIONS_CACHE_MODE"], json::value("none"));
}

TEST_F(ServiceTest, AnUploadsAddressExpires) {
  const std::string address = create();
  clock_.pass(std::chrono::hours{7});
  EXPECT_EQ(send("PUT", address, "text").status, 403);
}

TEST_F(ServiceTest, AnArtifactsNameIsOneThatAFolderCanHave) {
  const auto status = [&](const char* name) {
    return call("CreateArtifact", {{"name", name}, {"version", 7}, {"mime_type", "text/plain"}}, token()).status;
  };
  for (const char* name : {".", "..", "", "a/b", "a\\b", "a:b", "a\"b", "<a", "a>", "a|b", "*", "a?", "a\nb", "a\rb"}) {
    EXPECT_EQ(status(name), 400) << name;
  }
  for (const char* name : {"...", ".env", "a b", "größe", "a..b"}) EXPECT_EQ(status(name), 200) << name;
}

TEST_F(ServiceTest, AnArtifactExpiresWithItsRetention) {
  const std::string bearer = token();
  const auto made = call("CreateArtifact",
                         {{"name", "n"},
                          {"version", 7},
                          {"mime_type", "text/plain"},
                          {"expires_at", to_iso8601(clock_.now() + std::chrono::minutes{10})}},
                         bearer);
  const auto address = json_string_or(parse_json(made.body, "").value(), "signed_upload_url", "");
  EXPECT_EQ(send("PUT", address, "text").status, 201);
  EXPECT_EQ(call("FinalizeArtifact", {{"name", "n"}, {"size", "4"}}, bearer).status, 200);
  EXPECT_THAT(call("ListArtifacts", json::object{}, bearer).body, HasSubstr("database_id"));
  clock_.pass(std::chrono::minutes{11});
  EXPECT_EQ(call("ListArtifacts", json::object{}, bearer).body, R"({"artifacts":[]})");
}

TEST_F(ServiceTest, UploadsOfJobsThatEndedAreForgotten) {
  create();
  EXPECT_FALSE(fs::is_empty(root_ / "uploads"));
  service_->forget_ended();
  EXPECT_FALSE(fs::is_empty(root_ / "uploads"));
  running_ = false;
  service_->forget_ended();
  EXPECT_TRUE(fs::is_empty(root_ / "uploads"));
}

TEST_F(ServiceTest, NamesInEitherCaseAreUnderstood) {
  const auto made =
      call("CreateArtifact", {{"name", "n"}, {"version", 7}, {"mimeType", {{"value", "text/plain"}}}}, token());
  const auto address = json_string_or(parse_json(made.body, "").value(), "signed_upload_url", "");
  EXPECT_EQ(send("PUT", address, "text").status, 201);
  EXPECT_EQ(call("FinalizeArtifact", {{"name", "n"}, {"size", 4}}, token()).status, 200);
  EXPECT_EQ(call("FinalizeArtifact", json::object{{"name", "other"}}, token()).status, 404);
}

TEST_F(ServiceTest, TheRestCallsNeedTheScopeActions) {
  ASSERT_EQ(send("PUT", create(), "text").status, 201);
  ASSERT_EQ(call("FinalizeArtifact", {{"name", "n"}, {"size", "4"}}, token()).status, 200);
  const std::string base = fmt::format("http://127.0.0.1:{}/api/v3/repos/o/r/actions", http_->port());
  const std::string list = base + "/runs/3/artifacts";
  const std::string one = base + "/artifacts/1";
  const auto with = [&](const std::map<std::string, std::string>& permissions) {
    caller_ = {.name = "job:5", .job_id = 5, .run_id = 3};
    caller_.scopes = types::TokenScopes::from_workflow(permissions);
  };
  const auto statuses = [&] {
    return std::vector{send("GET", list).status, send("GET", one).status, send("GET", one + "/zip").status,
                       send("DELETE", one).status};
  };
  with({{"contents", "write"}});
  EXPECT_THAT(statuses(), testing::Each(403));
  EXPECT_THAT(send("GET", list).body, HasSubstr("`actions: read`"));
  with({{"actions", "read"}});
  EXPECT_THAT(statuses(), testing::ElementsAre(200, 200, 302, 403));
  EXPECT_THAT(send("DELETE", one).body, HasSubstr("`actions: write`"));
  with({{"actions", "write"}});
  EXPECT_THAT(statuses(), testing::ElementsAre(200, 200, 302, 204));
  caller_ = {.name = "job:5", .job_id = 5, .run_id = 3};
  EXPECT_EQ(send("GET", list).status, 200) << "a workflow without `permissions` limits nothing";
  caller_ = {.name = "alice"};
  EXPECT_EQ(send("GET", list).status, 200) << "people have roles";
}

TEST_F(ServiceTest, AnIdTokenNeedsItsOwnPermission) {
  EXPECT_EQ(variables().count("ACTIONS_ID_TOKEN_REQUEST_TOKEN"), 0U);
  const auto may = variables(true);
  io::ClientRequest request;
  request.url = std::string(may.at("ACTIONS_ID_TOKEN_REQUEST_URL").as_string()) + "&audience=me";
  request.headers.set("Authorization", "Bearer " + token());
  EXPECT_EQ(io::http_exchange(request).value().status, 401);
  request.headers.set("Authorization", "Bearer " + std::string(may.at("ACTIONS_ID_TOKEN_REQUEST_TOKEN").as_string()));
  EXPECT_EQ(io::http_exchange(request).value().status, 200);
  running_ = false;
  EXPECT_EQ(io::http_exchange(request).value().status, 401);
}

TEST(Jwt, Base64ForAddresses) {
  for (const std::string text : {"", "a", "ab", "abc", "\xff\xfe\xfd"}) {
    EXPECT_EQ(base64url_decode(base64url_encode(text)).value(), text);
  }
  EXPECT_EQ(base64url_encode("\xff\xfe"), "__4");
  for (const std::string bad : {"a", "__5", "+/8", "ab=", "a b c d", "\xff"}) {
    EXPECT_FALSE(base64url_decode(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace weir::api::actions
