#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "access/access.h"
#include "access/config_store.h"
#include "engine/engine.h"

namespace weir::app {

// What the engine's needs are bound to.
struct EngineBinding {
  store::Database& db;
  Loop& loop;
  const Clock& clock;
  Log& log;
  engine::Executor& executor;
  access::Access& access;
  access::ConfigStore& config;
  std::filesystem::path state;
  int slots = 0;  // 0: one for each processor
  bool strict = false;
  std::string actions_url;
  std::map<std::string, std::string> extra_secrets;
  std::function<Result<io::Git>(const std::string& repo)> git;
  std::function<std::string()> server_url;
  decltype(engine::EngineDeps::remote_git) remote_git;
  std::function<json::object(const engine::StartingJob& job)> action_variables;
};

engine::EngineDeps engine_deps(const EngineBinding& binding);

}  // namespace weir::app
