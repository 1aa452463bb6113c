#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

// Golden tests: inputs and expected outputs as text below tests/golden. For tests only.
namespace weir::golden {

inline std::filesystem::path folder(std::string_view name) {
  return std::filesystem::path(WEIR_GOLDEN_DIR) / name;
}

inline std::string read(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  EXPECT_TRUE(stream) << "cannot read " << file;
  return {std::istreambuf_iterator<char>(stream), {}};
}

// Files of `dir` whose names end with `suffix`, in order.
inline std::vector<std::filesystem::path> files(const std::filesystem::path& dir, std::string_view suffix) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    if (entry.path().filename().string().ends_with(suffix)) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

inline bool updating() {
  return std::getenv("WEIR_UPDATE_GOLDEN") != nullptr;
}

// `actual` must be the bytes of `file`. With WEIR_UPDATE_GOLDEN=1 the file is written instead; end the test with
// `if (golden::updating()) GTEST_SKIP() << "golden files were rewritten";`.
inline void expect(const std::filesystem::path& file, std::string_view actual) {
  if (updating()) {
    std::ofstream(file, std::ios::binary).write(actual.data(), static_cast<std::streamsize>(actual.size()));
    return;
  }
  ASSERT_TRUE(std::filesystem::exists(file)) << file << " is missing; WEIR_UPDATE_GOLDEN=1 writes it:\n" << actual;
  const std::string expected = read(file);
  if (expected == actual) return;
  // The first line that differs says more than two whole files.
  std::size_t same = 0;
  while (same < expected.size() && same < actual.size() && expected[same] == actual[same]) ++same;
  const std::size_t start = expected.rfind('\n', same == 0 ? 0 : same - 1);
  const std::size_t line = start == std::string::npos ? 0 : start + 1;
  ADD_FAILURE() << file << " differs from line "
                << std::count(expected.begin(), expected.begin() + static_cast<std::ptrdiff_t>(line), '\n') + 1
                << " on\nexpected: " << expected.substr(line, 500) << "\nactual:   " << actual.substr(line, 500)
                << "\nWEIR_UPDATE_GOLDEN=1 takes the actual text over";
}

}  // namespace weir::golden
