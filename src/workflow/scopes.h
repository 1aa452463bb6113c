#pragma once

#include <array>
#include <string_view>

#include "workflow/expression.h"

// Which contexts may be used where, as GitHub lists them:
// https://docs.github.com/en/actions/reference/workflows-and-actions/contexts#context-availability
namespace weir::workflow::scopes {

inline constexpr std::array<std::string_view, 3> kRunContexts{"github", "inputs", "vars"};
inline constexpr std::array<std::string_view, 4> kRunSecretContexts{"github", "inputs", "vars", "secrets"};
inline constexpr std::array<std::string_view, 4> kNeedsContexts{"github", "inputs", "vars", "needs"};
inline constexpr std::array<std::string_view, 6> kLegContexts{"github", "inputs",   "vars",
                                                              "needs",  "strategy", "matrix"};
inline constexpr std::array<std::string_view, 7> kLegEnvContexts{"github",   "inputs", "vars", "needs",
                                                                 "strategy", "matrix", "env"};
inline constexpr std::array<std::string_view, 7> kLegSecretContexts{"github",   "inputs", "vars",   "needs",
                                                                    "strategy", "matrix", "secrets"};
inline constexpr std::array<std::string_view, 10> kStepIfContexts{"github", "inputs", "vars", "needs",  "strategy",
                                                                  "matrix", "steps",  "job",  "runner", "env"};
inline constexpr std::array<std::string_view, 11> kStepContexts{
    "github", "inputs", "vars", "needs", "strategy", "matrix", "steps", "job", "runner", "env", "secrets"};

inline constexpr std::array<std::string_view, 4> kOutputContexts{"github", "inputs", "vars", "jobs"};
// What stands below `container` and `services` may use these; what lies deeper adds to it, as GitHub's schema says.
inline constexpr std::array<std::string_view, 8> kCredentialContexts{"github",   "inputs", "vars",    "needs",
                                                                     "strategy", "matrix", "secrets", "env"};

inline constexpr Scope kRunName{.place = "run-name", .contexts = kRunContexts};
inline constexpr Scope kWorkflowConcurrency{.place = "the workflow's concurrency", .contexts = kRunContexts};
inline constexpr Scope kWorkflowEnv{.place = "the workflow's env", .contexts = kRunSecretContexts};

inline constexpr Scope kCallInput{.place = "the default of an input of workflow_call", .contexts = kRunContexts};
inline constexpr Scope kCallOutput{.place = "an output of workflow_call", .contexts = kOutputContexts};

inline constexpr Scope kJobIf{
    .place = "a job's if", .contexts = kNeedsContexts, .status_functions = true, .status_arguments = true};
inline constexpr Scope kStrategy{.place = "strategy", .contexts = kNeedsContexts};
inline constexpr Scope kJobName{.place = "a job's name", .contexts = kLegContexts};
inline constexpr Scope kRunsOn{.place = "runs-on", .contexts = kLegContexts};
inline constexpr Scope kJobEnv{.place = "a job's env", .contexts = kLegSecretContexts};
inline constexpr Scope kJobConcurrency{.place = "a job's concurrency", .contexts = kLegContexts};
inline constexpr Scope kEnvironment{.place = "environment", .contexts = kLegContexts};
inline constexpr Scope kEnvironmentUrl{.place = "an environment's url", .contexts = kStepIfContexts};
inline constexpr Scope kJobDefaults{.place = "a job's defaults", .contexts = kLegEnvContexts};
inline constexpr Scope kJobTimeout{.place = "a job's timeout-minutes", .contexts = kLegContexts};
inline constexpr Scope kJobContinue{.place = "a job's continue-on-error", .contexts = kLegContexts};
inline constexpr Scope kOutputs{.place = "a job's outputs", .contexts = kStepContexts};

inline constexpr Scope kCallWith{.place = "with of a job", .contexts = kLegContexts};
inline constexpr Scope kCallSecrets{.place = "secrets of a job", .contexts = kLegSecretContexts};
inline constexpr Scope kContainer{.place = "a container", .contexts = kLegContexts};
inline constexpr Scope kContainerEnv{.place = "a container's env", .contexts = kStepContexts};
inline constexpr Scope kContainerCredentials{.place = "a container's credentials", .contexts = kCredentialContexts};
inline constexpr Scope kSnapshotIf{.place = "if of snapshot", .contexts = kLegContexts};

inline constexpr Scope kStepIf{
    .place = "a step's if", .contexts = kStepIfContexts, .status_functions = true, .hash_files = true};
inline constexpr Scope kStep{.place = "a step", .contexts = kStepContexts, .hash_files = true};

}  // namespace weir::workflow::scopes
