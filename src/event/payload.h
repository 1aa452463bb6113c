#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "io/git.h"

// Event payloads (github.event) in the shape that GitHub's webhooks have, as far as weir knows the facts.
// https://docs.github.com/en/webhooks/webhook-events-and-payloads
namespace weir::event {

// "flights" -> "weir/flights" for the owner "weir"; a name with an owner stays.
std::string full_repository_name(std::string_view repo, std::string_view default_owner);

struct PayloadFacts {
  std::string repository;      // "owner/name"
  std::string default_branch;  // "main"
  std::string server_url;
  std::string sender;  // identity name
};

inline constexpr std::string_view kNoObject = "0000000000000000000000000000000000000000";

bool is_no_object(std::string_view object_id);

// The number by which clients tell people and repositories apart; names are what is unique here.
std::int64_t number_of_name(std::string_view name);

json::object user_payload(std::string_view name);
json::object repository_payload(const PayloadFacts& facts);
// Adds the repositories of the two branches, and whose they are, to github.event.pull_request, which conditions compare
// with github.repository; a head with {"repo": {"fork": true}} gets one of its author's.
void add_pull_repositories(json::object& pull, const PayloadFacts& facts);
// Gives the pull request, the issue and the comment of a payload their addresses where they have none: html_url in the
// dashboard, url and the others in the REST API, node_id for GraphQL.
void add_addresses(json::object& payload, const PayloadFacts& facts);
json::object commit_payload(const io::GitCommit& commit, const PayloadFacts& facts);

// `commits`: what the push brought, newest first; the first is the head.
json::object push_payload(const PayloadFacts& facts, std::string_view ref, std::string_view before,
                          std::string_view after, const std::vector<io::GitCommit>& commits);
json::object dispatch_payload(const PayloadFacts& facts, std::string_view ref, std::string_view workflow_path,
                              const json::object& inputs);
json::object schedule_payload(const PayloadFacts& facts, std::string_view workflow_path, std::string_view cron);
// Of repository_dispatch, without what every payload has.
json::object repository_dispatch_payload(std::string_view type, std::string_view branch, json::value client_payload);

// Members of `over` replace those of `base`; objects are merged at every depth.
void merge_into(json::object& base, const json::object& over);

// Whether the head commit asks for no runs: [skip ci], [ci skip], [no ci], [skip actions], [actions skip].
bool skips_runs(std::string_view message);

}  // namespace weir::event
