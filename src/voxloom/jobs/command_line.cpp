#include "voxloom/jobs/command_line.h"

#include <algorithm>

#include "voxloom/core/error.h"

namespace voxloom::jobs {
namespace {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

std::string substitute_word(std::string_view word, const Replacements& values) {
  std::string out;
  while (!word.empty()) {
    const size_t open = word.find('{');
    out += word.substr(0, open);
    if (open == std::string_view::npos) break;
    word.remove_prefix(open);
    const size_t close = word.find('}');
    const std::string_view name =
        close == std::string_view::npos ? std::string_view() : word.substr(1, close - 1);
    const bool named = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || c == '_';
    });
    if (!named) {  // JSON, a format string: not for us
      out += '{';
      word.remove_prefix(1);
      continue;
    }
    const auto found = std::find_if(
        values.begin(), values.end(), [&](const auto& item) { return item.first == name; });
    std::string known;
    for (const auto& [key, value] : values) known += (known.empty() ? "{" : ", {") + key + "}";
    VOXLOOM_CHECK(found != values.end(),
                  ErrorCode::kInvalidArgument,
                  "command: placeholders are {}, got '{{{}}}'",
                  known,
                  name);
    out += found->second;
    word.remove_prefix(close + 1);
  }
  return out;
}

}  // namespace

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (quote == 0 && is_blank(c)) {
      if (in_word) words.push_back(std::move(word));
      word.clear();
      in_word = false;
      continue;
    }
    in_word = true;
    if (quote == c) {
      quote = 0;
    } else if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
    } else if (c == '\\' && i + 1 < text.size() &&
               (quote == 0 || (quote == '"' && (next == '"' || next == '\\')))) {
      word += next;
      ++i;
    } else {
      word += c;
    }
  }
  VOXLOOM_CHECK(quote == 0,
                ErrorCode::kInvalidArgument,
                "command: every quote must be closed, got an open {}",
                quote);
  if (in_word) words.push_back(std::move(word));
  return words;
}

std::vector<std::string> substitute(std::span<const std::string> words,
                                    const Replacements& values) {
  std::vector<std::string> out;
  for (const auto& word : words) out.push_back(substitute_word(word, values));
  return out;
}

}  // namespace voxloom::jobs
