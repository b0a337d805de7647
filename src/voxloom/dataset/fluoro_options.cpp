#include "voxloom/dataset/fluoro_options.h"

#include <charconv>
#include <cmath>

#include "voxloom/core/error.h"

namespace voxloom::dataset {

FluoroDose parse_fluoro_dose(const std::string& text) {
  std::vector<double> numbers;
  const char* at = text.data();
  const char* end = at + text.size();
  bool good = !text.empty();
  while (good) {
    double value = 0.0;
    const auto result = std::from_chars(at, end, value);
    good = result.ec == std::errc{} && value >= 1.0 && value <= 2000.0;
    numbers.push_back(value);
    at = result.ptr;
    if (at == end) break;
    good = good && *at++ == ',';
  }
  VOXLOOM_CHECK(good && (numbers.size() != 2 || numbers[0] <= numbers[1]),
                ErrorCode::kInvalidArgument,
                "--dose-ngy: must be numbers within [1, 2000] nGy with commas between, the lower "
                "end of a range first, got '{}'",
                text);
  FluoroDose dose;
  if (numbers.size() == 2) {
    dose.lo = numbers[0];
    dose.hi = numbers[1];
  } else {
    dose.list = numbers;
  }
  return dose;
}

void FluoroOptions::visit(OptionList& list) {
  list.option("--size", size, "Width and height in pixels; a pixel keeps its size in mm.")
      .with_range(32, 2048);
  list.option("--frames", frames, "Frames of a sequence.").with_range(1, 100000);
  list.option("--fps", fps, "Frames per second: 7.5, 15 and 30 are usual.").with_range(1, 60);
  list.option("--dose-ngy",
              dose_ngy,
              "Dose at the detector per frame in nGy: one number, LO,HI for a range, or a list of "
              "three and more that the sequences take in turn (fluoroscopy 6-45, cine 100-200).")
      .with_value_name("LIST|LO,HI");
  list.option("--without-wire", without_wire, "Share of frames without a guidewire.")
      .with_range(0, 1);
  list.option("--wire-mm",
              wire_mm,
              "Diameter of the wire in mm, 0: drawn from 0.356, 0.457 and 0.889 (0.014, 0.018 and "
              "0.035 inches).")
      .with_range(0, 2);
  list.option("--distractors",
              distractors,
              "Factor on the probability of leads, clips, text and so on, 0: none.")
      .with_range(0, 4);
  list.option("--plain-display",
              plain_display,
              "Log display in full field, without random gamma, polarity, sharpening, recursive "
              "filter and masks.");
}

void FluoroOptions::validate() const {
  static_cast<void>(parse_fluoro_dose(dose_ngy));
  VOXLOOM_CHECK(size >= 32 && size <= 2048,
                ErrorCode::kInvalidArgument,
                "--size: must lie within [32, 2048], got {}",
                size);
  VOXLOOM_CHECK(
      frames >= 1, ErrorCode::kInvalidArgument, "--frames: must be positive, got {}", frames);
  VOXLOOM_CHECK(std::isfinite(fps) && fps >= 1.0 && fps <= 60.0,
                ErrorCode::kInvalidArgument,
                "--fps: must lie within [1, 60], got {}",
                fps);
  VOXLOOM_CHECK(without_wire >= 0.0 && without_wire <= 1.0,
                ErrorCode::kInvalidArgument,
                "--without-wire: must lie within [0, 1], got {}",
                without_wire);
  VOXLOOM_CHECK(wire_mm == 0.0 || (wire_mm >= 0.1 && wire_mm <= 2.0),
                ErrorCode::kInvalidArgument,
                "--wire-mm: must be 0 or lie within [0.1, 2] mm, got {}",
                wire_mm);
  VOXLOOM_CHECK(distractors >= 0.0 && distractors <= 4.0,
                ErrorCode::kInvalidArgument,
                "--distractors: must lie within [0, 4], got {}",
                distractors);
}

}  // namespace voxloom::dataset
