#include "runner/markdown_pictures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/test_folder.h"

namespace weir::runner {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class PicturesTest : public testing::Test {
 protected:
  PicturesTest() {
    for (const auto* name : {"roc.png", "a b.png", "x(1).png"}) {
      EXPECT_TRUE(io::write_file_atomic(folder_ / name, "picture").has_value());
    }
  }
  std::string shown(std::string_view markdown) {
    auto text =
        with_pictures(markdown, folder_.path(), [this](const std::filesystem::path& file) -> Result<std::string> {
          uploaded_.push_back(file.filename().string());
          return fmt::format("/{}", uploaded_.size());
        });
    return text ? *text : "error: " + text.error().message;
  }
  io::TestFolder folder_;
  std::vector<std::string> uploaded_;
};

TEST_F(PicturesTest, FilesGetTheirAddressesOnceEach) {
  EXPECT_EQ(shown("# A\n![ROC](roc.png) and ![](./roc.png \"title\")![again](roc.png)"),
            "# A\n![ROC](/1) and ![](/2 \"title\")![again](/1)");
  EXPECT_EQ(shown("![](<a b.png>) ![](a%20b.png)"), "![](/3) ![](/3)");
  EXPECT_EQ(shown("<img width=\"3\" src=\"roc.png\"> <img src='roc.png'/>"),
            "<img width=\"3\" src=\"/4\"> <img src='/4'/>");
}

TEST_F(PicturesTest, WhatIsNoFileStaysAsItIs) {
  for (const std::string_view text : {"![](https://example.org/roc.png)",
                                      "![](data:image/png;base64,AA==)",
                                      "![](/api/v1/x)",
                                      "![](#roc)",
                                      "[roc](roc.png)",
                                      "`![](roc.png)`",
                                      "``a ` ![](roc.png)``",
                                      "```\n![](roc.png)\n```",
                                      "  ~~~ md\n![](none.png)\n",
                                      "\\![](roc.png)",
                                      "![](",
                                      "![",
                                      "![]",
                                      "![](roc.png",
                                      "<img alt=\"src=roc.png\">",
                                      "<img src=roc.png>",
                                      "<img src=\"roc.png",
                                      "",
                                      "!",
                                      "\\"}) {
    EXPECT_EQ(shown(text), text);
  }
  EXPECT_THAT(uploaded_, ElementsAre());
  EXPECT_EQ(shown("`code` ![](roc.png) ```\nno fence ![](roc.png)"), "`code` ![](/1) ```\nno fence ![](/1)");
}

TEST_F(PicturesTest, APictureThatIsNotThereIsNamed) {
  EXPECT_THAT(shown("![](plots/none.png)"), HasSubstr("error: the text shows the picture plots/none.png"));
}

TEST(PictureMarkdown, IsDescribedByItsName) {
  EXPECT_EQ(picture_markdown("plots/roc_curve.v2.png", "/x"), "![roc curve.v2](/x)\n");
}

}  // namespace
}  // namespace weir::runner
