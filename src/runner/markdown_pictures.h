#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace weir::runner {

// Uploads a file, and gives the address to show it by.
using Upload = std::function<Result<std::string>(const std::filesystem::path& file)>;

// A Markdown text whose pictures that are files (`![ROC](plots/roc.png)`, `<img src="plots/roc.png">`, relative to
// `folder`) have the addresses that `upload` gave, each file uploaded once. Code is left alone, and so are addresses:
// with a scheme, from the root, with a fragment only. kNotFound names a picture that is not there.
Result<std::string> with_pictures(std::string_view markdown, const std::filesystem::path& folder, const Upload& upload);

// The Markdown for a picture by itself; its file's name, without the ending, is its description.
std::string picture_markdown(const std::filesystem::path& file, std::string_view address);

}  // namespace weir::runner
