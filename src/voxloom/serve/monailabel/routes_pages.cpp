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

/// A small drawing of a woven cube: browsers ask for one on every page.
constexpr const char* kIcon =
    R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="6" fill="#16232e"/>
<path d="M6 11h20M6 16h20M6 21h20" stroke="#4fb7a4" stroke-width="2.4"/>
<path d="M11 6v20M16 6v20M21 6v20" stroke="#e9b44c" stroke-width="2.4" stroke-dasharray="5 3"/></svg>)";

}  // namespace

std::vector<Route> page_routes(Services& services) {
  http::RouteList routes;
  const auto page =
      [&](const char* pattern, const char* summary, http::Handler handler) -> http::Route& {
    http::Route& route =
        routes.add("GET", pattern, "", summary, {}, std::move(handler), Work::kInline);
    route.listed = false;
    return route;
  };
  const auto index = [](Request&) {
    return Response::text(kIndexPage, 200, "text/html; charset=utf-8");
  };
  page("/", "What this server serves.", index);
  page("/docs", "The routes, to read.", index);
  page("/favicon.ico", "Icon.", [](Request&) {
    return Response::text(kIcon, 200, "image/svg+xml");
  });
  http::Route& health = page(
      "/healthz", "ok while the server runs.", [](Request&) { return Response::text("ok\n"); });
  health.listed = true;
  health.head = true;
  http::Route& viewer = page("/ohif/{path*}", "The OHIF viewer.", nullptr);
  viewer.work = Work::kPool;
  if (services.ohif.empty()) {
    viewer.handler = [](Request&) { return Response::error(404, "Resource NOT Found"); };
  } else {
    viewer.handler = http::static_files(services.ohif, {.fallback = "index.html"});
  }
  return routes.take();
}

}  // namespace voxloom::serve
