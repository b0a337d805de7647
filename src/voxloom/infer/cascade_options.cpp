#include "voxloom/infer/cascade_options.h"

#include "voxloom/core/error.h"

namespace voxloom::infer {

void CascadeRules::visit(OptionList& list) {
  list.option("--detector-side",
              detector_side,
              "Larger side that the detector's frames are resized to in px, 0: as they are.")
      .with_range(0, 4096);
  boxes.visit(list);
  crops.visit(list);
}

void CascadeRules::validate() const {
  VOXLOOM_CHECK(detector_side == 0 || detector_side >= 64,
                ErrorCode::kInvalidArgument,
                "cascade: the detector's side must be 0 or at least 64 px, got {}",
                detector_side);
  boxes.validate();
  crops.validate();
}

void CascadeOptions::visit(OptionList& list) {
  list.option("--detector", detector, "Package of a detector (wire train --network detector).")
      .with_value_name("PACKAGE")
      .as_required();
  list.option("--segmenter",
              segmenter,
              "Package of the network for the crops (wire train --crops boxes).")
      .with_value_name("PACKAGE")
      .as_required();
  list.option("--output", output, "Folder of the package to make (also -o).")
      .with_value_name("DIR")
      .as_required();
  rules.visit(list);
}

}  // namespace voxloom::infer
