#include "forge/attachments.h"

#include <algorithm>
#include <array>
#include <set>

namespace weir::forge {
namespace {

constexpr std::string_view kColumns = "repo, sha256, size_bytes, content_type, name, uploader, created_at";
constexpr std::string_view kFolder = "/attachments/";
constexpr std::size_t kDigits = 64;
constexpr std::size_t kNameMax = 200;

Attachment read_attachment(const store::Row& row) {
  return {.repo = row.string(0),
          .sha256 = row.string(1),
          .size_bytes = row.integer(2),
          .content_type = row.string(3),
          .name = row.string(4),
          .uploader = row.string(5),
          .created_at = row.time(6)};
}

// Names go into headers and texts.
std::string safe_name(std::string_view name) {
  std::string safe(name.substr(name.find_last_of("/\\") + 1).substr(0, kNameMax));
  std::ranges::replace_if(
      safe, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '"'; }, '_');
  return safe.empty() ? "file" : safe;
}

bool is_svg(std::string_view bytes) {
  constexpr std::string_view kBlank = " \t\r\n";
  if (bytes.starts_with("\xEF\xBB\xBF")) bytes.remove_prefix(3);
  // Past the declaration, comments and the document type.
  for (;;) {
    bytes.remove_prefix(std::min(bytes.size(), bytes.find_first_not_of(kBlank)));
    const bool is_comment = bytes.starts_with("<!--");
    if (!is_comment && !bytes.starts_with("<?") && !bytes.starts_with("<!DOCTYPE svg")) break;
    const std::string_view last = is_comment ? "-->" : ">";
    const auto end = bytes.find(last);
    if (end == std::string_view::npos) return false;
    bytes.remove_prefix(end + last.size());
  }
  return bytes.starts_with("<svg") && bytes.size() > 4 &&
         (kBlank.find(bytes[4]) != std::string_view::npos || bytes[4] == '>');
}

void note_digests(std::string_view text, std::set<std::string, std::less<>>& found) {
  for (auto at = text.find(kFolder); at != std::string_view::npos; at = text.find(kFolder, at + 1)) {
    const auto digest = text.substr(at + kFolder.size(), kDigits);
    if (digest.size() == kDigits) found.emplace(digest);
  }
}

// Tables with texts that people and jobs wrote about a repository.
constexpr std::array<std::string_view, 5> kTexts = {
    "SELECT body FROM forge_issues WHERE repo = ? AND body LIKE '%/attachments/%'",
    "SELECT body FROM forge_comments WHERE repo = ? AND body LIKE '%/attachments/%'",
    "SELECT body FROM forge_reviews WHERE repo = ? AND body LIKE '%/attachments/%'",
    "SELECT summary || body FROM forge_checks WHERE repo = ? AND summary || body LIKE '%/attachments/%'",
    "SELECT body FROM forge_releases WHERE repo = ? AND body LIKE '%/attachments/%'"};

}  // namespace

std::string Attachment::path() const {
  return fmt::format("/api/v1/repos/{}{}{}", repo, kFolder, sha256);
}

std::string_view sniffed_type(std::string_view bytes) {
  if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return "image/png";
  if (bytes.starts_with("\xFF\xD8\xFF")) return "image/jpeg";
  if (bytes.starts_with("GIF87a") || bytes.starts_with("GIF89a")) return "image/gif";
  if (bytes.starts_with("RIFF") && bytes.substr(0, 12).ends_with("WEBP")) return "image/webp";
  if (bytes.starts_with("%PDF-")) return "application/pdf";
  if (is_svg(bytes)) return "image/svg+xml";
  const bool is_text = std::ranges::none_of(bytes.substr(0, 4096), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 && c != '\n' && c != '\r' && c != '\t';
  });
  return is_text ? "text/plain" : "application/octet-stream";
}

