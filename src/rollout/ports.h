#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "rollout/state.h"
#include "types/event.h"
#include "types/identity.h"

// What the rollout controller needs of the rest of the server, so that its decisions are tested without it.
namespace weir::rollout {

// What a reference names now, and who made it so.
struct Observation {
  ModelVersion target;     // version 0: the model, alias or version does not exist (yet)
  std::string actor;       // who moved it last; "weir" if unknown
  std::string person;      // the person behind the actor: who pushed, for a job
  std::int64_t cause = 0;  // the event of that move; 0 if unknown
  bool may_enter = true;   // the actor holds the environment's approval, or the environment needs none
};

enum class Decision { kPending, kGranted, kRejected };

struct ApprovalView {
  Decision decision = Decision::kPending;
  std::string reviewer;
  std::string comment;
  std::int64_t event = 0;  // that decided it
};

// One step of a rollout, stored as a whole or not at all.
struct Change {
  Record record;                           // the row as it shall be
  bool remove = false;                     // or rather no row at all
  std::optional<types::EventDraft> event;  // its sequence becomes record.live_event when it is a switch or rollback

  struct Move {  // of the registry's alias or stage, so that wish and fact never part
    config::ModelReference reference;
    std::int64_t version = 0;
    types::Identity actor;
    std::int64_t cause = 0;
  };
  std::optional<Move> move;

  struct Approval {  // to be asked for; its id becomes record.wish.approval
    std::string summary;
    std::string requested_by;
    std::int64_t cause = 0;
  };
  std::optional<Approval> approval;
  std::int64_t expire_approval = 0;  // one that nobody needs any more
};

// The durable side. Functions block, on threads of a pool.
class Journal {
 public:
  virtual ~Journal() = default;
  virtual Result<std::vector<Record>> load() = 0;
  virtual Result<Observation> observe(const Target& target) = 0;
  virtual Result<ApprovalView> approval(std::int64_t id) = 0;
  // Gives the record as it was stored, with ids filled in.
  virtual Result<Record> commit(Change change) = 0;
};

// A version that is loaded, with what its smoke test showed.
struct Prepared {
  std::shared_ptr<serve::Backend> backend;
  json::object smoke;  // {"rows", "latency_ms"} for the event; empty without a test
};

// Brings versions into memory.
class Loader {
 public:
  using Done = std::move_only_function<void(Result<Prepared>)>;
  virtual ~Loader() = default;
  // Loads, and with `smoke` also tries the version out; `done` is called once, on any thread.
  virtual void prepare(ModelVersion version, const Target& target, bool smoke, Done done) = 0;
  // Tries out a version that is loaded already.
  virtual void try_out(ModelVersion version, std::shared_ptr<serve::Backend> backend, Done done) = 0;
};

// The gateway's table, as far as rollouts change it (serve::Gateway).
class Routes {
 public:
  virtual ~Routes() = default;
  virtual void configure(const serve::EndpointSettings& settings) = 0;
  virtual void remove(const std::string& endpoint, const std::string& environment) = 0;
  virtual void switch_to(const std::string& endpoint, const std::string& environment, serve::Deployment live,
                         std::optional<serve::Deployment> warm) = 0;
  virtual void set_ready(bool ready) = 0;
};

}  // namespace weir::rollout
