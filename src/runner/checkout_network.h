#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "runner/action.h"
#include "runner/checkout.h"

// What actions/checkout does with git and other places than the run's own repository.
namespace weir::runner {

// Whether `repository` ("owner/name") is another one than the run's.
bool is_other_repository(const ActionRequest& request);

// What the input `sparse-checkout` says.
Result<SparseCheckout> sparse_of(const ActionRequest& request);

// Fills `folder`, which is empty, with the repository that the inputs name, at their `ref` (else its own branch):
// OWNER/NAME of the server's owner from the server, others from where actions come from. Stops when the step does.
Result<CheckoutTarget> check_out_other(const ActionRequest& request, const std::filesystem::path& folder);

// Brings the submodules of the checkout in `folder`; nothing where there are none.
Result<void> update_submodules(const ActionRequest& request, const std::filesystem::path& folder, bool recursive);

// Variables that let git in where the inputs' `token`, and the job's own, do.
std::map<std::string, std::string> checkout_credentials(const ActionRequest& request);

}  // namespace weir::runner
