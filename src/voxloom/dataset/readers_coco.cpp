// Annotations in COCO's JSON: ARCADE's folders, and sets of one's own.
#include <algorithm>
#include <array>
#include <cctype>
#include <memory>
#include <optional>
#include <utility>

#include "voxloom/core/atomic_file.h"
#include "voxloom/core/error.h"
#include "voxloom/dataset/coco.h"
#include "voxloom/dataset/folder_files.h"
#include "voxloom/dataset/readers_list.h"

namespace voxloom::dataset {
namespace {

namespace fs = std::filesystem;

/// One JSON file and where its images lie.
struct CocoPart {
  fs::path json;
  std::vector<fs::path> image_folders;  ///< Looked through in this order.
  std::string subset;
  Role role = Role::kTrain;
};

std::optional<fs::path> find_image(const CocoPart& part, const std::string& name) {
  for (const auto& folder : part.image_folders) {
    if (fs::path path = path_inside(folder, name); is_file(path)) return path;
  }
  return std::nullopt;
}

/// Adds the samples of a part; their masks are made from the outlines.
template <class ClassOf>
void list_part(const CocoPart& part, ClassOf class_of, Listing& out) {
  const std::string where = part.json.string();
  auto file =
      std::make_shared<CocoFile>(parse_coco(read_text_file(part.json, kMaxCocoBytes), where));
  auto ids = std::make_shared<const std::map<int64_t, uint8_t>>(coco_mask_ids(*file, where));
  std::ranges::move(file->problems, std::back_inserter(out.problems));
  ClassMap classes = empty_class_map();
  classes[0] = static_cast<uint8_t>(WireClass::kBackground);
  classes[kCocoCrowdId] = static_cast<uint8_t>(WireClass::kIgnore);
  for (const auto& [id, name] : file->categories) {
    if (const std::optional<WireClass> known = class_of(name)) {
      classes[ids->at(id)] = static_cast<uint8_t>(*known);
    }
  }
  std::ranges::stable_sort(file->images, natural_less, &CocoImage::file_name);
  for (size_t i = 0; i < file->images.size(); ++i) {
    const CocoImage& image = file->images[i];
    std::optional<fs::path> path;
    try {
      path = find_image(part, image.file_name);
      VOXLOOM_CHECK(path.has_value(),
                    ErrorCode::kNotFound,
                    "image '{}': must be in one of its folders",
                    image.file_name);
    } catch (const Error& error) {
      out.problems.push_back(format("'{}': {}", where, error.what()));
      continue;
    }
    const std::string name =
        fs::path(image.file_name).lexically_normal().replace_extension().generic_string();
    Sample sample;
    sample.subset = part.subset;
    sample.id = part.subset + "/" + name;
    sample.sequence = sample.id;
    if (auto frame = split_frame_name(name)) {
      sample.sequence = part.subset + "/" + frame->sequence;
      sample.frame = frame->frame;
    }
    sample.image = *path;
    sample.role = part.role;
    sample.classes = classes;
    const std::string top =
        part.role == Role::kSealed ? std::string(kSealedFolder) + "/mask/" : "mask/";
    out.made.push_back({.sample = out.samples.size(),
                        .part = MadePicture::Part::kMask,
                        .name = top + sample.id,
                        .make = [file, ids, i] {
                          const CocoImage& one = file->images[i];
                          return PlainPicture{one.width, one.height, coco_mask(one, *ids)};
                        }});
    out.samples.push_back(std::move(sample));
  }
}

void check_found(const Listing& listing, const fs::path& folder, const char* what) {
  VOXLOOM_CHECK(!listing.samples.empty() || !listing.problems.empty(),
                ErrorCode::kNotFound,
                "data '{}': must hold {}",
                folder.string(),
                what);
}

// --- ARCADE ---------------------------------------------------------------------------------

struct ArcadePart {
  const char *folder, *json;
  Role role;
  int64_t images;
};

/// The challenge's archive and the final one.
constexpr std::array kArcadeParts = {
    ArcadePart{
        "dataset_phase_1/segmentation_dataset/seg_train", "seg_train.json", Role::kTrain, 1000},
    ArcadePart{"dataset_phase_1/segmentation_dataset/seg_val", "seg_val.json", Role::kVal, 200},
    ArcadePart{"dataset_final_phase/test_case_segmentation",
               "instances_default.json",
               Role::kValExtra,
               300},
    ArcadePart{"syntax/train", "train.json", Role::kTrain, 1000},
    ArcadePart{"syntax/val", "val.json", Role::kVal, 200},
    ArcadePart{"syntax/test", "test.json", Role::kValExtra, 300}};

fs::path json_of(const fs::path& folder, const ArcadePart& part) {
  return folder / part.folder / "annotations" / part.json;
}

bool is_arcade(const fs::path& folder) {
  return std::ranges::any_of(kArcadeParts,
                             [&](const auto& part) { return is_file(json_of(folder, part)); });
}

/// Coronary segments are vessels; the boxes around narrowings are neither vessel nor background.
std::optional<WireClass> arcade_class(const std::string& category) {
  if (category == "stenosis") return WireClass::kIgnore;
  return WireClass::kVessel;
}

Listing list_arcade(const fs::path& folder) {
  Listing out;
  for (const auto& part : kArcadeParts) {
    if (!is_file(json_of(folder, part))) continue;
    const fs::path place = folder / part.folder;
    const auto before = std::ssize(out.samples);
    list_part({.json = json_of(folder, part),
               .image_folders = {place / "images"},
               .subset = place.filename().string(),
               .role = part.role},
              arcade_class,
              out);
    note_count(out, part.folder, "images", std::ssize(out.samples) - before, part.images);
  }
  for (auto& sample : out.samples) sample.dataset = "ARCADE";
  check_found(out, folder, "dataset_phase_1/, dataset_final_phase/ or syntax/ with annotations");
  return out;
}

// --- Plain COCO JSON ------------------------------------------------------------------------

std::string lower(std::string text) {
  std::ranges::transform(
      text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// Names that say what they are; anything else needs --classes.
std::optional<WireClass> named_class(const std::string& category) {
  std::string name = lower(category);
  std::erase_if(name, [](char c) { return c == ' ' || c == '_' || c == '-'; });
  static const std::map<std::string, WireClass> kNames = {{"guidewire", WireClass::kGuidewire},
                                                          {"wire", WireClass::kGuidewire},
                                                          {"catheter", WireClass::kCatheter},
                                                          {"guidingcatheter", WireClass::kCatheter},
                                                          {"guidecatheter", WireClass::kCatheter},
                                                          {"otherdevice", WireClass::kOtherDevice},
                                                          {"balloon", WireClass::kOtherDevice},
                                                          {"stent", WireClass::kOtherDevice},
                                                          {"vessel", WireClass::kVessel},
                                                          {"artery", WireClass::kVessel},
                                                          {"ignore", WireClass::kIgnore}};
  const auto found = kNames.find(name);
  if (found == kNames.end()) return std::nullopt;
  return found->second;
}

bool is_json(const fs::path& path) {
  return lower(path.extension().string()) == ".json" && is_file(path);
}

/// JSON files that are named like annotations: instances*.json (beside which others say less), all
/// in annotations/, and elsewhere *coco*.json and annotations*.json.
std::vector<fs::path> annotation_files(const fs::path& folder) {
  std::vector<fs::path> folders{folder, folder / "annotations"};
  for (const auto& name : folders_in(folder)) {
    if (name != "annotations") folders.push_back(folder / name);
  }
  std::vector<fs::path> files;
  for (const auto& place : folders) {
    std::vector<fs::path> instances, others;
    std::error_code failed;
    for (const auto& entry : fs::directory_iterator(place, failed)) {
      if (!is_json(entry.path())) continue;
      const std::string name = lower(entry.path().filename().string());
      if (name.starts_with("instances")) {
        instances.push_back(entry.path());
      } else if (place.filename() == "annotations" || name.starts_with("annotations") ||
                 name.find("coco") != std::string::npos) {
        others.push_back(entry.path());
      }
    }
    std::ranges::move(instances.empty() ? others : instances, std::back_inserter(files));
  }
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  return files;
}

/// train, val or test by the last word of the path that says so.
struct Split {
  std::string name = "train";
  Role role = Role::kTrain;
};
Split split_of(const fs::path& relative) {
  const std::string text = lower(relative.generic_string());
  Split split;
  size_t last = 0;
  for (const auto& [word, role] : {std::pair{"train", Role::kTrain},
                                   std::pair{"val", Role::kVal},
                                   std::pair{"test", Role::kSealed}}) {
    const size_t at = text.rfind(word);
    if (at == std::string::npos || at < last) continue;
    last = at;
    split = {word, role};
  }
  return split;
}

Listing list_coco(const fs::path& folder) {
  Listing out;
  for (const auto& json : annotation_files(folder)) {
    const Split split = split_of(json.lexically_relative(folder));
    const fs::path beside = json.parent_path();
    std::string stem = json.stem().string();
    if (stem.starts_with("instances_")) stem.erase(0, 10);
    list_part({.json = json,
               .image_folders = {beside,
                                 beside / "images",
                                 folder / "images" / stem,
                                 folder / "images",
                                 folder / stem,
                                 folder / split.name,
                                 folder},
               .subset = beside == folder || beside.filename() == "annotations"
                             ? stem
                             : beside.filename().string(),
               .role = split.role},
              named_class,
              out);
  }
  for (auto& sample : out.samples) sample.dataset = folder_name(folder);
  check_found(out, folder, "annotations/*.json, instances_*.json or *coco*.json with images");
  return out;
}

}  // namespace

DatasetReader arcade_reader() {
  return {.name = "arcade",
          .licence = "CC BY 4.0",
          .summary =
              "ARCADE, coronary arteries in 512x512 X-ray angiograms: vessels, for training "
              "before the wire data and as negatives. Devices in the pictures are not "
              "annotated (see --background-ignored)",
          .layout =
              "dataset_phase_1/segmentation_dataset/{seg_train,seg_val}/ and "
              "dataset_final_phase/test_case_segmentation/, or syntax/{train,val,test}/, each "
              "with images/N.png and annotations/*.json",
          .recognises = is_arcade,
          .list = list_arcade};
}

DatasetReader coco_reader() {
  return {.name = "coco",
          .licence = "the owner's",
          .summary =
              "Annotations in COCO's JSON, polygons and run lengths; categories called "
              "guidewire, catheter, balloon, stent, vessel, artery, ignore are known, others "
              "need --classes with their ids",
          .layout =
              "annotations/*.json, instances_*.json or *coco*.json, with train, val or test "
              "in their names or folders; images beside them, in images/ or in a folder of "
              "the JSON's name",
          .recognises = [](const fs::path& folder) { return !annotation_files(folder).empty(); },
          .list = list_coco};
}

}  // namespace voxloom::dataset
