// Published sets that hold images and masks as files of equal names: CathAction's segmentation
// part, MOSXAV, FGA-Net's folders.
#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>
#include <utility>

#include "voxloom/core/error.h"
#include "voxloom/dataset/folder_files.h"
#include "voxloom/dataset/readers_list.h"

namespace voxloom::dataset {
namespace {

namespace fs = std::filesystem;

void append(Listing& out, Listing&& found) {
  std::ranges::move(found.samples, std::back_inserter(out.samples));
  std::ranges::move(found.problems, std::back_inserter(out.problems));
}

void check_found(const Listing& listing, const fs::path& folder, const char* what) {
  VOXLOOM_CHECK(!listing.samples.empty() || !listing.problems.empty(),
                ErrorCode::kNotFound,
                "data '{}': must hold {}",
                folder.string(),
                what);
}

/// `folder` or its only known sub-folder, as archives unpack with or without it.
fs::path inner(const fs::path& folder, const char* name) {
  return is_folder(folder / name) ? folder / name : folder;
}

ClassMap class_map(std::initializer_list<WireClass> by_id) {
  ClassMap map = empty_class_map();
  size_t id = 0;
  for (const auto wire_class : by_id) map[id++] = static_cast<uint8_t>(wire_class);
  return map;
}

// --- CathAction -----------------------------------------------------------------------------

struct CathActionPart {
  const char* folder;
  Role role;
  int64_t frames, catheter, guidewire;  ///< Of the published set; pixels of ids 1 and 2.
};
constexpr std::array kCathAction = {
    CathActionPart{"animal_train", Role::kTrain, 4021, 4'926'859, 1'492'425},
    CathActionPart{"phantom_train", Role::kTrain, 14737, 52'465'596, 6'854'851},
    // Only to report: these frames very probably come from the videos of the training part.
    CathActionPart{"animal_test", Role::kValExtra, 1006, 1'217'178, 362'067},
    CathActionPart{"phantom_test", Role::kValExtra, 3685, 12'907'528, 1'718'795}};
constexpr const char* kHuman = "human_dataset_train";
constexpr int64_t kHumanFrames = 5283;

bool has_part(const fs::path& folder, const CathActionPart& part) {
  return is_folder(folder / part.folder / "images") && is_folder(folder / part.folder / "masks");
}

bool has_human(const fs::path& folder) {
  return is_folder(folder / kHuman / "img") && is_folder(folder / kHuman / "mask");
}

bool is_cathaction(const fs::path& folder) {
  const fs::path root = inner(folder, "segmentation");
  return has_human(folder) || has_human(root) ||
         std::ranges::any_of(kCathAction, [&](const auto& part) { return has_part(root, part); });
}

/// Frames don't say which procedure they are of: without a name in front of the number, a whole
/// part is one sequence, so that no draw can put neighbours on both sides.
void name_sequences(Listing& part) {
  for (auto& sample : part.samples) {
    const std::string name = sample.image.stem().string();
    const auto split = split_frame_name(name);
    sample.sequence = split ? sample.subset + "/" + split->sequence : sample.subset;
    sample.frame = split ? split->frame : trailing_number(name, 0);
  }
}

void list_human(const fs::path& folder, Listing& out) {
  Listing found = list_pairs({.images = folder / kHuman / "img",
                              .masks = folder / kHuman / "mask",
                              .subset = kHuman,
                              .mask_ending = "_mask"});
  for (auto& sample : found.samples) {
    // CASE_img-00012.jpg; 255 is catheter or guidewire, nobody says which.
    const std::string name = sample.image.stem().string();
    sample.sequence = std::string(kHuman) + "/" + name.substr(0, name.find("_img-"));
    sample.frame = trailing_number(name, 0);
    sample.role = Role::kTrain;
    sample.classes = binary_class_map(WireClass::kDevice);
  }
  note_count(out, kHuman, "frames", std::ssize(found.samples), kHumanFrames);
  append(out, std::move(found));
}

Listing list_cathaction(const fs::path& folder) {
  Listing out;
  const fs::path root = inner(folder, "segmentation");
  for (const auto& part : kCathAction) {
    if (!has_part(root, part)) continue;
    const fs::path place = root / part.folder;
    Listing found =
        list_pairs({.images = place / "images", .masks = place / "masks", .subset = part.folder});
    name_sequences(found);
    for (auto& sample : found.samples) {
      sample.role = part.role;
      sample.classes =
          class_map({WireClass::kBackground, WireClass::kCatheter, WireClass::kGuidewire});
    }
    note_count(out, part.folder, "frames", std::ssize(found.samples), part.frames);
    out.published_pixels.push_back({part.folder, 1, part.catheter});
    out.published_pixels.push_back({part.folder, 2, part.guidewire});
    append(out, std::move(found));
  }
  if (has_human(folder)) {
    list_human(folder, out);
  } else if (has_human(root)) {
    list_human(root, out);
  }
  for (auto& sample : out.samples) sample.dataset = "CathAction";
  check_found(out, folder, "segmentation/{animal,phantom}_{train,test}/ or human_dataset_train/");
  return out;
}

// --- MOSXAV ---------------------------------------------------------------------------------

constexpr const char* kMosxavMasks = "Annotations_Semantic";
constexpr std::array<int64_t, 12> kMosxavTestFrames = {
    50, 33, 33, 24, 50, 19, 14, 42, 59, 54, 56, 54};
constexpr int64_t kMosxavSequences = 30;

fs::path mosxav_root(const fs::path& folder) {
  return inner(folder, "MOSXAV_Dataset");
}

bool has_mosxav(const fs::path& root, const char* part) {
  return is_folder(root / part / "JPEGImages") && is_folder(root / part / kMosxavMasks);
}

/// The annotated frames of one sequence. In trainval every fifth frame has a mask; in test all
/// must. Returns how many have none.
int64_t list_mosxav_sequence(const fs::path& root,
                             const std::string& part,
                             const std::string& sequence,
                             Listing& out) {
  const fs::path mask_folder = root / part / kMosxavMasks / sequence;
  const auto images = pictures_in(root / part / "JPEGImages" / sequence, out.problems);
  NamedFiles masks;
  if (is_folder(mask_folder)) masks = pictures_in(mask_folder, out.problems);
  int64_t without = 0;
  for (const auto& [name, image] : images) {
    const auto mask = masks.find(name);
    if (mask == masks.end()) {
      ++without;
      if (part == "test") {
        out.problems.push_back(
            format("'{}': must have a mask of the same name in {}", image.string(), kMosxavMasks));
      }
      continue;
    }
    Sample sample;
    sample.id = part + "/" + sequence + "/" + name;
    sample.dataset = "MOSXAV";
    sample.subset = part;
    sample.sequence = sequence;
    sample.frame = trailing_number(name, 0);
    sample.image = image;
    sample.mask = mask->second;
    sample.role = part == "test" ? Role::kVal : Role::kFinetune;
    sample.classes = class_map({WireClass::kBackground,
                                WireClass::kVessel,
                                WireClass::kCatheter,
                                WireClass::kCatheter,
                                WireClass::kOtherDevice,
                                WireClass::kIgnore});
    out.samples.push_back(std::move(sample));
    masks.erase(mask);
  }
  for (const auto& [name, mask] : masks) {
    out.problems.push_back(
        format("'{}': must have an image of the same name in JPEGImages", mask.string()));
  }
  return without;
}

Listing list_mosxav(const fs::path& folder) {
  Listing out;
  const fs::path root = mosxav_root(folder);
  for (const char* part : {"trainval", "test"}) {
    if (!has_mosxav(root, part)) continue;
    const bool test = std::string_view(part) == "test";
    const auto sequences = folders_in(root / part / "JPEGImages");
    int64_t without = 0;
    for (const auto& sequence : sequences) {
      const auto before = std::ssize(out.samples);
      without += list_mosxav_sequence(root, part, sequence, out);
      const int64_t number = trailing_number(sequence, -1);
      if (test && number >= 0 && number < std::ssize(kMosxavTestFrames)) {
        note_count(out,
                   "test/" + sequence,
                   "frames",
                   std::ssize(out.samples) - before,
                   kMosxavTestFrames[static_cast<size_t>(number)]);
      }
    }
    note_count(out,
               part,
               "sequences",
               std::ssize(sequences),
               test ? std::ssize(kMosxavTestFrames) : kMosxavSequences);
    if (!test && without > 0) {
      out.remarks.push_back(format(
          "{}: {} frames have no mask (every fifth is annotated) and are left out", part, without));
    }
  }
  check_found(out, folder, "trainval/ or test/ with JPEGImages/ and Annotations_Semantic/");
  return out;
}

// --- FGA-Net --------------------------------------------------------------------------------

constexpr const char* kFgaNetFolder = "guidewire2024";

bool has_fga_net(const fs::path& root) {
  return is_folder(root / "train/images") && is_folder(root / "train/masks");
}

/// All of it is sealed, its training part too: the test frames of a set that was trained on would
/// show nothing about other hospitals.
Listing list_fga_net(const fs::path& folder) {
  Listing out;
  const fs::path root = inner(folder, kFgaNetFolder);
  for (const char* part : {"train", "val", "test"}) {
    if (!is_folder(root / part / "images") || !is_folder(root / part / "masks")) continue;
    Listing found = list_pairs(
        {.images = root / part / "images", .masks = root / part / "masks", .subset = part});
    for (auto& sample : found.samples) {
      sample.dataset = "FGANet";
      sample.role = Role::kSealed;
      sample.classes = binary_class_map(WireClass::kGuidewire);
    }
    append(out, std::move(found));
  }
  check_found(out, folder, "train/, val/ or test/ with images/ and masks/");
  return out;
}

}  // namespace

DatasetReader cathaction_reader() {
  return {.name = "cathaction",
          .licence = "CC BY-NC-SA 4.0",
          .summary =
              "CathAction's segmentation part, catheters and guidewires in phantoms and "
              "pigs; the *_test folders become val_extra",
          .layout =
              "segmentation/{animal,phantom}_{train,test}/ with images/N.png and masks/N.npy "
              "(0 background, 1 catheter, 2 guidewire), human_dataset_train/ with "
              "img/CASE_img-N.jpg and mask/CASE_img-N_mask.png (255 any device)",
          .recognises = is_cathaction,
          .list = list_cathaction};
}

DatasetReader mosxav_reader() {
  return {.name = "mosxav",
          .licence = "CC BY-NC-SA 4.0",
          .summary =
              "MOSXAV, X-ray angiograms with vessels, catheters and balloons but no guidewire "
              "class (see --background-ignored); trainval becomes finetune, test val",
          .layout =
              "trainval/ and test/, each with JPEGImages/vNN/NNNNN.jpg and "
              "Annotations_Semantic/vNN/NNNNN.png (palette; 0 background, 1 vessel, 2 contrast "
              "catheter, 3 catheter, 4 balloon, 5 others)",
          .recognises =
              [](const fs::path& folder) {
                const fs::path root = mosxav_root(folder);
                return has_mosxav(root, "trainval") || has_mosxav(root, "test");
              },
          .list = list_mosxav};
}

DatasetReader fga_net_reader() {
  return {.name = "fga-net",
          .licence = "not stated; from its authors only",
          .summary = "FGA-Net's fluoroscopy frames with guidewires; all of them are sealed",
          .layout = "guidewire2024/{train,val,test}/ with images/N.png and masks/N.png (0, 255)",
          .recognises =
              [](const fs::path& folder) {
                // Other sets have such folders too, and sealing them would be a surprise.
                return has_fga_net(folder / kFgaNetFolder) ||
                       (folder_name(folder) == kFgaNetFolder && has_fga_net(folder));
              },
          .list = list_fga_net};
}

}  // namespace voxloom::dataset
