#include "forge/labels.h"

#include <algorithm>
#include <map>
#include <optional>

#include "event/occurrence.h"
#include "forge/issues.h"
#include "types/event.h"

namespace weir::forge {
namespace {

constexpr std::size_t kDescriptionMax = 100;  // characters, as GitHub takes
constexpr std::size_t kLabelsMax = 10'000;    // of a repository

std::string folded(std::string_view name) {
  std::string text(name);
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

Result<void> check_label(const Label& label) {
  WEIR_TRY(check_labels({label.name}));
  if (label.color.size() != 6 || label.color.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos) {
    return fail(Code::kInvalidArgument, "color must be six hexadecimal digits without #, not \"{}\"",
                label.color.substr(0, 20));
  }
  const auto characters =
      std::ranges::count_if(label.description, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
  if (static_cast<std::size_t>(characters) <= kDescriptionMax) return {};
  return fail(Code::kInvalidArgument, "description may have {} characters", kDescriptionMax);
}

// Issues that carry a label, with all of theirs.
Result<std::vector<std::pair<std::int64_t, std::vector<std::string>>>> carriers(store::Reader& reader,
                                                                                const std::string& repo,
                                                                                const std::string& name) {
  std::vector<std::pair<std::int64_t, std::vector<std::string>>> all;
  WEIR_TRY(reader.query("SELECT number, labels FROM forge_issues WHERE repo = ? AND labels <> '[]' ORDER BY number",
                        {repo}, [&](const store::Row& row) {
                          auto labels = labels_from(row.text(1));
                          if (std::ranges::find(labels, name) == labels.end()) return;
                          all.emplace_back(row.integer(0), std::move(labels));
                        }));
  return all;
}

// Gives every issue that carries `name` another label in its place, or none.
Result<void> replace(store::Transaction& tx, const std::string& repo, const std::string& name,
                     const std::optional<std::string>& by) {
  for (auto& [number, labels] : WEIR_TRY(carriers(tx, repo, name))) {
    if (by && std::ranges::find(labels, *by) == labels.end()) {
      std::ranges::replace(labels, name, *by);
    } else {
      std::erase(labels, name);
    }
    WEIR_TRY(tx.execute("UPDATE forge_issues SET labels = ? WHERE repo = ? AND number = ?",
                        {labels_text(labels), repo, number}));
  }
  return {};
}

// By their folded names. Issues from before labels were kept may carry some that have no row.
Result<std::map<std::string, Label>> load_labels(store::Reader& reader, const std::string& repo) {
  std::map<std::string, Label> all;
  WEIR_TRY(
      reader.query("SELECT folded, name, color, description FROM forge_labels WHERE repo = ?", {repo},
                   [&](const store::Row& row) { all[row.string(0)] = {row.string(1), row.string(2), row.string(3)}; }));
  WEIR_TRY(reader.query("SELECT DISTINCT labels FROM forge_issues WHERE repo = ? AND labels <> '[]'", {repo},
                        [&](const store::Row& row) {
                          for (auto& name : labels_from(row.text(0))) all.try_emplace(folded(name), Label{name});
                        }));
  return all;
}

Result<void> write_label(store::Transaction& tx, const std::string& repo, const Label& label) {
  WEIR_TRY(
      tx.execute("INSERT INTO forge_labels(repo, folded, name, color, description) VALUES(?, ?, ?, ?, ?) "
                 "ON CONFLICT(repo, folded) DO UPDATE SET name = excluded.name, color = excluded.color, "
                 "description = excluded.description",
                 {repo, folded(label.name), label.name, label.color, label.description}));
  return {};
}

Result<void> remove_row(store::Transaction& tx, const std::string& repo, const std::string& name) {
  WEIR_TRY(tx.execute("DELETE FROM forge_labels WHERE repo = ? AND folded = ?", {repo, folded(name)}));
  return {};
}

}  // namespace

Result<void> ensure_labels(store::Transaction& tx, const std::string& repo, const std::vector<std::string>& names) {
  for (const auto& name : names) {
    WEIR_TRY(
        tx.execute("INSERT INTO forge_labels(repo, folded, name, color, description) VALUES(?, ?, ?, ?, '') "
                   "ON CONFLICT(repo, folded) DO NOTHING",
                   {repo, folded(name), name, Label{}.color}));
  }
  return {};
}

Result<std::vector<Label>> Labels::list(const std::string& repo) {
  const auto known = WEIR_TRY(
      (db_.load<std::map<std::string, Label>>([&](store::Reader& reader) { return load_labels(reader, repo); })));
  std::vector<Label> all;
  all.reserve(known.size());
  for (const auto& [key, label] : known) all.push_back(label);
  return all;
}

Result<Label> Labels::find(const std::string& repo, std::string_view name) {
  const auto known = WEIR_TRY(
      (db_.load<std::map<std::string, Label>>([&](store::Reader& reader) { return load_labels(reader, repo); })));
  const auto found = known.find(folded(name));
  if (found == known.end()) return fail(Code::kNotFound, "repository {} has no label \"{}\"", repo, name.substr(0, 60));
  return found->second;
}

Result<std::vector<Label>> Labels::of(const std::string& repo, const std::vector<std::string>& names) {
  return db_.load<std::vector<Label>>([&](store::Reader& reader) -> Result<std::vector<Label>> {
    std::vector<Label> all;
    for (const auto& name : names) {
      auto found = WEIR_TRY(reader.first<Label>(
          "SELECT color, description FROM forge_labels WHERE repo = ? AND folded = ?", {repo, folded(name)},
          [&](const store::Row& row) { return Label{name, row.string(0), row.string(1)}; }));
      all.push_back(std::move(found).value_or(Label{name}));
    }
    return all;
  });
}

Result<void> Labels::tell(const std::string& repo, const Label& label, std::string_view action, json::object changes,
                          const types::Identity& identity,
                          const std::function<Result<void>(store::Transaction&)>& write) {
  json::object payload{{"action", action}, {"label", to_json(label)}};
  if (!changes.empty()) payload["changes"] = std::move(changes);
  const event::Occurrence occurrence{
      .info = {.event = "label", .action = std::string(action)}, .payload = std::move(payload), .actor = identity.name};
  WEIR_TRY(triggers_.occurred(repo, {occurrence}, identity, [&](store::Transaction& tx) -> Result<std::int64_t> {
    WEIR_TRY(write(tx));
    return tx.append({.type = std::string(types::event_type::kLabelChanged),
                      .actor = identity.name,
                      .subject = fmt::format("repo/{}", repo),
                      .payload = {{"label", label.name}, {"action", action}}});
  }));
  return {};
}

Result<Label> Labels::create(const std::string& repo, Label label, const types::Identity& identity) {
  WEIR_TRY(check_label(label));
  const std::scoped_lock lock(mutex_);
  const auto known = WEIR_TRY(list(repo));
  if (std::ranges::any_of(known, [&](const Label& one) { return folded(one.name) == folded(label.name); })) {
    return fail(Code::kAlreadyExists, "already_exists: there is a label \"{}\"", label.name);
  }
  if (known.size() >= kLabelsMax) return fail(Code::kResourceExhausted, "a repository may have {} labels", kLabelsMax);
  WEIR_TRY(
      tell(repo, label, "created", {}, identity, [&](store::Transaction& tx) { return write_label(tx, repo, label); }));
  return label;
}

Result<Label> Labels::update(const std::string& repo, std::string_view name,
                             const std::function<Result<void>(Label&)>& change, const types::Identity& identity) {
  const std::scoped_lock lock(mutex_);
  const auto before = WEIR_TRY(find(repo, name));
  auto label = before;
  WEIR_TRY(change(label));
  WEIR_TRY(check_label(label));
  if (label == before) return label;
  if (folded(label.name) != folded(before.name) && find(repo, label.name)) {
    return fail(Code::kAlreadyExists, "already_exists: there is a label \"{}\"", label.name);
  }
  json::object changes;
  if (label.name != before.name) changes["name"] = json::object{{"from", before.name}};
  if (label.color != before.color) changes["color"] = json::object{{"from", before.color}};
  if (label.description != before.description) changes["description"] = json::object{{"from", before.description}};
  WEIR_TRY(tell(repo, label, "edited", std::move(changes), identity, [&](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(remove_row(tx, repo, before.name));
    WEIR_TRY(write_label(tx, repo, label));
    return label.name == before.name ? Result<void>() : replace(tx, repo, before.name, label.name);
  }));
  return label;
}

Result<void> Labels::remove(const std::string& repo, std::string_view name, const types::Identity& identity) {
  const std::scoped_lock lock(mutex_);
  const auto label = WEIR_TRY(find(repo, name));
  return tell(repo, label, "deleted", {}, identity, [&](store::Transaction& tx) -> Result<void> {
    WEIR_TRY(remove_row(tx, repo, label.name));
    return replace(tx, repo, label.name, std::nullopt);
  });
}

json::object to_json(const Label& label) {
  return {{"name", label.name},
          {"color", label.color},
          {"description", label.description.empty() ? json::value() : json::value(label.description)},
          {"default", false}};
}

}  // namespace weir::forge
