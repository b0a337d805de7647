#include "voxloom/serve/http/body.h"

#include <algorithm>

#include "voxloom/core/format.h"
#include "voxloom/serve/http/text.h"
#include "voxloom/serve/http/url.h"

namespace voxloom::serve::http {
namespace {

HttpError too_large(uint64_t limit) {
  return HttpError(413, voxloom::format("the body must be at most {} bytes", limit));
}

/// What is reserved ahead for a body whose length is announced but which may never come.
constexpr uint64_t kReserve = uint64_t{1} << 20;

}  // namespace

BodyReceiver::BodyReceiver(Request& request,
                           const BodyLimits& limits,
                           std::filesystem::path spool,
                           std::optional<uint64_t> length)
    : request_(request), limits_(limits), spool_(std::move(spool)) {
  const std::string_view content_type = request.headers.find("content-type").value_or("");
  const std::string type = media_type(content_type);
  limit_ = limits.max_json_bytes;
  if (type == "multipart/form-data") {
    limit_ = limits.max_upload_bytes;
    // A missing boundary of an empty body hurts nobody.
    if (length.value_or(1) > 0) {
      multipart_ = std::make_unique<MultipartParser>(
          MultipartParser::boundary_of(content_type),
          static_cast<MultipartSink&>(*this),
          MultipartLimits{limits.max_field_bytes, limits.max_fields});
    }
  } else if (type == "application/x-www-form-urlencoded") {
    urlencoded_ = true;
  }
  if (length.value_or(0) > limit_) throw too_large(limit_);
  if (multipart_ == nullptr) request_.body.reserve(std::min(length.value_or(0), kReserve));
}

void BodyReceiver::feed(std::string_view bytes) {
  received_ += bytes.size();
  if (received_ > limit_) throw too_large(limit_);
  if (multipart_ != nullptr) {
    multipart_->feed(bytes);
  } else {
    request_.body += bytes;
  }
}

void BodyReceiver::finish() {
  if (multipart_ != nullptr) {
    multipart_->finish();
  } else if (urlencoded_) {
    request_.form = parse_urlencoded(request_.body, {limits_.max_fields, limits_.max_field_bytes});
    request_.body.clear();
    request_.body.shrink_to_fit();
  }
}

void BodyReceiver::field(std::string name, std::string value) {
  request_.form.emplace_back(std::move(name), std::move(value));
}

void BodyReceiver::begin_file(std::string field, std::string filename, std::string content_type) {
  // PUT stores what it sends; files of a POST are looked at and go.
  const auto fate = request_.method == "PUT" ? SpoolFile::Fate::kKept : SpoolFile::Fate::kDropped;
  file_ = std::make_unique<SpoolFile>(spool_, filename, fate);
  upload_ = UploadedFile{std::move(field), std::move(filename), std::move(content_type), {}, 0};
}

void BodyReceiver::file_data(std::string_view bytes) {
  file_->write(bytes);
}

void BodyReceiver::end_file() {
  // Room first: a path that is nowhere written down would be a file that nobody removes.
  request_.files.reserve(request_.files.size() + 1);
  upload_.bytes = file_->bytes();
  upload_.path = file_->release();
  request_.files.push_back(std::move(upload_));
  file_.reset();
}

void BodyReceiver::drop_file() {
  file_.reset();
}

}  // namespace voxloom::serve::http
