#include "serve/frame.h"

#include <gtest/gtest.h>

namespace weir::serve {
namespace {

TEST(FrameReader, GivesFramesHoweverTheirBytesAreCutIntoPieces) {
  std::string bytes;
  append_frame(bytes, 7, FrameKind::kAnswer, R"({"status":200})", "body");
  append_frame(bytes, 8, FrameKind::kTaken, "", "");
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    FrameReader reader(1'000);
    std::vector<Frame> frames;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      reader.feed(std::string_view(bytes).substr(at, piece));
      for (;;) {
        auto frame = reader.next();
        ASSERT_TRUE(frame.has_value());
        if (!frame->has_value()) break;
        frames.push_back(**std::move(frame));
      }
    }
    ASSERT_EQ(frames.size(), 2U) << "pieces of " << piece;
    EXPECT_EQ(frames[0].id, 7U);
    EXPECT_EQ(frames[0].kind, FrameKind::kAnswer);
    EXPECT_EQ(frames[0].header, R"({"status":200})");
    EXPECT_EQ(frames[0].body, "body");
    EXPECT_EQ(frames[1].id, 8U);
    EXPECT_EQ(frames[1].kind, FrameKind::kTaken);
  }
}

TEST(FrameReader, RefusesAFrameThatIsLargerThanAllowedBeforeItsBytesArrive) {
  std::string bytes;
  append_frame(bytes, 1, FrameKind::kAnswer, "", std::string(2'000, 'x'));
  FrameReader reader(1'000);
  reader.feed(std::string_view(bytes).substr(0, 17));
  const auto frame = reader.next();
  ASSERT_FALSE(frame.has_value());
  EXPECT_EQ(frame.error().code, Code::kCorrupt);
}

TEST(FrameReader, RefusesAnUnknownKind) {
  std::string bytes;
  append_frame(bytes, 1, static_cast<FrameKind>(99), "", "");
  FrameReader reader(1'000);
  reader.feed(bytes);
  EXPECT_FALSE(reader.next().has_value());
}

}  // namespace
}  // namespace weir::serve
