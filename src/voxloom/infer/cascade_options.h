#pragma once

#include <cstdint>
#include <string>

#include "voxloom/core/options.h"
#include "voxloom/infer/wire_box_tracker.h"
#include "voxloom/infer/wire_crops.h"

namespace voxloom::infer {

/// How a cascade works beside its two networks: kept in its package.
struct CascadeRules {
  int64_t detector_side = 0;  ///< Frames are resized to this larger side for it; 0: as they are.
  BoxTrackRule boxes;
  CropRule crops;

  void visit(OptionList& list);
  void validate() const;
};

/// What `voxloom wire cascade` is told.
struct CascadeOptions {
  std::string detector, segmenter;  ///< Packages.
  std::string output;               ///< Folder of the package to make.
  CascadeRules rules;  ///< A crop side of 0: the one that the segmenter was trained on, else 224.
  bool force = false;

  CascadeOptions() { rules.crops.side = 0; }
  void visit(OptionList& list);
};

}  // namespace voxloom::infer
