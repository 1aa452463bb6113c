#pragma once

#include <string>

#include "app/cli/api_client.h"
#include "base/json.h"

namespace weir::app {

// Prints jobs' logs as they come. One thread.
class LogView {
 public:
  struct Options {
    bool json = false;    // one JSON object a line
    bool prefix = false;  // each line begins with the job's name
  };
  LogView(ApiClient& client, Options options) : client_(client), options_(options) {}

  // Prints what the job's log holds; with `follow` until the job has ended. `job` as the API gives it.
  Result<void> print(const json::value& job, bool follow);

  // Prints what came since `after` and moves it on; true once the job has ended and all was printed.
  Result<bool> print_more(const json::value& job, std::int64_t& after);

 private:
  void print_log_line(const std::string& name, const json::value& line);
  ApiClient& client_;
  Options options_;
};

}  // namespace weir::app
