#pragma once

#include <string_view>

namespace weir::workflow::support {

// Parts of the language that are read, but that the layers above may not run yet. A file that uses one of those that
// are false is refused by name, so that nothing in it is silently ignored. Whoever builds a part sets it to true in the
// same change; docs/COMPATIBILITY.md follows by itself.
inline constexpr bool kCalls = true;            // jobs.<id>.uses, with and secrets
inline constexpr bool kContainers = true;       // jobs.<id>.container
inline constexpr bool kServices = true;         // jobs.<id>.services
inline constexpr bool kDockerActions = true;    // steps.uses: docker://…
inline constexpr bool kBackgroundSteps = true;  // steps.background, wait, wait-all, cancel and parallel
inline constexpr bool kCancelTimeout = true;    // jobs.<id>.cancel-timeout-minutes
inline constexpr bool kTimezones = true;        // on.schedule.timezone
inline constexpr bool kQueue = true;            // concurrency.queue
inline constexpr bool kDeployment = true;       // environment.deployment
inline constexpr bool kSelfRepository = true;   // steps.uses: $/path

// The rule under which such refusals are reported.
inline constexpr std::string_view kRule = "not-supported";

}  // namespace weir::workflow::support
