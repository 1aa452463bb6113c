#include "api/weir/openapi.h"

#include <gtest/gtest.h>

#include <set>

#include "api/weir/live.h"
#include "api/weir/report.h"
#include "api/weir/routes.h"
#include "api/weir/serving.h"

namespace weir::api {
namespace {

// Every route of the folder. Handlers are never called, so that the services may be missing.
struct Everything {
  io::Router router;
  Services services;
  RouteTable table{router, nullptr};

  Everything() {
    add_run_routes(table, services);
    add_artifact_routes(table, services);
    add_access_routes(table, services);
    add_insight_routes(table, services);
    add_notification_routes(table, services);
    add_report_route(table, services);
    add_pull_routes(table, services);
    add_attachment_routes(table, services);
    add_repo_routes(table, services);
    add_trigger_routes(table, services);
    add_live_route(table, nullptr);
    add_model_routes(table, services, {});
    add_endpoint_routes(table, {});
    table.add_openapi_route("1.2.3");
  }
};

void collect_references(const json::value& value, std::set<std::string>& names) {
  constexpr std::string_view kPrefix = "#/components/schemas/";
  if (const auto* list = value.if_array()) {
    for (const auto& element : *list) collect_references(element, names);
  } else if (const auto* object = value.if_object()) {
    for (const auto& [name, member] : *object) {
      const bool is_reference = name == "$ref" && member.get_string().starts_with(kPrefix);
      if (is_reference) names.insert(std::string(member.get_string().subview(kPrefix.size())));
      if (!is_reference) collect_references(member, names);
    }
  }
}

TEST(OpenApi, DescribesEveryRoute) {
  const Everything all;
  const auto document = openapi_document(all.table.descriptions(), "1.2.3");
  std::size_t operations = 0;
  for (const auto& [pattern, path] : document.at("paths").as_object()) operations += path.as_object().size();
  EXPECT_EQ(operations, all.table.descriptions().size());
  EXPECT_GT(operations, 40U);
  EXPECT_EQ(document.at("info").at("version"), "1.2.3");
}

TEST(OpenApi, EveryRouteSaysWhatItIsFor) {
  const Everything all;
  const auto known = schemas();
  std::set<std::string_view> ids;
  for (const auto& one : all.table.descriptions()) {
    EXPECT_TRUE(one.summary.ends_with('.')) << one.pattern;
    EXPECT_TRUE(ids.insert(one.id).second) << one.id << " is there twice";
    EXPECT_FALSE(one.id.empty()) << one.pattern;
    for (const auto body : {one.request, one.answer}) {
      EXPECT_TRUE(body.empty() || body.find('/') != std::string_view::npos || known.contains(body)) << body;
    }
    EXPECT_EQ(one.answer.empty(), one.status == 204) << one.pattern;
    for (const auto& query : one.query) EXPECT_TRUE(query.text.ends_with('.')) << one.id << " " << query.name;
  }
}

TEST(OpenApi, EverySchemaIsUsedAndEveryReferenceLeadsToOne) {
  const Everything all;
  const auto document = openapi_document(all.table.descriptions(), "1.2.3");
  std::set<std::string> used;
  collect_references(document, used);
  std::set<std::string> known = {"LiveUpdate", "Event"};  // bodies of the event stream, which JSON cannot show
  used.insert(known.begin(), known.end());
  for (const auto& [name, schema] : schemas()) known.insert(std::string(name));
  EXPECT_EQ(used, known);
}

TEST(OpenApi, MembersOfAnswersAreRequiredUnlessTheSchemaSaysOtherwise) {
  const auto all = schemas();
  EXPECT_EQ(all.at("Dispatched").at("required"), (json::array{"run_id"}));
  EXPECT_EQ(all.at("DispatchRequest").at("required"), (json::array{"workflow"}));
  EXPECT_FALSE(all.at("RerunRequest").as_object().contains("required"));
}

TEST(OpenApi, ShowsParametersBodiesAndPermission) {
  const Everything all;
  const auto document = openapi_document(all.table.descriptions(), "1.2.3");
  const auto& cancel = document.at("paths").at("/api/v1/runs/{id}/cancel").at("post");
  EXPECT_EQ(cancel.at("parameters").at(0).at("schema").at("type"), "integer");
  EXPECT_EQ(cancel.at("x-weir-permission"), "cancel_run");
  EXPECT_EQ(cancel.at("requestBody").at("required"), false);
  EXPECT_EQ(cancel.at("security").as_array().size(), 3U);
  const auto& why = document.at("paths").at("/api/v1/why").at("get");
  EXPECT_EQ(why.at("parameters").at(0).at("required"), true);
  EXPECT_EQ(why.at("security").as_array().size(), 4U);  // the last: nothing at all
}

TEST(OpenApiDeathTest, ARouteWithoutADescriptionEndsTheProcess) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  io::Router router;
  router.handle("GET", "/api/v1/secretly", [](io::HttpRequest&) { return io::text_response(200, ""); });
  RouteTable table(router, nullptr);
  EXPECT_DEATH(table.add_openapi_route("1.2.3"), "GET /api/v1/secretly has no description");
}

}  // namespace
}  // namespace weir::api
