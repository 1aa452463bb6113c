#include "api/actions/uploads.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <condition_variable>
#include <utility>

#include "base/hash.h"
#include "io/descriptor.h"
#include "io/file.h"

namespace weir::api::actions {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPieceBytes = 1U << 20;
constexpr const char* kOrdered = "ordered";   // the file of an upload whose blocks came in another order
constexpr std::string_view kWhole = "whole";  // no block's name: those from outside begin with '=' here

json::object to_json(const UploadPurpose& purpose) {
  json::value expires_at;
  if (purpose.expires_at) expires_at = to_micros(*purpose.expires_at);
  return {{"kind", purpose.kind}, {"run", purpose.run},         {"job", purpose.job},
          {"name", purpose.name}, {"version", purpose.version}, {"repository", purpose.repository},
          {"ref", purpose.ref},   {"format", purpose.format},   {"expires_at", std::move(expires_at)}};
}

UploadPurpose purpose_from_json(const json::value& value) {
  UploadPurpose purpose{.kind = json_string_or(value, "kind", ""),
                        .run = json_int(value, "run").value_or(0),
                        .job = json_int(value, "job").value_or(0),
                        .name = json_string_or(value, "name", ""),
                        .version = json_string_or(value, "version", ""),
                        .repository = json_string_or(value, "repository", ""),
                        .ref = json_string_or(value, "ref", ""),
                        .format = json_string_or(value, "format", ""),
                        .expires_at = {}};
  if (const auto micros = json_int(value, "expires_at")) purpose.expires_at = from_micros(*micros);
  return purpose;
}

Result<void> write_file(const fs::path& path, std::string_view text, int flags) {
  const io::Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600));
  if (!file) return fail_errno(errno, fmt::format("cannot make {}", path.string()));
  return io::write_all(file.get(), text, path.string());
}

Result<void> write_at(int fd, std::string_view bytes, std::int64_t offset) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd, bytes.data(), bytes.size(), offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail_errno(errno, "cannot keep the upload");
    bytes.remove_prefix(static_cast<std::size_t>(written));
    offset += written;
  }
  return {};
}

Result<void> read_at(int fd, char* buffer, std::size_t size, std::int64_t offset) {
  while (size > 0) {
    const ssize_t got = ::pread(fd, buffer, size, offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "cannot read the upload");
    if (got == 0) return fail(Code::kCorrupt, "the upload's file is shorter than it should be");
    buffer += got;
    size -= static_cast<std::size_t>(got);
    offset += got;
  }
  return {};
}

}  // namespace

struct Uploads::Upload {
  struct Block {
    std::int64_t offset = 0;
    std::int64_t size_bytes = 0;
  };

  fs::path folder;
  UploadPurpose purpose;
  io::Descriptor file;

  std::mutex mutex;  // guards all below
  std::condition_variable changed;
  std::map<std::string, Block, std::less<>> blocks;
  std::map<std::int64_t, std::int64_t> written;  // whole blocks: offset to length
  std::int64_t end = 0;                          // of what was handed out
  int writers = 0;
  bool committing = false;
  bool hashing = false;
  std::int64_t hashed_bytes = 0;  // from the start
  Sha256 hash;
  std::optional<StagedUpload> staged;
  std::vector<std::string> order;  // of the staged

  Result<void> load();
  Result<Block> reserve(const Limits& limits, std::int64_t size_bytes);
  Result<void> receive(const Block& block, io::ByteSource& source) const;
  Result<void> record(std::string_view name, const Block& block);
  void give_back(const Block& block);
  Result<void> hash_on(bool for_commit, const std::stop_token& stop = {});
  Result<void> hash_to(std::int64_t total);
  Result<std::string> assemble(const std::vector<Block>& parts, const fs::path& path) const;
  Result<void> start_again();
  Result<void> commit(const std::vector<std::string>& names);
  Result<void> put_together(const std::vector<std::string>& names, const std::vector<Block>& parts);
};

