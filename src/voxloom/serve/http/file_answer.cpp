#include "voxloom/serve/http/file_answer.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <optional>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "voxloom/core/error.h"
#include "voxloom/serve/http/text.h"
#include "voxloom/serve/http/url.h"

namespace voxloom::serve::http {
namespace {

struct Type {
  std::string_view ending, type;
};
constexpr std::array kTypes{
    Type{".json", "application/json"},
    Type{".zip", "application/zip"},
    Type{".dcm", "application/dicom"},
    Type{".html", "text/html; charset=utf-8"},
    Type{".htm", "text/html; charset=utf-8"},
    Type{".css", "text/css; charset=utf-8"},
    Type{".js", "text/javascript; charset=utf-8"},
    Type{".mjs", "text/javascript; charset=utf-8"},
    Type{".map", "application/json"},
    Type{".wasm", "application/wasm"},
    Type{".txt", "text/plain; charset=utf-8"},
    Type{".log", "text/plain; charset=utf-8"},
    Type{".md", "text/markdown; charset=utf-8"},
    Type{".csv", "text/csv; charset=utf-8"},
    Type{".xml", "application/xml"},
    Type{".pdf", "application/pdf"},
    Type{".svg", "image/svg+xml"},
    Type{".png", "image/png"},
    Type{".jpg", "image/jpeg"},
    Type{".jpeg", "image/jpeg"},
    Type{".gif", "image/gif"},
    Type{".webp", "image/webp"},
    Type{".ico", "image/x-icon"},
    Type{".tif", "image/tiff"},
    Type{".tiff", "image/tiff"},
    Type{".woff", "font/woff"},
    Type{".woff2", "font/woff2"},
    Type{".ttf", "font/ttf"},
};

std::optional<uint64_t> number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

struct Range {
  bool valid = false;        ///< One range in bytes; otherwise the header is ignored.
  bool satisfiable = false;  ///< It holds at least one byte of the file.
  uint64_t first = 0, last = 0;
};

Range parse_range(std::string_view text, uint64_t size) {
  Range range;
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos || !equals_nocase(trim(text.substr(0, equals)), "bytes")) {
    return range;
  }
  const std::string_view spec = trim(text.substr(equals + 1));
  const size_t dash = spec.find('-');
  if (dash == std::string_view::npos || spec.find(',') != std::string_view::npos) return range;
  const std::string_view left = trim(spec.substr(0, dash)), right = trim(spec.substr(dash + 1));
  const auto first = number(left), last = number(right);
  if (left.empty()) {
    if (!last) return range;
    range.valid = true;
    range.satisfiable = *last > 0 && size > 0;
    range.first = size - std::min(*last, size);
    range.last = size == 0 ? 0 : size - 1;
    return range;
  }
  if (!first || (!right.empty() && (!last || *last < *first))) return range;
  range.valid = true;
  range.satisfiable = *first < size;
  range.first = *first;
  range.last = size == 0 ? 0 : std::min(last.value_or(size - 1), size - 1);
  return range;
}

/// Whether a list of entity tags holds `etag`; weak comparison.
bool lists_tag(std::string_view list, std::string_view etag) {
  while (!list.empty()) {
    const size_t comma = list.find(',');
    std::string_view tag = trim(list.substr(0, comma));
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
    if (tag == "*") return true;
    if (tag.starts_with("W/")) tag.remove_prefix(2);
    if (tag == etag) return true;
  }
  return false;
}

bool not_modified(const Request& request, std::string_view etag, int64_t modified) {
  if (const auto tags = request.headers.find("if-none-match")) return lists_tag(*tags, etag);
  if (const auto since = request.headers.find("if-modified-since")) {
    return parse_http_date(*since) >= modified;
  }
  return false;
}

/// If-Range: the range is wanted only of the version that the client has.
bool range_applies(const Request& request, std::string_view etag, std::string_view modified) {
  const auto condition = request.headers.find("if-range");
  return !condition || trim(*condition) == etag || trim(*condition) == modified;
}

constexpr char kDateFormat[] = "%a, %d %b %Y %H:%M:%S GMT";

}  // namespace

std::string content_type_of(std::string_view file_name) {
  const size_t dot = file_name.rfind('.');
  if (dot != std::string_view::npos) {
    for (const Type& entry : kTypes) {
      if (equals_nocase(entry.ending, file_name.substr(dot))) return std::string(entry.type);
    }
  }
  return "application/octet-stream";
}

std::string attachment(std::string_view download_name) {
  const std::string escaped = percent_encode(download_name, "/");
  if (escaped == download_name) return "attachment; filename=\"" + escaped + "\"";
  return "attachment; filename*=utf-8''" + escaped;
}

std::string http_date(int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  char text[64];
  const size_t size = std::strftime(text, sizeof(text), kDateFormat, &parts);
  return std::string(text, size);
}

int64_t parse_http_date(std::string_view text) {
  std::tm parts{};
  const std::string copy(trim(text));
  const char* end = ::strptime(copy.c_str(), kDateFormat, &parts);
  return end != nullptr && *end == '\0' ? static_cast<int64_t>(::timegm(&parts)) : -1;
}

FileAnswer open_file_answer(const Request& request, Response& response) {
  const Response::FileBody& file = *response.file;
  FileAnswer answer;
  answer.fd = ::open(file.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat info {};
  if (answer.fd < 0 || ::fstat(answer.fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    if (answer.fd >= 0) ::close(answer.fd);
    throw Error(ErrorCode::kNotFound, "Not Found");
  }
  const auto size = static_cast<uint64_t>(info.st_size);
  answer.length = size;
  if (file.framed()) return answer;
  const int64_t modified = info.st_mtim.tv_sec;
  const std::string etag =
      voxloom::format("\"{:x}-{:x}-{:x}\"", modified, info.st_mtim.tv_nsec, size);
  Headers& headers = response.headers;
  if (!headers.find("content-type")) {
    const std::string& name =
        file.download_name.empty() ? file.path.filename().string() : file.download_name;
    headers.set("content-type", content_type_of(name));
  }
  headers.set("accept-ranges", "bytes");
  headers.set("last-modified", http_date(modified));
  headers.set("etag", etag);
  if (!file.download_name.empty()) {
    headers.set("content-disposition", attachment(file.download_name));
  }
  if (response.status != 200) return answer;
  if (not_modified(request, etag, modified)) {
    response.status = 304;
    answer.length = 0;
    return answer;
  }
  const auto wanted = request.headers.find("range");
  if (!wanted || request.method != "GET" || !range_applies(request, etag, http_date(modified))) {
    return answer;
  }
  const Range range = parse_range(*wanted, size);
  if (!range.valid) return answer;
  if (!range.satisfiable) {
    ::close(answer.fd);
    response = Response::error(416, "the range must lie inside the file");
    response.headers.set("content-range", voxloom::format("bytes */{}", size));
    return {};
  }
  response.status = 206;
  headers.set("content-range", voxloom::format("bytes {}-{}/{}", range.first, range.last, size));
  answer.offset = range.first;
  answer.length = range.last - range.first + 1;
  return answer;
}

}  // namespace voxloom::serve::http
