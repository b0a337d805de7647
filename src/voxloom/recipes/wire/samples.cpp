#include "voxloom/recipes/wire/samples.h"

#include <algorithm>

#include "voxloom/core/error.h"
#include "voxloom/core/sha256.h"
#include "voxloom/dataset/manifest.h"
#include "voxloom/dataset/sealed.h"
#include "voxloom/video/picture.h"

namespace voxloom::recipes::wire {

using dataset::Sample;
using dataset::WireClass;

ObjectClasses object_classes(const std::vector<std::string>& names,
                             const std::vector<Sample>& samples) {
  ObjectClasses out;
  std::vector<WireClass> classes;
  for (const auto& name : names) classes.push_back(dataset::wire_class_from_name(name));
  if (classes.empty()) {
    const auto has = [&](WireClass wanted) {
      return std::any_of(samples.begin(), samples.end(), [&](const Sample& sample) {
        return std::find(sample.classes.begin(),
                         sample.classes.end(),
                         static_cast<uint8_t>(wanted)) != sample.classes.end();
      });
    };
    const bool device =
        has(WireClass::kGuidewire) || has(WireClass::kCatheter) || has(WireClass::kDevice);
    classes = device ? std::vector{WireClass::kGuidewire, WireClass::kCatheter}
                     : std::vector{WireClass::kVessel};
  }
  for (const auto wire_class : classes) {
    VOXLOOM_CHECK(wire_class != WireClass::kBackground && wire_class != WireClass::kIgnore,
                  ErrorCode::kInvalidArgument,
                  "--class: must be an object, got '{}'",
                  dataset::wire_class_name(wire_class));
    out.is_object[static_cast<uint8_t>(wire_class)] = true;
    out.names.emplace_back(dataset::wire_class_name(wire_class));
  }
  const auto object = [&out](WireClass wire_class) -> bool& {
    return out.is_object[static_cast<uint8_t>(wire_class)];
  };
  bool &wire = object(WireClass::kGuidewire), &catheter = object(WireClass::kCatheter);
  if (object(WireClass::kDevice)) wire = catheter = true;
  object(WireClass::kDevice) = wire && catheter;
  out.is_ignored[static_cast<uint8_t>(WireClass::kDevice)] = wire != catheter;
  out.is_ignored[static_cast<uint8_t>(WireClass::kIgnore)] = true;
  return out;
}

SampleSet read_samples(const std::vector<std::string>& manifests) {
  SampleSet set;
  std::string fingerprints;
  for (const auto& path : manifests) {
    auto manifest = dataset::read_manifest(path);
    fingerprints += manifest.fingerprint;
    std::move(manifest.samples.begin(), manifest.samples.end(), std::back_inserter(set.samples));
  }
  set.fingerprint = sha256_hex(fingerprints);
  return set;
}

void refuse_sealed(const std::vector<Sample>& samples) {
  for (const auto& sample : samples) {
    VOXLOOM_CHECK(sample.role != dataset::Role::kSealed,
                  ErrorCode::kInvalidArgument,
                  "R8: sample '{}' is sealed; training and statistics read other roles, only "
                  "'wire eval --unseal' opens it",
                  sample.id);
  }
  dataset::refuse_violations({.violations = dataset::SealedRegister().check(samples), .notes = {}},
                             "data");
}

void keep_for_statistics(std::vector<Sample>& samples, const std::string& data) {
  using dataset::Role;
  std::erase_if(samples, [](const Sample& sample) {
    return sample.role != Role::kTrain && sample.role != Role::kFinetune &&
           sample.role != Role::kVal;
  });
  VOXLOOM_CHECK(!samples.empty(),
                ErrorCode::kInvalidArgument,
                "R8: data '{}' must hold samples of the role train, finetune or val, got none",
                data);
}

void refuse_sealed_source(const std::string& source) {
  std::error_code failed;
  const dataset::SealedRegister sealed;
  if (std::filesystem::is_directory(source, failed)) {
    sealed.refuse_files(video::list_pictures(source));
  } else if (std::filesystem::is_regular_file(source, failed)) {
    sealed.refuse_files({source});
  }
}

bool bright_objects(const std::vector<Sample>& samples) {
  return !samples.empty() && std::all_of(samples.begin(), samples.end(), [](const Sample& sample) {
    return sample.bright_object;
  });
}

std::vector<Sample> spread(const std::vector<Sample>& samples, int64_t count) {
  const auto size = static_cast<int64_t>(samples.size());
  if (count <= 0 || count >= size) return samples;
  std::vector<Sample> out;
  for (int64_t i = 0; i < count; ++i) out.push_back(samples[static_cast<size_t>(i * size / count)]);
  return out;
}

ObjectMask object_mask(const std::vector<uint8_t>& classes, const ObjectClasses& wanted) {
  ObjectMask out{.object = std::vector<uint8_t>(classes.size()),
                 .ignore = std::vector<uint8_t>(classes.size())};
  for (size_t i = 0; i < classes.size(); ++i) {
    out.object[i] = wanted(classes[i]);
    out.ignore[i] = wanted.is_ignored[classes[i]];
  }
  return out;
}

}  // namespace voxloom::recipes::wire
