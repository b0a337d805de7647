#include <algorithm>

#include "voxloom/serve/http/router.h"
#include "voxloom/serve/http/text.h"

namespace voxloom::serve::http {
namespace {

/// "/static/{path*}" -> "/static/{path}", with the names in braces added to `names`.
std::string public_pattern(std::string_view pattern, std::vector<std::string>& names) {
  std::string shown;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '{') {
      const size_t end = std::min(pattern.find('}', i), pattern.size());
      std::string name(pattern.substr(i + 1, end - i - 1));
      if (name.ends_with('*')) name.pop_back();
      names.push_back(name);
    }
    if (pattern[i] != '*') shown += pattern[i];
  }
  return shown;
}

Json schema_of(const Param& param) {
  Json schema{{"type", "string"}};
  if (param.in == Param::In::kFile) schema["format"] = "binary";
  if (!param.choices.empty()) schema["enum"] = param.choices;
  if (!param.help.empty()) schema["description"] = param.help;
  return schema;
}

/// The body of a route: forms and files in one multipart schema, JSON in its own.
Json request_body(const Route& route) {
  Json form_fields = Json::object(), form_required = Json::array();
  Json json_fields = Json::object(), json_required = Json::array();
  bool has_json = false, has_file = false;
  for (const Param& param : route.params) {
    if (param.in == Param::In::kQuery) continue;
    const bool json = param.in == Param::In::kJson;
    has_json |= json;
    has_file |= param.in == Param::In::kFile;
    if (param.name.empty()) continue;
    Json schema = schema_of(param);
    // A key of a JSON body may hold any JSON.
    if (json && param.choices.empty()) schema.erase("type");
    (json ? json_fields : form_fields)[param.name] = std::move(schema);
    if (param.required) (json ? json_required : form_required).push_back(param.name);
  }
  Json content = Json::object();
  const auto object = [](Json fields, Json required) {
    Json schema{{"type", "object"}, {"properties", std::move(fields)}};
    if (!required.empty()) schema["required"] = std::move(required);
    return Json{{"schema", std::move(schema)}};
  };
  if (has_json) content["application/json"] = object(json_fields, json_required);
  if (!form_fields.empty()) {
    content["multipart/form-data"] = object(form_fields, form_required);
    if (!has_file) {
      content["application/x-www-form-urlencoded"] = object(form_fields, form_required);
    }
  }
  return content.empty() ? Json() : Json{{"content", std::move(content)}};
}

Json operation(const Route& route, const std::vector<std::string>& path_names) {
  Json described{{"summary", route.summary}};
  if (!route.role.empty()) described["description"] = "Role: " + route.role + ".";
  Json parameters = Json::array();
  for (const std::string& name : path_names) {
    parameters.push_back(
        {{"name", name}, {"in", "path"}, {"required", true}, {"schema", {{"type", "string"}}}});
  }
  for (const Param& param : route.params) {
    if (param.in != Param::In::kQuery) continue;
    parameters.push_back({{"name", param.name},
                          {"in", "query"},
                          {"required", param.required},
                          {"schema", schema_of(param)}});
  }
  if (!parameters.empty()) described["parameters"] = std::move(parameters);
  Json body = request_body(route);
  if (!body.is_null()) described["requestBody"] = std::move(body);
  const auto answer = [](std::string_view text) {
    return Json{{"description", std::string(text)}};
  };
  Json responses = Json::object();
  if (route.websocket) {
    responses["101"] = answer("The connection becomes a WebSocket.");
  } else {
    responses["200"] = answer("Successful Response");
  }
  if (!route.params.empty()) responses["422"] = answer("Validation Error");
  described["responses"] = std::move(responses);
  if (!route.role.empty()) described["security"] = Json::array({{{"bearer", Json::array()}}});
  return described;
}

}  // namespace

Json openapi(const Router& router, std::string_view title, std::string_view version) {
  Json paths = Json::object();
  for (const auto& route : router.routes()) {
    if (!route->listed) continue;
    std::vector<std::string> names;
    Json& path = paths[public_pattern(route->pattern, names)];
    path[to_lower(route->method)] = operation(*route, names);
    if (route->head) path["head"] = operation(*route, names);
  }
  return Json{{"openapi", "3.1.0"},
              {"info", {{"title", std::string(title)}, {"version", std::string(version)}}},
              {"paths", std::move(paths)},
              {"components",
               {{"securitySchemes", {{"bearer", {{"type", "http"}, {"scheme", "bearer"}}}}}}}};
}

}  // namespace voxloom::serve::http
