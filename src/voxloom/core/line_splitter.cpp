#include "voxloom/core/line_splitter.h"

#include <algorithm>
#include <cstdint>

namespace voxloom {
namespace {

uint8_t byte_at(std::string_view text, size_t i) {
  return static_cast<uint8_t>(text[i]);
}

/// Bytes of the valid UTF-8 character at `i`, 0 when there is none (RFC 3629, table of section 4).
size_t character_size(std::string_view text, size_t i) {
  const uint8_t first = byte_at(text, i);
  if (first < 0x80) return 1;
  size_t size = 0;
  uint8_t lo = 0x80, hi = 0xbf;  // what the second byte may be: no overlong forms or surrogates
  if (first >= 0xc2 && first <= 0xdf) {
    size = 2;
  } else if (first >= 0xe0 && first <= 0xef) {
    size = 3;
    if (first == 0xe0) lo = 0xa0;
    if (first == 0xed) hi = 0x9f;
  } else if (first >= 0xf0 && first <= 0xf4) {
    size = 4;
    if (first == 0xf0) lo = 0x90;
    if (first == 0xf4) hi = 0x8f;
  } else {
    return 0;
  }
  if (i + size > text.size()) return 0;
  if (byte_at(text, i + 1) < lo || byte_at(text, i + 1) > hi) return 0;
  for (size_t k = 2; k < size; ++k) {
    if ((byte_at(text, i + k) & 0xc0) != 0x80) return 0;
  }
  return size;
}

}  // namespace

std::string clean_text(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const size_t size = character_size(text, i);
    const uint8_t first = byte_at(text, i);
    const bool control = (first < 0x20 && first != '\t') || first == 0x7f;
    if (size == 0 || control) {
      out += '?';
      ++i;
    } else {
      out += text.substr(i, size);
      i += size;
    }
  }
  return out;
}

LineSplitter::LineSplitter(size_t max_bytes, Sink sink)
    : max_bytes_(std::max<size_t>(max_bytes, 16)), sink_(std::move(sink)) {}

void LineSplitter::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t end = bytes.find_first_of("\r\n");
    const std::string_view part = bytes.substr(0, end);
    const size_t room = max_bytes_ - std::min(max_bytes_, line_.size());
    line_ += part.substr(0, room);
    cut_ = cut_ || part.size() > room;
    if (end == std::string_view::npos) return;
    flush();
    bytes.remove_prefix(end + 1);
  }
}

void LineSplitter::finish() {
  flush();
}

void LineSplitter::flush() {
  if (!line_.empty()) {
    if (cut_) line_.resize(max_bytes_ - 3);
    std::string clean = clean_text(line_);
    if (cut_) clean += "...";
    sink_(clean);
  }
  line_.clear();
  cut_ = false;
}

}  // namespace voxloom
