#include "api/git/lfs_http.h"

#include <gtest/gtest.h>

#include "api/git/lfs_batch.h"
#include "base/hash.h"
#include "io/git.h"
#include "io/http_test_support.h"
#include "io/test_folder.h"

namespace weir::api {
namespace {

using io::testing::eventually;
using io::testing::RawClient;
using io::testing::TestServer;

namespace fs = std::filesystem;

const std::string kModel = "the weights";
const std::string kModelId = sha256_hex(kModel);
const std::string kType = "application/vnd.git-lfs+json";

// A server with the repositories "flights" and "secret"; tokens "dev" and "view", and "out" of somebody who may not
// read "secret". Nobody may do anything without a token.
class LfsHttpTest : public ::testing::Test {
 protected:
  LfsHttpTest() {
    for (const char* name : {"flights", "secret"}) EXPECT_TRUE(io::Git::init_bare(dir(name)));
    io::Router router;
    router.before([](io::HttpRequest& request) -> std::optional<io::HttpResponse> {
      const std::string_view authorization = request.headers.get("Authorization");
      if (authorization == "Basic " + base64_encode("x:dev")) request.identity = {"ann", types::Role::kDeveloper};
      if (authorization == "Basic " + base64_encode("x:view")) request.identity = {"vic", types::Role::kViewer};
      if (authorization == "Basic " + base64_encode("x:out")) request.identity = {"out", types::Role::kViewer};
      return std::nullopt;
    });
    GitHttpOptions options;
    options.repos = folder_ / "repos";
    options.authorize = [](const types::Identity& identity, std::string_view repo, bool write,
                           std::span<const event::RefUpdate>) -> Result<void> {
      if (!identity.role) return fail(Code::kPermissionDenied, "reading needs a token");
      if (repo == "secret" && identity.name == "out") return fail(Code::kPermissionDenied, "not yours");
      if (write && *identity.role < types::Role::kDeveloper) {
        return fail(Code::kPermissionDenied, "pushing needs the role developer");
      }
      return {};
    };
    add_lfs_routes(router, options, log_);
    server_ = std::make_unique<TestServer>(std::move(router));
  }

  [[nodiscard]] fs::path dir(std::string_view repo) const { return folder_ / "repos" / fmt::format("{}.git", repo); }

  io::ClientResponse ask(std::string_view method, std::string_view path, std::string body = {},
                         std::string_view token = "dev", std::string_view type = kType) {
    io::ClientRequest request;
    request.method = method;
    request.url = path.starts_with("http") ? std::string(path) : server_->url(path);
    request.body = std::move(body);
    request.headers.set("Content-Type", std::string(type));
    if (!token.empty()) request.headers.set("Authorization", "Basic " + base64_encode(fmt::format("x:{}", token)));
    if (!range_.empty()) request.headers.set("Range", range_);
    const auto answer = io::http_exchange(request);
    EXPECT_TRUE(answer) << answer.error().message;
    return answer.value_or(io::ClientResponse{});
  }

  json::value batch(std::string_view operation, json::array objects, std::string_view repo = "flights") {
    const auto answer = ask("POST", fmt::format("/git/{}.git/info/lfs/objects/batch", repo),
                            json::serialize(json::object{{"operation", operation}, {"objects", std::move(objects)}}));
    EXPECT_EQ(answer.status, 200) << answer.body;
    EXPECT_EQ(answer.headers.get("Content-Type"), kType);
    return parse_json(answer.body, "answer").value_or(nullptr);
  }

  static json::object object(std::string_view id, std::size_t size) { return {{"oid", id}, {"size", size}}; }

  io::ClientResponse send(std::string_view content, std::string_view id, std::size_t size,
                          std::string_view repo = "flights") {
    return ask("PUT", fmt::format("/git/{}.git/info/lfs/objects/{}/{}", repo, id, size), std::string(content));
  }

  // Every file below the repository's LFS folder.
  [[nodiscard]] std::vector<std::string> kept(std::string_view repo = "flights") const {
    std::vector<std::string> names;
    std::error_code error;
    for (fs::recursive_directory_iterator item(dir(repo) / "lfs", error), end; !error && item != end; ++item) {
      if (item->is_regular_file()) names.push_back(item->path().lexically_relative(dir(repo)).string());
    }
    return names;
  }