// What an earlier process left.
Result<void> Uploads::Upload::load() {
  const auto info = WEIR_TRY(parse_json(WEIR_TRY(io::read_file(folder / "info.json")), "info.json"));
  purpose = purpose_from_json(info);
  file = io::Descriptor(::open((folder / "data").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file) return fail_errno(errno, fmt::format("cannot open the upload {}", folder.string()));
  const std::string text = io::read_file(folder / "blocks").value_or("");
  std::string_view rest = text;
  for (auto line_end = rest.find('\n'); line_end != std::string_view::npos; line_end = rest.find('\n')) {
    const std::string_view line = rest.substr(0, line_end);
    rest.remove_prefix(line_end + 1);
    Block block;
    const auto first = std::from_chars(line.data(), line.data() + line.size(), block.offset);
    if (first.ec != std::errc{} || first.ptr == line.data() + line.size()) continue;
    const auto second = std::from_chars(first.ptr + 1, line.data() + line.size(), block.size_bytes);
    if (second.ec != std::errc{} || second.ptr == line.data() + line.size()) continue;
    blocks[std::string(second.ptr + 1, line.data() + line.size())] = block;
    if (block.size_bytes > 0) written[block.offset] = block.size_bytes;
    end = std::max(end, block.offset + block.size_bytes);
  }
  if (const auto done = io::read_file(folder / "staged.json")) {
    const auto value = WEIR_TRY(parse_json(*done, "staged.json"));
    const bool copied = json_string_or(value, "file", "") == kOrdered;
    staged = StagedUpload{.file = folder / (copied ? kOrdered : "data"),
                          .sha256 = json_string_or(value, "sha256", ""),
                          .size_bytes = json_int(value, "size_bytes").value_or(0)};
    if (const auto* list = json_find(value, "order"); list != nullptr && list->is_array()) {
      for (const auto& name : list->get_array()) order.emplace_back(name.get_string());
    }
  }
  return {};
}

Result<Uploads::Upload::Block> Uploads::Upload::reserve(const Limits& limits, std::int64_t size_bytes) {
  const std::scoped_lock lock(mutex);
  if (staged || committing) return fail(Code::kFailedPrecondition, "the upload is complete; nothing can be added");
  if (size_bytes > limits.upload_bytes_max - end) {
    return fail(Code::kResourceExhausted, "the upload is larger than {} bytes", limits.upload_bytes_max);
  }
  if (blocks.size() >= limits.blocks_max) {
    return fail(Code::kResourceExhausted, "the upload has more than {} blocks", limits.blocks_max);
  }
  const Block block{.offset = end, .size_bytes = size_bytes};
  end += size_bytes;
  ++writers;
  return block;
}

Result<void> Uploads::Upload::receive(const Block& block, io::ByteSource& source) const {
  std::string buffer(std::min<std::size_t>(kPieceBytes, static_cast<std::size_t>(block.size_bytes) + 1), '\0');
  std::int64_t got_bytes = 0;
  for (;;) {
    // Up to a full buffer at a time: what comes over a connection comes in small pieces.
    std::size_t filled = 0;
    while (filled < buffer.size()) {
      const std::size_t got = WEIR_TRY(source.read(buffer.data() + filled, buffer.size() - filled));
      if (got == 0) break;
      filled += got;
    }
    if (filled == 0) break;
    if (got_bytes + static_cast<std::int64_t>(filled) > block.size_bytes) {
      return fail(Code::kInvalidArgument, "more bytes came than the {} that were announced", block.size_bytes);
    }
    WEIR_TRY(write_at(file.get(), std::string_view(buffer).substr(0, filled), block.offset + got_bytes));
    got_bytes += static_cast<std::int64_t>(filled);
  }
  if (got_bytes != block.size_bytes) {
    return fail(Code::kInvalidArgument, "{} bytes came, {} were announced", got_bytes, block.size_bytes);
  }
  // The disk begins now; the sync at the end finds little left to do.
  ::sync_file_range(file.get(), block.offset, block.size_bytes, SYNC_FILE_RANGE_WRITE);
  return {};
}

Result<void> Uploads::Upload::record(std::string_view name, const Block& block) {
  const std::scoped_lock lock(mutex);
  --writers;
  changed.notify_all();
  const fs::path list = folder / "blocks";
  std::error_code absent;
  const auto size_bytes = fs::file_size(list, absent);
  auto noted = write_file(list, fmt::format("{} {} {}\n", block.offset, block.size_bytes, name), O_APPEND);
  if (!noted) {
    // Part of a line would spoil the next one.
    [[maybe_unused]] const int cut = ::truncate(list.c_str(), absent ? 0 : static_cast<off_t>(size_bytes));
    if (block.offset + block.size_bytes == end) end = block.offset;
    return noted;
  }
  blocks[std::string(name)] = block;
  if (block.size_bytes > 0) written[block.offset] = block.size_bytes;
  return {};
}

void Uploads::Upload::give_back(const Block& block) {
  const std::scoped_lock lock(mutex);
  if (block.offset + block.size_bytes == end) end = block.offset;
  --writers;
  changed.notify_all();
}

// Hashes what lies whole behind what was hashed already, unless somebody does so. Whoever commits does it alone.
Result<void> Uploads::Upload::hash_on(bool for_commit, const std::stop_token& stop) {
  std::unique_lock lock(mutex);
  if (hashing || (!for_commit && (committing || staged))) return {};
  hashing = true;
  Result<void> result;
  std::string buffer;
  const auto ends = [&] { return stop.stop_requested() || (!for_commit && committing); };
  for (auto next = written.find(hashed_bytes); result && next != written.end() && next->second > 0 && !ends();
       next = written.find(hashed_bytes)) {
    const std::int64_t begin = next->first;
    const std::int64_t size = next->second;
    lock.unlock();
    buffer.resize(kPieceBytes);
    for (std::int64_t at = 0; result && at < size; at += static_cast<std::int64_t>(kPieceBytes)) {
      const auto piece = static_cast<std::size_t>(std::min<std::int64_t>(kPieceBytes, size - at));
      result = read_at(file.get(), buffer.data(), piece, begin + at);
      if (result) hash.update(std::string_view(buffer).substr(0, piece));
    }
    lock.lock();
    if (result) hashed_bytes += size;
  }
  hashing = false;
  changed.notify_all();
  return result;
}

Result<void> Uploads::Upload::hash_to(std::int64_t total) {
  for (;;) {
    WEIR_TRY(hash_on(true));
    const std::scoped_lock lock(mutex);
    if (hashed_bytes == total) return {};
    if (!written.contains(hashed_bytes)) return fail(Code::kInternal, "the upload's blocks do not fit together");
  }
}

// Copies the blocks in their order to another file; the first stays as it was. Gives its digest.
Result<std::string> Uploads::Upload::assemble(const std::vector<Block>& parts, const fs::path& path) const {
  const io::Descriptor target(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!target) return fail_errno(errno, fmt::format("cannot make {}", path.string()));
  Sha256 digest;
  std::string buffer(kPieceBytes, '\0');
  std::int64_t end_at = 0;
  for (const auto& part : parts) {
    for (std::int64_t at = 0; at < part.size_bytes; at += static_cast<std::int64_t>(kPieceBytes)) {
      const auto piece = static_cast<std::size_t>(std::min<std::int64_t>(kPieceBytes, part.size_bytes - at));
      WEIR_TRY(read_at(file.get(), buffer.data(), piece, part.offset + at));
      const std::string_view bytes = std::string_view(buffer).substr(0, piece);
      digest.update(bytes);
      WEIR_TRY(write_at(target.get(), bytes, end_at));
      end_at += static_cast<std::int64_t>(piece);
    }
  }
  return digest.finish_hex();
}

Result<void> Uploads::Upload::start_again() {
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return !hashing; });
  if (writers > 0 || committing) return fail(Code::kUnavailable, "another request writes to this upload");
  staged.reset();
  order.clear();
  blocks.clear();
  written.clear();
  end = hashed_bytes = 0;
  hash = Sha256();
  for (const char* name : {"staged.json", "blocks", kOrdered}) ::unlink((folder / name).c_str());
  if (::ftruncate(file.get(), 0) != 0) return fail_errno(errno, "cannot empty the upload");
  return {};
}

