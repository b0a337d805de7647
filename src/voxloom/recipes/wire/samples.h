#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "voxloom/dataset/sample.h"

namespace voxloom::recipes::wire {

/// What counts as the object: a table over WireClass values.
struct ObjectClasses {
  std::vector<std::string> names;  ///< As WireClass calls them.
  std::array<bool, 256> is_object{};
  /// Neither loss nor metric looks there: unknown, or perhaps the object (a device of a data set
  /// that does not tell wires from catheters, where one of them alone is the object).
  std::array<bool, 256> is_ignored{};
  [[nodiscard]] bool operator()(uint8_t wire_class) const { return is_object[wire_class]; }
};

/// The classes called `names` ("device" is guidewire and catheter); without any, guidewire and
/// catheter, or vessel where none of the samples' data sets has a device. Throws kInvalidArgument
/// for unknown names and background.
[[nodiscard]] ObjectClasses object_classes(const std::vector<std::string>& names,
                                           const std::vector<dataset::Sample>& samples);

/// Samples and what stands for their content in run.yaml.
struct SampleSet {
  std::vector<dataset::Sample> samples;
  std::string fingerprint;
};

/// The samples of manifests.
[[nodiscard]] SampleSet read_samples(const std::vector<std::string>& manifests);

/// Throws kInvalidArgument naming the first when one is sealed, by its role, by a marker above its
/// files or as a copy of a sealed image: only `wire eval --unseal` opens those (hold-out rules R8
/// to R10). Opens no image.
void refuse_sealed(const std::vector<dataset::Sample>& samples);

/// Leaves those that statistics and choices may look at: train, finetune and val (rule R8). Throws
/// kInvalidArgument when none is left.
void keep_for_statistics(std::vector<dataset::Sample>& samples, const std::string& data);

/// The same as refuse_sealed() for a source of frames without manifest: a file, a folder of
/// pictures, or what is no path at all (a camera, an address).
void refuse_sealed_source(const std::string& source);

/// Whether the objects of all samples are brighter than their surroundings: what a package trained
/// on them says about itself. Networks see dark objects either way; a set that holds a few inverted
/// pictures beside normal ones is one of dark objects.
[[nodiscard]] bool bright_objects(const std::vector<dataset::Sample>& samples);

/// `count` of them, spread evenly; all for 0.
[[nodiscard]] std::vector<dataset::Sample> spread(const std::vector<dataset::Sample>& samples,
                                                  int64_t count);

/// The mask of an image: 1 object, and 255 where neither loss nor metric may look.
struct ObjectMask {
  std::vector<uint8_t> object, ignore;
};
[[nodiscard]] ObjectMask object_mask(const std::vector<uint8_t>& classes,
                                     const ObjectClasses& wanted);

}  // namespace voxloom::recipes::wire
