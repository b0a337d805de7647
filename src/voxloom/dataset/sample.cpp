#include "voxloom/dataset/sample.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "voxloom/core/error.h"
#include "voxloom/dataset/picture_file.h"
#include "voxloom/dataset/sealed.h"

namespace voxloom::dataset {
namespace {

constexpr std::array<std::pair<Role, std::string_view>, 6> kRoles{{{Role::kNone, "none"},
                                                                   {Role::kTrain, "train"},
                                                                   {Role::kFinetune, "finetune"},
                                                                   {Role::kVal, "val"},
                                                                   {Role::kValExtra, "val_extra"},
                                                                   {Role::kSealed, "sealed"}}};

constexpr std::array<std::pair<WireClass, std::string_view>, 7> kClasses{
    {{WireClass::kBackground, "background"},
     {WireClass::kGuidewire, "guidewire"},
     {WireClass::kCatheter, "catheter"},
     {WireClass::kOtherDevice, "other_device"},
     {WireClass::kVessel, "vessel"},
     {WireClass::kDevice, "device"},
     {WireClass::kIgnore, "ignore"}}};

template <class Table>
std::string names_of(const Table& table) {
  std::string names;
  for (const auto& [value, name] : table) {
    if (!names.empty()) names += ", ";
    names += name;
  }
  return names;
}

template <class Value, class Table>
Value find_name(const Table& table, std::string_view name, std::string_view what) {
  for (const auto& [value, known] : table) {
    if (known == name) return value;
  }
  throw Error(ErrorCode::kInvalidArgument,
              format("{}: must be one of {}, got '{}'", what, names_of(table), name));
}

template <class Value, class Table>
std::string_view find_value(const Table& table, Value value) {
  for (const auto& [known, name] : table) {
    if (known == value) return name;
  }
  throw Error(ErrorCode::kInternal, format("no name for {}", static_cast<int>(value)));
}

}  // namespace

std::string_view role_name(Role role) {
  return find_value(kRoles, role);
}

Role role_from_name(std::string_view name) {
  return find_name<Role>(kRoles, name, "role");
}

std::string_view wire_class_name(WireClass wire_class) {
  return find_value(kClasses, wire_class);
}

WireClass wire_class_from_name(std::string_view name) {
  return find_name<WireClass>(kClasses, name, "class");
}

ClassMap empty_class_map() {
  ClassMap map;
  map.fill(kUnknownClass);
  return map;
}

ClassMap unified_class_map() {
  ClassMap map = empty_class_map();
  for (const auto& [value, name] : kClasses) {
    map[static_cast<uint8_t>(value)] = static_cast<uint8_t>(value);
  }
  return map;
}

ClassMap binary_class_map(WireClass object, uint8_t object_id) {
  ClassMap map = empty_class_map();
  map[0] = static_cast<uint8_t>(WireClass::kBackground);
  map[object_id] = static_cast<uint8_t>(object);
  return map;
}

LabelledImage load_sample(const Sample& sample, SealedAccess access) {
  if (access == SealedAccess::kRefuse) refuse_sealed_files(sample);
  LabelledImage out;
  GreyPicture picture = read_picture(sample.image);
  out.width = picture.width;
  out.height = picture.height;
  out.image = std::move(picture.pixels);
  if (sample.mask.empty()) return out;
  RawMask mask = read_mask_file(sample.mask);
  VOXLOOM_CHECK(mask.width == out.width && mask.height == out.height,
                ErrorCode::kDataCorrupt,
                "'{}': a mask must have the size of its image {}x{}, got {}x{}",
                sample.mask.string(),
                out.width,
                out.height,
                mask.width,
                mask.height);
  std::array<int64_t, 256> unknown{};
  for (auto& id : mask.ids) {
    const uint8_t unified = sample.classes[id];
    if (unified == kUnknownClass) [[unlikely]] {
      ++unknown[id];
    }
    id = unified;
  }
  std::string list;
  for (size_t id = 0; id < unknown.size(); ++id) {
    if (unknown[id] == 0) continue;
    if (!list.empty()) list += ", ";
    list += format("{} ({} px)", id, unknown[id]);
  }
  VOXLOOM_CHECK(list.empty(),
                ErrorCode::kDataCorrupt,
                "'{}': mask ids must be known to the class map of '{}', got {}",
                sample.mask.string(),
                sample.dataset,
                list);
  out.mask = std::move(mask.ids);
  return out;
}

}  // namespace voxloom::dataset
