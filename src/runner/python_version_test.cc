#include "runner/python_version.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir::runner {
namespace {

using ::testing::ElementsAre;

bool fits(std::string_view range, PythonVersion version) {
  const auto parsed = PythonRange::parse(range);
  EXPECT_TRUE(parsed.has_value()) << range;
  return parsed && parsed->contains(version);
}

TEST(PythonRange, VersionsStandForAllBelowThem) {
  EXPECT_TRUE(fits("3.10", {3, 10, 13}));
  EXPECT_FALSE(fits("3.10", {3, 11, 0}));
  EXPECT_FALSE(fits("3.1", {3, 10, 0}));
  EXPECT_TRUE(fits("3.10.4", {3, 10, 4}));
  EXPECT_FALSE(fits("3.10.4", {3, 10, 5}));
  EXPECT_TRUE(fits("3.x", {3, 12, 1}));
  EXPECT_TRUE(fits("3", {3, 7, 0}));
  EXPECT_TRUE(fits("3.12-dev", {3, 12, 0}));
  EXPECT_TRUE(fits("*", {3, 8, 1}));
}

TEST(PythonRange, RangesOfBothWorlds) {
  EXPECT_TRUE(fits(">=3.9 <3.12", {3, 11, 9}));
  EXPECT_FALSE(fits(">= 3.9 <3.12", {3, 12, 0}));
  EXPECT_TRUE(fits(">=3.9,<3.12,!=3.11.4", {3, 11, 3}));
  EXPECT_FALSE(fits(">=3.9,<3.12,!=3.11.4", {3, 11, 4}));
  EXPECT_FALSE(fits(">3.10", {3, 10, 9}));
  EXPECT_TRUE(fits("<=3.10", {3, 10, 9}));
  EXPECT_TRUE(fits("~3.10", {3, 10, 9}));
  EXPECT_FALSE(fits("~3.10", {3, 11, 0}));
  EXPECT_TRUE(fits("~=3.10", {3, 11, 0}));
  EXPECT_FALSE(fits("~=3.10.2", {3, 11, 0}));
  EXPECT_TRUE(fits("^3.9", {3, 12, 0}));
  EXPECT_TRUE(fits("3.9 - 3.11", {3, 11, 7}));
  EXPECT_TRUE(fits("3.9 || 3.11", {3, 11, 7}));
  EXPECT_FALSE(fits("3.9 || 3.11", {3, 10, 7}));
}

TEST(PythonRange, WhatIsNoVersionIsRefused) {
  EXPECT_FALSE(PythonRange::parse("latest").has_value());
  EXPECT_FALSE(PythonRange::parse("").has_value());
  EXPECT_EQ(PythonRange::parse("pypy3.9").error().code, Code::kUnimplemented);
}

TEST(PythonVersionFile, ManyFormsAreRead) {
  EXPECT_THAT(*python_versions_of_file(".python-version", "# comment\n3.11.2\n3.10/envs/mine\n"),
              ElementsAre("3.11.2", "3.10"));
  EXPECT_THAT(*python_versions_of_file(".tool-versions", "nodejs 20\npython 3.12.1\n"), ElementsAre("3.12.1"));
  EXPECT_THAT(
      *python_versions_of_file("pyproject.toml", "[project]\nname = \"x\"\nrequires-python = \">=3.9,<3.13\"\n"),
      ElementsAre(">=3.9,<3.13"));
  EXPECT_THAT(*python_versions_of_file("Pipfile", "[requires]\npython_version = '3.9'\n"), ElementsAre("3.9"));
  EXPECT_FALSE(python_versions_of_file("pyproject.toml", "[tool.x]\n").has_value());
}

}  // namespace
}  // namespace weir::runner
