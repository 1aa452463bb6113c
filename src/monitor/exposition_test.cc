#include "monitor/exposition.h"

#include <gtest/gtest.h>

#include <cmath>

#include "io/process.h"
#include "monitor/monitor.h"

namespace weir::monitor {
namespace {

std::vector<serve::DeploymentSnapshot> deployments() {
  serve::DeploymentSnapshot one{
      .endpoint = "flights", .environment = "production", .model = "flight \"delay\"\n", .version = "3", .live = true};
  one.total.requests = 4;
  one.total.latency[0] = 1;
  one.total.latency[3] = 2;
  one.total.latency.back() = 1;
  one.total.latency_sum_s = 61.5;
  return {one};
}

TEST(Exposition, EscapesLabelsAndHelp) {
  Exposition exposition;
  exposition.family("weir_x", Exposition::Type::kGauge, "a\\b\nc \"d\"");
  exposition.sample({{"name", "a\\b\n\"c\""}}, 0.25);
  exposition.sample({}, std::nan(""));
  EXPECT_EQ(
      exposition.finish(),
      "# HELP weir_x a\\\\b\\nc \"d\"\n# TYPE weir_x gauge\nweir_x{name=\"a\\\\b\\n\\\"c\\\"\"} 0.25\nweir_x NaN\n");
}

TEST(Exposition, HistogramsAreCumulative) {
  Exposition exposition;
  write_traffic(exposition, deployments());
  const std::string text = exposition.finish();
  const auto holds = [&](std::string_view line) { return text.find(line) != std::string::npos; };
  const std::string labels = R"(endpoint="flights",environment="production",model="flight \"delay\"\n",version="3")";
  EXPECT_TRUE(holds("weir_endpoint_latency_seconds_bucket{" + labels + ",le=\"0.0005\"} 1\n")) << text;
  EXPECT_TRUE(holds("weir_endpoint_latency_seconds_bucket{" + labels + ",le=\"0.003\"} 3\n"));
  EXPECT_TRUE(holds("weir_endpoint_latency_seconds_bucket{" + labels + ",le=\"+Inf\"} 4\n"));
  EXPECT_TRUE(holds("weir_endpoint_latency_seconds_count{" + labels + "} 4\n"));
  EXPECT_TRUE(holds("weir_endpoint_latency_seconds_sum{" + labels + "} 61.5\n"));
  EXPECT_TRUE(holds("weir_endpoint_requests_total{" + labels + "} 4\n"));
}

TEST(Exposition, SatisfiesPromtool) {
  Exposition exposition;
  write_traffic(exposition, deployments());
  const auto checked = io::run_process({.argv = {"promtool", "check", "metrics"}}, exposition.finish());
  if (!checked) GTEST_SKIP() << "promtool is not installed";
  EXPECT_EQ(checked->status.code, 0) << checked->out << checked->err;
}

}  // namespace
}  // namespace weir::monitor
