#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "voxloom/core/cancel.h"
#include "voxloom/core/progress.h"
#include "voxloom/image/frame.h"

namespace voxloom::recipes::wire {

/// A frame with what is known about it.
struct LabelledFrame {
  image::Frame frame;
  std::string sequence;
  std::vector<uint8_t> object;   ///< [height, width]; empty: not labelled.
  std::vector<uint8_t> exclude;  ///< Neither object nor background.
};

/// Frames of a manifest, a data-set folder or a video, one after the other.
class FrameSource {
 public:
  virtual ~FrameSource() = default;
  [[nodiscard]] virtual std::optional<LabelledFrame> next() = 0;
  [[nodiscard]] virtual int64_t count() const = 0;  ///< 0: unknown.
};

/// See filter_report().
[[nodiscard]] std::unique_ptr<FrameSource> open_frames(const std::string& data,
                                                       Progress& progress,
                                                       const CancelToken& stop);

}  // namespace voxloom::recipes::wire
