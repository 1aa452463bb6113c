#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "event/triggers.h"

// The framing that git's protocol puts around everything: four hex digits of length, then the bytes
// (gitprotocol-common, gitprotocol-pack). Pure.
namespace weir::api {

// "000ahello\n" for "hello\n"; at most 65516 bytes.
std::string pkt_line(std::string_view payload);
inline constexpr std::string_view kFlushPacket = "0000";

// The commands at the head of a push, as `git receive-pack` reads them too.
struct PushCommands {
  std::vector<event::RefUpdate> updates;
  bool report_status = false;  // the client wants to hear of each ref
  bool side_band = false;      // in band 1 of a stream of bands
  std::size_t size_bytes = 0;  // of the commands with their flush packet; the pack follows
};

// Nothing if `head` ends before the commands do. kInvalidArgument for whatever git might read in another way than we
// do: the decision what a push may touch rests on this. kUnimplemented for signed pushes.
Result<std::optional<PushCommands>> parse_push_commands(std::string_view head);

// The refs that an answer of `git receive-pack` reports as moved; nothing if it holds no report.
std::optional<std::vector<std::string>> parse_push_report(std::string_view answer, bool side_band);

// An answer that refuses the whole push: each ref with `reason` (a few words), the `message` for people, and, if not
// empty, why its objects were not taken either.
std::string refuse_push(const PushCommands& commands, std::string_view reason, std::string_view message,
                        std::string_view unpack_error = {});

// An answer of `git receive-pack` with a remark for people before it; unchanged if the client takes none.
std::string with_remark(const PushCommands& commands, std::string_view remark, std::string answer);

}  // namespace weir::api
