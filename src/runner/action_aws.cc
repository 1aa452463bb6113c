// aws-actions/configure-aws-credentials: the environment that AWS's own clients read, from the step's inputs.
#include "base/json.h"
#include "io/process.h"
#include "runner/action.h"

namespace weir::runner {
namespace {

constexpr auto kAskLimit = std::chrono::minutes{2};

struct Credentials {
  std::string key_id;
  std::string secret;
  std::string session;
};

void hand_over(const ActionRequest& request, const Credentials& credentials, ActionResult& result) {
  result.masks = {credentials.key_id, credentials.secret};
  if (!credentials.session.empty()) result.masks.push_back(credentials.session);
  result.env["AWS_ACCESS_KEY_ID"] = credentials.key_id;
  result.env["AWS_SECRET_ACCESS_KEY"] = credentials.secret;
  // One of an earlier step would not go with these keys.
  if (!credentials.session.empty() || request.env.contains("AWS_SESSION_TOKEN")) {
    result.env["AWS_SESSION_TOKEN"] = credentials.session;
  }
  if (request.input("output-credentials") == "true") {
    result.outputs.emplace_back("aws-access-key-id", credentials.key_id);
    result.outputs.emplace_back("aws-secret-access-key", credentials.secret);
    result.outputs.emplace_back("aws-session-token", credentials.session);
  }
}

// A role is assumed by AWS's own command line client, where there is one.
Result<Credentials> assume_role(const ActionRequest& request, const Credentials& own, const std::string& region) {
  const std::string role = request.input("role-to-assume");
  std::vector<std::string> argv{"aws",
                                "sts",
                                "assume-role",
                                "--output",
                                "json",
                                "--role-arn",
                                role,
                                "--role-session-name",
                                request.input_or("role-session-name", "GitHubActions"),
                                "--duration-seconds",
                                request.input_or("role-duration-seconds", "3600")};
  if (const auto id = request.input("role-external-id"); !id.empty()) argv.insert(argv.end(), {"--external-id", id});
  if (const auto file = request.input("web-identity-token-file"); !file.empty()) {
    return fail(Code::kUnimplemented,
                "aws-actions/configure-aws-credentials: `web-identity-token-file` is not built in: set "
                "AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN as `env`, which AWS's clients read themselves");
  }
  io::ProcessOptions options;
  options.argv = std::move(argv);
  options.env = request.env;
  (*options.env)["AWS_REGION"] = region;
  if (!own.key_id.empty()) {
    (*options.env)["AWS_ACCESS_KEY_ID"] = own.key_id;
    (*options.env)["AWS_SECRET_ACCESS_KEY"] = own.secret;
    if (!own.session.empty()) (*options.env)["AWS_SESSION_TOKEN"] = own.session;
  }
  if (!options.env->contains("AWS_ACCESS_KEY_ID")) {
    return fail(
        Code::kUnimplemented,
        "aws-actions/configure-aws-credentials: `role-to-assume` with the job's own identity (OpenID Connect) is "
        "not built in: give aws-access-key-id and aws-secret-access-key beside it");
  }
  auto done = io::run_process(std::move(options), {}, kAskLimit);
  if (!done && done.error().code == Code::kNotFound) {
    return fail(
        Code::kUnimplemented,
        "aws-actions/configure-aws-credentials: `role-to-assume` needs AWS's command line client, `aws`, which is "
        "not on PATH: install it (pip install awscli), or give the keys of an account that has the rights itself");
  }
  if (!done) return std::unexpected(done.error());
  if (done->status.code != 0) {
    return fail(Code::kFailedPrecondition, "Could not assume role {}: {}", role, done->err);
  }
  const auto answer = WEIR_TRY(parse_json(done->out, "the answer of `aws sts assume-role`"));
  const auto* found = json_find(answer, "Credentials");
  if (found == nullptr) return fail(Code::kFailedPrecondition, "`aws sts assume-role` gave no credentials");
  return Credentials{.key_id = json_string_or(*found, "AccessKeyId", ""),
                     .secret = json_string_or(*found, "SecretAccessKey", ""),
                     .session = json_string_or(*found, "SessionToken", "")};
}

Result<void> refuse_unbuilt(const ActionRequest& request) {
  for (const char* key : {"aws-profile", "inline-session-policy", "managed-session-policies", "transitive-tag-keys",
                          "allowed-account-ids"}) {
    if (request.input(key).empty()) continue;
    return fail(Code::kUnimplemented, "aws-actions/configure-aws-credentials: `{}` is not built in", key);
  }
  return {};
}

Result<ActionResult> configure(const ActionRequest& request) {
  WEIR_TRY(refuse_unbuilt(request));
  const std::string region = WEIR_TRY(request.required("aws-region"));
  ActionResult result;
  result.env["AWS_REGION"] = region;
  result.env["AWS_DEFAULT_REGION"] = region;
  Credentials credentials{.key_id = request.input("aws-access-key-id"),
                          .secret = request.input("aws-secret-access-key"),
                          .session = request.input("aws-session-token")};
  if (!credentials.key_id.empty() && credentials.secret.empty()) {
    return fail(Code::kInvalidArgument, "'aws-secret-access-key' must be provided if 'aws-access-key-id' is provided");
  }
  if (!request.input("role-to-assume").empty()) {
    credentials = WEIR_TRY(assume_role(request, credentials, region));
  } else if (credentials.key_id.empty()) {
    if (!request.env.contains("AWS_ACCESS_KEY_ID")) {
      return fail(Code::kInvalidArgument,
                  "Could not load credentials: give aws-access-key-id and aws-secret-access-key, from secrets");
    }
    request.reporter->line(fmt::format("Region {}; the credentials of the environment stay", region));
    return result;
  }
  hand_over(request, credentials, result);
  request.reporter->line(fmt::format("Region {}; credentials are set for the steps that follow", region));
  return result;
}

}  // namespace

BuiltinAction aws_credentials_action() {
  return {"aws-actions/configure-aws-credentials",
          {"aws-region",
           "aws-profile",
           "overwrite-aws-profile",
           "role-to-assume",
           "aws-access-key-id",
           "aws-secret-access-key",
           "aws-session-token",
           "web-identity-token-file",
           "role-chaining",
           "audience",
           "http-proxy",
           "no-proxy",
           "mask-aws-account-id",
           "role-duration-seconds",
           "role-external-id",
           "role-session-name",
           "role-skip-session-tagging",
           "transitive-tag-keys",
           "inline-session-policy",
           "managed-session-policies",
           "output-credentials",
           "output-env-credentials",
           "unset-current-credentials",
           "disable-retry",
           "retry-max-attempts",
           "special-characters-workaround",
           "use-existing-credentials",
           "allowed-account-ids",
           "force-skip-oidc",
           "action-timeout-s"},
          configure};
}

}  // namespace weir::runner
