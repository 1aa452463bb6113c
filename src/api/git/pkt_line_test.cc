#include "api/git/pkt_line.h"

#include <gtest/gtest.h>

namespace weir::api {
namespace {

const std::string kA(40, 'a');
const std::string kB(40, 'b');

std::string command(std::string_view ref, std::string_view capabilities = {}) {
  std::string line = fmt::format("{} {} {}", kA, kB, ref);
  if (!capabilities.empty()) line.append(1, '\0').append(capabilities);
  return pkt_line(line);
}

TEST(PushCommands, AreReadWithTheirCapabilities) {
  const std::string head =
      command("refs/heads/main", " report-status-v2 side-band-64k object-format=sha1 agent=git/2") +
      command("refs/tags/v1\n") + "0000";
  const auto parsed = parse_push_commands(head + "PACK…");
  ASSERT_TRUE(parsed && *parsed);
  EXPECT_EQ((*parsed)->size_bytes, head.size());
  EXPECT_TRUE((*parsed)->report_status);
  EXPECT_TRUE((*parsed)->side_band);
  ASSERT_EQ((*parsed)->updates.size(), 2U);
  EXPECT_EQ((*parsed)->updates[1].ref, "refs/tags/v1");
  EXPECT_EQ((*parsed)->updates[1].before, kA);
  EXPECT_EQ((*parsed)->updates[1].after, kB);
}

TEST(PushCommands, WaitForWhatIsMissing) {
  const std::string head = command("refs/heads/main", "report-status") + pkt_line("shallow " + kA) + "0000";
  for (std::size_t size = 0; size < head.size(); ++size) {
    const auto parsed = parse_push_commands(head.substr(0, size));
    ASSERT_TRUE(parsed) << size << parsed.error().message;
    EXPECT_FALSE(*parsed) << size;
  }
}

TEST(PushCommands, WhatGitMightReadDifferentlyIsRefused) {
  const std::string nul(1, '\0');
  const auto update = [](std::string_view before, std::string_view after, std::string_view ref) {
    return pkt_line(fmt::format("{} {} {}", before, after, ref));
  };
  for (const std::string& head :
       {std::string{"0001"}, std::string{"0003"}, std::string{"00g0"}, std::string{"fff5"} + std::string(70'000, 'x'),
        pkt_line("hello"), update(kA, kB, "main"), update(kA, " " + kB, "refs/x"), update(kA, kB.substr(1), " refs/x"),
        command("refs/heads/../x"), command("refs/heads/a b"), command("refs/heads/x\ty"), command("refs/heads/x.lock"),
        command("refs//x"), command("refs/heads/"), command("HEAD"), command("refs/a", "x" + nul + "y"),
        command("refs/a", "x") + command("refs/b", "y"), pkt_line("shallow main"),
        pkt_line(std::string(64, 'a') + " " + std::string(64, 'b') + " refs/heads/x")}) {
    const auto parsed = parse_push_commands(head + "0000");
    ASSERT_FALSE(parsed) << head.substr(0, 200);
    EXPECT_EQ(parsed.error().code, Code::kInvalidArgument);
  }
  EXPECT_EQ(parse_push_commands(pkt_line("push-cert\n")).error().code, Code::kUnimplemented);
}

TEST(PushReport, NamesTheRefsThatMoved) {
  const std::string report = pkt_line("unpack ok\n") + pkt_line("ok refs/heads/a\n") +
                             pkt_line("ng refs/heads/b no\n") + pkt_line("option forced-update\n") +
                             pkt_line("ok refs/tags/c\n") + "0000";
  const std::vector<std::string> moved{"refs/heads/a", "refs/tags/c"};
  EXPECT_EQ(parse_push_report(report, false), moved);
  const std::string banded =
      pkt_line("\2Resolving\n") + pkt_line("\1" + report.substr(0, 20)) + pkt_line("\1" + report.substr(20)) + "0000";
  EXPECT_EQ(parse_push_report(banded, true), moved);
  EXPECT_EQ(parse_push_report("", true), std::nullopt);
  EXPECT_EQ(parse_push_report("0000", true), std::nullopt);
  EXPECT_EQ(parse_push_report(pkt_line("unpack index-pack failed\n") + pkt_line("ng refs/heads/a x\n") + "0000", false),
            std::vector<std::string>{});
}

TEST(PushReport, ARefusalMovesNothing) {
  PushCommands commands;
  commands.updates = {{"refs/heads/a", kA, kB}, {"refs/heads/b", kA, kB}};
  EXPECT_EQ(refuse_push(commands, "not\nallowed", "ask"), pkt_line("unpack ok\n") +
                                                              pkt_line("ng refs/heads/a not allowed\n") +
                                                              pkt_line("ng refs/heads/b not allowed\n") + "0000");
  commands.side_band = true;
  const std::string answer = refuse_push(commands, "no", std::string(3000, 'm'), "disk full");
  EXPECT_EQ(parse_push_report(answer, true), std::vector<std::string>{});
  EXPECT_TRUE(answer.ends_with("0000"));
}

}  // namespace
}  // namespace weir::api