Result<void> Uploads::Upload::commit(const std::vector<std::string>& names) {
  std::vector<Block> parts;
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return writers == 0 && !committing; });
    if (staged && order == names) return {};  // said twice
    if (staged) return fail(Code::kFailedPrecondition, "the upload is complete; nothing can be added");
    for (const auto& name : names) {
      const auto found = blocks.find(name);
      if (found == blocks.end()) {
        return fail(Code::kInvalidArgument, "the list names a block that did not come: {}", name.substr(1, 100));
      }
      parts.push_back(found->second);
    }
    committing = true;
    changed.wait(lock, [&] { return !hashing; });  // ends with its block, and nobody begins
  }
  auto result = put_together(names, parts);
  const std::scoped_lock lock(mutex);
  committing = false;
  changed.notify_all();
  return result;
}

// Alone with the upload: nobody writes to it meanwhile.
Result<void> Uploads::Upload::put_together(const std::vector<std::string>& names, const std::vector<Block>& parts) {
  bool in_place = true;
  std::int64_t total = 0;
  for (const auto& part : parts) {
    in_place = in_place && part.offset == total;
    total += part.size_bytes;
  }
  StagedUpload done{.file = folder / "data", .sha256 = {}, .size_bytes = total};
  // Blocks that were sent and then left out may stand in between, too.
  if (in_place) in_place = hashed_bytes <= total && hash_to(total).has_value();
  if (in_place) {
    if (::ftruncate(file.get(), total) != 0) return fail_errno(errno, "cannot cut the upload");
    done.sha256 = std::exchange(hash, Sha256()).finish_hex();
    hashed_bytes = 0;  // should this fail below, the next one hashes anew
  } else {
    done.file = folder / kOrdered;
    done.sha256 = WEIR_TRY(assemble(parts, done.file));
  }
  json::array list;
  for (const auto& name : names) list.emplace_back(name);
  const json::object note{
      {"sha256", done.sha256}, {"size_bytes", total}, {"file", done.file.filename().string()}, {"order", list}};
  if (auto noted = write_file(folder / "staged.json", json::serialize(note), O_TRUNC); !noted) {
    ::unlink((folder / "staged.json").c_str());  // part of it would keep the upload from being opened again
    return noted;
  }
  const std::scoped_lock lock(mutex);
  staged = std::move(done);
  order = names;
  return {};
}

