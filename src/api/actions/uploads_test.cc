#include "api/actions/uploads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/hash.h"
#include "io/file.h"
#include "io/test_folder.h"

namespace weir::api::actions {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class TextSource final : public io::ByteSource {
 public:
  explicit TextSource(std::string text, bool breaks = false) : text_(std::move(text)), breaks_(breaks) {}
  Result<std::size_t> read(char* buffer, std::size_t size) override {
    const std::size_t taken = text_.copy(buffer, std::min<std::size_t>(size, 50'000), at_);
    at_ += taken;
    if (taken == 0 && breaks_) return fail(Code::kUnavailable, "the connection broke");
    return taken;
  }

 private:
  std::string text_;
  std::size_t at_ = 0;
  bool breaks_;
};

class UploadsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    uploads_.emplace(root_);
    id_ = uploads_->begin(purpose()).value();
  }

  static UploadPurpose purpose() {
    return {.kind = "artifact",
            .run = 1,
            .job = 2,
            .name = "n",
            .version = {},
            .repository = {},
            .ref = {},
            .format = "zip",
            .expires_at = from_micros(77)};
  }
  Result<void> put(const std::string& block, const std::string& text) {
    TextSource source(text);
    return uploads_->put_block(id_, block, static_cast<std::int64_t>(text.size()), source);
  }
  void expect_staged(const std::string& whole) {
    const auto staged = uploads_->staged(id_);
    ASSERT_TRUE(staged.has_value()) << staged.error().message;
    EXPECT_EQ(staged->size_bytes, static_cast<std::int64_t>(whole.size()));
    EXPECT_EQ(staged->sha256, sha256_hex(whole));
    EXPECT_EQ(io::read_file(staged->file).value(), whole);
  }
  static std::string text(char letter, std::size_t size = 120'000) {
    std::string made(size, letter);
    for (std::size_t i = 0; i < size; i += 7) made[i] = static_cast<char>('0' + i % 10);
    return made;
  }

  io::TestFolder root_;
  std::optional<Uploads> uploads_;
  std::string id_;
};

TEST_F(UploadsTest, BlocksInOrderAreTheFile) {
  ASSERT_TRUE(put("a", text('a')).has_value());
  ASSERT_TRUE(put("b", text('b', 3'000'000)).has_value());
  ASSERT_TRUE(put("empty", "").has_value());
  ASSERT_TRUE(put("c", text('c', 5)).has_value());
  EXPECT_EQ(uploads_->staged(id_).error().code, Code::kFailedPrecondition);
  ASSERT_TRUE(uploads_->commit(id_, {"a", "b", "empty", "c"}).has_value());
  expect_staged(text('a') + text('b', 3'000'000) + text('c', 5));
  EXPECT_EQ(put("d", "late").error().code, Code::kFailedPrecondition);
  ASSERT_TRUE(uploads_->commit(id_, {"a", "b", "empty", "c"}).has_value()) << "an answer that got lost";
  EXPECT_EQ(uploads_->commit(id_, {"a"}).error().code, Code::kFailedPrecondition);
}

TEST_F(UploadsTest, AnotherOrderBlocksLeftOutAndBlocksSentTwice) {
  ASSERT_TRUE(put("b", text('b')).has_value());
  ASSERT_TRUE(put("a", text('x')).has_value());
  ASSERT_TRUE(put("unused", text('u')).has_value());
  ASSERT_TRUE(put("a", text('a')).has_value());
  EXPECT_THAT(uploads_->commit(id_, {"a", "z"}).error().message, HasSubstr("did not come: z"));
  ASSERT_TRUE(uploads_->commit(id_, {"a", "b", "a"}).has_value());
  expect_staged(text('a') + text('b') + text('a'));
}

TEST_F(UploadsTest, ABlockThatIsLeftOutAtTheEndIsCutOff) {
  ASSERT_TRUE(put("a", text('a')).has_value());
  ASSERT_TRUE(put("b", text('b')).has_value());
  ASSERT_TRUE(uploads_->commit(id_, {"a"}).has_value());
  expect_staged(text('a'));
}

TEST_F(UploadsTest, ManyAtOnce) {
  std::string whole;
  std::vector<std::string> order;
  for (int i = 0; i < 40; ++i) {
    order.push_back(fmt::format("block-{}", i));
    whole += text(static_cast<char>('a' + i % 26), 100'000 + static_cast<std::size_t>(i));
  }
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = thread; i < 40; i += 4) {
        EXPECT_TRUE(put(order[static_cast<std::size_t>(i)],
                        text(static_cast<char>('a' + i % 26), 100'000 + static_cast<std::size_t>(i)))
                        .has_value());
      }
    });
  }
  for (auto& thread : threads) thread.join();
  ASSERT_TRUE(uploads_->commit(id_, order).has_value());
  expect_staged(whole);
}

