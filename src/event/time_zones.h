#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "workflow/time_zone.h"

namespace weir::event {

// A zone of the machine's IANA database ("Europe/Berlin"). kInvalidArgument for a name that it does not have;
// kFailedPrecondition, with what to install, on a machine without one. Reads a small file.
Result<workflow::TimeZone> load_time_zone(std::string_view name);

// False for a name that this machine's database does not have. A machine without one cannot tell.
bool may_be_time_zone(std::string_view name);

// Nothing for what may be a time zone, else what to write instead: the nearest name, or how names look.
std::optional<std::string> time_zone_hint(std::string_view name);

}  // namespace weir::event