Uploads::Uploads(fs::path root, Limits limits)
    : root_(std::move(root)), limits_(limits), hasher_([this](const std::stop_token& stop) { hash_all(stop); }) {}
Uploads::~Uploads() = default;

void Uploads::hash_behind(std::shared_ptr<Upload> upload) {
  const std::scoped_lock lock(to_hash_mutex_);
  to_hash_.insert(std::move(upload));
  to_hash_changed_.notify_one();
}

// The hasher's thread: so a sender need not wait for the digest of one block before it sends the next.
void Uploads::hash_all(const std::stop_token& stop) {
  for (;;) {
    std::shared_ptr<Upload> upload;
    {
      std::unique_lock lock(to_hash_mutex_);
      if (!to_hash_changed_.wait(lock, stop, [&] { return !to_hash_.empty(); })) return;
      upload = std::move(to_hash_.extract(to_hash_.begin()).value());
    }
    // An error shows again when the upload is committed.
    [[maybe_unused]] const auto hashed = upload->hash_on(false, stop);
  }
}

Result<std::string> Uploads::begin(const UploadPurpose& purpose) {
  std::string id = random_hex(16);
  auto upload = std::make_shared<Upload>();
  upload->folder = root_ / id;
  WEIR_TRY(io::make_dirs(upload->folder));
  WEIR_TRY(write_file(upload->folder / "info.json", json::serialize(to_json(purpose)), O_TRUNC));
  WEIR_TRY(upload->load());
  const std::scoped_lock lock(mutex_);
  open_[id] = std::move(upload);
  return id;
}

