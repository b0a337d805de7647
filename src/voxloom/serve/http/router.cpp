#include "voxloom/serve/http/router.h"

#include <algorithm>

#include "voxloom/core/error.h"

namespace voxloom::serve::http {
namespace {

/// The parts between slashes; a slash at the end makes no part of its own.
std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> parts;
  if (path.starts_with('/')) path.remove_prefix(1);
  while (!path.empty()) {
    const size_t slash = path.find('/');
    parts.push_back(path.substr(0, slash));
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  }
  return parts;
}

bool is_rest(std::string_view part) {
  return part.starts_with('{') && part.ends_with("*}");
}
bool is_value(std::string_view part) {
  return part.starts_with('{') && part.ends_with('}');
}

using Values = std::map<std::string, std::string, std::less<>>;

/// Fits `path` to `pattern`. The score orders the patterns that fit one path: 3 for a literal
/// part, 2 for a value, 1 for a rest, compared from the left.
bool fit(std::string_view pattern, std::string_view path, Values& values, std::string& score) {
  const std::vector<std::string_view> wanted = split(pattern), given = split(path);
  for (size_t i = 0; i < wanted.size(); ++i) {
    const std::string_view part = wanted[i];
    if (is_rest(part)) {
      std::string_view rest;
      if (i < given.size()) {
        rest = path.substr(static_cast<size_t>(given[i].data() - path.data()));
      }
      values.emplace(part.substr(1, part.size() - 3), rest);
      score += '1';
      return true;
    }
    if (i >= given.size()) return false;
    if (is_value(part)) {
      if (given[i].empty()) return false;
      values.emplace(part.substr(1, part.size() - 2), given[i]);
      score += '2';
    } else if (part == given[i]) {
      score += '3';
    } else {
      return false;
    }
  }
  return wanted.size() == given.size();
}

std::string_view without_end_slash(std::string_view path) {
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return path;
}

void allow(std::vector<std::string>& allowed, const std::string& method) {
  if (std::find(allowed.begin(), allowed.end(), method) == allowed.end()) {
    allowed.push_back(method);
  }
}

void allow(std::vector<std::string>& allowed, const Route& route) {
  allow(allowed, route.method);
  if (route.head) allow(allowed, "HEAD");
}

bool answers(const Route& route, std::string_view method) {
  return route.method == method || (method == "HEAD" && route.head && route.method == "GET");
}

}  // namespace

Route& RouteList::add(std::string method,
                      std::string pattern,
                      std::string role,
                      std::string summary,
                      std::vector<Param> params,
                      Handler handler,
                      Work work) {
  Route& route = routes_.emplace_back();
  route.method = std::move(method);
  route.pattern = std::move(pattern);
  route.role = std::move(role);
  route.summary = std::move(summary);
  route.params = std::move(params);
  route.handler = std::move(handler);
  route.work = work;
  return route;
}

void Router::add(Route route) {
  VOXLOOM_CHECK(route.pattern.starts_with('/'),
                ErrorCode::kInternal,
                "router: a pattern must begin with '/', got '{}'",
                route.pattern);
  VOXLOOM_CHECK((route.handler != nullptr) != (route.websocket != nullptr),
                ErrorCode::kInternal,
                "router: '{}' must have either a handler or a websocket",
                route.pattern);
  const Route* added = routes_.emplace_back(std::make_unique<Route>(std::move(route))).get();
  if (added->pattern.find('{') == std::string::npos) {
    literal_[std::string(without_end_slash(added->pattern))].push_back(added);
  } else {
    with_values_.push_back(added);
  }
}

Router::Match Router::find(std::string_view method, std::string_view path) const {
  Match best;
  if (const auto found = literal_.find(without_end_slash(path)); found != literal_.end()) {
    for (const Route* route : found->second) {
      allow(best.allowed, *route);
      if (best.route == nullptr && answers(*route, method)) best.route = route;
    }
    if (best.route != nullptr) return best;
  }
  std::string best_score;
  for (const Route* route : with_values_) {
    Values values;
    std::string score;
    if (!fit(route->pattern, path, values, score)) continue;
    allow(best.allowed, *route);
    if (!answers(*route, method) || (best.route != nullptr && score <= best_score)) continue;
    best.route = route;
    best.path_values = std::move(values);
    best_score = std::move(score);
  }
  return best;
}

}  // namespace voxloom::serve::http
