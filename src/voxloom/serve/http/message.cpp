#include "voxloom/serve/http/message.h"

#include <algorithm>

#include "voxloom/core/json_text.h"
#include "voxloom/serve/http/text.h"

namespace voxloom::serve::http {
namespace {

std::string first_value(const Fields& fields, std::string_view name, std::string_view fallback) {
  for (const auto& [key, value] : fields) {
    if (key == name) return value.empty() ? std::string(fallback) : value;
  }
  return std::string(fallback);
}

std::string dump(const Json& value) {
  // Ids come from file names, which need not be UTF-8; an answer that can't be written helps
  // nobody.
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace

void Headers::set(std::string_view name, std::string value) {
  remove(name);
  add(name, std::move(value));
}

void Headers::add(std::string_view name, std::string value) {
  fields_.emplace_back(std::string(name), std::move(value));
}

void Headers::remove(std::string_view name) {
  std::erase_if(fields_, [&](const auto& field) { return equals_nocase(field.first, name); });
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (const auto& [key, value] : fields_) {
    if (equals_nocase(key, name)) return value;
  }
  return std::nullopt;
}

bool Principal::has(std::string_view role) const {
  if (role.empty()) return true;
  return std::find(roles.begin(), roles.end(), role) != roles.end();
}

std::string Request::query_value(std::string_view name, std::string_view fallback) const {
  return first_value(query, name, fallback);
}

std::string Request::form_value(std::string_view name, std::string_view fallback) const {
  return first_value(form, name, fallback);
}

bool Request::query_flag(std::string_view name, bool fallback) const {
  const std::string text = to_lower(query_value(name));
  if (text.empty()) return fallback;
  for (const std::string_view yes : {"true", "1", "yes", "on", "t", "y"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"false", "0", "no", "off", "f", "n"}) {
    if (text == no) return false;
  }
  throw Error(ErrorCode::kInvalidArgument,
              voxloom::format("{}: must be true or false, got '{}'", name, text));
}

const UploadedFile* Request::file(std::string_view field) const {
  for (const UploadedFile& upload : files) {
    if (upload.field == field) return &upload;
  }
  return nullptr;
}

Json Request::json_object() const {
  if (body.find_first_not_of(" \t\r\n") == std::string::npos) return Json::object();
  Json value = parse_json(body, "body", ErrorCode::kInvalidArgument);
  VOXLOOM_CHECK(value.is_object(),
                ErrorCode::kInvalidArgument,
                "body: must be a JSON object, got {}",
                value.type_name());
  return value;
}

Response Response::json(const Json& value, int status) {
  Response response;
  response.status = status;
  response.headers.set("content-type", "application/json");
  response.body = dump(value);
  return response;
}

Response Response::text(std::string body, int status, std::string_view type) {
  Response response;
  response.status = status;
  response.headers.set("content-type", std::string(type));
  response.body = std::move(body);
  return response;
}

Response Response::error(int status, std::string_view detail) {
  return json(Json{{"detail", std::string(detail)}}, status);
}

Response Response::download(std::filesystem::path path, std::string download_name) {
  Response response;
  response.file = FileBody{std::move(path), std::move(download_name), false};
  return response;
}

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kDataCorrupt:
      return 400;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kUnsupported:
      return 415;
    case ErrorCode::kInternal:
      return 500;
    case ErrorCode::kUnavailable:
      return 503;
    case ErrorCode::kCancelled:
      return 499;
    case ErrorCode::kAlreadyExists:
      return 409;
  }
  return 500;
}

}  // namespace voxloom::serve::http
