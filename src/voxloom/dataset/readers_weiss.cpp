// The WEISS / UCL catheter set: HDF5 files, or one NPY file a frame.
#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "voxloom/core/error.h"
#include "voxloom/core/npz.h"
#include "voxloom/dataset/folder_files.h"
#include "voxloom/dataset/readers_list.h"
#include "voxloom/dataset/weiss_frames.h"

namespace voxloom::dataset {
namespace {

namespace fs = std::filesystem;

/// Procedures follow each other in a file without a mark: their borders are known by number alone.
struct WeissSequence {
  const char* name;
  int64_t frames;
};
struct WeissFile {
  const char *images, *array, *labels;
  std::array<WeissSequence, 4> sequences;  ///< Unused ones are empty.
};
constexpr std::array kFiles = {
    WeissFile{"Phantom.hdf5", "test", "Phantom_label.hdf5", {{{"Phantom", 2000}}}},
    WeissFile{"T1T2.hdf5", "train_img", "T1T2_label.hdf5", {{{"T1", 286}, {"T2", 150}}}},
    WeissFile{"T3-T6.hdf5",
              "test",
              "T3-T6_label.hdf5",
              {{{"T3", 200}, {"T4", 200}, {"T5", 143}, {"T6", 228}}}}};

/// T5 and T6 are the test nobody may train on. The others come from the same scanner and hospital:
/// using them would make that test easier, so they are for nothing unless a user says otherwise.
Role role_of(std::string_view sequence) {
  return sequence == "T5" || sequence == "T6" ? Role::kSealed : Role::kNone;
}

Sample make_sample(const std::string& sequence, int64_t frame) {
  Sample sample;
  sample.id = format("{}/{:04d}", sequence, frame);
  sample.dataset = "WEISS";
  sample.subset = sequence == "Phantom" ? "phantom" : "in_vivo";
  sample.sequence = sequence;
  sample.frame = frame;
  sample.role = role_of(sequence);
  // Labels don't tell catheter from guidewire.
  sample.classes = binary_class_map(WireClass::kDevice, 1);
  return sample;
}

std::string export_name(const Sample& sample, const char* part) {
  return (sample.role == Role::kSealed ? std::string(kSealedFolder) + "/" : std::string()) + part +
         "/" + sample.id;
}

void list_hdf5(const fs::path& folder, const WeissFile& file, Listing& out) {
  const fs::path label_path = folder / file.labels;
  auto images = std::make_shared<WeissImages>(folder / file.images, file.array);
  VOXLOOM_CHECK(is_file(label_path),
                ErrorCode::kNotFound,
                "'{}': must be there with the labels of {}",
                label_path.string(),
                file.images);
  auto labels = std::make_shared<const WeissLabels>(label_path, "label");
  VOXLOOM_CHECK(labels->count() == images->count() && labels->width() == images->width() &&
                    labels->height() == images->height(),
                ErrorCode::kDataCorrupt,
                "'{}': must have as many frames as {} and their size, {} of {}x{}, got {} of {}x{}",
                label_path.string(),
                file.images,
                images->count(),
                images->width(),
                images->height(),
                labels->count(),
                labels->width(),
                labels->height());
  int64_t published = 0;
  for (const auto& sequence : file.sequences) published += sequence.frames;
  VOXLOOM_CHECK(images->count() == published,
                ErrorCode::kDataCorrupt,
                "'{}': must have {} frames, by whose numbers its sequences are told apart, got {}",
                (folder / file.images).string(),
                published,
                images->count());
  int64_t first = 0;
  for (const auto& sequence : file.sequences) {
    for (int64_t frame = 0; frame < sequence.frames; ++frame) {
      const int64_t index = first + frame;
      const size_t number = out.samples.size();
      out.samples.push_back(make_sample(sequence.name, frame));
      const Sample& sample = out.samples.back();
      out.made.push_back({.sample = number,
                          .part = MadePicture::Part::kImage,
                          .name = export_name(sample, "image"),
                          .make = [images, index] { return images->frame(index); }});
      out.made.push_back({.sample = number,
                          .part = MadePicture::Part::kMask,
                          .name = export_name(sample, "mask"),
                          .make = [labels, index] { return labels->mask(index); }});
    }
    first += sequence.frames;
  }
}

// --- One NPY file a frame -------------------------------------------------------------------

/// "T3_image_test0012" -> T3, 12; "image_train0012" is of the phantom. False for other names.
bool parse_dump_name(const std::string& name, std::string& sequence, int64_t& frame) {
  const size_t at = name.find("image_");
  if (at == std::string::npos) return false;
  const std::string front = name.substr(0, at);
  frame = trailing_number(name, -1);
  if (front.empty()) {
    sequence = "Phantom";
  } else {
    const bool known = front.size() == 3 && front[0] == 'T' && front[1] >= '1' && front[1] <= '6' &&
                       front[2] == '_';
    if (!known) return false;
    sequence = front.substr(0, 2);
  }
  return frame >= 0;
}

/// A mask that was stored as numbers 0 and 1 of some type.
PlainPicture dump_mask(const fs::path& path) {
  const NamedArray array = read_npy(path);
  VOXLOOM_CHECK(array.shape.size() == 2 && array.shape[0] > 0 && array.shape[1] > 0,
                ErrorCode::kDataCorrupt,
                "'{}': must be [height, width], got {}",
                path.string(),
                array.shape);
  PlainPicture mask{array.shape[1], array.shape[0], {}};
  std::vector<uint8_t> ids;
  const auto add = [&](const auto& values) {
    for (const auto v : values) {
      VOXLOOM_CHECK(v == 0 || v == 1,
                    ErrorCode::kDataCorrupt,
                    "'{}': labels must be 0 and 1, got {}",
                    path.string(),
                    v);
      ids.push_back(v == 0 ? 0 : 1);
    }
  };
  if (array.dtype == "|u1") {
    add(array.as<uint8_t>());
  } else if (array.dtype == "<f8") {
    add(array.as<double>());
  } else {
    add(array.as<float>());
  }
  mask.pixels = std::move(ids);
  return mask;
}

NamedFiles dump_images(const fs::path& folder, std::vector<std::string>& problems) {
  NamedFiles images = pictures_in(folder, problems);
  std::string sequence;
  int64_t frame = 0;
  std::erase_if(images, [&](const auto& file) {
    return file.second.extension() != ".npy" || !parse_dump_name(file.first, sequence, frame);
  });
  return images;
}

void list_dumps(const fs::path& folder, Listing& out) {
  for (const auto& [name, image] : dump_images(folder, out.problems)) {
    std::string sequence;
    int64_t frame = 0;
    parse_dump_name(name, sequence, frame);
    std::string label_name = name;
    const fs::path label = folder / (label_name.replace(name.find("image_"), 6, "label_") + ".npy");
    if (!is_file(label)) {
      out.problems.push_back(
          format("'{}': must have a label '{}'", image.string(), label.filename().string()));
      continue;
    }
    Sample sample = make_sample(sequence, frame);
    sample.image = image;
    out.made.push_back({.sample = out.samples.size(),
                        .part = MadePicture::Part::kMask,
                        .name = export_name(sample, "mask"),
                        .make = [label] { return dump_mask(label); }});
    out.samples.push_back(std::move(sample));
  }
}

bool has_hdf5_file(const fs::path& folder) {
  return std::ranges::any_of(kFiles, [&](const auto& f) { return is_file(folder / f.images); });
}

bool has_dumps(const fs::path& folder) {
  std::vector<std::string> ignored;
  if (!is_folder(folder)) return false;
  const auto images = dump_images(folder, ignored);
  // Files of the phantom alone have names that others have too.
  return std::ranges::any_of(images, [](const auto& file) { return file.first.starts_with('T'); });
}

Listing list_weiss(const fs::path& folder) {
  Listing out;
  for (const auto& file : kFiles) {
    if (is_file(folder / file.images)) list_hdf5(folder, file, out);
  }
  if (!has_hdf5_file(folder)) list_dumps(folder, out);
  VOXLOOM_CHECK(!out.samples.empty() || !out.problems.empty(),
                ErrorCode::kNotFound,
                "data '{}': must hold T3-T6.hdf5, T1T2.hdf5, Phantom.hdf5 or T*_image_*.npy",
                folder.string());
  for (const auto& file : kFiles) {
    for (const auto& sequence : file.sequences) {
      if (sequence.frames == 0) continue;
      note_count(out,
                 sequence.name,
                 "frames",
                 std::ranges::count(out.samples, std::string(sequence.name), &Sample::sequence),
                 sequence.frames);
    }
  }
  return out;
}

}  // namespace

DatasetReader weiss_reader() {
  return {.name = "weiss",
          .licence = "not stated; research only",
          .summary =
              "WEISS/UCL's catheter set, in-vivo procedures T1 to T6 and a phantom; T5 and T6 "
              "are sealed, the others have no role. Labels don't tell catheters from wires",
          .layout =
              "T3-T6.hdf5, T1T2.hdf5, Phantom.hdf5 (any of them), each with its *_label.hdf5; "
              "or T3_image_test0000.npy with T3_label_test0000.npy",
          .recognises =
              [](const fs::path& folder) { return has_hdf5_file(folder) || has_dumps(folder); },
          .list = list_weiss};
}

}  // namespace voxloom::dataset
