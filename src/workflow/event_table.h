#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace weir::workflow {

// What `on:` may name, as GitHub's schema has it. Lists are words with a space between them.
struct EventInfo {
  std::string_view name;
  std::string_view types;          // activities; "": the event has none
  std::string_view default_types;  // that start a workflow which gives no `types`; "": all
  std::string_view filters;        // further keys: "branches" (and branches-ignore), "tags", "paths", "workflows", …
  bool any_type = false;           // `types` are the sender's own words
  bool own_form = false;           // schedule, workflow_call, workflow_dispatch: read in a way of their own
  std::string_view raised;         // activities that happen in weir; "*": all, or the event, if it has none
  bool by_webhook = true;          // a webhook of GitHub's brings it for a repository that weir follows
  bool saves_caches = false;       // its runs on the default branch may save caches without a `cache-mode`
};

// Whether `activity` of it ("" for one without) can happen in weir itself.
bool is_raised(const EventInfo& event, std::string_view activity);

// Every event, by name.
std::span<const EventInfo> event_table();
const EventInfo* find_event(std::string_view name);  // null for an unknown one

// The words of a list of the table.
std::vector<std::string_view> event_words(std::string_view list);

}  // namespace weir::workflow
