#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "voxloom/core/options.h"

namespace voxloom::dataset {

/// Dose at the detector a frame: a list to choose from, or a range (log-uniform).
struct FluoroDose {
  std::vector<double> list;    ///< nGy; sequence i takes entry i modulo the length.
  double lo = 6.0, hi = 45.0;  ///< nGy; used when the list is empty.
};
/// "20": one dose. "6,45": a range. Three and more numbers: a list ("20,20,100,100" for a list of
/// two). Throws kInvalidArgument unless all lie within [1, 2000] and a range is ordered.
[[nodiscard]] FluoroDose parse_fluoro_dose(const std::string& text);

/// What a user chooses about simulated fluoroscopy; everything else is drawn for each sequence.
struct FluoroOptions {
  int64_t size = 512;             ///< Pixels a side. Pixels keep their size in mm.
  int64_t frames = 60;            ///< Frames a sequence.
  double fps = 15.0;              ///< Frames per second.
  std::string dose_ngy = "6,45";  ///< See parse_fluoro_dose().
  double without_wire = 0.3;      ///< Share of frames without a guidewire.
  double wire_mm = 0.0;           ///< Diameter; 0: drawn from 0.014", 0.018", 0.035".
  double distractors = 1.0;       ///< Factor on the probability of every distractor.
  bool plain_display = false;     ///< Log display without the random display faults.

  void visit(OptionList& list);
  /// Throws kInvalidArgument.
  void validate() const;
};

}  // namespace voxloom::dataset
