#include "io/git_objects.h"
#include "require.h"

// Trees and commits of a repository that somebody pushed. A tree that is accepted was read to its last byte.
extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  for (const std::size_t id_bytes : {20U, 32U}) {
    const auto items = weir::io::parse_git_tree(input, id_bytes);
    if (!items) continue;
    std::size_t read = 0;
    for (const auto& item : *items) {
      require(item.mode.size() == 6 && item.object.size() == 2 * id_bytes);
      require(!item.name.empty() && item.name.find('\0') == std::string::npos);
      read = input.find('\0', read) + 1 + id_bytes;
    }
    require(read == size);
  }
  const auto commit =
      weir::io::parse_git_commit({.id = std::string(40, '1'), .type = "commit", .bytes = std::string(input)});
  if (commit) require(commit->message.size() <= size && commit->author_name.size() <= size);
  return 0;
}
