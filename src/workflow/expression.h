#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/json.h"

namespace weir::workflow {

// GitHub's expression language:
// https://docs.github.com/en/actions/reference/workflows-and-actions/expressions
//
// Numbers are doubles; whole ones come back as JSON integers. NaN and infinity, which JSON lacks, come back as strings.
// Names of contexts, members and functions do not depend on case, except the members of `env`.

// What success(), failure() and cancelled() say. For a step: the job so far. For a job's `if`: the jobs that it needs,
// directly or not, and whether the run was cancelled.
struct Status {
  bool success = true;
  bool failure = false;
  bool cancelled = false;
};

// What an expression may look at. A context that is absent is empty.
struct Contexts {
  json::object values;  // by name: "github", "env", "vars", "needs", "matrix", "steps", …
  Status status;
  // SHA-256 as hex over the files that match the patterns; "" if none does. Without it hashFiles() is an error.
  std::function<Result<std::string>(std::span<const std::string> patterns)> hash_files;
};

// A mistake in an expression. `offset` and `length` count bytes of the text that was parsed.
struct ExpressionError {
  std::string message;
  std::string hint;  // may be empty
  std::size_t offset = 0;
  std::size_t length = 1;
};

// "unknown function \"foo\"; did you mean …\n  foo(1)\n  ^~~": for places without a file to point into.
std::string describe(const ExpressionError& error, std::string_view text);

// Which contexts and functions an expression may use where it stands.
struct Scope {
  std::string_view place;                      // "jobs.<id>.if", for messages
  std::span<const std::string_view> contexts;  // lower case
  bool status_functions = false;
  bool status_arguments = false;  // success('job') and failure('job'): job level only
  bool hash_files = false;
};

struct ExpressionNode;

// A value with its kind: "null", "boolean", "number" (also NaN and infinity, whose value is text), "string", "array",
// "object".
struct TypedValue {
  std::string_view kind;
  json::value value;
};

// A parsed expression, without ${{ }}. Immutable; any thread.
class Expression {
 public:
  // At most 21,000 bytes and 50 levels, as GitHub. An empty text is an error.
  static std::expected<Expression, ExpressionError> parse(std::string_view text);

  // Every context, function and number of arguments that is wrong in `scope`.
  [[nodiscard]] std::vector<ExpressionError> check(const Scope& scope) const;

  // The text of an expression that is one string and nothing else.
  [[nodiscard]] std::optional<std::string> literal_text() const;

  // True if it calls success(), failure(), always() or cancelled().
  [[nodiscard]] bool calls_status_function() const;

  // Paths of contexts that are fixed in the text: "needs.train.outputs.x" and "needs['train']" both give
  // {"needs", "train", …}, lower case, up to the first part that is computed. With where each stands.
  struct Reference {
    std::vector<std::string> path;
    std::size_t offset = 0;
    std::size_t length = 0;
  };
  [[nodiscard]] std::vector<Reference> references() const;

  // kInvalidArgument shows the expression and what went wrong: unknown function or context, fromJSON or format that
  // fail. `contexts` must outlive the call only.
  [[nodiscard]] Result<json::value> evaluate(const Contexts& contexts) const;

  // As evaluate(), with the kind that GitHub gives the value.
  [[nodiscard]] Result<TypedValue> evaluate_typed(const Contexts& contexts) const;

  [[nodiscard]] const std::string& text() const;

 private:
  friend class ExpressionParser;
  struct Tree;
  explicit Expression(std::shared_ptr<const Tree> tree) : tree_(std::move(tree)) {}
  std::shared_ptr<const Tree> tree_;
};

// One piece of a text with ${{ }}.
struct TextPart {
  std::string literal;  // without `expression`
  std::optional<Expression> expression;
  std::size_t offset = 0;  // of the literal, or of the text between the braces
};

// Splits "model-${{ github.sha }}" into its pieces. Errors count from the start of `text`. "}}" inside a quoted string
// does not end an expression.
std::expected<std::vector<TextPart>, ExpressionError> split_text(std::string_view text);

// Whether `text` holds "${{".
inline bool has_expression(std::string_view text) {
  return text.find("${{") != std::string_view::npos;
}

// ---- evaluation of texts as they stand in a file; kInvalidArgument as Expression::evaluate

// A bare expression: "github.ref == 'refs/heads/main'". ${{ }} around the whole is allowed.
Result<json::value> evaluate(std::string_view expression, const Contexts& contexts);

// Replaces each ${{ }} by its value as a string.
Result<std::string> interpolate(std::string_view text, const Contexts& contexts);

// As interpolate(), but a text that is one ${{ }} and nothing else keeps the kind of its value.
Result<json::value> evaluate_text(std::string_view text, const Contexts& contexts);

// evaluate_text() on every string of a tree, at any depth; keys are left alone.
Result<json::value> evaluate_tree(const json::value& tree, const Contexts& contexts);

// An `if:` of a job or step: an empty one is success(); one without a status function is success() && (…). ${{ }} is
// optional. As on GitHub, text around ${{ }} makes a string, which is true.
Result<bool> evaluate_condition(std::string_view text, const Contexts& contexts);

// ---- GitHub's conversions
bool is_truthy(const json::value& value);       // false, null, 0, NaN and "" are not
std::string to_text(const json::value& value);  // numbers as .NET's G15; null is ""; "Array", "Object"
double to_number(const json::value& value);     // as JavaScript's Number(); NaN for what is none
std::string format_number(double number);       // .NET's G15: 0.1, 1E+16, NaN, Infinity
bool equals_loosely(const json::value& a, const json::value& b);  // ==; arrays and objects only equal themselves

}  // namespace weir::workflow
