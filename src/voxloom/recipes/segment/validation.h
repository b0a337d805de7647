#pragma once

#include <cstdint>
#include <vector>

#include "voxloom/models/sam2/sam2.h"
#include "voxloom/recipes/segment/cases.h"
#include "voxloom/train/task.h"

namespace voxloom::recipes::segment {

/// An object that validation segments.
struct ValidationObject {
  size_t item = 0;  ///< Of the case store.
  uint16_t value = 0;
};

/// All objects of the cases `items`, or `most` of them spread evenly (0: all).
[[nodiscard]] std::vector<ValidationObject> validation_objects(const std::vector<CaseIndex>& index,
                                                               const std::vector<size_t>& items,
                                                               int64_t most);

/// Segments every object from the tight box on its largest slice, followed both ways as inference
/// does (a way ends after three slices in a row without the object), and compares with the truth.
/// Gives "dice" (of the whole object), "key_dice" (on the slice with the box) and "overlap_error"
/// (mean |predicted - actual| overlap there), means over objects; pictures of the first objects go
/// to `pictures`. The network is in eval mode.
[[nodiscard]] train::Metrics validate_objects(models::sam2::Sam2& network,
                                              CaseStore& cases,
                                              const std::vector<ValidationObject>& objects,
                                              std::vector<train::Picture>& pictures,
                                              Progress& progress,
                                              const CancelToken& stop);

}  // namespace voxloom::recipes::segment
