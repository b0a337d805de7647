#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "voxloom/dataset/fluoro_options.h"
#include "voxloom/dataset/fluoro_parameters.h"
#include "voxloom/image/frame.h"

namespace voxloom::dataset {

/// A stretch of a wire's axis inside the field: vertices in pixels (x, y; centres of pixels are
/// whole numbers), from the outer end towards the tip, and the contrast-to-noise ratio of the pixel
/// there.
struct FluoroStretch {
  std::vector<std::array<float, 2>> points;
  std::vector<float> cnr;
};

/// The truth about one wire in one frame.
struct FluoroWireTruth {
  uint8_t instance = 0;                     ///< Value in FluoroFrame::instance.
  std::vector<FluoroStretch> stretches;     ///< In order along the wire; empty: out of the field.
  std::optional<std::array<float, 2>> tip;  ///< Absent when it lies outside the field.
  double length_mm = 0.0;                   ///< Inside the field.
  double cnr = 0.0;                         ///< Median along the axis, single frame.
  /// Signal to noise of an observer who knows the wire's shape: root of the sum of squares of the
  /// per-pixel contrast-to-noise ratio.
  double matched_snr = 0.0;
  bool visible = false;  ///< At least 2 mm in the field and matched_snr >= 5 (Rose).
};

/// One simulated exposure with its labels.
struct FluoroFrame {
  image::Frame frame;             ///< Whole grey levels / 255. pixel_mm is in the object plane.
  std::vector<uint8_t> mask;      ///< [H, W] WireClass values.
  std::vector<uint8_t> instance;  ///< [H, W] 0 none; wires first, then devices, then the vessels.
  std::vector<float> cnr;         ///< [H, W] on wire pixels: |contrast| / noise; else 0.
  std::vector<FluoroWireTruth> wires;
  bool wire_visible = false;
};

/// The seed of sequence `index` of a split. Splits and sequences share no random numbers.
[[nodiscard]] uint64_t fluoro_sequence_seed(uint64_t seed, std::string_view split, int64_t index);

/// A simulated X-ray video (guidewire.md section 11). Frames depend on options, seed and `index`
/// alone: the same bytes at any number of threads.
///
/// Label rule of wires and devices: a pixel belongs to it when its centre lies within
/// max(radius, 0.75 px) of the axis; that takes in every pixel whose chord is over 25 % of the
/// diameter. Vessels are labelled while contrast agent shows them (optical depth over 0.03).
/// Wire beats catheter beats other device beats vessel.
class FluoroSequence {
 public:
  /// `index`: number within a set, see sample_fluoro_parameters(). Throws kInvalidArgument for bad
  /// options.
  FluoroSequence(const FluoroOptions& options, uint64_t seed, int64_t index = -1);
  ~FluoroSequence();
  FluoroSequence(FluoroSequence&&) noexcept;
  FluoroSequence& operator=(FluoroSequence&&) noexcept;

  /// Frame i, 0 <= i < options.frames. In order it costs one exposure; a step back or a jump ahead
  /// replays the exposures between, because lag and the recursive filter remember them.
  [[nodiscard]] FluoroFrame frame(int64_t i);

  [[nodiscard]] const FluoroOptions& options() const;
  [[nodiscard]] const FluoroParameters& parameters() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace voxloom::dataset
