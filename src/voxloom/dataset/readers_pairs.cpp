// Folders image/ and label/ with equal file names: the 'folder' and 'rossa' layouts.
#include <algorithm>
#include <charconv>
#include <iterator>
#include <map>
#include <utility>

#include "voxloom/core/error.h"
#include "voxloom/dataset/picture_file.h"
#include "voxloom/dataset/readers_list.h"

namespace voxloom::dataset {
namespace {

namespace fs = std::filesystem;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Digits compare as numbers: "2" before "10".
bool natural_less(const std::string& a, const std::string& b) {
  size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (is_digit(a[i]) && is_digit(b[j])) {
      size_t end_a = i, end_b = j;
      while (end_a < a.size() && is_digit(a[end_a])) ++end_a;
      while (end_b < b.size() && is_digit(b[end_b])) ++end_b;
      while (i < end_a && a[i] == '0') ++i;
      while (j < end_b && b[j] == '0') ++j;
      if (end_a - i != end_b - j) return end_a - i < end_b - j;
      const int order = a.compare(i, end_a - i, b, j, end_b - j);
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

struct NaturalLess {
  bool operator()(const std::string& a, const std::string& b) const { return natural_less(a, b); }
};

/// Pictures of a folder by their name without suffix; names that differ in the suffix alone are a
/// problem.
std::map<std::string, fs::path, NaturalLess> pictures_in(const fs::path& folder,
                                                         std::vector<std::string>& problems) {
  std::error_code failed;
  std::map<std::string, fs::path, NaturalLess> out;
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

/// "run3_0012" -> "run3", 12.
void split_name(const std::string& name, Sample& sample) {
  sample.sequence = sample.id;
  sample.frame = 0;
  size_t digits = name.size();
  while (digits > 0 && is_digit(name[digits - 1])) --digits;
  if (digits < 2 || digits == name.size()) return;
  const char before = name[digits - 1];
  int64_t frame = 0;
  const auto [end, error] = std::from_chars(name.data() + digits, name.data() + name.size(), frame);
  if ((before != '_' && before != '-') || error != std::errc()) return;
  sample.sequence = name.substr(0, digits - 1);
  sample.frame = frame;
}

bool has_pairs(const fs::path& folder) {
  std::error_code failed;
  return fs::is_directory(folder / "image", failed) && fs::is_directory(folder / "label", failed);
}

struct Part {
  const char* folder;
  Role role;
};

/// Every part that is there.
Listing list_parts(const fs::path& folder, const std::vector<Part>& parts) {
  Listing out;
  for (const auto& part : parts) {
    if (!has_pairs(folder / part.folder)) continue;
    Listing found = list_pairs(folder / part.folder, part.folder);
    for (auto& sample : found.samples) sample.role = part.role;
    std::ranges::move(found.samples, std::back_inserter(out.samples));
    std::ranges::move(found.problems, std::back_inserter(out.problems));
  }
  VOXLOOM_CHECK(!out.samples.empty() || !out.problems.empty(),
                ErrorCode::kNotFound,
                "data '{}': must hold pictures in image/ and label/ of a known part",
                folder.string());
  return out;
}

const std::vector<Part> kRossaParts = {{"train_manual", Role::kTrain},
                                       {"train_sam", Role::kTrain},
                                       {"val", Role::kVal},
                                       {"test", Role::kSealed}};
const std::vector<Part> kFolderParts = {
    {"", Role::kTrain}, {"train", Role::kTrain}, {"val", Role::kVal}, {"test", Role::kSealed}};

}  // namespace

Listing list_pairs(const fs::path& folder, const std::string& subset) {
  Listing out;
  const auto images = pictures_in(folder / "image", out.problems);
  auto labels = pictures_in(folder / "label", out.problems);
  for (const auto& [name, image] : images) {
    const auto label = labels.find(name);
    if (label == labels.end()) {
      out.problems.push_back(format("'{}': must have a label of the same name", image.string()));
      continue;
    }
    Sample sample;
    sample.id = subset.empty() ? name : subset + "/" + name;
    sample.subset = subset;
    split_name(name, sample);
    sample.image = image;
    sample.mask = label->second;
    sample.classes = empty_class_map();
    out.samples.push_back(std::move(sample));
    labels.erase(label);
  }
  for (const auto& [name, label] : labels) {
    out.problems.push_back(format("'{}': must have an image of the same name", label.string()));
  }
  return out;
}

DatasetReader rossa_reader() {
  return {
      .name = "rossa",
      .licence = "MIT",
      .summary = "ROSSA, 918 OCTA images with vessel masks (bright, about 3 px wide)",
      .layout = "train_manual/, train_sam/, val/, each with image/N.png and label/N.png (0, 255)",
      .recognises =
          [](const fs::path& folder) {
            return has_pairs(folder / "train_manual") || has_pairs(folder / "train_sam");
          },
      .list =
          [](const fs::path& folder) {
            Listing out = list_parts(folder, kRossaParts);
            for (auto& sample : out.samples) {
              sample.dataset = "ROSSA";
              sample.bright_object = true;
              sample.classes = binary_class_map(WireClass::kVessel);
            }
            return out;
          }};
}

DatasetReader folder_reader() {
  return {.name = "folder",
          .licence = "the owner's",
          .summary = "pictures of your own with masks of equal names",
          .layout = "image/ and label/ with equal file names, directly or in train/, val/, test/",
          .recognises =
              [](const fs::path& folder) {
                return std::ranges::any_of(kFolderParts, [&](const Part& part) {
                  return has_pairs(folder / part.folder);
                });
              },
          .list =
              [](const fs::path& folder) {
                Listing out = list_parts(folder, kFolderParts);
                const fs::path full = fs::absolute(folder).lexically_normal();
                const fs::path last =
                    full.has_filename() ? full.filename() : full.parent_path().filename();
                for (auto& sample : out.samples) sample.dataset = last.string();
                return out;
              }};
}

}  // namespace voxloom::dataset
