#include "voxloom/dataset/folder_files.h"

#include <algorithm>
#include <charconv>

#include "voxloom/core/error.h"
#include "voxloom/dataset/picture_file.h"

namespace voxloom::dataset {
namespace {

namespace fs = std::filesystem;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Where the digits begin that `name` ends with.
size_t trailing_digits(std::string_view name) {
  size_t digits = name.size();
  while (digits > 0 && is_digit(name[digits - 1])) --digits;
  return digits;
}

}  // namespace

bool natural_less(std::string_view a, std::string_view b) {
  size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (is_digit(a[i]) && is_digit(b[j])) {
      size_t end_a = i, end_b = j;
      while (end_a < a.size() && is_digit(a[end_a])) ++end_a;
      while (end_b < b.size() && is_digit(b[end_b])) ++end_b;
      while (i < end_a && a[i] == '0') ++i;
      while (j < end_b && b[j] == '0') ++j;
      if (end_a - i != end_b - j) return end_a - i < end_b - j;
      const int order = a.substr(i, end_a - i).compare(b.substr(j, end_b - j));
      if (order != 0) return order < 0;
      i = end_a;
      j = end_b;
    } else {
      if (a[i] != b[j]) return a[i] < b[j];
      ++i;
      ++j;
    }
  }
  if (a.size() - i != b.size() - j) return a.size() - i < b.size() - j;
  return a < b;
}

NamedFiles pictures_in(const fs::path& folder, std::vector<std::string>& problems) {
  std::error_code failed;
  NamedFiles out;
  auto entries = fs::directory_iterator(folder, failed);
  VOXLOOM_CHECK(!failed,
                ErrorCode::kNotFound,
                "folder '{}': cannot be read: {}",
                folder.string(),
                failed.message());
  for (const auto& entry : entries) {
    if (!entry.is_regular_file(failed) || !is_picture_name(entry.path())) continue;
    const auto [at, is_new] = out.emplace(entry.path().stem().string(), entry.path());
    if (!is_new) {
      problems.push_back(
          format("'{}': another file has this name, with another suffix", entry.path().string()));
      // Which of the two stays must not hang on the folder's order.
      at->second = std::min(at->second, entry.path());
    }
  }
  return out;
}

std::vector<std::string> folders_in(const fs::path& folder) {
  std::error_code failed;
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder, failed)) {
    if (entry.is_directory(failed)) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end(), NaturalLess());
  return names;
}

bool is_folder(const fs::path& path) {
  std::error_code failed;
  return fs::is_directory(path, failed);
}

bool is_file(const fs::path& path) {
  std::error_code failed;
  return fs::is_regular_file(path, failed);
}

std::string folder_name(const fs::path& folder) {
  const fs::path full = fs::absolute(folder).lexically_normal();
  return (full.has_filename() ? full.filename() : full.parent_path().filename()).string();
}

int64_t trailing_number(std::string_view name, int64_t otherwise) {
  int64_t number = 0;
  const auto [end, error] =
      std::from_chars(name.data() + trailing_digits(name), name.data() + name.size(), number);
  return error == std::errc() ? number : otherwise;
}

std::optional<FrameName> split_frame_name(const std::string& name) {
  const size_t digits = trailing_digits(name);
  if (digits < 2 || digits == name.size()) return std::nullopt;
  const char before = name[digits - 1];
  const int64_t frame = trailing_number(name, -1);
  if ((before != '_' && before != '-') || frame < 0) return std::nullopt;
  return FrameName{name.substr(0, digits - 1), frame};
}

fs::path path_inside(const fs::path& folder, const std::string& name) {
  const fs::path relative = fs::path(name).lexically_normal();
  VOXLOOM_CHECK(!relative.empty() && relative.is_relative() && *relative.begin() != ".." &&
                    relative.has_filename() && relative != "." &&
                    name.find('\0') == std::string::npos,
                ErrorCode::kDataCorrupt,
                "file name: must lead to a file inside the data set, got '{}'",
                name);
  return folder / relative;
}

}  // namespace voxloom::dataset