  io::TestFolder folder_;
  SystemClock clock_;
  Log log_{clock_, 2, LogLevel::kError};
  std::string range_;
  std::unique_ptr<TestServer> server_;
};

TEST_F(LfsHttpTest, AnObjectGoesInByItsBatchAndComesOutAgain) {
  const auto wanted = batch("upload", {object(kModelId, kModel.size())});
  const auto& actions = wanted.at("objects").at(0).at("actions");
  const std::string upload(actions.at("upload").at("href").as_string());
  EXPECT_EQ(actions.at("upload").at("header").at("Authorization").as_string(), "Basic " + base64_encode("x:dev"));
  EXPECT_EQ(ask("PUT", upload, kModel).status, 200);
  EXPECT_EQ(kept(),
            std::vector{fmt::format("lfs/objects/{}/{}/{}", kModelId.substr(0, 2), kModelId.substr(2, 2), kModelId)});
  const std::string verify(actions.at("verify").at("href").as_string());
  EXPECT_EQ(ask("POST", verify, json::serialize(object(kModelId, kModel.size()))).status, 200);
  EXPECT_EQ(ask("POST", verify, json::serialize(object(kModelId, 1))).status, 422);
  EXPECT_EQ(ask("POST", verify, json::serialize(object(std::string(64, '0'), 1))).status, 404);

  // The client need not send it twice.
  const auto again = batch("upload", {object(kModelId, kModel.size())});
  EXPECT_EQ(json_find(again.at("objects").at(0), "actions"), nullptr);

  const auto found = batch("download", {object(kModelId, kModel.size())});
  const std::string place(found.at("objects").at(0).at("actions").at("download").at("href").as_string());
  EXPECT_EQ(ask("GET", place).body, kModel);
  range_ = "bytes=4-";
  const auto rest = ask("GET", place);
  EXPECT_EQ(rest.status, 206);
  EXPECT_EQ(rest.body, "weights");
}

TEST_F(LfsHttpTest, WhatIsNotWhatItsNameSaysIsRefusedAndNotKept) {
  EXPECT_EQ(send("other bytes", kModelId, kModel.size()).status, 422);
  EXPECT_EQ(send(kModel, kModelId, kModel.size() - 1).status, 422);
  EXPECT_EQ(send(kModel, kModelId, kModel.size() + 1).status, 422);
  EXPECT_EQ(send(kModel, "../../../HEAD", kModel.size()).status, 400);
  EXPECT_EQ(send(kModel, kModelId.substr(1), kModel.size()).status, 422);
  std::string upper = kModelId;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  EXPECT_EQ(send(kModel, upper, kModel.size()).status, 422);
  EXPECT_EQ(kept(), std::vector<std::string>{});
}

TEST_F(LfsHttpTest, AnUploadThatBreaksOffLeavesNothing) {
  {
    RawClient client(server_->port());
    client.send(
        fmt::format("PUT /git/flights.git/info/lfs/objects/{}/1000000 HTTP/1.1\r\nHost: x\r\nAuthorization: "
                    "Basic {}\r\nContent-Length: 1000000\r\n\r\nthe first bytes",
                    kModelId, base64_encode("x:dev")));
    EXPECT_TRUE(eventually([&] { return kept().size() == 1; }));
  }
  EXPECT_TRUE(eventually([&] { return kept().empty(); }));
}

TEST_F(LfsHttpTest, WhatAKilledServerWasTakingGoesAtTheNextStart) {
  folder_.write("repos/flights.git/lfs/incomplete/weir-abcdef", "half");
  GitHttpOptions options;
  options.repos = folder_ / "repos";
  io::Router router;
  add_lfs_routes(router, options, log_);
  EXPECT_EQ(kept(), std::vector<std::string>{});
}

TEST_F(LfsHttpTest, EachObjectOfABatchHasItsOwnError) {
  ASSERT_EQ(send(kModel, kModelId, kModel.size()).status, 200);
  const auto answer = batch("download", {object(kModelId, kModel.size()), object(std::string(64, '0'), 3),
                                         object("../etc", 3), json::object{{"oid", kModelId}, {"size", -1}},
                                         object(kModelId, 4), json::object{{"oid", kModelId}}});
  const auto& objects = answer.at("objects").as_array();
  ASSERT_EQ(objects.size(), 6U);
  EXPECT_EQ(json_find(objects[0], "error"), nullptr);
  const std::vector<int> codes{404, 422, 422, 422, 422};
  for (std::size_t i = 0; i < codes.size(); ++i) {
    EXPECT_EQ(objects[i + 1].at("error").at("code").as_int64(), codes[i]) << i;
    EXPECT_EQ(json_find(objects[i + 1], "actions"), nullptr);
  }
}

TEST_F(LfsHttpTest, WholeBatchesAreRefusedByTheStatusOfTheSpecification) {
  const auto status = [&](const json::value& message) {
    return ask("POST", "/git/flights.git/info/lfs/objects/batch", json::serialize(message)).status;
  };
  const json::array one{object(kModelId, 1)};
  EXPECT_EQ(status({{"operation", "upload"}, {"objects", one}, {"hash_algo", "sha512"}}), 409);
  EXPECT_EQ(status({{"operation", "remove"}, {"objects", one}}), 422);
  EXPECT_EQ(status({{"operation", "upload"}}), 422);
  EXPECT_EQ(status({{"operation", "upload"}, {"objects", one}, {"transfers", {"tus"}}}), 422);
  EXPECT_EQ(status({{"operation", "upload"}, {"objects", one}, {"transfers", {"tus", "basic"}}}), 200);
  json::array many(kLfsObjectsMax + 1, object(kModelId, 1));
  EXPECT_EQ(status({{"operation", "upload"}, {"objects", many}}), 413);
  EXPECT_EQ(ask("POST", "/git/flights.git/info/lfs/objects/batch", "{").status, 422);
  EXPECT_EQ(ask("POST", "/git/flights.git/info/lfs/objects/batch", "{}", "dev", "text/plain").status, 422);
  EXPECT_EQ(ask("POST", "/git/nothing.git/info/lfs/objects/batch", "{}").status, 404);
  EXPECT_EQ(ask("POST", "/git/flights.git/info/lfs/objects/batch", "{\"operation\": \"upload\", \"objects\": []}",
                "dev", kType + "; charset=utf-8")
                .status,
            200);
  EXPECT_EQ(ask("POST", "/git/flights.git/info/lfs/locks/verify", "{}").status, 404);
}

TEST_F(LfsHttpTest, RightsAreThoseOfTheRepository) {
  ASSERT_EQ(send(kModel, kModelId, kModel.size(), "secret").status, 200);
  const std::string path = "/git/secret.git/info/lfs/objects/" + kModelId;
  const auto nobody = ask("GET", path, {}, "");
  EXPECT_EQ(nobody.status, 401);
  EXPECT_NE(nobody.headers.get("LFS-Authenticate"), "");
  EXPECT_EQ(nobody.headers.get("WWW-Authenticate"), "");
  EXPECT_EQ(ask("GET", path, {}, "out").status, 403);
  EXPECT_EQ(ask("GET", path, {}, "view").body, kModel);
  const std::string upload = json::serialize(json::object{{"operation", "upload"}, {"objects", json::array{}}});
  EXPECT_EQ(ask("POST", "/git/secret.git/info/lfs/objects/batch", upload, "view").status, 403);
  EXPECT_EQ(ask("PUT", path + "/11", kModel, "view").status, 403);
  // Another repository, which "out" may read, gives nothing of it away, not even that it is there.
  EXPECT_EQ(ask("GET", "/git/flights.git/info/lfs/objects/" + kModelId, {}, "out").status, 404);
  const auto elsewhere = batch("upload", {object(kModelId, kModel.size())});
  EXPECT_NE(json_find(elsewhere.at("objects").at(0), "actions"), nullptr);
}

TEST_F(LfsHttpTest, AnswersWhereItWasAsked) {
  ASSERT_EQ(send(kModel, kModelId, kModel.size()).status, 200);
  const std::string message = json::serialize(
      json::object{{"operation", "download"}, {"objects", json::array{object(kModelId, kModel.size())}}});
  for (const char* base : {"/git/flights", "/git/flights.git", "/weir/flights", "/weir/flights.git"}) {
    const auto answer = ask("POST", fmt::format("{}/info/lfs/objects/batch", base), message);
    const auto body = parse_json(answer.body, "answer").value();
    const std::string place(body.at("objects").at(0).at("actions").at("download").at("href").as_string());
    EXPECT_EQ(place, server_->url(fmt::format("{}/info/lfs/objects/{}", base, kModelId)));
    EXPECT_EQ(ask("GET", place).body, kModel);
  }
}

}  // namespace
}  // namespace weir::api
