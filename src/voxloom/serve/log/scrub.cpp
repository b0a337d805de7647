#include "voxloom/serve/log/scrub.h"

#include <cstddef>

namespace voxloom::serve {
namespace {

constexpr size_t kMaxTextBytes = 500;

bool is_alnum(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Whether text[i] opens a quoted part: an apostrophe inside a word ("can't") does not.
bool opens_quote(std::string_view text, size_t i) {
  return text[i] == '"' || (text[i] == '\'' && (i == 0 || !is_alnum(text[i - 1])));
}

}  // namespace

std::string scrubbed(std::string_view text) {
  std::string out;
  const auto is_space = [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; };
  for (size_t i = 0; i < text.size() && out.size() < kMaxTextBytes;) {
    if (is_space(text[i])) {
      out += ' ';
      ++i;
      continue;
    }
    if (opens_quote(text, i)) {
      // The quoted thing may hold quotes itself: it ends at the last one there is, or never.
      const size_t last = text.rfind(text[i]);
      out += "'...'";
      i = last > i ? last + 1 : text.size();
      continue;
    }
    // A word: up to the next space or quote.
    size_t end = i + 1;
    while (end < text.size() && !is_space(text[end]) && !opens_quote(text, end)) ++end;
    const auto word = text.substr(i, end - i);
    const bool path = word.find_first_of("/\\") != std::string_view::npos && word != "/";
    out += path ? std::string_view("<path>") : word;
    i = end;
  }
  if (out.size() > kMaxTextBytes) out.resize(kMaxTextBytes);
  return out;
}

}  // namespace voxloom::serve
