#include "voxloom/io/multipart_related.h"

#include <algorithm>

#include "voxloom/core/error.h"

namespace voxloom::io {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_boundary(std::string_view text) {
  constexpr std::string_view kMarks = "'()+_,-./:=? ";
  if (text.empty() || text.size() > 70 || text.back() == ' ') return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

PartHeaders parse_headers(std::string_view block) {
  PartHeaders out;
  while (!block.empty()) {
    const size_t end = std::min(block.find("\r\n"), block.size());
    const std::string_view line = block.substr(0, end);
    block.remove_prefix(std::min(end + 2, block.size()));
    if ((line.starts_with(' ') || line.starts_with('\t')) && !out.empty()) {
      out.back().second += ' ';
      out.back().second += trim(line);  // A folded line goes on.
      continue;
    }
    const size_t colon = line.find(':');
    VOXLOOM_CHECK(colon != std::string_view::npos && colon > 0,
                  ErrorCode::kDataCorrupt,
                  "multipart: every header line of a part must be 'name: value'");
    out.emplace_back(lower(trim(line.substr(0, colon))), std::string(trim(line.substr(colon + 1))));
  }
  return out;
}

}  // namespace

std::string_view part_header(const PartHeaders& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

MultipartParser::MultipartParser(std::string_view boundary,
                                 PartSink& sink,
                                 const MultipartLimits& limits)
    : delimiter_("\r\n--" + std::string(boundary)), sink_(sink), limits_(limits), buffer_("\r\n") {
  // The buffer starts with a line end because the first delimiter may be the first line.
  VOXLOOM_CHECK(is_boundary(boundary),
                ErrorCode::kDataCorrupt,
                "multipart: the boundary must be 1 to 70 of the characters of RFC 2046");
}

void MultipartParser::feed(std::string_view bytes) {
  if (state_ == State::kEpilogue) return;
  buffer_ += bytes;
  while (step()) {
  }
  buffer_.erase(0, used_);
  used_ = 0;
}

void MultipartParser::finish() {
  VOXLOOM_CHECK(state_ == State::kEpilogue,
                ErrorCode::kDataCorrupt,
                "multipart: the body must end with the closing delimiter, it ends within part {}",
                parts_);
}

// True when more can be done with what is there.
bool MultipartParser::step() {
  switch (state_) {
    case State::kPreamble:
      return skip_to_delimiter();
    case State::kAfterDelimiter:
      return read_after_delimiter();
    case State::kHeader:
      return read_header();
    case State::kBody:
      return read_body();
    case State::kEpilogue:
      used_ = buffer_.size();
      return false;
  }
  return false;
}

bool MultipartParser::skip_to_delimiter() {
  const size_t at = buffer_.find(delimiter_, used_);
  const size_t keep = std::min(buffer_.size() - used_, delimiter_.size() - 1);
  const size_t end = at != std::string::npos ? at : buffer_.size() - keep;
  skipped_ += end - used_;
  used_ = end;
  VOXLOOM_CHECK(skipped_ <= limits_.max_preamble_bytes,
                ErrorCode::kDataCorrupt,
                "multipart: the first delimiter must come within {} bytes",
                limits_.max_preamble_bytes);
  if (at == std::string::npos) return false;
  used_ += delimiter_.size();
  state_ = State::kAfterDelimiter;
  return true;
}

bool MultipartParser::read_after_delimiter() {
  const std::string_view rest = std::string_view(buffer_).substr(used_);
  if (rest.size() < 2) return false;
  if (rest.starts_with("--")) {
    state_ = State::kEpilogue;
    return true;
  }
  const size_t end = rest.find("\r\n");
  constexpr size_t kMostPadding = 256;
  std::string_view padding = rest.substr(0, std::min(end, rest.size()));
  if (end == std::string_view::npos && padding.ends_with('\r')) padding.remove_suffix(1);
  VOXLOOM_CHECK(padding.size() <= kMostPadding && trim(padding).empty(),
                ErrorCode::kDataCorrupt,
                "multipart: a delimiter must end its line");
  if (end == std::string_view::npos) return false;
  VOXLOOM_CHECK(parts_ < limits_.max_parts,
                ErrorCode::kUnsupported,
                "multipart: a body must have at most {} parts",
                limits_.max_parts);
  used_ += end;  // The line end stays: a part without header lines starts with an empty line.
  state_ = State::kHeader;
  return true;
}

bool MultipartParser::read_header() {
  const std::string_view rest = std::string_view(buffer_).substr(used_);
  const size_t end = rest.find("\r\n\r\n");
  // Without an end, the last three bytes may be the start of it.
  const size_t length = std::min(end, rest.size() - std::min<size_t>(rest.size(), 3));
  VOXLOOM_CHECK(length <= limits_.max_header_bytes,
                ErrorCode::kUnsupported,
                "multipart: the header of a part must have at most {} bytes",
                limits_.max_header_bytes);
  if (end == std::string_view::npos) return false;
  const PartHeaders headers =
      parse_headers(end == 0 ? std::string_view() : rest.substr(2, end - 2));
  ++parts_;
  part_bytes_ = 0;
  sink_.begin_part(headers);
  used_ += end + 4;
  state_ = State::kBody;
  return true;
}

bool MultipartParser::read_body() {
  const size_t at = buffer_.find(delimiter_, used_);
  const size_t keep = std::min(buffer_.size() - used_, delimiter_.size() - 1);
  const size_t end = at != std::string::npos ? at : buffer_.size() - keep;
  part_bytes_ += end - used_;
  VOXLOOM_CHECK(part_bytes_ <= limits_.max_part_bytes,
                ErrorCode::kUnsupported,
                "multipart: a part must have at most {} bytes",
                limits_.max_part_bytes);
  if (end > used_) sink_.part_data(std::string_view(buffer_).substr(used_, end - used_));
  used_ = end;
  if (at == std::string::npos) return false;
  sink_.end_part();
  used_ += delimiter_.size();
  state_ = State::kAfterDelimiter;
  return true;
}

std::string multipart_boundary(std::string_view content_type) {
  constexpr std::string_view kType = "multipart/related";
  const std::string type = lower(trim(content_type.substr(0, content_type.find(';'))));
  VOXLOOM_CHECK(type == kType,
                ErrorCode::kDataCorrupt,
                "multipart: the content type must be multipart/related, got '{}'",
                type.substr(0, 100));
  std::string_view rest = content_type;
  while (true) {
    // To the next ';' outside quotes.
    bool quoted = false;
    size_t at = 0;
    for (; at < rest.size() && (quoted || rest[at] != ';'); ++at) {
      if (rest[at] == '"') quoted = !quoted;
      if (rest[at] == '\\' && quoted) ++at;
    }
    if (at >= rest.size()) break;
    rest.remove_prefix(at + 1);
    const size_t equals = rest.find('=');
    if (equals == std::string_view::npos) break;
    if (lower(trim(rest.substr(0, equals))) != "boundary") continue;
    std::string_view value = trim(rest.substr(equals + 1));
    if (!value.starts_with('"')) return std::string(trim(value.substr(0, value.find(';'))));
    std::string out;
    for (size_t i = 1; i < value.size() && value[i] != '"'; ++i) {
      if (value[i] == '\\' && i + 1 < value.size()) ++i;
      out += value[i];
    }
    return out;
  }
  throw Error(ErrorCode::kDataCorrupt, "multipart: the content type must name a boundary");
}

}  // namespace voxloom::io
