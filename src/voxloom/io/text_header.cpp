#include "voxloom/io/text_header.h"

#include <charconv>
#include <cmath>

#include "voxloom/core/error.h"

namespace voxloom::io {
namespace {

constexpr std::string_view kBlanks = " \t\r\n\f\v";

}  // namespace

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  for (;;) {
    const size_t begin = text.find_first_not_of(kBlanks);
    if (begin == std::string_view::npos) return words;
    text.remove_prefix(begin);
    const size_t end = std::min(text.find_first_of(kBlanks), text.size());
    words.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

std::string FieldName::text() const {
  return format("'{}': field '{}'", file, field);
}

int64_t parse_integer(std::string_view text, const FieldName& where, int64_t lo, int64_t hi) {
  int64_t value = 0;
  const std::string_view digits = text.starts_with('+') ? text.substr(1) : text;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  VOXLOOM_CHECK(
      error == std::errc() && stop == digits.data() + digits.size() && value >= lo && value <= hi,
      ErrorCode::kDataCorrupt,
      "{} must be a whole number within [{}, {}], got '{}'",
      where.text(),
      lo,
      hi,
      text);
  return value;
}

double parse_number(std::string_view text, const FieldName& where) {
  double value = 0;
  const std::string_view digits = text.starts_with('+') ? text.substr(1) : text;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  VOXLOOM_CHECK(error == std::errc() && stop == digits.data() + digits.size() && !std::isinf(value),
                ErrorCode::kDataCorrupt,
                "{} must be finite numbers, got '{}'",
                where.text(),
                text);
  return value;
}

std::vector<double> parse_numbers(std::string_view text, const FieldName& where, size_t count) {
  std::vector<double> out;
  for (const auto word : split_words(text)) out.push_back(parse_number(word, where));
  bool good = out.size() == count;
  for (const double value : out) good = good && std::isfinite(value);
  VOXLOOM_CHECK(good,
                ErrorCode::kDataCorrupt,
                "{} must be {} finite numbers, got '{}'",
                where.text(),
                count,
                text);
  return out;
}

std::filesystem::path data_file_beside(const std::filesystem::path& header, std::string_view name) {
  const std::filesystem::path relative{std::string(name)};
  bool inside =
      !name.empty() && relative.is_relative() && name.find('\0') == std::string_view::npos;
  for (const auto& part : relative) inside = inside && part != "..";
  VOXLOOM_CHECK(inside,
                ErrorCode::kUnsupported,
                "'{}': its data file must lie in the folder of the header, got '{}'",
                header.string(),
                name);
  return header.parent_path() / relative;
}

std::vector<std::filesystem::path> files_of_pattern(const std::filesystem::path& header,
                                                    std::string_view pattern,
                                                    int64_t first,
                                                    int64_t last,
                                                    int64_t step) {
  // "%", digits (a leading 0 pads with zeros), "d": expanded here, never given to printf.
  const size_t percent = pattern.find('%');
  size_t at = percent == std::string_view::npos ? pattern.size() : percent + 1;
  const bool zeros = at < pattern.size() && pattern[at] == '0';
  size_t width = 0;
  while (at < pattern.size() && pattern[at] >= '0' && pattern[at] <= '9' && width < 100) {
    width = 10 * width + static_cast<size_t>(pattern[at++] - '0');
  }
  const bool good = at < pattern.size() && (pattern[at] == 'd' || pattern[at] == 'i') &&
                    width < 100 && pattern.find('%', at) == std::string_view::npos;
  const int64_t kMaxFiles = 100000;
  // Bounds first, so that the count below cannot overflow.
  const int64_t kMaxIndex = int64_t{1} << 40;
  const bool bounded = std::abs(first) < kMaxIndex && std::abs(last) < kMaxIndex && step != 0 &&
                       std::abs(step) < kMaxIndex;
  VOXLOOM_CHECK(good && bounded && (last - first) / step >= 0 && (last - first) / step < kMaxFiles,
                ErrorCode::kDataCorrupt,
                "'{}': data file pattern must be like 'slice%03d.raw' with at most {} files, got "
                "'{}' from {} to {} in steps of {}",
                header.string(),
                kMaxFiles,
                pattern,
                first,
                last,
                step);
  std::vector<std::filesystem::path> out;
  for (int64_t i = 0; i <= (last - first) / step; ++i) {
    std::string number = std::to_string(first + i * step);
    if (number.size() < width) number.insert(0, width - number.size(), zeros ? '0' : ' ');
    out.push_back(data_file_beside(
        header,
        std::string(pattern.substr(0, percent)) + number + std::string(pattern.substr(at + 1))));
  }
  return out;
}

}  // namespace voxloom::io
