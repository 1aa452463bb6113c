// Metadata of actions, and what `uses:` says: any text gives an action or problems that can be shown; a reference that
// is taken leads nowhere but below its folder.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "runner/uses.h"
#include "workflow/action_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (size > 20'000) return 0;
  const auto parsed = weir::workflow::parse_action(text, "action.yml");
  if (!parsed.action && parsed.diagnostics.empty()) std::abort();
  (void)weir::text::render_all(parsed.diagnostics, text);

  const auto uses = weir::runner::parse_uses(text.substr(0, 300));
  if (!uses || uses->kind != weir::runner::UsesKind::kRepository) return 0;
  const std::string below = "/" + uses->repository + "/" + uses->path + "/";
  if (below.find("/../") != std::string::npos || below.find("/./") != std::string::npos) std::abort();
  if (uses->ref.empty() || uses->ref.front() == '-' || uses->ref.find("..") != std::string::npos) std::abort();
  return 0;
}
