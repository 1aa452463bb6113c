// A torn or damaged journal and log give whole records only, the same ones when read on from where the last read ended.
#include <cstdint>
#include <cstdlib>

#include "types/job_spec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::size_t consumed = 0;
  (void)weir::types::read_journal(text, consumed);
  if (consumed > size || (consumed > 0 && text[consumed - 1] != '\n')) std::abort();

  const auto whole = weir::types::read_log(text, consumed);
  if (consumed > size || (consumed > 0 && text[consumed - 1] != '\n')) std::abort();
  const std::size_t cut = size > 0 ? data[0] % size : 0;
  std::size_t first = 0;
  auto lines = weir::types::read_log(text.substr(0, cut), first);
  std::size_t second = 0;
  auto rest = weir::types::read_log(text.substr(first), second);
  if (first + second != consumed || lines.size() + rest.size() != whole.size()) std::abort();
  return 0;
}
