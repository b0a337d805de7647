#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>

#include "voxloom/serve/http/message.h"
#include "voxloom/serve/http/multipart.h"
#include "voxloom/serve/http/spool.h"

namespace voxloom::serve::http {

struct BodyLimits {
  uint64_t max_json_bytes = uint64_t{16} << 20;
  uint64_t max_field_bytes = uint64_t{1} << 20;
  uint64_t max_upload_bytes = uint64_t{8} << 30;
  size_t max_fields = 1000;
};

/// Takes a request's body piece by piece and puts it where handlers look for it: files into the
/// spool, fields into request.form, anything else into request.body. Knows no socket.
///
/// Files that were complete belong to request.files, even when a later piece throws; the caller
/// removes them (remove_uploads). Throws HttpError 400 and 413, Error kUnavailable (disk).
/// Not thread-safe.
class BodyReceiver : private MultipartSink {
 public:
  /// `length`: the Content-Length, where there is one; too long a body is refused at once.
  BodyReceiver(Request& request,
               const BodyLimits& limits,
               std::filesystem::path spool,
               std::optional<uint64_t> length);

  /// Whether feed() may write to a disk: then it does not belong on an IO thread.
  [[nodiscard]] bool writes_files() const { return multipart_ != nullptr; }
  void feed(std::string_view bytes);
  void finish();

 private:
  void field(std::string name, std::string value) override;
  void begin_file(std::string field, std::string filename, std::string content_type) override;
  void file_data(std::string_view bytes) override;
  void end_file() override;
  void drop_file() override;

  Request& request_;
  BodyLimits limits_;
  std::filesystem::path spool_;
  uint64_t limit_ = 0, received_ = 0;
  bool urlencoded_ = false;
  std::unique_ptr<MultipartParser> multipart_;
  std::unique_ptr<SpoolFile> file_;
  UploadedFile upload_;
};

}  // namespace voxloom::serve::http
