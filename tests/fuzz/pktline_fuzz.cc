#include <cstring>

#include "api/git/pkt_line.h"
#include "require.h"

// What decides whether a push may touch a branch must see exactly the commands that git will carry out. So whatever is
// accepted is read once more as loosely as git does (builtin/receive-pack reads a line up to its NUL, after two ids and
// two spaces), and both readings must agree.
namespace {

std::vector<std::string> as_git_reads(std::string_view head) {
  std::vector<std::string> refs;
  while (true) {
    const std::size_t length = std::stoul(std::string{head.substr(0, 4)}, nullptr, 16);
    if (length < 4) return refs;
    std::string line{head.substr(4, length - 4)};
    if (line.ends_with('\n')) line.pop_back();
    head.remove_prefix(length);
    if (line.size() > 8 && line.starts_with("shallow ")) continue;
    refs.emplace_back(std::string{line.c_str()}.substr(82));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view input{reinterpret_cast<const char*>(data), size};
  const auto parsed = weir::api::parse_push_commands(input);
  if (parsed && *parsed) {
    const auto& commands = **parsed;
    require(commands.size_bytes <= size);
    const auto refs = as_git_reads(input.substr(0, commands.size_bytes));
    require(refs.size() == commands.updates.size());
    for (std::size_t i = 0; i < refs.size(); ++i) require(refs[i] == commands.updates[i].ref);
    const auto refusal = weir::api::refuse_push(commands, "no", "no");
    const auto moved = weir::api::parse_push_report(refusal, commands.side_band);
    require(moved && moved->empty());
  }
  weir::api::parse_push_report(input, true);
  weir::api::parse_push_report(input, false);
  return 0;
}
