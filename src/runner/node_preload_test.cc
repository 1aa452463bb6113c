// JavaScript actions that take the server for one that speaks TLS, with a real node and a real server.
#include "runner/node_preload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/process.h"
#include "runner/test_job.h"
#include "runner/test_server.h"

namespace weir::runner {
namespace {

using ::testing::HasSubstr;

// Asks for a blob that is not there, and prints the status.
constexpr std::string_view kAsk = R"js(
const https = require('https');
const server = new URL(process.env.GITHUB_API_URL);
const path = `https://weir.localhost:${server.port}/api/v1/blobs/none`;
https.get(path, (answer) => {
  console.log('https', answer.statusCode);
  answer.resume();
  fetch(path).then(async (fetched) => {
    console.log('fetch', fetched.status);
    const agent = new https.Agent({keepAlive: true, maxSockets: 1});
    for (const body of ['a', 'b']) {
      await new Promise((done) => https.request(path, {method: 'GET', agent}, (next) => {
        next.resume().on('end', () => { console.log('kept', next.statusCode); done(); });
      }).end());
    }
    agent.destroy();
    const git = require('child_process').spawnSync('git',
      ['config', '--file', 'config', `http.https://weir.localhost:${server.port}/.extraheader`, 'x']);
    console.log(require('fs').readFileSync('config', 'utf8'));
    require('child_process').execFileSync('git', ['ls-remote', `https://t:x@127.0.0.1:${server.port}/a.git`]);
  }).catch((error) => console.log(String(error.stderr)));
});
)js";

TEST(NodePreload, MakesCallsAndGitCommandsToTheServerPlain) {
  TestServer server;
  TestJob job;
  job.spec.server_url = server.url();
  const auto port = server.url().substr(server.url().rfind(':') + 1);
  job.folder.write("job/work/act/action.yml", "name: n\ndescription: d\nruns: {using: node20, main: main.js}\n");
  job.folder.write("job/work/act/main.js", kAsk);
  job.spec.contexts["github"] = {{"api_url", server.url() + "/api/v3"}};
  job.uses_step("./act");
  const JobRecord record = job.run();
  EXPECT_THAT(record.output_of(0), HasSubstr("https 404\nfetch 404\nkept 404\nkept 404\n")) << record.text();
  EXPECT_THAT(record.output_of(0), HasSubstr("[http \"http://weir.localhost:" + port + "/\"]"));
  EXPECT_THAT(record.output_of(0), HasSubstr("'http://127.0.0.1:" + port + "/a.git/' not found"));
}

TEST(NodePreload, LeavesOtherServersAlone) {
  const io::TestFolder folder;
  EXPECT_EQ(node_preload(folder.path(), "https://weir.example.com").value(), "");
  EXPECT_EQ(node_preload(folder.path(), "http://192.0.2.7:4510").value(), "");
  const auto script = node_preload(folder.path(), "http://127.0.0.1:4510").value();
  EXPECT_EQ(node_preload(folder.path(), "http://127.0.0.1:4510").value(), script);
  io::ProcessOptions options;
  options.argv = {"node", "--require", script.string(), "-e",
                  "const tls = require('tls');"
                  "for (const [host, port] of [['127.0.0.1', 1], ['192.0.2.1', 4510]]) {"
                  "  const socket = tls.connect({host, port});"
                  "  console.log(socket instanceof tls.TLSSocket);"
                  "  socket.on('error', () => {}).destroy();"
                  "}"
                  "require('dns').lookup('weir.localhost', {all: true}, (e, found) => console.log(found[0].address));"
                  "require('util').promisify(require('dns').lookup)('a.localhost').then((one) => "
                  "console.log(one.address))"};
  const auto told = io::run_checked(std::move(options));
  ASSERT_TRUE(told.has_value()) << told.error().message;
  EXPECT_EQ(*told, "true\ntrue\n127.0.0.1\n127.0.0.1\n");
}

}  // namespace
}  // namespace weir::runner
