// multipart/related (RFC 2387), as WADO-RS answers: a delimiter line, a part's header lines, an
// empty line, the part's bytes, the next delimiter ...; the last delimiter ends with "--".
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace voxloom::io {

/// Names (lower case) and values of a part's header.
using PartHeaders = std::vector<std::pair<std::string, std::string>>;

/// The value of header `name` (lower case); empty where it is absent.
[[nodiscard]] std::string_view part_header(const PartHeaders& headers, std::string_view name);

/// What is told about the parts, in order. Views are valid during the call only.
class PartSink {
 public:
  virtual ~PartSink() = default;
  virtual void begin_part(const PartHeaders& headers) = 0;
  virtual void part_data(std::string_view bytes) = 0;
  virtual void end_part() = 0;
};

struct MultipartLimits {
  size_t max_header_bytes = size_t{16} << 10;    ///< Of one part's header.
  size_t max_preamble_bytes = size_t{64} << 10;  ///< Before the first delimiter.
  uint64_t max_part_bytes = uint64_t{8} << 30;
  uint64_t max_parts = 1'000'000;
};

/// Cuts a multipart/related body into its parts while it arrives, in pieces of any size. Holds one
/// piece and one header at most.
///
///     MultipartParser parser(multipart_boundary(content_type), sink);
///     while (more()) parser.feed(piece);
///     parser.finish();
class MultipartParser {
 public:
  /// Throws kDataCorrupt unless `boundary` is one (1 to 70 characters, RFC 2046).
  MultipartParser(std::string_view boundary, PartSink& sink, const MultipartLimits& limits = {});

  /// Throws kDataCorrupt for a body that is no such thing, kUnsupported beyond a limit.
  void feed(std::string_view bytes);
  /// Throws kDataCorrupt unless the last delimiter has come.
  void finish();
  [[nodiscard]] uint64_t parts() const { return parts_; }

 private:
  enum class State { kPreamble, kAfterDelimiter, kHeader, kBody, kEpilogue };
  bool step();
  bool skip_to_delimiter();
  bool read_after_delimiter();
  bool read_header();
  bool read_body();

  std::string delimiter_;  // CRLF, two hyphens, the boundary.
  PartSink& sink_;
  MultipartLimits limits_;
  State state_ = State::kPreamble;
  std::string buffer_;
  size_t used_ = 0;  // Of buffer_, done with.
  uint64_t skipped_ = 0, part_bytes_ = 0, parts_ = 0;
};

/// The boundary parameter of "multipart/related; boundary=...", quoted or not.
/// Throws kDataCorrupt when `content_type` is not multipart/related or has none.
[[nodiscard]] std::string multipart_boundary(std::string_view content_type);

}  // namespace voxloom::io
