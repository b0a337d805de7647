#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "voxloom/serve/http/message.h"

namespace voxloom::serve::http {

/// The media type of a file name: "application/octet-stream" for images and what is unknown.
[[nodiscard]] std::string content_type_of(std::string_view file_name);

/// `attachment; filename="a.nii.gz"`, or `attachment; filename*=utf-8''a%20b.nii.gz` where the
/// name needs escaping.
[[nodiscard]] std::string attachment(std::string_view download_name);

/// Seconds since 1970 as "Tue, 15 Nov 1994 08:12:31 GMT", and back; -1 for other text.
[[nodiscard]] std::string http_date(int64_t seconds);
[[nodiscard]] int64_t parse_http_date(std::string_view text);

/// A file answer made ready: which bytes of it go out.
struct FileAnswer {
  int fd = -1;  ///< The caller closes it.
  uint64_t offset = 0, length = 0;
};

/// Opens response.file and fills status and headers: type, ETag, Last-Modified, Accept-Ranges,
/// disposition; 304 for If-None-Match and If-Modified-Since, 206 and 416 for one Range. More
/// than one range is answered with the whole file, which RFC 9110 allows. A framed file gets none
/// of these, and `length` is that of its file alone. Blocks on the disk.
/// Throws kNotFound without naming the file.
[[nodiscard]] FileAnswer open_file_answer(const Request& request, Response& response);

}  // namespace voxloom::serve::http
