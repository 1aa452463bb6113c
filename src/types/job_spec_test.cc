#include "types/job_spec.h"

#include <gtest/gtest.h>

namespace weir::types {
namespace {

JobSpec full_spec() {
  JobSpec spec;
  spec.job_id = 42;
  spec.run_id = 7;
  spec.run_number = 3;
  spec.run_attempt = 2;
  spec.job_key = "train";
  spec.job_name = "train (3.11, large)";
  spec.workflow_name = "ML Pipeline";
  spec.workspace = "/state/jobs/42/work";
  spec.git_dir = "/state/repos/flights.git";
  spec.repository = "local/flights";
  spec.commit = "0123456789012345678901234567890123456789";
  spec.ref = "refs/heads/main";
  spec.server_url = "http://127.0.0.1:4510";
  spec.checkouts_dir = "/state/checkouts";
  spec.envs_dir = "/state/envs";
  spec.tool_dir = "/state/tools";
  spec.actions_dir = "/state/actions";
  spec.actions_url = "https://github.com";
  spec.server_owner = "weir";
  spec.container = {{"image", "alpine"}};
  spec.python_layers = {"/state/envs/layers/41", "/state/envs/layers/40"};
  spec.implicit_checkout = true;
  spec.timeout = std::chrono::minutes{5};
  spec.cancel_limit = std::chrono::seconds{90};
  spec.cache_mode = CacheMode::kWriteOnly;
  spec.warnings = {"careful"};
  spec.contexts["github"] = {{"ref", "refs/heads/main"}};
  spec.env["EPOCHS"] = "10";
  spec.outputs["auc"] = "${{ steps.eval.outputs.auc }}";
  spec.environment_url = "${{ steps.deploy.outputs.url }}";
  spec.defaults["run"] = {{"shell", "bash"}};
  spec.steps.push_back({{"run", "true"}});
  spec.sandbox = JobSandbox{.memory_bytes = 1 << 20, .processes = 9, .state_dir = "/state"};
  return spec;
}

TEST(JobSpec, ComesBackFromJsonAsItWent) {
  const auto spec = job_spec_from_json(to_json(full_spec()));

  ASSERT_TRUE(spec.has_value()) << spec.error().message;
  EXPECT_EQ(to_json(*spec), to_json(full_spec()));
  EXPECT_EQ(spec->timeout, std::chrono::minutes{5});
  EXPECT_EQ(spec->cancel_limit, std::chrono::seconds{90});
  EXPECT_EQ(spec->python_layers.size(), 2U);
  EXPECT_TRUE(spec->implicit_checkout);
  EXPECT_EQ(spec->cache_mode, CacheMode::kWriteOnly);
  ASSERT_TRUE(spec->sandbox);
  EXPECT_EQ(spec->sandbox->processes, 9);
}

TEST(JobSpec, ASandboxWithoutLimitsIsRefused) {
  auto value = to_json(full_spec());
  value.get_object()["sandbox"].get_object()["processes"] = 0;

  EXPECT_FALSE(job_spec_from_json(value).has_value());
  // Nor is one forgotten: a specification says that there is none.
  value.get_object().erase("sandbox");
  EXPECT_FALSE(job_spec_from_json(value).has_value());
}

TEST(JobSpec, AMissingMemberIsNamed) {
  auto value = to_json(full_spec());
  value.get_object().erase("workspace");

  const auto spec = job_spec_from_json(value);

  ASSERT_FALSE(spec.has_value());
  EXPECT_EQ(spec.error().code, Code::kInvalidArgument);
  EXPECT_EQ(spec.error().message, "job specification: member \"workspace\" is missing");
}

TEST(JobSpec, AMemberOfTheWrongKindIsNamed) {
  auto value = to_json(full_spec());
  value.get_object()["steps"] = "none";

  const auto spec = job_spec_from_json(value);

  ASSERT_FALSE(spec.has_value());
  EXPECT_EQ(spec.error().message, "job specification: member \"steps\" must be an array");
}

TEST(JobSpec, ANewerVersionIsRefused) {
  auto value = to_json(full_spec());
  value.get_object()["version"] = 2;

  const auto spec = job_spec_from_json(value);

  ASSERT_FALSE(spec.has_value());
  EXPECT_EQ(spec.error().code, Code::kUnimplemented);
}

TEST(Conclusion, NamesComeBack) {
  for (const auto conclusion : {Conclusion::kSuccess, Conclusion::kFailure, Conclusion::kCancelled,
                                Conclusion::kSkipped, Conclusion::kTimedOut}) {
    EXPECT_EQ(parse_conclusion(conclusion_name(conclusion)).value(), conclusion);
  }
  EXPECT_FALSE(parse_conclusion("great").has_value());
}

TEST(Journal, ATornLastLineIsLeftForLater) {
  const std::string text =
      "{\"seq\":1,\"t\":5,\"type\":\"job_started\",\"pid\":9}\n{\"seq\":2,\"t\":6,\"type\":\"step_started\",\"step\":0}"
      "\n"
      "{\"seq\":3,\"t\":7,\"ty";
  std::size_t consumed = 0;

  const auto records = read_journal(text, consumed);

  ASSERT_EQ(records.size(), 2U);
  EXPECT_EQ(records[0].type, "job_started");
  EXPECT_EQ(records[0].sequence, 1);
  EXPECT_EQ(records[1].time, from_micros(6));
  EXPECT_EQ(records[1].fields.at("step").as_int64(), 0);
  EXPECT_EQ(text.substr(consumed), "{\"seq\":3,\"t\":7,\"ty");
}

TEST(Journal, ABrokenLineInTheMiddleIsPassedOver) {
  std::size_t consumed = 0;
  const auto records = read_journal("{\"seq\":1,\"ty\n{\"seq\":2,\"t\":1,\"type\":\"job_finished\"}\n", consumed);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].type, "job_finished");
}

TEST(Log, LinesComeBackAsTheyWent) {
  const LogLine first{.step = -1, .time = from_micros(1'700'000'000'000'001), .stream = 'c', .text = "Set up job"};
  const LogLine second{.step = 12, .time = from_micros(5), .stream = 'o', .text = ""};
  const std::string text = format_log_line(first) + format_log_line(second) + "3 17 o not yet";
  std::size_t consumed = 0;

  const auto lines = read_log(text, consumed);

  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].step, -1);
  EXPECT_EQ(lines[0].time, first.time);
  EXPECT_EQ(lines[0].stream, 'c');
  EXPECT_EQ(lines[0].text, "Set up job");
  EXPECT_EQ(lines[1].step, 12);
  EXPECT_EQ(lines[1].text, "");
  EXPECT_EQ(text.substr(consumed), "3 17 o not yet");
}

}  // namespace
}  // namespace weir::types
