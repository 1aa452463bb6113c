#include "forge/attachments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "forge/issues.h"
#include "forge/test_world.h"

namespace weir::forge {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

constexpr std::string_view kPng = "\x89PNG\r\n\x1a\n and more";

class AttachmentsTest : public testing::Test, protected TestWorld {
 protected:
  AttachmentsTest() {
    issues_ = std::make_unique<Issues>(*db_, *triggers_);
    files_ = store::open_local_blobs(root_ / "attachments").value();
    attachments_ = std::make_unique<Attachments>(
        *db_, loop_, *files_,
        [this](store::Reader&, const std::string&, const std::function<void(std::string_view)>& each) -> Result<void> {
          each(summary_);
          return {};
        },
        AttachmentRules{.file_bytes_max = 1000, .repo_bytes_max = 1500});
  }
  Attachment add(std::string_view bytes, const std::string& repo = "flights") {
    auto added = attachments_->add(repo, "roc.png", bytes, job_);
    EXPECT_TRUE(added.has_value()) << added.error().message;
    return added.value_or(Attachment{});
  }

  std::unique_ptr<Issues> issues_;
  std::unique_ptr<store::BlobStore> files_;
  std::string summary_;
  std::unique_ptr<Attachments> attachments_;
  types::Identity job_{.name = "job:7", .role = types::Role::kDeveloper, .job_id = 7, .run_id = 3};
};

TEST(Sniffed, TheFirstBytesDecide) {
  EXPECT_EQ(sniffed_type(kPng), "image/png");
  EXPECT_EQ(sniffed_type("\xFF\xD8\xFF\xE0 JFIF"), "image/jpeg");
  EXPECT_EQ(sniffed_type("GIF89a…"), "image/gif");
  EXPECT_EQ(sniffed_type("RIFF\x01\x02\x03\x04WEBPVP8 "), "image/webp");
  EXPECT_EQ(sniffed_type("%PDF-1.7"), "application/pdf");
  EXPECT_EQ(sniffed_type("<svg xmlns='x'/>"), "image/svg+xml");
  EXPECT_EQ(sniffed_type("\xEF\xBB\xBF<?xml version='1.0'?>\n<!-- a <svg> --><!DOCTYPE svg PUBLIC 'x'>\n<svg>"),
            "image/svg+xml");
  EXPECT_EQ(sniffed_type("<html><svg></svg></html>"), "text/plain");
  EXPECT_EQ(sniffed_type("<svgx>"), "text/plain");
  EXPECT_EQ(sniffed_type("<!-- <svg>"), "text/plain");
  EXPECT_EQ(sniffed_type("auc,0.7\n"), "text/plain");
  EXPECT_EQ(sniffed_type(std::string_view("\x80\x04\x00pickle", 9)), "application/octet-stream");
}

TEST_F(AttachmentsTest, ArePartOfTheirRepositoryOnly) {
  const auto added = add(kPng);
  EXPECT_EQ(added.content_type, "image/png");
  EXPECT_EQ(added.path(), "/api/v1/repos/flights/attachments/" + added.sha256);
  EXPECT_EQ(io::read_file(attachments_->file(attachments_->find("flights", added.sha256).value()).value()).value(),
            kPng);
  EXPECT_EQ(attachments_->find("other", added.sha256).error().code, Code::kNotFound);
  EXPECT_EQ(add(kPng).sha256, added.sha256) << "the same again";
}

TEST_F(AttachmentsTest, HaveLimitsAndHarmlessNames) {
  EXPECT_THAT(attachments_->add("flights", "a", "", job_).error().message, HasSubstr("empty"));
  EXPECT_THAT(attachments_->add("flights", "a", std::string(1001, 'x'), job_).error().message, HasSubstr("1001 bytes"));
  EXPECT_EQ(attachments_->add("flights", "../etc/a\"b\nc", "x", job_)->name, "a_b_c");
  add(std::string(1000, 'x'));
  const auto full = attachments_->add("flights", "a", std::string(600, 'y'), job_);
  ASSERT_FALSE(full.has_value());
  EXPECT_EQ(full.error().code, Code::kResourceExhausted);
  int files = 0;
  ASSERT_TRUE(files_->for_each([&](const store::BlobInfo&) { ++files; }).has_value());
  EXPECT_EQ(files, 2) << "nothing is left of what was refused";
  add(std::string(1000, 'x'));
  add(std::string(600, 'y'), "other");
}

TEST_F(AttachmentsTest, AreCollectedOnceNothingSpeaksOfThem) {
  const auto shown = add("shown");
  const auto in_summary = add("in a summary");
  const auto forgotten = add("forgotten");
  add("forgotten", "other");
  const auto issue = issues_->open("flights", "Report", "", {}, job_).value();
  const auto comment = issues_->comment({.repo = "flights",
                                         .subject = fmt::format("issue/{}", issue.number),
                                         .body = fmt::format("![]({}?cml=png)", shown.path())},
                                        job_);
  ASSERT_TRUE(comment.has_value()) << comment.error().message;
  summary_ = fmt::format("![](http://weir.localhost:4510{})", in_summary.path());
  EXPECT_EQ(attachments_->collect().value(), 0) << "they are young";

  loop_.advance(25h);
  add("forgotten", "other");  // which collects, and says of one that it is wanted again
  EXPECT_TRUE(attachments_->find("flights", shown.sha256).has_value());
  EXPECT_TRUE(attachments_->find("flights", in_summary.sha256).has_value());
  EXPECT_FALSE(attachments_->find("flights", forgotten.sha256).has_value());
  EXPECT_TRUE(files_->contains(forgotten.sha256)) << "another repository has it";

  loop_.advance(25h);
  ASSERT_TRUE(issues_->remove_comment("flights", comment->id, job_).has_value());
  EXPECT_EQ(attachments_->collect().value(), 2);
  EXPECT_FALSE(files_->contains(shown.sha256));
  EXPECT_FALSE(files_->contains(forgotten.sha256));
  EXPECT_TRUE(files_->contains(in_summary.sha256));
}

}  // namespace
}  // namespace weir::forge
