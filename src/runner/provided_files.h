#pragma once

#include <string_view>

// The files of the actions that weir brings along.
namespace weir::runner::provided {

extern const std::string_view kGithubScriptAction;
extern const std::string_view kGithubScriptMain;
extern const std::string_view kSetupCmlAction;
extern const std::string_view kCmlHelpers;
extern const std::string_view kSetupDvcAction;
extern const std::string_view kSetupUvAction;
extern const std::string_view kSetupUvScript;
extern const std::string_view kUvProgram;

}  // namespace weir::runner::provided
