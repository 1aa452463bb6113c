#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "access/access.h"
#include "io/http.h"

namespace weir::api {

// A value after the "?" of an address. `type` is "string", "integer" or "boolean".
struct QueryParameter {
  std::string_view name;
  std::string_view type;
  std::string_view text;
  bool required = false;
};

// What a route is: enough to register it, and to describe it to those who write clients. Texts live as long as the
// program.
struct RouteDescription {
  std::string_view method;
  std::string_view pattern;  // {id} and {run} are numbers, {sha256} is a digest, every other parameter a name
  access::Permission permission = access::Permission::kRead;
  std::string_view id;  // of the operation, unique: "listRuns"
  std::string_view summary;
  std::vector<QueryParameter> query;
  // Bodies: the name of a schema of schemas.h for JSON, a media type ("text/plain") for all else, "" for none.
  std::string_view request;
  std::string_view answer;
  int status = 200;      // of the answer when all is well
  int other_status = 0;  // of the same answer in another case; 0 for none
};

using ApiHandler = std::function<Result<io::HttpResponse>(io::HttpRequest&)>;

// Registers weir's own routes. A route cannot be registered without its description, and the OpenAPI document is made
// from the descriptions of the routes that are there, so that the two cannot differ. One thread, before the server
// starts; `router` and `access` outlive it, and `access` the router's handlers.
class RouteTable {
 public:
  // The repository that a workflow run is of.
  using RepositoryOfRun = std::function<Result<std::string>(std::int64_t run)>;

  RouteTable(io::Router& router, const access::Access* access, RepositoryOfRun repository_of_run = {})
      : router_(router), access_(access), repository_of_run_(std::move(repository_of_run)) {}

  // A caller without the permission is refused (its object is the path), as is a job that would change another
  // repository than that of its run; an error becomes weir's JSON error.
  void add(RouteDescription description, ApiHandler handler, io::RouteOptions options = {});

  // GET /api/v1/openapi.json, whose document is made when it is asked for. Comes last: a route below /api/v1 that went
  // past this table ends the process, as a broken pattern does. `version` is weir's.
  void add_openapi_route(std::string_view version);

  [[nodiscard]] const std::vector<RouteDescription>& descriptions() const { return *descriptions_; }

 private:
  io::Router& router_;
  const access::Access* access_;
  RepositoryOfRun repository_of_run_;
  std::shared_ptr<std::vector<RouteDescription>> descriptions_ = std::make_shared<std::vector<RouteDescription>>();
};

}  // namespace weir::api
