#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "insight/why.h"
#include "store/database.h"

namespace weir::insight {

// The four key figures of software delivery (DORA), for models, by the wall clock of the event log.
//
// Definitions follow N. Forsgren, J. Humble, G. Kim: "Accelerate" (2018) and dora.dev/guides/dora-metrics-four-keys,
// with "deployment" read as: a model version begins to serve `environment`.
//   deployment             event rollout.switched of an endpoint@environment. A rollback is a restoration, not one.
//   deployment frequency   deployments a day of the window.
//   lead time for changes  from the commit that made the version (author's commit time) to its rollout.switched; the
//                          median. Deployments whose commit is unknown are left out and counted.
//   change failure rate    share of deployments that were followed, before the next deployment of the same endpoint, by
//                          a rollback or by an alert of severity page.
//   time to restore        of a failed deployment: from the first page, or from the switch where nobody was paged (it
//   was
//                          bad from then on), to the service being whole again: rollout.rolled_back, the next
//                          rollout.switched, or the page's alert.resolved, whichever is first; the median. Deployments
//                          that are not restored yet are counted apart.
struct Dora {
  std::string environment;
  TimePoint from;
  TimePoint to;
  std::int64_t deployments = 0;
  std::int64_t rollbacks = 0;
  double deployments_per_day = 0.0;
  std::optional<Duration> lead_time;  // median; none without deployments of known commits
  std::int64_t lead_time_known = 0;   // deployments that it rests on
  std::int64_t failed = 0;
  std::optional<double> change_failure_rate;  // 0 to 1; none without deployments
  std::optional<Duration> time_to_restore;    // median; none without a restored failure
  std::int64_t unrestored = 0;

  struct Deployment {
    TimePoint time;
    std::string endpoint;  // "flights@production"
    std::string model;
    std::string version;
    std::string commit;
    std::optional<Duration> lead_time;
    bool failed = false;
    std::optional<Duration> restored_after;
    std::int64_t event = 0;
  };
  std::vector<Deployment> list;  // oldest first
};

// Of deployments to `environment` with from <= time < to. Signs of failure are looked for until now.
Result<Dora> dora(store::Reader& reader, const Sources& sources, TimePoint from, TimePoint to,
                  std::string_view environment = "production");

std::string to_text(const Dora& dora);
json::object to_json(const Dora& dora);

}  // namespace weir::insight
