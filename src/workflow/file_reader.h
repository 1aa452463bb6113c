#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/schema_reader.h"
#include "workflow/expression.h"
#include "workflow/local_files.h"
#include "workflow/workflow.h"

namespace weir::workflow {

// What an expression of the file mentions, kept until the whole file is known: "needs.train.outputs.x".
struct Mention {
  std::vector<std::string> path;
  text::Position position;
  int length = 1;
  int job = -1;   // index of the job that it stands in
  int step = -1;  // index of the step
};

// Reads values of a workflow file and checks the expressions in them. One thread.
class FileReader {
 public:
  FileReader(const text::YamlDocument& document, const ParseOptions& options)
      : document_(document), schema_(document), options_(options), local_(options_) {}

  [[nodiscard]] text::SchemaReader& schema() { return schema_; }
  [[nodiscard]] const std::vector<Mention>& mentions() const { return mentions_; }
  [[nodiscard]] const ParseOptions& options() const { return options_; }
  [[nodiscard]] LocalFiles& local() { return local_; }

  // Where the next values belong, for mentions.
  void enter(int job, int step) {
    job_ = job;
    step_ = step;
  }

  // A scalar as text, with expressions if there is a `scope`. `what` names it in messages: "\"name\" of job \"train\"".
  // Null gives "". Numbers and booleans become text as on GitHub, where 3.10 is "3.1", with a warning.
  std::string text(const text::YamlNode& node, std::string_view what, const Scope* scope);
  // As text(); an empty one is an error.
  std::string required_text(const text::YamlNode& node, std::string_view what, const Scope* scope);
  // One string or a list of them.
  std::vector<std::string> texts(const text::YamlNode& node, std::string_view what, const Scope* scope);
  json::value boolean(const text::YamlNode& node, std::string_view what, const Scope& scope);
  json::value number(const text::YamlNode& node, std::string_view what, const Scope& scope);
  // Any tree, with expressions in its strings.
  json::value tree(const text::YamlNode& node, const Scope& scope);
  // An `env`: a map of texts, or one expression.
  json::value env(const text::YamlNode& node, std::string_view what, const Scope& scope);
  // A map of texts: `with`, `outputs`.
  json::object text_map(const text::YamlNode& node, std::string_view what, const Scope& scope);
  // An `if`.
  std::string condition(const text::YamlNode& node, std::string_view what, const Scope& scope);

  // Refuses the key of `entry` if what it asks for is not `built` (support.h). `what` in the plural.
  void needs(bool built, const text::YamlEntry& entry, std::string_view what);

  // Refuses the key of `entry` on every machine, because of `why`.
  void refuse(const text::YamlEntry& entry, std::string why);

  // Whether the node is text which is one ${{ }} and nothing else.
  static bool is_one_expression(const text::YamlNode& node);
  // Reports keys that hold expressions.
  void check_keys(const text::YamlNode& map);

 private:
  void check_text(const text::YamlNode& node, std::string_view what, const Scope* scope);
  void check_expression(const text::YamlNode& node, const Expression& expression, std::size_t offset,
                        const Scope& scope);
  void report(const text::YamlNode& node, const ExpressionError& error, std::size_t offset);
  [[nodiscard]] text::Position locate(const text::YamlNode& node, std::size_t offset);
  void warn_changed_number(const text::YamlNode& node, const std::string& shown);

  const text::YamlDocument& document_;
  text::SchemaReader schema_;
  ParseOptions options_;
  LocalFiles local_;
  std::vector<Mention> mentions_;
  const text::YamlNode* placed_ = nullptr;  // whose `places_` these are
  text::YamlDocument::Places places_;
  int job_ = -1;
  int step_ = -1;
};

// The parts of a file; each reads one node and reports what is wrong.
On read_on(FileReader& reader, const text::YamlNode& node);
DispatchTrigger read_dispatch(FileReader& reader, const text::YamlNode& node);
CallTrigger read_call(FileReader& reader, const text::YamlNode& node);
Job read_job(FileReader& reader, const text::YamlEntry& entry, int index);
// A container of a job, or one of its services: an image, a map, or an expression.
json::value read_container(FileReader& reader, const text::YamlNode& node, std::string_view what, bool service);
json::value read_services(FileReader& reader, const text::YamlNode& node, std::string_view what);
std::vector<Step> read_steps(FileReader& reader, const text::YamlNode& node, std::string_view job_what, int job);
RunDefaults read_defaults(FileReader& reader, const text::YamlNode& node, std::string_view what, const Scope* scope);
std::optional<ConcurrencyRule> read_concurrency(FileReader& reader, const text::YamlNode& node, std::string_view what,
                                                const Scope& scope);
std::map<std::string, std::string> read_permissions(FileReader& reader, const text::YamlNode& node,
                                                    std::string_view what);
// Nothing for a value that is none; it is reported.
std::optional<types::CacheMode> read_cache_mode(FileReader& reader, const text::YamlNode& node, std::string_view what);
std::string read_shell(FileReader& reader, const text::YamlNode& node, std::string_view what, const Scope* scope);

// What takes the whole file to know: needs that are no jobs, cycles, mentions of what is not there.
void check_graph(FileReader& reader, const Workflow& workflow, const text::YamlNode& jobs);
void check_calls(FileReader& reader, const Workflow& workflow, const text::YamlNode& jobs);
void check_mentions(FileReader& reader, const Workflow& workflow);

// Letters, digits, "-" and "_", starting with a letter or "_".
bool is_identifier(std::string_view name);

}  // namespace weir::workflow
