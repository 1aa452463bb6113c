#pragma once

#include "engine/rows.h"
#include "types/cache_mode.h"

namespace weir::engine {

// What a run's jobs may do with caches where no `cache-mode` says it: everything, but for runs that others than the
// repository's people can start and whose caches would be those of the default branch, which all branches read. Those
// restore only. As GitHub does:
// https://docs.github.com/en/actions/reference/workflows-and-actions/dependency-caching
types::CacheMode default_cache_mode(const RunRow& run);

}  // namespace weir::engine
