#include "voxloom/serve/datastore/file_name.h"

#include <array>
#include <span>
#include <system_error>

#include "voxloom/core/utf8.h"
#include "voxloom/io/path_suffix.h"

namespace voxloom::serve {
namespace {

namespace fs = std::filesystem;

// Longer ones first: the first that fits wins.
constexpr std::array<std::string_view, 11> kImageExtensions{
    ".nii.gz", ".nii", ".nrrd", ".mha", ".mhd", ".npz", ".jpg", ".jpeg", ".png", ".tif", ".tiff"};
constexpr std::array<std::string_view, 9> kLabelExtensions{
    ".nii.gz", ".nii", ".seg.nrrd", ".nrrd", ".mha", ".png", ".tif", ".tiff", ".json"};

std::optional<SplitName> split(std::string_view name,
                               std::span<const std::string_view> extensions) {
  if (name.empty() || name.front() == '.' || !is_utf8(name)) return std::nullopt;
  for (const auto ext : extensions) {
    if (name.size() <= ext.size() || !io::has_suffix(fs::path(name), ext)) continue;
    const size_t at = name.size() - ext.size();
    return SplitName{std::string(name.substr(0, at)), std::string(name.substr(at))};
  }
  return std::nullopt;
}

std::string join(std::span<const std::string_view> words) {
  std::string out;
  for (const auto word : words) {
    if (!out.empty()) out += ' ';
    out += word;
  }
  return out;
}

}  // namespace

std::optional<SplitName> split_image_name(std::string_view file_name) {
  return split(file_name, kImageExtensions);
}

std::optional<SplitName> split_label_name(std::string_view file_name) {
  return split(file_name, kLabelExtensions);
}

std::string image_extensions() {
  return join(kImageExtensions);
}

std::string label_extensions() {
  return join(kLabelExtensions);
}

std::string_view base_name(std::string_view path) {
  const size_t at = path.find_last_of("/\\");
  return at == std::string_view::npos ? path : path.substr(at + 1);
}

bool lies_within(const fs::path& path, const fs::path& root) {
  std::error_code failure;
  const fs::path real = fs::canonical(path, failure);
  if (failure) return false;
  if (real == root) return true;
  const std::string prefix = root.native().ends_with('/') ? root.native() : root.native() + "/";
  return real.native().starts_with(prefix);
}

std::optional<std::string> plain_relative(std::string_view path) {
  if (path.empty() || path.front() == '/' || path.find('\0') != std::string_view::npos ||
      !is_utf8(path)) {
    return std::nullopt;
  }
  fs::path out;
  for (const auto& part : fs::path(path)) {
    if (part == "..") return std::nullopt;
    if (part == "." || part.empty()) continue;
    out /= part;
  }
  return out.empty() ? "." : out.string();
}

}  // namespace voxloom::serve
