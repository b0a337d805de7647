#include "voxloom/serve/http/multipart_writer.h"

#include <sys/random.h>

#include "voxloom/core/error.h"
#include "voxloom/serve/http/python_json.h"
#include "voxloom/serve/http/text.h"

namespace voxloom::serve::http {
namespace {

std::string quoted_name(std::string_view file_name) {
  std::string name = base_name(file_name);
  for (char& c : name) {
    if (c == '"' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '_';
  }
  return name;
}

std::string params_part(const std::string& boundary, const Json& params) {
  return "--" + boundary +
         "\r\nContent-Disposition: form-data; name=\"params\"\r\n"
         "Content-Type: application/json\r\n\r\n" +
         python_json(params) + "\r\n";
}

std::string file_head(const std::string& boundary, std::string_view file_name) {
  return "--" + boundary + "\r\nContent-Disposition: form-data; name=\"image\"; filename=\"" +
         quoted_name(file_name) + "\"\r\nContent-Type: application/octet-stream\r\n\r\n";
}

std::string end_line(const std::string& boundary) {
  return "--" + boundary + "--\r\n";
}

Response answer(const std::string& boundary, std::string body) {
  return Response::text(std::move(body), 200, "multipart/form-data; boundary=" + boundary);
}

}  // namespace

std::string random_hex(size_t digits) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string bytes((digits + 1) / 2, '\0');
  size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = ::getrandom(bytes.data() + have, bytes.size() - have, 0);
    VOXLOOM_CHECK(got > 0 || errno == EINTR,
                  ErrorCode::kUnavailable,
                  "random: the system's source must answer, got error {}",
                  errno);
    if (got > 0) have += static_cast<size_t>(got);
  }
  std::string text;
  for (size_t i = 0; i < digits; ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i / 2]);
    text += kHex[i % 2 == 0 ? byte >> 4 : byte & 15];
  }
  return text;
}

Response multipart_params_and_file(const Json& params,
                                   std::string_view file_name,
                                   std::string_view bytes) {
  const std::string boundary = random_hex(32);
  std::string body = params_part(boundary, params);
  const std::string head = file_head(boundary, file_name), end = end_line(boundary);
  body.reserve(body.size() + head.size() + bytes.size() + 2 + end.size());
  body.append(head).append(bytes).append("\r\n").append(end);
  return answer(boundary, std::move(body));
}

Response multipart_params_and_file(const Json& params,
                                   std::string_view file_name,
                                   const std::filesystem::path& file) {
  const std::string boundary = random_hex(32);
  Response response = answer(boundary, {});
  response.file =
      Response::FileBody{.path = file,
                         .before = params_part(boundary, params) + file_head(boundary, file_name),
                         .after = "\r\n" + end_line(boundary)};
  return response;
}

Response multipart_params(const Json& params) {
  const std::string boundary = random_hex(32);
  return answer(boundary, params_part(boundary, params) + end_line(boundary));
}

}  // namespace voxloom::serve::http
