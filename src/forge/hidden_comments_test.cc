#include "forge/hidden_comments.h"

#include "forge/issues.h"
#include "forge/test_world.h"

namespace weir::forge {
namespace {

class HiddenCommentsTest : public TestWorld, public testing::Test {
 protected:
  HiddenCommentsTest() : issues(*db_, *triggers_), hidden(*db_) { make_repository(); }

  types::Identity alice{.name = "alice", .role = types::Role::kDeveloper};
  Issues issues;
  HiddenComments hidden;
};

TEST_F(HiddenCommentsTest, HidesWithAReasonAndShowsAgain) {
  write("a", "b");
  push();
  const auto issue = issues.open("flights", "Broken", "", {}, alice);
  ASSERT_TRUE(issue) << issue.error().message;
  const auto comment = issues.comment({.repo = "flights", .subject = "issue/1", .body = "old"}, alice);
  ASSERT_TRUE(comment) << comment.error().message;
  EXPECT_FALSE(hidden.of(comment->id).value());
  ASSERT_TRUE(hidden.hide(comment->id, "outdated", alice));
  EXPECT_EQ(hidden.of(comment->id).value()->reason, "outdated");
  EXPECT_EQ(hidden.of(comment->id).value()->by, "alice");
  ASSERT_TRUE(hidden.hide(comment->id, "spam", alice));
  EXPECT_EQ(hidden.of(comment->id).value()->reason, "spam");
  ASSERT_TRUE(hidden.show(comment->id, alice));
  EXPECT_FALSE(hidden.of(comment->id).value());
  EXPECT_EQ(hidden.hide(comment->id, "dull", alice).error().code, Code::kInvalidArgument);
  EXPECT_EQ(hidden.hide(99, "spam", alice).error().code, Code::kNotFound);
  // With the comment goes what was said of it.
  ASSERT_TRUE(hidden.hide(comment->id, "spam", alice));
  ASSERT_TRUE(issues.remove_comment("flights", comment->id, alice));
  EXPECT_FALSE(hidden.of(comment->id).value());
}

}  // namespace
}  // namespace weir::forge
