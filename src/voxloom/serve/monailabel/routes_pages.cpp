// Pages and the server's own state: /, /docs, /healthz, /reload, /ohif.
#include "voxloom/serve/http/static_files.h"
#include "voxloom/serve/monailabel/index_page.h"
#include "voxloom/serve/monailabel/services.h"

namespace voxloom::serve {
namespace {

using http::Request;
using http::Response;
using http::Route;
using http::Work;

Route page(const char* pattern, const char* summary, http::Handler handler) {
  Route route;
  route.method = "GET";
  route.pattern = pattern;
  route.summary = summary;
  route.handler = std::move(handler);
  route.work = Work::kInline;
  route.listed = false;
  return route;
}

/// A small drawing of a woven cube: browsers ask for one on every page.
constexpr const char* kIcon =
    R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="6" fill="#16232e"/>
<path d="M6 11h20M6 16h20M6 21h20" stroke="#4fb7a4" stroke-width="2.4"/>
<path d="M11 6v20M16 6v20M21 6v20" stroke="#e9b44c" stroke-width="2.4" stroke-dasharray="5 3"/></svg>)";

}  // namespace

std::vector<Route> page_routes(Services& services) {
  std::vector<Route> routes;
  const auto index = [](Request&) {
    return Response::text(kIndexPage, 200, "text/html; charset=utf-8");
  };
  routes.push_back(page("/", "What this server serves.", index));
  routes.push_back(page("/docs", "The routes, to read.", index));
  routes.push_back(page("/favicon.ico", "Icon.", [](Request&) {
    return Response::text(kIcon, 200, "image/svg+xml");
  }));
  Route health = page(
      "/healthz", "ok while the server runs.", [](Request&) { return Response::text("ok\n"); });
  health.listed = true;
  health.head = true;
  routes.push_back(std::move(health));
  routes.push_back(page("/ohif/{path*}", "The OHIF viewer.", nullptr));
  routes.back().work = Work::kPool;
  if (services.ohif.empty()) {
    routes.back().handler = [](Request&) { return Response::error(404, "Resource NOT Found"); };
  } else {
    routes.back().handler = http::static_files(services.ohif, {.fallback = "index.html"});
  }
  return routes;
}

}  // namespace voxloom::serve
