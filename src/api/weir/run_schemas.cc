#include "api/weir/openapi.h"

namespace weir::api {
namespace {

// As in schemas.cc.
constexpr std::string_view kRuns = R"json({
"Conclusion": {"type": ["string", "null"], "enum": ["success", "failure", "cancelled", "skipped", "timed_out", null],
  "description": "null until it is completed; timed_out only of jobs that ran over timeout-minutes, which workflows and runs know as cancelled"},
"Run": {"type": "object",
  "required": ["id", "number", "attempt", "workflow", "path", "repo", "event", "ref", "commit", "title", "actor", "state",
    "conclusion", "created_at", "started_at", "completed_at", "reason", "problem"],
  "properties": {
    "id": {"type": "integer", "minimum": 1, "description": "of this server; github.run_id"},
    "number": {"type": "integer", "description": "of its workflow; github.run_number"},
    "attempt": {"type": "integer", "minimum": 1},
    "workflow": {"type": "string", "description": "its name"},
    "path": {"type": "string", "description": "its file"},
    "repo": {"type": "string"},
    "event": {"type": "string", "description": "push, schedule or workflow_dispatch"},
    "ref": {"type": "string"},
    "commit": {"type": "string"},
    "head_sha": {"type": "string", "description": "the commit that a pull request offers, of whose merge this is a run; else the commit"},
    "title": {"type": "string"},
    "actor": {"type": "string"},
    "state": {"type": "string", "enum": ["queued", "waiting", "in_progress", "completed"]},
    "conclusion": {"$ref": "#/components/schemas/Conclusion"},
    "created_at": {"$ref": "#/components/schemas/Time"},
    "started_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "completed_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "reason": {"type": "string", "description": "why it started"},
    "problem": {"type": "string", "description": "why it could not be made or go on; empty if nothing is wrong"},
    "jobs": {"type": "array", "items": {"$ref": "#/components/schemas/Job"}, "description": "when one run is asked for"},
    "artifacts": {"type": "array", "items": {"$ref": "#/components/schemas/Artifact"},
      "description": "when one run is asked for"}},
  "examples": [{"id": 7, "number": 3, "attempt": 1, "workflow": "ML Pipeline", "path": ".github/workflows/ml-pipeline.yml",
    "repo": "flights", "event": "push", "ref": "refs/heads/main", "commit": "1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d",
    "head_sha": "1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d1a2b3c4d", "title": "Train on March too", "actor": "carol", "state": "in_progress", "conclusion": null,
    "created_at": "2026-01-01T00:00:00.000000Z", "started_at": "2026-01-01T00:00:00.120000Z", "completed_at": null,
    "reason": "push to main by carol", "problem": ""}]},
"RunList": {"type": "object", "properties": {
    "runs": {"type": "array", "items": {"$ref": "#/components/schemas/Run"}}}},
"Step": {"type": "object", "properties": {
    "index": {"type": "integer"}, "name": {"type": "string"},
    "state": {"type": "string", "enum": ["queued", "in_progress", "completed"]},
    "conclusion": {"$ref": "#/components/schemas/Conclusion"},
    "started_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "completed_at": {"$ref": "#/components/schemas/TimeOrNull"}}},
"Job": {"type": "object", "properties": {
    "id": {"type": "integer", "minimum": 1}, "run": {"type": "integer", "minimum": 1}, "attempt": {"type": "integer"},
    "parent": {"$ref": "#/components/schemas/IdOrNull"},
    "calls": {"type": ["string", "null"], "description": "the workflow that it calls; its jobs have it as their parent"},
    "key": {"type": "string", "description": "its key in the workflow file, after that of the call: deploy/build"},
    "name": {"type": "string"},
    "needs": {"$ref": "#/components/schemas/Texts"},
    "state": {"type": "string", "enum": ["pending", "waiting", "queued", "in_progress", "completed"]},
    "conclusion": {"$ref": "#/components/schemas/Conclusion"},
    "created_at": {"$ref": "#/components/schemas/Time"},
    "started_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "completed_at": {"$ref": "#/components/schemas/TimeOrNull"},
    "environment": {"$ref": "#/components/schemas/TextOrNull"},
    "environment_url": {"$ref": "#/components/schemas/TextOrNull"},
    "deployment": {"type": "boolean", "description": "it deploys to its environment, and does not only use what it has"},
    "approval": {"$ref": "#/components/schemas/IdOrNull"},
    "origin": {"$ref": "#/components/schemas/IdOrNull"},
    "reason": {"type": "string", "description": "why it ran or was reused, where somebody chose what to run"},
    "waiting_for": {"type": "string", "description": "why it does not run yet"},
    "error": {"type": "string", "description": "why it failed, when no step says it"},
    "matrix": {"type": ["object", "null"]},
    "outputs": {"type": "object", "additionalProperties": {"type": "string"}},
    "steps": {"type": "array", "items": {"$ref": "#/components/schemas/Step"}},
    "summary": {"type": "string", "description": "Markdown that its steps wrote; not to be trusted"},
    "annotations": {"type": "array", "items": {"type": "object", "additionalProperties": true, "required": ["message"],
      "properties": {"message": {"type": "string"}}}}}},
"JobReuse": {"type": "object", "properties": {
    "asked": {"type": "boolean", "description": "somebody chose what to run, so that an earlier result might stand for this job's"},
    "reused": {"type": "boolean", "description": "and one does"},
    "earlier": {"type": ["object", "null"], "description": "the job whose result it carries on, or the newest that it was compared with",
      "properties": {"job": {"type": "integer", "minimum": 1}, "run": {"type": "integer", "minimum": 1},
        "number": {"type": "integer", "description": "of the run, of its workflow"}}},
    "key": {"type": ["object", "null"], "description": "what went into its result; null until it has succeeded", "properties": {
      "commit": {"type": "string"},
      "definition": {"type": "string", "description": "digest of its steps, environment, outputs and defaults"},
      "values": {"type": "string", "description": "digest of inputs, vars and matrix"},
      "parts": {"$ref": "#/components/schemas/Texts", "description": "what the two are made of: steps, env.RATE, inputs.days"},
      "needs": {"type": "object", "additionalProperties": {"type": "string"},
        "description": "digest of what each needed job made"},
      "every_file": {"type": "boolean", "description": "what it read of the commit is not known, so that all of it counts"},
      "files": {"type": "array", "description": "files of the commit that it read, at most 1,000; empty if the commit is gone",
        "items": {"type": "object", "properties": {
          "path": {"type": "string"}, "object": {"type": "string", "description": "of git"}}}},
      "files_count": {"type": "integer"},
      "folders": {"$ref": "#/components/schemas/Texts", "description": "that it listed; empty is the commit's own"}}},
    "differences": {"type": "array", "description": "why it ran, at most 1,000", "items": {"type": "object", "properties": {
      "kind": {"type": "string", "enum": ["definition", "value", "need", "file"]},
      "name": {"type": "string", "description": "empty where it is not known which part"},
      "change": {"type": "string", "enum": ["changed", "new", "gone"]}}}},
    "differences_count": {"type": "integer"}},
  "examples": [{"asked": true, "reused": false, "earlier": {"job": 3, "run": 1, "number": 1}, "key": null,
    "differences": [{"kind": "file", "name": "data/june.csv", "change": "new"}], "differences_count": 1}]},
"LogLine": {"type": "object", "properties": {
    "at": {"type": "integer", "description": "the byte that it begins at"},
    "step": {"type": "integer", "description": "-1: the job's own set-up"},
    "time": {"$ref": "#/components/schemas/Time"},
    "stream": {"type": "string", "enum": ["o", "c", "e"],
      "description": "output, a command or group marker, an error of the runner's"},
    "text": {"type": "string", "description": "without its newline; secrets are masked"}}},
"Log": {"type": "object", "properties": {
    "lines": {"type": "array", "items": {"$ref": "#/components/schemas/LogLine"}},
    "start": {"type": "integer", "description": "the byte that its first line begins at; give it as `before`"},
    "next": {"type": "integer", "description": "give it as `after`"},
    "size": {"type": "integer", "description": "bytes of the whole log, so far"},
    "done": {"type": "boolean", "description": "nothing will follow"}},
  "examples": [{"lines": [{"at": 0, "step": 0, "time": "2026-01-01T00:00:01.000000Z", "stream": "o", "text": "AUC 0.71"}],
    "start": 0, "next": 34, "size": 34, "done": false}]},
"LogFound": {"type": "object", "properties": {
    "lines": {"type": "array", "items": {"$ref": "#/components/schemas/LogLine"}},
    "next": {"type": "integer", "description": "give it as `after`"},
    "size": {"type": "integer", "description": "bytes of the whole log, so far"},
    "done": {"type": "boolean", "description": "nothing will follow"}}},
"CancelRequest": {"type": "object", "required": [], "properties": {
    "reason": {"type": "string", "description": "shown with the run"},
    "force": {"type": "boolean", "description": "kill what still runs, always() steps too"}},
  "examples": [{"reason": "wrong data"}]},
"RerunRequest": {"type": "object", "required": [], "properties": {
    "failed_only": {"type": "boolean", "description": "only jobs that did not succeed, and what depends on them"},
    "ref": {"type": "string", "description": "branch, tag or commit: makes a new run of it"}},
  "examples": [{"failed_only": true}]},
"DispatchRequest": {"type": "object", "required": ["workflow"], "properties": {
    "workflow": {"type": "string", "description": "its file"},
    "ref": {"type": "string", "description": "branch or tag; the default branch unless given"},
    "inputs": {"type": "object"}},
  "examples": [{"workflow": "ml-pipeline.yml", "ref": "main", "inputs": {"data_until": "2013-09-30"}}]},
"Dispatched": {"type": "object", "properties": {"run_id": {"type": "integer", "minimum": 1}}, "examples": [{"run_id": 8}]},
"LiveUpdate": {"type": "object", "required": ["kind", "run"], "properties": {
    "kind": {"type": "string", "enum": ["run", "job", "progress"]},
    "run": {"type": "integer"}, "job": {"type": "integer"}, "state": {"type": "string"},
    "conclusion": {"$ref": "#/components/schemas/Conclusion"},
    "steps": {"type": "array", "items": {"$ref": "#/components/schemas/Step"}},
    "log_size_bytes": {"type": "integer"}},
  "examples": [{"kind": "job", "run": 7, "job": 19, "state": "completed", "conclusion": "success"}]}
})json";

}  // namespace

std::string_view run_schemas() {
  return kRuns;
}

}  // namespace weir::api
