#include "voxloom/serve/http/param_check.h"

#include <algorithm>

#include "voxloom/core/json_text.h"

namespace voxloom::serve::http {
namespace {

Json problem(std::string_view type, Json loc, std::string_view message, Json input) {
  return Json{{"type", std::string(type)},
              {"loc", std::move(loc)},
              {"msg", std::string(message)},
              {"input", std::move(input)}};
}

/// 'a', 'b' or 'c'
std::string spoken_list(const std::vector<std::string>& choices) {
  std::string text;
  for (size_t i = 0; i < choices.size(); ++i) {
    if (i > 0) text += i + 1 == choices.size() ? " or " : ", ";
    text += "'" + choices[i] + "'";
  }
  return text;
}

std::optional<std::string> first(const Fields& fields, std::string_view name) {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return std::nullopt;
}

/// The body of a route with JSON parameters, or what is wrong with it.
Json read_body(const Request& request, Json& problems) {
  if (request.body.find_first_not_of(" \t\r\n") == std::string::npos) return Json::object();
  JsonReading read = read_json(request.body);
  if (!read.error.empty()) {
    // Where FastAPI puts the position of the error, counted from 0.
    const size_t position = read.byte - std::min<size_t>(read.byte, 1);
    Json entry = problem("json_invalid", {"body", position}, "JSON decode error", Json::object());
    entry["ctx"] = Json{{"error", "body: " + read.error}};
    problems.push_back(std::move(entry));
    return Json::object();
  }
  Json value = std::move(read.value);
  if (!value.is_object()) {
    problems.push_back(
        problem("dict_type", Json::array({"body"}), "Input should be a valid dictionary", value));
    return Json::object();
  }
  return value;
}

}  // namespace

std::optional<Response> check_params(const Request& request, const Route& route) {
  Json problems = Json::array();
  Json body = Json::object();
  if (std::any_of(route.params.begin(), route.params.end(), [](const Param& param) {
        return param.in == Param::In::kJson;
      })) {
    body = read_body(request, problems);
    if (!problems.empty()) return Response::json(Json{{"detail", std::move(problems)}}, 422);
  }
  for (const Param& param : route.params) {
    std::optional<std::string> value;
    bool present = false;
    switch (param.in) {
      case Param::In::kQuery:
        value = first(request.query, param.name);
        present = value.has_value();
        break;
      case Param::In::kForm:
        value = first(request.form, param.name);
        present = value && !value->empty();
        break;
      case Param::In::kFile:
        present = request.file(param.name) != nullptr;
        break;
      case Param::In::kJson:
        // An empty name stands for the body as a whole.
        present = param.name.empty() ? !request.body.empty() : body.contains(param.name);
        if (body.contains(param.name) && body[param.name].is_string()) {
          value = body[param.name].get<std::string>();
        }
        break;
    }
    Json loc = Json::array({param.in == Param::In::kQuery ? "query" : "body"});
    if (!param.name.empty()) loc.push_back(param.name);
    if (!present) {
      if (param.required) problems.push_back(problem("missing", loc, "Field required", nullptr));
      continue;
    }
    const auto& choices = param.choices;
    if (choices.empty() || !value || value->empty()) continue;
    if (std::find(choices.begin(), choices.end(), *value) != choices.end()) continue;
    const std::string expected = spoken_list(choices);
    Json entry = problem("enum", loc, "Input should be " + expected, *value);
    entry["ctx"] = Json{{"expected", expected}};
    problems.push_back(std::move(entry));
  }
  if (problems.empty()) return std::nullopt;
  return Response::json(Json{{"detail", std::move(problems)}}, 422);
}

}  // namespace voxloom::serve::http
