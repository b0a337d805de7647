#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "voxloom/capi/voxloom_tracker.h"
#include "voxloom/infer/wire_tracker.h"

namespace voxloom::capi {

/// A result of the tracker in C's words. Owns all that the struct points to, so it is not copied.
class WireAnswer {
 public:
  WireAnswer(infer::WireResult found, int64_t capture_time_ns);
  WireAnswer(const WireAnswer&) = delete;
  WireAnswer& operator=(const WireAnswer&) = delete;

  [[nodiscard]] const voxloom_wire_result& view() const { return view_; }
  /// One line, made at the first call.
  [[nodiscard]] const std::string& json();

 private:
  void show_lines();

  infer::WireResult found_;
  std::string rle_, json_;
  std::vector<voxloom_point> centerline_, coefficients_;
  std::vector<uint8_t> bridged_;
  std::vector<voxloom_gap> gaps_;
  std::vector<std::vector<voxloom_point>> other_points_;
  std::vector<voxloom_line> others_;
  std::vector<voxloom_stage> stages_;
  voxloom_wire_result view_{};
};

}  // namespace voxloom::capi
