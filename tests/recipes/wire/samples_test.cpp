// What counts as the object where a data set does not tell wires from catheters.
#include "voxloom/recipes/wire/samples.h"

#include <gtest/gtest.h>

#include "voxloom/core/error.h"

namespace voxloom::recipes::wire {
namespace {

using dataset::WireClass;

/// Every class once, in order of value, and an ignored pixel.
const std::vector<uint8_t> kAll{0, 1, 2, 3, 4, 5, 255};

ObjectMask mask_for(const std::vector<std::string>& names) {
  return object_mask(kAll, object_classes(names, {}));
}

TEST(WireClassesTest, ADeviceIsTheObjectOfWireAndCatheterTogether) {
  for (const auto& names : {std::vector<std::string>{"device"}, {"guidewire", "catheter"}}) {
    const auto mask = mask_for(names);
    EXPECT_EQ(mask.object, (std::vector<uint8_t>{0, 1, 1, 0, 0, 1, 0}));
    EXPECT_EQ(mask.ignore, (std::vector<uint8_t>{0, 0, 0, 0, 0, 0, 1}));
  }
}

TEST(WireClassesTest, ADeviceIsIgnoredWhereOneOfThemIsTheObject) {
  const auto wire = mask_for({"guidewire"});
  EXPECT_EQ(wire.object, (std::vector<uint8_t>{0, 1, 0, 0, 0, 0, 0}));
  EXPECT_EQ(wire.ignore, (std::vector<uint8_t>{0, 0, 0, 0, 0, 1, 1}));
  EXPECT_EQ(mask_for({"catheter", "vessel"}).ignore, (std::vector<uint8_t>{0, 0, 0, 0, 0, 1, 1}));
  // A device is no vessel.
  EXPECT_EQ(mask_for({"vessel"}).ignore, (std::vector<uint8_t>{0, 0, 0, 0, 0, 0, 1}));
}

TEST(WireClassesTest, ASetOfDevicesAloneTeachesDevices) {
  dataset::Sample sample;
  sample.classes = dataset::binary_class_map(WireClass::kDevice);
  const auto classes = object_classes({}, {sample});
  EXPECT_EQ(classes.names, (std::vector<std::string>{"guidewire", "catheter"}));
  EXPECT_TRUE(classes(static_cast<uint8_t>(WireClass::kDevice)));
  EXPECT_THROW(static_cast<void>(object_classes({"ignore"}, {})), Error);
}

}  // namespace
}  // namespace voxloom::recipes::wire
