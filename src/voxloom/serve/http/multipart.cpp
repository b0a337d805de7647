#include "voxloom/serve/http/multipart.h"

#include <algorithm>

#include "voxloom/core/format.h"
#include "voxloom/serve/http/text.h"
#include "voxloom/serve/http/url.h"

namespace voxloom::serve::http {
namespace {

constexpr char kInvalid[] = "Invalid multipart data.";
constexpr char kParse[] = "There was an error parsing the body";
/// RFC 2046 says 70; some clients use more.
constexpr size_t kMaxBoundary = 256;
/// Blanks behind a boundary, before its line ends.
constexpr size_t kMaxPadding = 64;

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  });
}

}  // namespace

MultipartParser::MultipartParser(std::string_view boundary,
                                 MultipartSink& sink,
                                 const MultipartLimits& limits)
    : delimiter_("\r\n--" + std::string(boundary)),
      sink_(sink),
      limits_(limits),
      // So that a boundary in the first line looks like all others.
      pending_("\r\n") {}

std::string MultipartParser::boundary_of(std::string_view content_type) {
  std::string boundary;
  if (!header_parameter(content_type, "boundary", boundary) || boundary.empty()) {
    throw HttpError(400, "Missing boundary in multipart.");
  }
  if (boundary.size() > kMaxBoundary || has_control(boundary)) throw HttpError(400, kInvalid);
  return boundary;
}

void MultipartParser::feed(std::string_view bytes) {
  fed_ += bytes.size();
  if (state_ == State::kEpilogue) return;
  // The inside of a file goes on without a copy.
  const bool in_part =
      state_ == State::kPreamble || state_ == State::kField || state_ == State::kFile;
  if (in_part && pending_.empty()) bytes.remove_prefix(pass_content(bytes));
  pending_ += bytes;
  while (step()) {
  }
}

void MultipartParser::finish() {
  if (state_ == State::kPreamble && fed_ > 0) throw HttpError(400, kInvalid);
  const State open = state_ == State::kBoundary ? before_boundary_ : state_;
  if (open == State::kFile) {
    // "--boundary" at the very end, without its two dashes: the part itself is whole, but
    // nothing says so; dropped like the rest.
    sink_.drop_file();
  }
  state_ = State::kEpilogue;
  pending_.clear();
}

/// Does what can be done with what is there. Returns whether there may be more to do.
bool MultipartParser::step() {
  switch (state_) {
    case State::kPreamble:
    case State::kField:
    case State::kFile:
      return find_boundary();
    case State::kBoundary:
      return after_boundary();
    case State::kHeaders:
      return read_headers();
    case State::kEpilogue:
      pending_.clear();
      return false;
  }
  return false;
}

/// Gives on what comes before a delimiter, or before the start of one. Returns how much that was.
size_t MultipartParser::pass_content(std::string_view bytes) {
  size_t end = bytes.find(delimiter_);
  if (end == std::string_view::npos) {
    // The end may be the start of a delimiter: keep from its first CR on.
    const size_t keep = std::min(bytes.size(), delimiter_.size() - 1);
    end = std::min(bytes.find('\r', bytes.size() - keep), bytes.size());
  }
  content(bytes.substr(0, end));
  return end;
}

bool MultipartParser::find_boundary() {
  pending_.erase(0, pass_content(pending_));
  if (!pending_.starts_with(delimiter_)) return false;
  pending_.erase(0, delimiter_.size());
  before_boundary_ = state_;
  state_ = State::kBoundary;
  return true;
}

bool MultipartParser::after_boundary() {
  const size_t blanks = std::min(pending_.find_first_not_of(" \t"), pending_.size());
  if (blanks <= kMaxPadding && pending_.size() < blanks + 2) return false;
  const std::string_view next = std::string_view(pending_).substr(blanks, 2);
  const bool last = blanks == 0 && next == "--";
  if (blanks <= kMaxPadding && (last || next == "\r\n")) {
    if (before_boundary_ != State::kPreamble) end_part();
    pending_.erase(0, blanks + 2);
    state_ = last ? State::kEpilogue : State::kHeaders;
    return true;
  }
  // Something longer that only begins like the boundary.
  state_ = before_boundary_;
  content(delimiter_);
  return true;
}

bool MultipartParser::read_headers() {
  // A part without any header starts with the empty line itself.
  const size_t end = pending_.starts_with("\r\n") ? 0 : pending_.find("\r\n\r\n");
  if (end == std::string::npos ? pending_.size() > limits_.max_header_bytes
                               : end > limits_.max_header_bytes) {
    throw HttpError(400, kParse);
  }
  if (end == std::string::npos) return false;
  begin_part(std::string_view(pending_).substr(0, end));
  pending_.erase(0, end == 0 ? 2 : end + 4);
  return true;
}

void MultipartParser::begin_part(std::string_view headers) {
  std::string disposition, content_type;
  bool has_disposition = false;
  while (!headers.empty()) {
    const size_t end = headers.find("\r\n");
    const std::string_view line = headers.substr(0, end);
    headers = end == std::string_view::npos ? std::string_view() : headers.substr(end + 2);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) throw HttpError(400, kInvalid);
    const std::string_view key = line.substr(0, colon), value = trim(line.substr(colon + 1));
    if (has_control(value)) throw HttpError(400, kParse);
    if (equals_nocase(key, "content-disposition")) {
      disposition = value;
      has_disposition = true;
    } else if (equals_nocase(key, "content-type")) {
      content_type = value;
    }
  }
  name_.clear();
  value_.clear();
  if (!has_disposition || !header_parameter(disposition, "name", name_)) {
    throw HttpError(400, "The Content-Disposition header field \"name\" must be provided.");
  }
  if (++parts_ > limits_.max_fields) throw too_many_fields(limits_.max_fields);

  std::string filename, extended;
  bool is_file = header_parameter(disposition, "filename", filename);
  if (header_parameter(disposition, "filename*", extended)) {
    // charset'language'percent-encoded (RFC 8187); other charsets than UTF-8 are not read.
    const size_t quote = extended.rfind('\'');
    if (to_lower(extended.substr(0, 6)) == "utf-8'" && quote != std::string::npos) {
      auto decoded = percent_decode(std::string_view(extended).substr(quote + 1), Plus::kLiteral);
      if (!decoded || has_control(*decoded)) throw HttpError(400, kParse);
      filename = std::move(*decoded);
      is_file = true;
    }
  }
  if (is_file) {
    state_ = State::kFile;
    sink_.begin_file(name_, base_name(filename), std::move(content_type));
  } else {
    state_ = State::kField;
  }
}

void MultipartParser::content(std::string_view bytes) {
  if (bytes.empty()) return;
  if (state_ == State::kFile) {
    sink_.file_data(bytes);
  } else if (state_ == State::kField) {
    if (value_.size() + bytes.size() > limits_.max_field_bytes) {
      throw HttpError(
          400,
          voxloom::format("Part exceeded maximum size of {}KB.", limits_.max_field_bytes / 1024));
    }
    value_ += bytes;
  }
}

void MultipartParser::end_part() {
  if (before_boundary_ == State::kFile) {
    sink_.end_file();
  } else {
    sink_.field(std::move(name_), std::move(value_));
  }
  name_.clear();
  value_.clear();
}

}  // namespace voxloom::serve::http
