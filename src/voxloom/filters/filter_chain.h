#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "voxloom/filters/field_of_view.h"
#include "voxloom/image/frame.h"
#include "voxloom/infer/filter_options.h"

namespace voxloom::filters {

/// A map beside the image: a feature for a network, never a mask.
struct FilterChannel {
  std::string name;           ///< "frangi", "subtract", "bottomhat", "linehat".
  std::vector<float> pixels;  ///< [height, width], 0 outside the field. subtract: log attenuation.
  bool valid = true;          ///< False: all 0, for `reason`.
  std::string reason;
};

/// What a chain makes of a frame.
struct FilteredFrame {
  image::Frame image;  ///< Number, time and pixel size of the input; 0 outside the field,
                       ///< text painted over by its surroundings.
  std::vector<FilterChannel> channels;                   ///< In order of the steps that made them.
  std::vector<std::pair<std::string, double>> times_ms;  ///< "field", then each step, in order.
};

/// Filters in order. clahe, nlm, gamma, recursive and nvca change the image that later steps see;
/// bottomhat, linehat, frangi and subtract add a channel made from the image as it is at that place
/// and leave it alone.
///
/// Field of view and polarity are found in the first frame; the field and the noise model again
/// every 16 frames. Bright objects are turned dark before the first step. Keeps state between
/// frames; not thread-safe.
class FilterChain {
 public:
  /// Throws kInvalidArgument for options out of range, kUnsupported for steps that need OpenCV in a
  /// build without it.
  explicit FilterChain(infer::FilterChainOptions options);
  ~FilterChain();
  FilterChain(FilterChain&&) noexcept;
  FilterChain& operator=(FilterChain&&) noexcept;

  /// Forgets all frames: before another stream. A frame of another size does the same.
  void reset();
  [[nodiscard]] FilteredFrame step(const image::Frame& frame);

  [[nodiscard]] const infer::FilterChainOptions& options() const;
  /// Of the last frame; before the first one that of no frame.
  [[nodiscard]] const FieldOfView& field() const;
  /// Whether frames are inverted.
  [[nodiscard]] bool inverts() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace voxloom::filters
