#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace voxloom::dataset {

/// Unified classes of the X-ray data sets (guidewire.md section 1.1). Append only: they are stored
/// in caches. A class map of a data set translates its own ids to these.
enum class WireClass : uint8_t {
  kBackground = 0,
  kGuidewire = 1,
  kCatheter = 2,
  kOtherDevice = 3,
  kVessel = 4,
  kDevice = 5,    ///< Guidewire or catheter: the data set does not tell them apart.
  kIgnore = 255,  ///< Neither loss nor metric looks at it.
};

/// "background", "guidewire", "catheter", "other_device", "vessel", "device", "ignore".
[[nodiscard]] std::string_view wire_class_name(WireClass wire_class);
/// Throws kInvalidArgument listing the names.
[[nodiscard]] WireClass wire_class_from_name(std::string_view name);

/// What a sample may be used for. Sealed samples are opened by `eval --unseal` alone.
enum class Role { kNone, kTrain, kFinetune, kVal, kValExtra, kSealed };
[[nodiscard]] std::string_view role_name(Role role);  ///< "train", "val_extra", ...
/// Throws kInvalidArgument listing the names.
[[nodiscard]] Role role_from_name(std::string_view name);

/// Own ids of a data set -> WireClass values; ids that a data set does not define are an error
/// when a mask is read (`kUnknownClass`).
using ClassMap = std::array<uint8_t, 256>;
inline constexpr uint8_t kUnknownClass = 254;
/// Every id is unknown.
[[nodiscard]] ClassMap empty_class_map();
/// WireClass values stand for themselves.
[[nodiscard]] ClassMap unified_class_map();
/// 0 is background, `object_id` is `object`.
[[nodiscard]] ClassMap binary_class_map(WireClass object, uint8_t object_id = 255);

/// One annotated image: a line of a manifest.
struct Sample {
  std::string id, dataset, subset, sequence;
  int64_t frame = 0;
  std::filesystem::path image;  ///< File.
  std::filesystem::path mask;   ///< File; empty: not annotated.
  std::string sha256_image, sha256_mask;
  /// Of the picture that a synthetic image was made on; empty: none (hold-out rule R10).
  std::string sha256_background;
  Role role = Role::kNone;
  std::filesystem::path curves;  ///< File with the centre lines and tips of the sequence; or empty.
  double dose_ngy = 0.0;         ///< Detector dose of the frame; 0: unknown.
  double pixel_mm = 0.0;         ///< 0: unknown.
  bool bright_object = false;    ///< Objects are brighter than their surroundings (not X-ray).
  ClassMap classes{};
};

/// An image and its mask in memory.
struct LabelledImage {
  int64_t width = 0, height = 0;
  std::vector<float> image;   ///< [H, W] in [0, 1].
  std::vector<uint8_t> mask;  ///< [H, W] WireClass values; empty: not annotated.
};

/// Whether a reader may open sealed files: `wire eval --unseal` alone, and what hashes them.
enum class SealedAccess { kRefuse, kUnsealed };

/// Reads both files: PNG, JPEG, TIFF or NPY [H, W]; 8 and 16 bits fill [0, 1], colour becomes grey,
/// float must lie within [0, 1]. Throws kNotFound, kDataCorrupt naming the file: unreadable, a mask
/// of another size, an id that the class map does not know. Throws kInvalidArgument for a sealed
/// sample, by its role or by a marker above its files (dataset/sealed.h), without kUnsealed.
[[nodiscard]] LabelledImage load_sample(const Sample& sample,
                                        SealedAccess access = SealedAccess::kRefuse);

}  // namespace voxloom::dataset
