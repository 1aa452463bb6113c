#pragma once

#include <string>

#include "api/weir/routes.h"

namespace weir::api {

// Tells people who a job is: its user keeps its login, "job:9", as the history has it, and gets a name, "weir · Train /
// report", and where it is shown, `run` and `job`. Other users stay as they are. `said`: what has a `user`, or other
// members of that kind.
json::object with_author(const Services& services, json::object said, std::string_view member = "user");

}  // namespace weir::api
