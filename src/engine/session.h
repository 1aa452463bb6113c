#pragma once

#include <sys/types.h>

namespace weir::engine {

// Sends `signal` to every process of the session that `leader` began, whatever process groups they are in.
void kill_session(pid_t leader, int signal);

}  // namespace weir::engine