TEST_F(UploadsTest, WhatBrokeOffLeavesNoTrace) {
  ASSERT_TRUE(put("a", text('a')).has_value());
  TextSource broken("half", true);
  EXPECT_FALSE(uploads_->put_block(id_, "b", 8, broken).has_value());
  TextSource shorter("half");
  EXPECT_EQ(uploads_->put_block(id_, "b", 8, shorter).error().code, Code::kInvalidArgument);
  TextSource longer("more than that");
  EXPECT_EQ(uploads_->put_block(id_, "b", 8, longer).error().code, Code::kInvalidArgument);
  EXPECT_FALSE(uploads_->commit(id_, {"a", "b"}).has_value());
  ASSERT_TRUE(put("b", text('b')).has_value());
  ASSERT_TRUE(uploads_->commit(id_, {"a", "b"}).has_value());
  expect_staged(text('a') + text('b'));
}

TEST_F(UploadsTest, AWholeUploadMayBeSentAgain) {
  TextSource first("first");
  ASSERT_TRUE(uploads_->put_whole(id_, 5, first).has_value());
  expect_staged("first");
  TextSource second(text('s'));
  ASSERT_TRUE(uploads_->put_whole(id_, 120'000, second).has_value());
  expect_staged(text('s'));
}

TEST_F(UploadsTest, ACommitThatFoundNoRoomMayBeSaidAgain) {
  for (const bool in_order : {true, false}) {
    const auto order = in_order ? std::vector<std::string>{"a", "b"} : std::vector<std::string>{"b", "a"};
    id_ = uploads_->begin(purpose()).value();
    ASSERT_TRUE(put("a", "one").has_value());
    ASSERT_TRUE(put("b", "two!").has_value());
    const fs::path in_the_way = root_ / id_ / "staged.json";
    fs::create_directory(in_the_way);
    for (int again = 0; again < 2; ++again) {
      EXPECT_FALSE(uploads_->commit(id_, order).has_value());
      EXPECT_FALSE(uploads_->staged(id_).has_value());
    }
    fs::remove(in_the_way);
    ASSERT_TRUE(uploads_->commit(id_, order).has_value());
    expect_staged(in_order ? "onetwo!" : "two!one");
    uploads_.emplace(root_);
    expect_staged(in_order ? "onetwo!" : "two!one");
  }
}

TEST_F(UploadsTest, ABlockWhoseRecordFoundNoRoomMayBeSentAgain) {
  ASSERT_TRUE(put("a", "one").has_value());
  const fs::path list = root_ / id_ / "blocks";
  fs::rename(list, root_ / "aside");
  fs::create_directory(list);
  EXPECT_FALSE(put("b", "two!").has_value());
  EXPECT_FALSE(uploads_->commit(id_, {"a", "b"}).has_value()) << "and nobody waits for it";
  fs::remove(list);
  fs::rename(root_ / "aside", list);
  ASSERT_TRUE(put("b", "two!").has_value());
  uploads_.emplace(root_);
  ASSERT_TRUE(uploads_->commit(id_, {"a", "b"}).has_value());
  expect_staged("onetwo!");
}

TEST_F(UploadsTest, ARestartForgetsNothing) {
  ASSERT_TRUE(put("a", text('a')).has_value());
  ASSERT_TRUE(put("c", text('c')).has_value());
  uploads_.emplace(root_);
  EXPECT_EQ(uploads_->purpose(id_).value().expires_at, from_micros(77));
  ASSERT_TRUE(put("b", text('b')).has_value());
  ASSERT_TRUE(uploads_->commit(id_, {"a", "b", "c"}).has_value());
  uploads_.emplace(root_);
  expect_staged(text('a') + text('b') + text('c'));
  EXPECT_TRUE(uploads_->commit(id_, {"a", "b", "c"}).has_value());
  EXPECT_EQ(uploads_->find([](const UploadPurpose& one) { return one.run == 1; }), std::vector{id_});
  uploads_->remove(id_);
  EXPECT_FALSE(fs::exists(root_ / id_));
  EXPECT_EQ(uploads_->staged(id_).error().code, Code::kNotFound);
}

TEST_F(UploadsTest, LimitsHold) {
  uploads_.emplace(root_, Uploads::Limits{.upload_bytes_max = 300'000, .block_bytes_max = 200'000, .blocks_max = 2});
  EXPECT_EQ(put("a", text('a', 200'001)).error().code, Code::kResourceExhausted);
  ASSERT_TRUE(put("a", text('a', 200'000)).has_value());
  EXPECT_EQ(put("b", text('b', 100'001)).error().code, Code::kResourceExhausted);
  ASSERT_TRUE(put("b", text('b', 1)).has_value());
  EXPECT_EQ(put("c", "c").error().code, Code::kResourceExhausted);
  for (const std::string bad : {"", "a b", "a\nb"}) EXPECT_EQ(put(bad, "x").error().code, Code::kInvalidArgument);
  TextSource source("x");
  EXPECT_EQ(uploads_->put_block(id_, "x", -1, source).error().code, Code::kInvalidArgument);
  for (const std::string bad : {"", "../x", "ffffffffffffffffffffffffffffffff"}) {
    EXPECT_EQ(uploads_->purpose(bad).error().code, Code::kNotFound) << bad;
  }
}

}  // namespace
}  // namespace weir::api::actions
