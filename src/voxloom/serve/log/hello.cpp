#include "voxloom/serve/log/hello.h"

#include <algorithm>
#include <charconv>

#include <stdlib.h>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/core/json_text.h"
#include "voxloom/core/log.h"

namespace voxloom::serve {
namespace {

using http::Json;

/// nullptr (null) for a line that is too long or no JSON.
Json parse_line(std::string_view line) {
  if (line.size() > kMaxHelloBytes) return nullptr;
  return read_json(line).value;
}

bool is_hello(const Json& json) {
  return json.is_object() && json.contains("event") && json["event"] == "hello";
}

}  // namespace

LogEndpoint parse_log_endpoint(std::string_view text) {
  const size_t colon = text.rfind(':');
  LogEndpoint endpoint;
  bool valid = colon != std::string_view::npos && colon > 0 && text.size() <= 300;
  if (valid) {
    std::string_view host = text.substr(0, colon), port = text.substr(colon + 1);
    if (host.front() == '[' && host.back() == ']') {
      host = host.substr(1, host.size() - 2);
    } else {
      valid = host.find_first_of(":[]") == std::string_view::npos;
    }
    const auto [end, error] =
        std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
    valid = valid && !host.empty() && !port.empty() && error == std::errc() &&
            end == port.data() + port.size() &&
            std::all_of(host.begin(), host.end(), [](char c) { return c > ' ' && c < 0x7f; });
    endpoint.host = host;
  }
  VOXLOOM_CHECK(valid,
                ErrorCode::kInvalidArgument,
                "log address: must be HOST:PORT or [IPV6]:PORT, got '{}'",
                text.substr(0, 80));
  return endpoint;
}

std::string endpoint_text(const LogEndpoint& endpoint) {
  const bool v6 = endpoint.host.find(':') != std::string::npos;
  return (v6 ? "[" + endpoint.host + "]" : endpoint.host) + ":" + std::to_string(endpoint.port);
}

void check_log_token(std::string_view token) {
  const bool printable =
      std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7f; });
  VOXLOOM_CHECK(token.size() >= 16 && token.size() <= 256 && printable,
                ErrorCode::kInvalidArgument,
                "log token: must be 16 to 256 printable characters without spaces, got {} bytes",
                token.size());
}

std::string read_log_token(const std::filesystem::path& file) {
  std::string token;
  if (!file.empty()) {
    token = read_text_file(file, 4096);
    token.resize(std::min(token.find_first_of("\r\n"), token.size()));
  } else {
    const char* variable = ::getenv("VOXLOOM_LOG_TOKEN");
    VOXLOOM_CHECK(variable != nullptr,
                  ErrorCode::kInvalidArgument,
                  "log token: give a file with it, or the variable VOXLOOM_LOG_TOKEN");
    token = variable;
  }
  check_log_token(token);
  return token;
}

LogRequest parse_request_line(std::string_view line) {
  return parse_log_request(parse_line(line));
}

std::string request_line(const LogRequest& request) {
  Json json = {{"level", level_name(request.filter.level)}};
  if (request.filter.request != 0) json["request"] = request.filter.request;
  if (!request.filter.client.empty()) json["client"] = request.filter.client;
  if (request.backlog != 0) json["backlog"] = request.backlog;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string parse_push_hello(std::string_view line) {
  const Json json = parse_line(line);
  if (!is_hello(json) || !json.contains("token") || !json["token"].is_string()) return {};
  return json["token"].get<std::string>();
}

std::string push_hello_line(std::string_view token) {
  return Json{{"event", "hello"}, {"program", "voxloom"}, {"token", token}}.dump();
}

std::optional<ServerHello> parse_server_hello(std::string_view line) {
  const Json json = parse_line(line);
  if (!is_hello(json) || !json.contains("backlog") || !json["backlog"].is_number_unsigned() ||
      !json.contains("run") || !json["run"].is_string()) {
    return std::nullopt;
  }
  return ServerHello{json["backlog"].get<size_t>(), json["run"].get<std::string>()};
}

std::string server_hello_line(const ServerHello& hello) {
  return Json{{"time", iso_time(unix_now_ms())},
              {"level", "info"},
              {"event", "hello"},
              {"program", "voxloom"},
              {"run", hello.run},
              {"backlog", hello.backlog}}
      .dump();
}

}  // namespace voxloom::serve
