#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "voxloom/serve/http/message.h"

namespace voxloom::serve::http {

/// Where the parts of a multipart/form-data body go. Files come in pieces.
class MultipartSink {
 public:
  virtual ~MultipartSink() = default;
  virtual void field(std::string name, std::string value) = 0;
  virtual void begin_file(std::string field, std::string filename, std::string content_type) = 0;
  virtual void file_data(std::string_view bytes) = 0;
  virtual void end_file() = 0;
  /// The body ended inside the file begun last.
  virtual void drop_file() = 0;
};

struct MultipartLimits {
  uint64_t max_field_bytes = uint64_t{1} << 20;
  size_t max_fields = 1000;  ///< Text fields and files together.
  size_t max_header_bytes = size_t{16} << 10;
};

/// Reads a multipart/form-data body piece by piece, with memory for one text field.
///
/// Text before the first boundary and behind the last one is skipped; a part that the body ends
/// in is dropped, as MONAI Label's server does. Throws HttpError 400 with that server's words.
/// Not thread-safe.
class MultipartParser {
 public:
  /// `sink` must outlive the parser.
  MultipartParser(std::string_view boundary, MultipartSink& sink, const MultipartLimits& limits);

  void feed(std::string_view bytes);
  /// The body is over.
  void finish();

  /// The boundary of a Content-Type header. Throws "Missing boundary in multipart.".
  static std::string boundary_of(std::string_view content_type);

 private:
  enum class State { kPreamble, kBoundary, kHeaders, kField, kFile, kEpilogue };

  bool step();
  size_t pass_content(std::string_view bytes);
  bool find_boundary();
  bool after_boundary();
  bool read_headers();
  void begin_part(std::string_view headers);
  void content(std::string_view bytes);
  void end_part();

  std::string delimiter_;  ///< CRLF, two dashes, boundary.
  MultipartSink& sink_;
  MultipartLimits limits_;
  State state_ = State::kPreamble;
  State before_boundary_ = State::kPreamble;  ///< Where a text that only looks like one belongs.
  std::string pending_;                       ///< Not looked at yet.
  size_t fed_ = 0, parts_ = 0;
  std::string name_, value_;
};

}  // namespace voxloom::serve::http
