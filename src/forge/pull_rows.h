#pragma once

#include "forge/pulls.h"

// Rows of pull requests and their reviews: reading and writing, nothing else.
namespace weir::forge {

Result<Pull> load_pull(store::Reader& reader, const std::string& repo, std::int64_t number);
Result<std::vector<Pull>> list_pulls(store::Reader& reader, const std::string& repo, const IssueFilter& filter);
Result<std::vector<Pull>> open_pulls(store::Reader& reader, const std::string& repo);
Result<void> insert_pull(store::Transaction& tx, const Pull& pull);  // its issue is there
Result<void> update_pull(store::Transaction& tx, const Pull& pull);

Result<std::vector<Review>> load_reviews(store::Reader& reader, const std::string& repo, std::int64_t number);
Result<std::vector<UnderReview>> load_under_review(store::Reader& reader, const std::string& repo);
Result<Review> load_review(store::Reader& reader, const std::string& repo, std::int64_t number, std::int64_t id);
Result<void> update_review(store::Transaction& tx, const Review& review);
Result<void> insert_review(store::Transaction& tx, const std::string& repo, std::int64_t number, const Review& review);

// "pull/flights/7", as the event log has it.
std::string subject_of(const Pull& pull);

}  // namespace weir::forge