Result<Attachment> Attachments::add(const std::string& repo, std::string_view name, std::string_view bytes,
                                    const types::Identity& identity) {
  const auto size_bytes = static_cast<std::int64_t>(bytes.size());
  if (bytes.empty()) return fail(Code::kInvalidArgument, "{} is empty: there is nothing to show", safe_name(name));
  if (size_bytes > rules_.file_bytes_max) {
    return fail(Code::kInvalidArgument, "{} has {} bytes; a picture or file of a comment may have {}", safe_name(name),
                size_bytes, rules_.file_bytes_max);
  }
  const std::scoped_lock lock(mutex_);
  if (clock_.now() - collected_at_ >= rules_.collect_every) WEIR_TRY(collect_locked());
  const auto blob = WEIR_TRY(files_.put(bytes));
  Attachment attachment{.repo = repo,
                        .sha256 = blob.sha256,
                        .size_bytes = size_bytes,
                        .content_type = std::string(sniffed_type(bytes)),
                        .name = safe_name(name),
                        .uploader = identity.name};
  const auto taken = db_.write([&](store::Transaction& tx) -> Result<void> {
    attachment.created_at = tx.now();
    const auto again = WEIR_TRY(tx.execute("UPDATE forge_attachments SET created_at = ? WHERE repo = ? AND sha256 = ?",
                                           {attachment.created_at, repo, blob.sha256}));
    if (again > 0) return {};
    const auto used =
        WEIR_TRY(tx.integer("SELECT coalesce(sum(size_bytes), 0) FROM forge_attachments WHERE repo = ?", {repo}));
    if (used.value_or(0) + size_bytes > rules_.repo_bytes_max) {
      return fail(Code::kResourceExhausted,
                  "the pictures and files in comments of {} have {} bytes and may have {}: delete comments that show "
                  "large ones",
                  repo, used.value_or(0), rules_.repo_bytes_max);
    }
    WEIR_TRY(tx.execute(fmt::format("INSERT INTO forge_attachments({}) VALUES(?, ?, ?, ?, ?, ?, ?)", kColumns),
                        {repo, attachment.sha256, size_bytes, attachment.content_type, attachment.name,
                         attachment.uploader, attachment.created_at}));
    return {};
  });
  if (taken) return attachment;
  // Nobody else can have come to need the bytes meanwhile.
  const auto others = db_.load<std::optional<std::int64_t>>([&](store::Reader& reader) {
    return reader.integer("SELECT 1 FROM forge_attachments WHERE sha256 = ?", {blob.sha256});
  });
  if (others && !*others) WEIR_TRY(files_.remove(blob.sha256));
  return std::unexpected(taken.error());
}

Result<Attachment> Attachments::find(const std::string& repo, const std::string& sha256) {
  return db_.load<Attachment>([&](store::Reader& reader) -> Result<Attachment> {
    auto found = WEIR_TRY(reader.first<Attachment>(
        fmt::format("SELECT {} FROM forge_attachments WHERE repo = ? AND sha256 = ?", kColumns), {repo, sha256},
        read_attachment));
    if (!found) return fail(Code::kNotFound, "repository {} has no attachment {}", repo, sha256.substr(0, kDigits));
    return *std::move(found);
  });
}

Result<std::filesystem::path> Attachments::file(const Attachment& attachment) const {
  return files_.local_path(attachment.sha256);
}

Result<int> Attachments::collect() {
  const std::scoped_lock lock(mutex_);
  return collect_locked();
}

Result<std::vector<Attachment>> Attachments::unused(store::Reader& reader, TimePoint before) {
  auto old = WEIR_TRY(reader.all<Attachment>(
      fmt::format("SELECT {} FROM forge_attachments WHERE created_at < ? ORDER BY repo", kColumns), {before},
      read_attachment));
  std::string repo;
  std::set<std::string, std::less<>> spoken_of;
  std::vector<Attachment> unused;
  for (auto& attachment : old) {
    if (attachment.repo != repo) {
      repo = attachment.repo;
      spoken_of.clear();
      const auto note = [&](std::string_view text) { note_digests(text, spoken_of); };
      for (const auto sql : kTexts) {
        WEIR_TRY(reader.query(sql, {repo}, [&](const store::Row& row) { note(row.text(0)); }));
      }
      if (more_texts_) WEIR_TRY(more_texts_(reader, repo, note));
    }
    if (!spoken_of.contains(attachment.sha256)) unused.push_back(std::move(attachment));
  }
  return unused;
}

Result<int> Attachments::collect_locked() {
  const TimePoint now = clock_.now();
  const auto gone =
      WEIR_TRY(db_.write_with<std::vector<Attachment>>([&](store::Transaction& tx) -> Result<std::vector<Attachment>> {
        auto found = WEIR_TRY(unused(tx, now - rules_.unused_max));
        for (const auto& one : found) {
          WEIR_TRY(tx.execute("DELETE FROM forge_attachments WHERE repo = ? AND sha256 = ?", {one.repo, one.sha256}));
        }
        return found;
      }));
  std::set<std::string> digests;
  for (const auto& one : gone) digests.insert(one.sha256);
  // Another repository may have the same bytes. What a crash leaves here is in nobody's way but the disk's.
  for (const auto& digest : digests) {
    const auto kept = WEIR_TRY(db_.load<std::optional<std::int64_t>>([&](store::Reader& reader) {
      return reader.integer("SELECT 1 FROM forge_attachments WHERE sha256 = ?", {digest});
    }));
    if (!kept) WEIR_TRY(files_.remove(digest));
  }
  collected_at_ = now;
  return static_cast<int>(gone.size());
}

json::object to_json(const Attachment& attachment) {
  return {{"sha256", attachment.sha256},         {"name", attachment.name},
          {"size_bytes", attachment.size_bytes}, {"content_type", attachment.content_type},
          {"picture", attachment.is_picture()},  {"path", attachment.path()}};
}

}  // namespace weir::forge
