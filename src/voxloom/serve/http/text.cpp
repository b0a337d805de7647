#include "voxloom/serve/http/text.h"

#include <algorithm>

namespace voxloom::serve::http {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Takes one value off the front of `rest`: a token up to ';', or a quoted string.
std::string take_value(std::string_view& rest) {
  std::string value;
  if (rest.empty() || rest.front() != '"') {
    const size_t end = std::min(rest.find(';'), rest.size());
    value = trim(rest.substr(0, end));
    rest.remove_prefix(end);
    return value;
  }
  size_t i = 1;
  for (; i < rest.size(); ++i) {
    const char c = rest[i];
    if (c == '"') break;
    // An escaped quote, unless no other quote follows: then it closes a path like "C:\".
    if (c == '\\' && i + 1 < rest.size() && rest[i + 1] == '"' &&
        rest.find('"', i + 2) != std::string_view::npos) {
      ++i;
      value += '"';
      continue;
    }
    value += c;
  }
  rest.remove_prefix(std::min(i + 1, rest.size()));
  return value;
}

}  // namespace

bool equals_nocase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return lower(x) == lower(y);
         });
}

std::string to_lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), lower);
  return result;
}

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string media_type(std::string_view content_type) {
  return to_lower(trim(content_type.substr(0, content_type.find(';'))));
}

bool header_parameter(std::string_view value, std::string_view name, std::string& found) {
  std::string_view rest = value;
  size_t semicolon = rest.find(';');
  while (semicolon != std::string_view::npos) {
    rest.remove_prefix(semicolon + 1);
    const size_t equals = rest.find_first_of("=;");
    if (equals == std::string_view::npos) return false;
    if (rest[equals] == '=') {
      const std::string_view key = trim(rest.substr(0, equals));
      rest.remove_prefix(equals + 1);
      rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
      std::string text = take_value(rest);
      if (equals_nocase(key, name)) {
        found = std::move(text);
        return true;
      }
    }
    semicolon = rest.find(';');
  }
  return false;
}

std::string base_name(std::string_view path) {
  const size_t slash = path.find_last_of("/\\");
  if (slash != std::string_view::npos) path.remove_prefix(slash + 1);
  if (path == "." || path == "..") return "";
  return std::string(path);
}

}  // namespace voxloom::serve::http