Result<std::shared_ptr<Uploads::Upload>> Uploads::open(const std::string& id) {
  const bool good = id.size() == 32 && id.find_first_not_of("0123456789abcdef") == std::string::npos;
  const std::scoped_lock lock(mutex_);
  if (const auto found = open_.find(id); found != open_.end()) return found->second;
  std::error_code ignored;
  if (!good || !fs::exists(root_ / id / "info.json", ignored)) {
    return fail(Code::kNotFound, "there is no such upload, or it has ended");
  }
  auto upload = std::make_shared<Upload>();
  upload->folder = root_ / id;
  WEIR_TRY(upload->load());
  open_[id] = upload;
  return upload;
}

Result<UploadPurpose> Uploads::purpose(const std::string& id) {
  return WEIR_TRY(open(id))->purpose;
}

std::vector<std::string> Uploads::find(const std::function<bool(const UploadPurpose&)>& wanted) {
  std::vector<std::string> ids;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(root_, ignored)) {
    const std::string id = entry.path().filename().string();
    const auto found = purpose(id);
    if (found && wanted(*found)) ids.push_back(id);
  }
  return ids;
}

Result<void> Uploads::put_block(const std::string& id, const std::string& block, std::int64_t size_bytes,
                                io::ByteSource& source) {
  const bool good =
      !block.empty() && block.size() <= 200 && std::ranges::all_of(block, [](char c) { return c > ' ' && c < '\x7f'; });
  if (!good) return fail(Code::kInvalidArgument, "a block's id has 1 to 200 printable characters");
  if (size_bytes < 0) return fail(Code::kInvalidArgument, "a block needs its Content-Length");
  if (size_bytes > limits_.block_bytes_max) {
    return fail(Code::kResourceExhausted, "a block has at most {} bytes", limits_.block_bytes_max);
  }
  const auto upload = WEIR_TRY(open(id));
  const auto place = WEIR_TRY(upload->reserve(limits_, size_bytes));
  if (auto received = upload->receive(place, source); !received) {
    upload->give_back(place);
    return received;
  }
  WEIR_TRY(upload->record("=" + block, place));
  hash_behind(upload);
  return {};
}

Result<std::map<std::string, std::int64_t>> Uploads::blocks(const std::string& id) {
  const auto upload = WEIR_TRY(open(id));
  const std::scoped_lock lock(upload->mutex);
  std::map<std::string, std::int64_t> all;
  for (const auto& [name, block] : upload->blocks) {
    if (name.starts_with('=')) all.emplace(name.substr(1), block.size_bytes);
  }
  return all;
}

Result<void> Uploads::commit(const std::string& id, const std::vector<std::string>& blocks) {
  std::vector<std::string> names;
  names.reserve(blocks.size());
  for (const auto& block : blocks) names.push_back("=" + block);
  return WEIR_TRY(open(id))->commit(names);
}

Result<void> Uploads::put_whole(const std::string& id, std::int64_t size_bytes, io::ByteSource& source) {
  if (size_bytes < 0) return fail(Code::kInvalidArgument, "an upload needs its Content-Length");
  const auto upload = WEIR_TRY(open(id));
  WEIR_TRY(upload->start_again());
  const auto place = WEIR_TRY(upload->reserve(limits_, size_bytes));
  if (auto received = upload->receive(place, source); !received) {
    upload->give_back(place);
    return received;
  }
  WEIR_TRY(upload->record(kWhole, place));
  return upload->commit({std::string(kWhole)});
}

Result<StagedUpload> Uploads::staged(const std::string& id) {
  const auto upload = WEIR_TRY(open(id));
  const std::scoped_lock lock(upload->mutex);
  if (!upload->staged) return fail(Code::kFailedPrecondition, "the upload's bytes have not all come yet");
  return *upload->staged;
}

void Uploads::remove(const std::string& id) {
  {
    const std::scoped_lock lock(mutex_);
    open_.erase(id);
  }
  if (id.empty() || id.find_first_not_of("0123456789abcdef") != std::string::npos) return;
  [[maybe_unused]] const auto removed = io::remove_tree(root_ / id);
}

}  // namespace weir::api::actions
