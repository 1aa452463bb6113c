#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/json.h"
#include "types/identity.h"

namespace weir::serve {

// The truth about one prediction, learnt later.
struct Feedback {
  std::string endpoint;             // "flights"
  std::string environment;          // "production"
  std::string request_id;           // of the answered request; "" when `key` names the row
  std::optional<std::int64_t> row;  // which row of that request; none: a request of one row, or `label` lists them
  std::string key;                  // value of the endpoint's key column, numbers as written; "" = by request id
  json::value label;                // number, text, boolean or, with `request_id`, a list with one for each row
  std::optional<TimePoint> time;    // when the truth became known, if the client says so
};

// Takes feedback in. Any thread; may block: it has stored what it returned success for.
class FeedbackSink {
 public:
  virtual ~FeedbackSink() = default;
  virtual Result<void> feedback(std::vector<Feedback> feedback, const types::Identity& actor) = 0;
};

}  // namespace weir::serve
