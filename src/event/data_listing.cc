#include "event/data_listing.h"

#include <charconv>
#include <cstdio>
#include <optional>

#include "base/hash.h"

namespace weir::event {
namespace {

namespace fs = std::filesystem;

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

struct Record {
  std::string path;
  std::int64_t size_bytes = 0;
  std::int64_t modified_ns = 0;
};

// "size time path\0", as the digest of a pass counts them.
std::optional<Record> parse(std::string_view line) {
  Record record;
  const char* end = line.data() + line.size();
  const auto size = std::from_chars(line.data(), end, record.size_bytes);
  if (size.ec != std::errc{} || size.ptr == end) return std::nullopt;
  const auto time = std::from_chars(size.ptr + 1, end, record.modified_ns);
  if (time.ec != std::errc{} || time.ptr == end) return std::nullopt;
  record.path.assign(time.ptr + 1, end);
  return record;
}

// A folder's files come together: "/" counts as less than everything else.
bool comes_before(std::string_view a, std::string_view b) {
  return std::ranges::lexicographical_compare(a, b, [](char x, char y) {
    const auto rank = [](char c) { return c == '/' ? 0 : static_cast<int>(static_cast<unsigned char>(c)); };
    return rank(x) < rank(y);
  });
}

class OldListing {
 public:
  explicit OldListing(const fs::path& path) : file_(path.empty() ? nullptr : std::fopen(path.c_str(), "rbe")) {}
  ~OldListing() { std::free(line_); }
  OldListing(const OldListing&) = delete;
  OldListing& operator=(const OldListing&) = delete;

  std::optional<Record> next() {
    if (!file_) return std::nullopt;
    const auto got = ::getdelim(&line_, &room_, '\0', file_.get());
    if (got <= 0) return std::nullopt;
    const std::string_view text(line_, static_cast<std::size_t>(got));
    hash_.update(text);
    return parse(text.substr(0, text.size() - (text.ends_with('\0') ? 1 : 0)));
  }
  std::string digest() { return file_ ? hash_.finish_hex() : std::string(); }

 private:
  File file_;
  char* line_ = nullptr;
  std::size_t room_ = 0;
  Sha256 hash_;
};

json::array names_of(const std::vector<std::string>& names) {
  json::array out;
  for (const auto& name : names) out.emplace_back(printable(name));
  return out;
}

void count(std::int64_t& number, std::vector<std::string>& names, std::string_view name) {
  if (++number <= static_cast<std::int64_t>(FilesChanged::kNamesMax)) names.emplace_back(name);
}

}  // namespace

json::object FilesChanged::to_json() const {
  if (!known) return {};
  return {{"added", added},
          {"modified", modified},
          {"removed", removed},
          {"added_names", names_of(added_names)},
          {"modified_names", names_of(modified_names)},
          {"removed_names", names_of(removed_names)}};
}

struct ListingWriter::Impl {
  Impl(fs::path the_path, const fs::path& before, std::string the_digest)
      : path(std::move(the_path)),
        fresh(path.string() + ".new"),
        out(std::fopen(fresh.c_str(), "wbe")),
        old(before),
        old_digest(std::move(the_digest)) {
    next = old.next();
  }

  // What the old listing has before `path` is gone.
  void skip_until(std::string_view at) {
    while (next && comes_before(next->path, at)) {
      count(changed.removed, changed.removed_names, next->path);
      next = old.next();
    }
  }

  fs::path path;
  fs::path fresh;
  File out;
  OldListing old;
  std::string old_digest;
  std::optional<Record> next;
  FilesChanged changed;
  bool failed = false;
  bool done = false;
};

ListingWriter::ListingWriter(fs::path path, const fs::path& before, std::string before_digest)
    : impl_(std::make_unique<Impl>(std::move(path), before, std::move(before_digest))) {}

ListingWriter::~ListingWriter() {
  std::error_code ignored;
  if (!impl_->done) fs::remove(impl_->fresh, ignored);
}

void ListingWriter::add(const WatchedFile& file) {
  auto& it = *impl_;
  it.skip_until(file.path);
  if (it.next && it.next->path == file.path) {
    if (it.next->size_bytes != file.size_bytes || it.next->modified_ns != file.modified_ns) {
      count(it.changed.modified, it.changed.modified_names, file.path);
    }
    it.next = it.old.next();
  } else {
    count(it.changed.added, it.changed.added_names, file.path);
  }
  if (!it.out) return;
  const auto head = fmt::format("{} {} ", file.size_bytes, file.modified_ns);
  it.failed |= std::fwrite(head.data(), 1, head.size(), it.out.get()) != head.size() ||
               std::fwrite(file.path.data(), 1, file.path.size(), it.out.get()) != file.path.size() ||
               std::fputc('\0', it.out.get()) == EOF;
}

Result<FilesChanged> ListingWriter::finish() {
  auto& it = *impl_;
  while (it.next) {
    count(it.changed.removed, it.changed.removed_names, it.next->path);
    it.next = it.old.next();
  }
  it.changed.known = !it.old_digest.empty() && it.old.digest() == it.old_digest;
  if (!it.out) return fail(Code::kInternal, "cannot write {}", it.fresh.string());
  it.failed |= std::fflush(it.out.get()) != 0;
  it.out.reset();
  if (it.failed) return fail(Code::kResourceExhausted, "cannot write {}: is the disk full?", it.fresh.string());
  std::error_code problem;
  fs::rename(it.fresh, it.path, problem);
  if (problem) return fail_errno(problem.value(), fmt::format("cannot write {}", it.path.string()));
  it.done = true;
  return std::move(it.changed);
}

}  // namespace weir::event
